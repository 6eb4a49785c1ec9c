/* A cancellation point of our own: a piece of code in which pthread_cancel ends the thread at once, after a clean-up.
 *
 * Why not pthread_cleanup_push and a cancellation point of libc's: a futex has none, and in C without exceptions that macro
 * binds functions which musl lacks. What is used here, glibc and musl both have, and neither needs an unwinder linked.
 *
 * Thread safety: everything belongs to the calling thread. errno stays as it was. */
#ifndef TG_BASE_CANCELLATION_H
#define TG_BASE_CANCELLATION_H

/* glibc's struct _pthread_cleanup_buffer, which is larger than musl's struct __ptcb. */
struct tg_cancellation {
  void *libc[4];
  int type; /* what pthread_setcanceltype said before */
};

/* From here on to tg_cancellation_end the thread may end at any instruction, where its cancellation is not disabled; also
 * if it was cancelled before. `clean_up` is called then, on this thread. In between no lock may be held, and nothing may be
 * called but what can be left anywhere, a system call. The two are called by one function, as `cancellation` must be in
 * the frame of the code between. */
void tg_cancellation_begin(struct tg_cancellation *cancellation, void (*clean_up)(void *), void *argument);
void tg_cancellation_end(struct tg_cancellation *cancellation);

#endif
