/* Counts the living threads that have used an addon's functions. The count goes up when a thread
 * first uses one, and down when that thread ends.
 *
 * Thread safety: any thread. The list of addons that a thread has used is thread-local, and the
 * counters are atomic. */
#ifndef TG_PRELOAD_ADDON_THREADS_H
#define TG_PRELOAD_ADDON_THREADS_H

#include "core/types.h"

/* Call it once, before everything else. */
void tg_addon_threads_open(void);

/* Implements the host's record_thread (core/ports.h). Allocates nothing itself, but libc may
 * allocate on a thread's first use. */
void tg_addon_threads_record(struct tg_addon *addon);

#endif
