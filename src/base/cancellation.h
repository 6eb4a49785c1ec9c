/* A cancellation point of our own: a stretch of code in which pthread_cancel ends the thread at
 * once, after a clean-up.
 *
 * Why not pthread_cleanup_push and one of libc's cancellation points: waiting on a futex is not a
 * cancellation point, and in C without exceptions that macro refers to functions that musl lacks.
 * The functions used here exist in glibc and in musl, and neither needs an unwinder to be linked.
 *
 * Thread safety: everything belongs to the calling thread. errno is preserved. */
#ifndef TG_BASE_CANCELLATION_H
#define TG_BASE_CANCELLATION_H

/* glibc's struct _pthread_cleanup_buffer, which is larger than musl's struct __ptcb. */
struct tg_cancellation {
  void *libc[4];
  int type; /* the previous cancellation type */
};

/* From here to tg_cancellation_end the thread may end at any instruction, unless it has disabled
 * cancellation. It also ends if it was cancelled earlier. `clean_up` then runs on this thread. In
 * between, hold no lock, and call only what may be abandoned at any point, such as a system call.
 * Call both functions from the same function, because `cancellation` must be in the frame of the
 * code in between. */
void tg_cancellation_begin(struct tg_cancellation *cancellation, void (*clean_up)(void *),
                           void *argument);
void tg_cancellation_end(struct tg_cancellation *cancellation);

#endif
