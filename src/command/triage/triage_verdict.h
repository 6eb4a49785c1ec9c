/* Derives an answer from evidence: the facts of the stack that died, and the first signature that
 * fits. */
#ifndef TG_COMMAND_TRIAGE_VERDICT_H
#define TG_COMMAND_TRIAGE_VERDICT_H

#include "command/triage/triage_evidence.h"
#include "command/triage/triage_signatures.h"

enum { TG_REASONS_MAX = 4 };

struct tg_reason {
  uint64_t line; /* of the text; 0: it is from a core */
  char text[TG_QUOTE_MAX];
};

struct tg_answer {
  const struct tg_signature *signature;
  enum tg_helps helps;
  const char *why_not; /* why the answer is weaker than the signature says; or NULL */
  const char *option;  /* NULL: none */
  enum tg_sure sure;
  const struct tg_trace *trace; /* the stack that died; NULL: unknown */
  char addon[TG_OBJECT_MAX];    /* the file of the addon; "": unknown */
  uint32_t facts;
  unsigned reason_count;
  struct tg_reason reasons[TG_REASONS_MAX];
};

void tg_answer_find(const struct tg_evidence *evidence, struct tg_answer *answer);

/* Whether a frame is one of the seven functions, or belongs to Node's implementation of them. */
bool tg_is_tsfn_call(const struct tg_trace_frame *frame);

#endif
