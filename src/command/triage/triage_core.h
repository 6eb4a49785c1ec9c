/* Reads the stacks of a core file into evidence. elfutils' libdw does the work in a separate
 * process. If a damaged core kills that process, everything that it has printed until then still
 * counts. */
#ifndef TG_COMMAND_TRIAGE_CORE_H
#define TG_COMMAND_TRIAGE_CORE_H

#include "command/triage/triage_evidence.h"

struct tg_core_read {
  const char *needed; /* NULL: the core was read; else these three say why not, and what to do */
  const char *found;
  const char *remedy;
  const char *problem; /* which part could not be read; or NULL */
};

/* `file` is open and begins like an ELF core. */
void tg_core_read(int file, struct tg_evidence *evidence, struct tg_core_read *read);

#endif
