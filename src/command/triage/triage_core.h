/* Reads the stacks of a core file into evidence. elfutils' libdw does the work, in a process of its own: whatever a damaged core
 * makes of it, what it has found by then counts. */
#ifndef TG_COMMAND_TRIAGE_CORE_H
#define TG_COMMAND_TRIAGE_CORE_H

#include "command/triage/triage_evidence.h"

struct tg_core_read {
  const char *needed; /* NULL: it was read; else why it could not be, and what to do */
  const char *found;
  const char *remedy;
  const char *problem; /* what of it could not be read; NULL */
};

/* `file` is open and begins as an ELF core does. */
void tg_core_read(int file, struct tg_evidence *evidence, struct tg_core_read *read);

#endif
