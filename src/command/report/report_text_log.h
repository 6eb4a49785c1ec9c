/* Puts reports that the guard wrote as text together again, line by line.
 *
 * A report has several lines, each with the process id. Those of one process follow each other, and those of
 * several processes may be mixed. One thread; memory is bounded. Whoever wrote the lines is not trusted. */
#ifndef TG_COMMAND_REPORT_TEXT_LOG_H
#define TG_COMMAND_REPORT_TEXT_LOG_H

#include "command/report/report_line.h"

struct tg_text_log;

/* `time` is for lines before the first that has one, in milliseconds since 1970. Each report is handed to
 * `take` when its last line is over. */
struct tg_text_log *tg_text_log_open(int64_t time, void (*take)(void *argument, const struct tg_line *line),
                                     void *argument);

enum tg_text_verdict {
  TG_TEXT_TAKEN,
  TG_TEXT_OTHER, /* not the guard's, or a message that is no report */
  TG_TEXT_ODD, /* it begins as a report, and is none that is known; or it is the rest of one that was cut off */
};

/* `time` is when the line was logged, if that is known. */
enum tg_text_verdict tg_text_log_add(struct tg_text_log *log, const char *text, size_t length, int64_t time);

/* Hands over what is left, and frees everything. Returns how many reports were not whole. */
uint64_t tg_text_log_close(struct tg_text_log *log);

/* The time in a line of a report; TG_UNKNOWN: it has none. */
int64_t tg_text_log_time(const char *text, size_t length);

#endif
