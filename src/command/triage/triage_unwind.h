/* Prints the stacks of a core as text, with one line for each frame, in a form that
 * tg_evidence_take() reads. It must run in a separate process, because a damaged core may crash
 * libdw. */
#ifndef TG_COMMAND_TRIAGE_UNWIND_H
#define TG_COMMAND_TRIAGE_UNWIND_H

#include <stdbool.h>
#include <stdio.h>

/* Whether this build can unwind. */
bool tg_unwind_is_built(void);

/* Exit statuses of that process. */
enum tg_unwind_status { TG_UNWIND_DONE, TG_UNWIND_NO_LIBRARY, TG_UNWIND_NOT_READ };

enum tg_unwind_status tg_unwind(int core, FILE *out);

#endif
