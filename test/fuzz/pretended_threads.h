/* Threads that only seem to exist. The fuzz target is built with pthread_self renamed to
 * pretended_self, and has one copy of the memory of closing_notice.c for each thread. So one real
 * thread plays several, one step at a time. */
#ifndef TEST_FUZZ_PRETENDED_THREADS_H
#define TEST_FUZZ_PRETENDED_THREADS_H

enum { PRETENDED_THREADS = 3 };

extern unsigned pretended_thread; /* the thread that acts now */

/* This thread acts from now on. It has forgotten which function it used last. */
void pretend_thread(unsigned thread);

/* All threads forget the notices that they have got. */
void pretended_threads_reset(void);

#endif
