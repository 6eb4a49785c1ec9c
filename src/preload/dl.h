/* libc's own dlopen and dlclose. A program that takes the address of one of them (Bun) has it in its procedure linkage
 * table, for everybody, and what we refer to by name would be the function that preload/loading puts there.
 *
 * Thread safety: opened once, before all else; constant from then on. */
#ifndef TG_PRELOAD_DL_H
#define TG_PRELOAD_DL_H

#include <stdbool.h>

struct tg_dl {
  void *(*open)(const char *file, int flags);
  int (*close)(void *handle);
};

extern struct tg_dl tg_dl;

/* False: the process lacks them. */
bool tg_dl_open(void);

#endif
