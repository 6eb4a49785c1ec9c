/* Reports to the core each env cleanup hook that an addon adds. The core must have hooks of its own
 * that run before it, because the addon's hook may join a thread that uses a function
 * (core/cohort.h) or that is blocked in a call (core/callbacks.h). */
#ifndef TG_PRELOAD_CLEANUP_HOOKS_H
#define TG_PRELOAD_CLEANUP_HOOKS_H

#include "elf/image.h"

/* Redirects the functions that add hooks: those of Node-API and those of Node's C++ interface. Call
 * it after the seven functions were redirected. Does nothing in a runtime other than Node. A
 * function that the runtime lacks is left out. */
void tg_cleanup_hooks_open(const struct tg_image *runtime);

#endif
