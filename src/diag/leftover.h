/* Removes metrics files that processes have left behind. A file is removed if its process is gone,
 * its name has the same pattern (%p), the guard wrote it, and its last write is long enough ago
 * that a reader has seen the last figures.
 *
 * The first line of such a file identifies the process that wrote it: its id, its start time
 * (because ids are reused), and the namespace of process ids in which both are valid. A file with
 * another first line, of another user or from another namespace is never removed. In another
 * namespace the process may still live.
 *
 * No allocation, no stdio. Call tg_leftover_open once, before main. Only one thread at a time may
 * call the others. */
#ifndef TG_DIAG_LEFTOVER_H
#define TG_DIAG_LEFTOVER_H

#include "diag/path.h"

enum {
  /* a file stays for this long after its last write, because Prometheus looks back this far */
  TG_LEFTOVER_KEPT_S = 300,
  TG_LEFTOVER_LINE_MAX = 128,
};

/* Records this process's id, start time and namespace. */
void tg_leftover_open(void);

/* The first line of this process's files, without its end. */
const char *tg_leftover_line(void);

/* Removes such files from the directory of `own`, which is the expansion of `path` for this
 * process. */
void tg_leftover_remove(const struct tg_path *path, const char *own);

#endif
