/* The env cleanup hooks that addons add. The core learns of each, as hooks of its own have to run
 * before it: such a hook may join a thread that uses a function (core/cohort.h), or that is blocked
 * in a call (core/callbacks.h). */
#ifndef TG_PRELOAD_CLEANUP_HOOKS_H
#define TG_PRELOAD_CLEANUP_HOOKS_H

#include "elf/image.h"

/* Redirects the functions that add hooks, Node-API's and those of Node's C++ interface, once the
 * seven were redirected. Does nothing in a runtime that is no Node. A function that the runtime
 * lacks is left out. */
void tg_cleanup_hooks_open(const struct tg_image *runtime);

#endif
