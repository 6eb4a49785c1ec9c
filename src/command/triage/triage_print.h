/* Prints an answer: ten lines for people, or one JSON object (docs/triage.schema.json). */
#ifndef TG_COMMAND_TRIAGE_PRINT_H
#define TG_COMMAND_TRIAGE_PRINT_H

#include "command/common/package.h"
#include "command/triage/triage_verdict.h"

/* What was read, and what could not be read. */
struct tg_triage_input {
  const char *kind; /* "text", "core" */
  uint64_t bytes, lines, too_long, binary;
  const char *problem; /* which part could not be read; or NULL */
};

void tg_answer_print(const struct tg_answer *answer, const struct tg_evidence *evidence,
                     const struct tg_package *package, const struct tg_triage_input *input);
void tg_answer_print_json(const struct tg_answer *answer, const struct tg_evidence *evidence,
                          const struct tg_package *package, const struct tg_triage_input *input);

#endif
