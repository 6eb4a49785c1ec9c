/* Pretended threads: one real thread plays several, one step at a time. The fuzz target is built
 * with pthread_self renamed to pretended_self, and has one copy of closing_notice.c's memory for
 * each thread. */
#ifndef TEST_FUZZ_PRETENDED_THREADS_H
#define TEST_FUZZ_PRETENDED_THREADS_H

enum { PRETENDED_THREADS = 3 };

extern unsigned pretended_thread; /* the thread that acts now */

/* From now on this thread acts. It does not remember which function it used last. */
void pretend_thread(unsigned thread);

/* All threads forget the notices that they have got. */
void pretended_threads_reset(void);

#endif
