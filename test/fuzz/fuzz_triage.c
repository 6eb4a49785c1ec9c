/* Passes any text to tsfn-guard triage, line by line. It must give an answer, and its quotes must
 * be harmless on a terminal. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "command/common/complain.h"
#include "command/triage/triage_evidence.h"
#include "command/triage/triage_lines.h"
#include "command/triage/triage_verdict.h"

/* Replaces the function of complain.c, which is not linked here. It is called if there is no
 * memory. */
int tg_complain(int status, const char *needed, const char *found, const char *remedy) {
  fprintf(stderr, "fuzz_triage: needed %s, found %s: %s\n", needed, found, remedy);
  return status;
}

static void demand(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "fuzz_triage: %s\n", what);
  abort();
}

/* A quote may end in the middle of a character. */
static void demand_tame(const char *string) {
  for (; *string != '\0'; string++)
    demand((unsigned char)*string >= 0x20 && *string != 0x7f, "a string that is not tame");
}

static void check_traces(const struct tg_evidence *evidence) {
  demand(evidence->count <= TG_TRACES_MAX, "too many stacks");
  for (unsigned i = 0; i < evidence->count; i++) {
    const struct tg_trace *trace = &evidence->traces[i];
    demand(trace->count != 0 && trace->count <= TG_FRAMES_MAX && trace->seen >= trace->count,
           "a stack without frames");
    for (unsigned j = 0; j < trace->count; j++) {
      demand_tame(trace->frames[j].function);
      demand_tame(trace->frames[j].object);
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct tg_evidence evidence;
  static struct tg_answer answer;
  struct tg_triage_lines lines = {.take = tg_evidence_take, .argument = &evidence};
  tg_evidence_open(&evidence);
  for (size_t start = 0; start < size;) {
    const uint8_t *newline = memchr(data + start, '\n', size - start);
    size_t end = newline == NULL ? size : (size_t)(newline - data);
    /* of exactly that size, so that ASan notices reads beyond the end */
    char *exact = malloc(end - start + 1);
    memcpy(exact, data + start, end - start);
    tg_triage_lines_take(&lines, exact, end - start);
    free(exact);
    start = end + 1;
  }
  check_traces(&evidence);
  tg_answer_find(&evidence, &answer);
  demand(answer.signature != NULL && answer.reason_count <= TG_REASONS_MAX, "no answer");
  for (unsigned i = 0; i < answer.reason_count; i++) demand_tame(answer.reasons[i].text);
  demand(answer.option == NULL || answer.helps != TG_HELPS_NO, "an option that does not help");
  tg_evidence_close(&evidence);
  return 0;
}
