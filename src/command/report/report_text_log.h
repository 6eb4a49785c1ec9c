/* Reads reports that the guard wrote as text, and converts each to a tg_line (report_line.h).
 *
 * A report has several lines, each with the process id. Lines of several processes may be mixed.
 * Within one process the lines of a report follow each other. For one thread. Memory is bounded.
 * The lines are not trusted. */
#ifndef TG_COMMAND_REPORT_TEXT_LOG_H
#define TG_COMMAND_REPORT_TEXT_LOG_H

#include "command/report/report_line.h"

struct tg_text_log;

/* `time` is in milliseconds since 1970. It is used for all lines before the first line that has a
 * time. `take` gets each report after the report's last line. */
struct tg_text_log *tg_text_log_open(int64_t time,
                                     void (*take)(void *argument, const struct tg_line *line),
                                     void *argument);

enum tg_text_verdict {
  TG_TEXT_TAKEN,
  TG_TEXT_OTHER, /* not the guard's, or a message that is no report */
  /* it begins like a report, but is not understood; or it is a later line of an unknown report */
  TG_TEXT_ODD,
};

/* `time` is the time at which the line was logged, or TG_UNKNOWN. */
enum tg_text_verdict tg_text_log_add(struct tg_text_log *log, const char *text, size_t length,
                                     int64_t time);

/* Hands over the last reports, and frees everything. Returns the number of incomplete reports. */
uint64_t tg_text_log_close(struct tg_text_log *log);

/* Returns the time in a line of a report, or TG_UNKNOWN if the line has none. */
int64_t tg_text_log_time(const char *text, size_t length);

#endif
