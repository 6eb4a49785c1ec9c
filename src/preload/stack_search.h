/* Whether a thread of this process is within some code: has it on its stack. Linux keeps where a thread sleeps in
 * /proc/self/task/TID/syscall, and its stack can be read through /proc/self/mem without a fault.
 *
 * Thread safety: any thread, no lock held. Opens and closes a few files; allocates nothing. */
#ifndef TG_PRELOAD_STACK_SEARCH_H
#define TG_PRELOAD_STACK_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

/* Looks at all threads but the calling one. A word that an older frame has left on a stack counts too. False where
 * nothing was found, /proc cannot be read, or the thread is running just now and shows no stack. */
bool tg_stack_search(uintptr_t start, uintptr_t end);

#endif
