/* Threads that are only said to be: the fuzz target is built with pthread_self renamed to pretended_self, and
 * with one memory of closing_notice.c for each of them. So one real thread plays several, one step at a time. */
#ifndef TEST_FUZZ_PRETENDED_THREADS_H
#define TEST_FUZZ_PRETENDED_THREADS_H

enum { PRETENDED_THREADS = 3 };

extern unsigned pretended_thread; /* who acts now */

/* The thread acts from now on, and has forgotten which function it is noted as a user of. */
void pretend_thread(unsigned thread);

/* All forget what they were told. */
void pretended_threads_reset(void);

#endif
