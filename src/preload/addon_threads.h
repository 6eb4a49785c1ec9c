/* The living threads that have used an addon's functions: counted as they begin to, and as they end.
 *
 * Thread safety: any thread; what a thread has used is its own memory, and the counters are atomic. */
#ifndef TG_PRELOAD_ADDON_THREADS_H
#define TG_PRELOAD_ADDON_THREADS_H

#include "core/types.h"

/* Once, before all else. */
void tg_addon_threads_open(void);

/* The host's record_thread (core/ports.h). No allocation but libc's own for a thread's first use. */
void tg_addon_threads_record(struct tg_addon *addon);

#endif
