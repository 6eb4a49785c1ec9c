/* Removes the metrics files that processes have left which are gone: those of the same pattern
 * (%p), written by the guard, long enough ago that a reader has seen the last figures.
 *
 * The first line of such a file says which process wrote it: its id, when it started (an id is used
 * again), and the namespace of process ids in which both hold. Nothing else is removed: no file
 * with another first line, of another user, or from another namespace, because the process may live
 * there.
 *
 * No allocation, no stdio. Call tg_leftover_open once, before main; the rest one thread at a
 * time. */
#ifndef TG_DIAG_LEFTOVER_H
#define TG_DIAG_LEFTOVER_H

#include "diag/path.h"

enum {
  /* so long a file stays after its last write: Prometheus looks back as far */
  TG_LEFTOVER_KEPT_S = 300,
  TG_LEFTOVER_LINE_MAX = 128,
};

/* Learns who this process is. */
void tg_leftover_open(void);

/* The first line of this process's files, without its end. */
const char *tg_leftover_line(void);

/* Removes such files beside `own`, which is the expansion of `path` for this process. */
void tg_leftover_remove(const struct tg_path *path, const char *own);

#endif
