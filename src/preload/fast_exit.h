/* The option exit=fast: the process ends with _exit as soon as all JavaScript 'exit' listeners have
 * run, so that workers, environments, addons, exit handlers and static destructors are not run
 * down.
 *
 * Node only, in its main thread, at process.exit(), at an uncaught exception and at the natural
 * end. */
#ifndef TG_PRELOAD_FAST_EXIT_H
#define TG_PRELOAD_FAST_EXIT_H

#include "elf/image.h"

/* Once, after the seven were redirected. `write_last` writes what is due at the end of the process,
 * and answers the status that it ends with instead of the one that it is given. Says in one line if
 * the runtime lacks what is needed. */
void tg_fast_exit_open(const struct tg_image *runtime, int (*write_last)(int status));

/* The runtime is about to open an addon. Any thread; does nothing where the option is not set. */
void tg_fast_exit_addon_opens(void);

#endif
