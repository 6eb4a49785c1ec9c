/* Parses one line of a log. docs/event.schema.json describes it.
 *
 * Pure functions. They do not trust the bytes. */
#ifndef TG_COMMAND_REPORT_LINE_H
#define TG_COMMAND_REPORT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diag/catalogue.h"
#include "diag/stacks.h"

/* The guard writes at most 4096 bytes. A log shipper may have put its own text before them. */
enum { TG_LINE_MAX = 65536 };

enum tg_line_type {
  TG_LINE_EVENT,
  TG_LINE_TALLY,
  TG_LINE_LIVE,
  TG_LINE_LEAKED,
  TG_LINE_FUNCTION,
  TG_LINE_SUMMARY,
  TG_LINE_DUMP,
  TG_LINE_TYPES
};

extern const char *const tg_line_type_names[TG_LINE_TYPES];

struct tg_frame {
  const char *file; /* NULL: the code is in no file, and the offset is an address */
  uint64_t offset;
};

struct tg_frames {
  unsigned count;
  struct tg_frame frames[TG_STACK_DEPTH_MAX];
};

enum { TG_UNKNOWN = -1 };

/* Strings point into the bytes of the line. A string that is null or missing is NULL. A number that
 * is missing is TG_UNKNOWN. */
struct tg_line {
  enum tg_line_type type;
  int64_t time; /* milliseconds since 1970 */
  const char *code, *kind, *explanation, *runtime, *natively, *action, *addon;
  enum tg_severity severity;
  int64_t seen, suppressed;
  int64_t pid, tid;
  const char *thread;
  const char *function, *mode, *answered; /* the call; function NULL: there is none */
  struct tg_frame caller;                 /* file NULL: unknown */
  const char *symbol, *build_id;
  bool has_handle;
  int64_t handle, age_ms, finalized_ms_ago, counts, queue;
  const char *name, *state, *creator;
  int64_t env, worker;
  struct tg_frames stack, created_at, finalized_at;
  /* in a summary: how many functions, created at the same place, the line stands for */
  int64_t alike;
  int64_t events, live, leaked, in_use; /* of the process, in its summary */
};

enum tg_line_verdict {
  TG_LINE_OURS,
  TG_LINE_OTHER,  /* output of the program, or a message that is no report */
  TG_LINE_TEXT,   /* a report with format=text */
  TG_LINE_NEWER,  /* of a version or type that this command does not know */
  TG_LINE_BROKEN, /* it begins like a report, but is damaged or incomplete */
};

/* Changes `text`. Other text may stand before the object: a log shipper puts it there. */
enum tg_line_verdict tg_line_parse(char *text, size_t length, struct tg_line *line);

/* Whether this is the beginning of the output of tsfn-guard report --json, as the command or as jq
 * formats it. */
bool tg_line_is_report(const char *text, size_t length);

/* The functions below are for the reader of reports as text (report_text_log.h). */

/* Sets every field to unknown. */
void tg_line_begin(struct tg_line *line);

/* Returns false if no type has that name. */
bool tg_line_set_type(struct tg_line *line, const char *name);

/* Sets the field that has these names in JSON. `group` is NULL for a field at the top level.
 * Unknown names are ignored. The line may point into `value`, so the caller must keep it. Returns
 * false if the value has the wrong form for the field. */
bool tg_line_set(struct tg_line *line, const char *group, const char *name, char *value);

/* Whether the line has all fields that its type requires. */
bool tg_line_is_complete(const struct tg_line *line);

/* Parses "file+0x12", or a bare address. Changes `text`. */
bool tg_frame_parse(char *text, struct tg_frame *frame);

/* Parses "2026-11-24T03:04:05.678Z". `*time` is in milliseconds since 1970. */
bool tg_time_parse(const char *text, int64_t *time);

#endif
