/* The env cleanup hooks that addons add. The core learns of each, as it may have to run before it: such a hook may
 * join a thread that is blocked in a call (core/callbacks.h). */
#ifndef TG_PRELOAD_CLEANUP_HOOKS_H
#define TG_PRELOAD_CLEANUP_HOOKS_H

#include "elf/image.h"

/* Redirects the two functions that add hooks, once the seven were redirected. Does nothing in a runtime that is no
 * Node. A function that the runtime lacks, or that cannot be redirected, is left as it is. */
void tg_cleanup_hooks_open(const struct tg_image *runtime);

#endif
