/* Implements the cancellation point of cancellation.h. Compiled without link-time optimization,
 * which would lose the symbol versions. */
#include "base/cancellation.h"

#include <pthread.h>

/* The oldest symbol versions, for glibc 2.28; glibc 2.34 moved these functions from libpthread to
 * libc. Weak, because an older glibc has them only in processes that have loaded libpthread. Every
 * process with a thread to cancel has done so. libc runs these handlers itself while it unwinds: it
 * compares stack addresses and needs no unwind table of ours. */
void clean_up_push(void *buffer, void (*routine)(void *), void *argument) __attribute__((weak));
void clean_up_pop(void *buffer, int execute) __attribute__((weak));
#if defined(__x86_64__)
__asm__(".symver clean_up_push, _pthread_cleanup_push@GLIBC_2.2.5");
__asm__(".symver clean_up_pop, _pthread_cleanup_pop@GLIBC_2.2.5");
#elif defined(__aarch64__)
__asm__(".symver clean_up_push, _pthread_cleanup_push@GLIBC_2.17");
__asm__(".symver clean_up_pop, _pthread_cleanup_pop@GLIBC_2.17");
#else
#error "tsfn-guard supports x86-64 and arm64"
#endif

void tg_cancellation_begin(struct tg_cancellation *cancellation, void (*clean_up)(void *),
                           void *argument) {
  if (clean_up_push == NULL || clean_up_pop == NULL) return;
  clean_up_push(cancellation->libc, clean_up, argument);
  /* Not deferred: in deferred mode glibc 2.28 to 2.40 send no signal, and later versions restart
   * the system call. A thread that was cancelled earlier ends here. */
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &cancellation->type);
}

void tg_cancellation_end(struct tg_cancellation *cancellation) {
  if (clean_up_push == NULL || clean_up_pop == NULL) return;
  /* The clean-up stays registered until the thread can no longer be cancelled in between. */
  pthread_setcanceltype(cancellation->type, NULL);
  clean_up_pop(cancellation->libc, 0);
}
