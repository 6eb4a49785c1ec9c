/* The known faults of the runtimes' own thread-safe functions, and which versions have them. The
 * table in docs/affected.md is printed from here. */
#ifndef TG_COMMAND_AFFECTED_H
#define TG_COMMAND_AFFECTED_H

#include <stdbool.h>

struct tg_fault {
  const char *name; /* one word */
  const char *what;
  const char *source;
  const char *remedy; /* not NULL: the fault is worth a warning */
};

/* The fault with this number, counted from 0. NULL: there are no more. */
const struct tg_fault *tg_fault(unsigned number);

enum tg_finding { TG_NOT_AFFECTED, TG_AFFECTED, TG_NOT_KNOWN };

/* `runtime`: "node", "bun", "deno", "bare"; `version`: "20.20.2". TG_NOT_KNOWN: nobody has examined
 * this version. */
enum tg_finding tg_fault_find(const struct tg_fault *fault, const char *runtime,
                              const char *version);

/* Prints the table of docs/affected.md on standard output. */
void tg_faults_print(void);

#endif
