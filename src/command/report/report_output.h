/* The report of tsfn-guard report, and the forms in which it is written. For one thread. */
#ifndef TG_COMMAND_REPORT_OUTPUT_H
#define TG_COMMAND_REPORT_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "command/report/report_groups.h"
#include "command/report/report_read.h"
#include "command/report/symbolize.h"

enum tg_change {
  TG_CHANGE_NONE,
  TG_CHANGE_NEW,
  TG_CHANGE_MORE,
  TG_CHANGE_FEWER,
  TG_CHANGE_GONE,
  TG_CHANGES
};

extern const char *const tg_change_names[TG_CHANGES];

/* A group of an older report. Strings live as long as that report. */
struct tg_old_group {
  const char *key, *code, *kind, *addon;
  enum tg_severity severity;
  uint64_t count;
  bool is_found; /* the new report has it too */
};

struct tg_difference {
  const char *name; /* of the older report */
  struct tg_old_group *old;
  size_t old_count;
  struct tg_group_change {
    enum tg_change change;
    uint64_t before;
  } * of_groups; /* by the index of the group */
};

struct tg_report {
  struct tg_groups groups;
  struct tg_read_counts counts;
  struct tg_input *inputs;
  size_t input_count;
  struct tg_symbolizer symbolizer;
  struct tg_difference *difference; /* NULL: there is nothing to compare with */
};

/* Reads all inputs. Returns 0, or the exit status after a complaint. */
int tg_report_read(struct tg_report *report, bool keep_moments);

/* Resolves a frame of the group's stacks, or its caller. */
void tg_report_resolve(struct tg_report *report, const struct tg_group *group,
                       const struct tg_frame *frame, struct tg_resolution *resolution);

/* Whether the stack's innermost frame is the caller. */
bool tg_starts_with_caller(const struct tg_group *group);

/* Writes the function that is at fault, with its source line if it is known, or else file+offset.
 * The text is empty if no code is known. */
enum { TG_WHERE_MAX = 256 };
const char *tg_report_where(struct tg_report *report, const struct tg_group *group,
                            char where[TG_WHERE_MAX]);

/* The key of a group for comparisons: its code, addon and functions. It is the same in other
 * processes, which have other addresses. It is also the same after a rebuild, if the functions are
 * known. It lives in the symbolizer's pool. */
const char *tg_report_key(struct tg_report *report, const struct tg_group *group);

/* Whether the file belongs to the runtime or the system. Frames of such files say little. */
bool tg_is_runtime_file(const char *file);

/* Compares with an older report: a log, or the output of --json. Returns 0, or the exit status
 * after a complaint. */
int tg_report_compare(struct tg_report *report, const char *name);

/* "2026-11-24T03:04:05.678Z" */
const char *tg_format_time(int64_t time, char text[32]);

void tg_report_write_text(struct tg_report *report, FILE *out);
void tg_report_write_json(struct tg_report *report, FILE *out);

/* Writes all groups and moments as one JSON object, for the page. */
void tg_report_write_page_data(struct tg_report *report, FILE *out);

/* Whether the file may be overwritten: it is not a regular file that can be read, or it is empty,
 * or it is such a page. "-" stands for the standard output, here and below. */
bool tg_report_may_write_html(const char *path);

/* Returns 0, or the exit status after a complaint. */
int tg_report_write_html(struct tg_report *report, const char *path);

#endif
