/* libc's own dlopen and dlclose. If a program takes the address of one of them (as Bun does), that
 * address is an entry of the program's procedure linkage table, and all objects use it. So a
 * reference by name from here would reach the function that preload/loading puts there.
 *
 * Thread safety: opened once, before everything else, and constant after that. */
#ifndef TG_PRELOAD_DL_H
#define TG_PRELOAD_DL_H

#include <stdbool.h>

struct tg_dl {
  void *(*open)(const char *file, int flags);
  int (*close)(void *handle);
};

extern struct tg_dl tg_dl;

/* False: the process does not have them. */
bool tg_dl_open(void);

#endif
