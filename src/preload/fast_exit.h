/* The option exit=fast: the process ends with _exit as soon as all JavaScript 'exit' listeners have
 * run. Workers, environments and addons are not torn down, and exit handlers and static destructors
 * do not run.
 *
 * Works on Node only, when the main thread ends: at process.exit(), at an uncaught exception, and
 * at the natural end. */
#ifndef TG_PRELOAD_FAST_EXIT_H
#define TG_PRELOAD_FAST_EXIT_H

#include "elf/image.h"

/* Call it once, after the seven functions were redirected. `write_last` writes what is due at the
 * end of the process. It receives the status of the process, and returns the status to end with. If
 * the runtime lacks a function that is needed, one line reports it. */
void tg_fast_exit_open(const struct tg_image *runtime, int (*write_last)(int status));

/* Called when the runtime is about to open an addon. Any thread. Does nothing if exit=fast is not
 * set or not possible. */
void tg_fast_exit_addon_opens(void);

#endif
