/* Passes any line to the report's reader. A line that the reader takes for the guard's must be
 * complete and harmless, because it is shown on terminals and counted. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "command/report/report_line.h"

static void demand(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "fuzz_report: %s\n", what);
  abort();
}

static void demand_tame(const char *string) {
  if (string == NULL) return;
  while (*string != '\0') {
    size_t length = tg_shown_length(string);
    demand(length != 0 && (unsigned char)*string >= 0x20 && *string != 0x7f, "a string that is not tame");
    string += length;
  }
}

static void check_frames(const struct tg_frames *frames) {
  demand(frames->count <= TG_STACK_DEPTH_MAX, "too many frames");
  for (unsigned i = 0; i < frames->count; i++) demand_tame(frames->frames[i].file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct tg_line line;
  char *exact = malloc(size); /* a NUL after it would hide reads beyond the end */
  if (size != 0) memcpy(exact, data, size);
  if (tg_line_parse(exact, size, &line) == TG_LINE_OURS) {
    demand(line.type < TG_LINE_TYPES && line.time >= 0, "no type or no time");
    demand(line.type > TG_LINE_TALLY || (line.code != NULL && line.severity < TG_SEVERITIES && line.seen > 0),
           "an event that is not whole");
    const char *const strings[] = {
        line.code,   line.kind,     line.explanation, line.runtime, line.natively, line.action,
        line.addon,  line.thread,   line.function,    line.mode,    line.answered, line.caller.file,
        line.symbol, line.build_id, line.name,        line.state,   line.creator};
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) demand_tame(strings[i]);
    check_frames(&line.stack);
    check_frames(&line.created_at);
    check_frames(&line.finalized_at);
  }
  free(exact);
  return 0;
}
