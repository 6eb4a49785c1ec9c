/* Passes any input to the readers of tsfn-guard report: as one line, and as a text log. If a reader
 * accepts a line as the guard's, that line must be complete and harmless, because it is counted and
 * shown on terminals. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "command/report/report_line.h"
#include "command/report/report_text_log.h"
#include "command/report/report_wrapper.h"

static void demand(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "fuzz_report: %s\n", what);
  abort();
}

static void demand_tame(const char *string) {
  if (string == NULL) return;
  while (*string != '\0') {
    size_t length = tg_shown_length(string);
    demand(length != 0 && (unsigned char)*string >= 0x20 && *string != 0x7f,
           "a string that is not tame");
    string += length;
  }
}

static void check_frames(const struct tg_frames *frames) {
  demand(frames->count <= TG_STACK_DEPTH_MAX, "too many frames");
  for (unsigned i = 0; i < frames->count; i++) demand_tame(frames->frames[i].file);
}

static void check_line(const struct tg_line *line) {
  demand(line->type < TG_LINE_TYPES && line->time >= 0, "no type or no time");
  demand(line->type > TG_LINE_TALLY ||
             (line->code != NULL && line->severity < TG_SEVERITIES && line->seen > 0),
         "an event that is not whole");
  const char *const strings[] = {
      line->code,     line->kind,        line->explanation, line->runtime,  line->natively,
      line->action,   line->addon,       line->thread,      line->function, line->mode,
      line->answered, line->caller.file, line->symbol,      line->build_id, line->name,
      line->state,    line->creator};
  for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) demand_tame(strings[i]);
  check_frames(&line->stack);
  check_frames(&line->created_at);
  check_frames(&line->finalized_at);
}

static void take(void *argument, const struct tg_line *line) {
  (void)argument;
  check_line(line);
}

/* Returns a copy that ends where the line ends. Anything behind the line would hide reads beyond
 * its end. */
static char *copy_exactly(const uint8_t *data, size_t size) {
  char *exact = malloc(size);
  if (size != 0) memcpy(exact, data, size);
  return exact;
}

static void read_as_one_line(const uint8_t *data, size_t size) {
  struct tg_line line;
  char *exact = copy_exactly(data, size);
  if (tg_line_parse(exact, size, &line) == TG_LINE_OURS) check_line(&line);
  free(exact);
}

static void read_as_text(const uint8_t *data, size_t size) {
  struct tg_text_log *log = tg_text_log_open(0, take, NULL);
  for (size_t start = 0, length; start <= size; start += length + 1) {
    const uint8_t *end = start == size ? NULL : memchr(data + start, '\n', size - start);
    length = end == NULL ? size - start : (size_t)(end - data) - start;
    char *exact = copy_exactly(data + start, length);
    struct tg_unwrapped piece = tg_unwrap(exact, length);
    tg_text_log_add(log, piece.text, piece.length, piece.time);
    free(exact);
  }
  tg_text_log_close(log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  read_as_one_line(data, size);
  read_as_text(data, size);
  return 0;
}
