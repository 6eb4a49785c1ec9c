/* Implements the cancellation point of cancellation.h. Compiled without link-time optimization, which would lose the symbol
 * versions. */
#include "base/cancellation.h"

#include <pthread.h>

/* The oldest versions, for glibc 2.28; glibc 2.34 moved them from libpthread to libc. Weak, as an older glibc has them only
 * where libpthread is loaded: in every process with a thread to cancel. libc runs these handlers while it unwinds, by
 * itself: it compares addresses on the stack, and wants no table of ours. */
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

void tg_cancellation_begin(struct tg_cancellation *cancellation, void (*clean_up)(void *), void *argument) {
  if (clean_up_push == NULL || clean_up_pop == NULL) return;
  clean_up_push(cancellation->libc, clean_up, argument);
  /* Not deferred: in that mode glibc 2.28 to 2.40 send no signal, and later ones restart the system call. Whoever was
   * cancelled before ends in here. */
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &cancellation->type);
}

void tg_cancellation_end(struct tg_cancellation *cancellation) {
  if (clean_up_push == NULL || clean_up_pop == NULL) return;
  /* The clean-up stays in force until the thread can no more end in between. */
  pthread_setcanceltype(cancellation->type, NULL);
  clean_up_pop(cancellation->libc, 0);
}
