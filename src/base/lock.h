/* A mutex and a wait gate, each one 32-bit futex word.
 *
 * Why not pthread's: a guarded function's lock is in a table slot that comes zeroed from the kernel
 * and is never destroyed. It must stay lockable for any late caller, even during exit. It also
 * takes 4 bytes a handle instead of 88. A thread that waits at a gate can be cancelled, as in
 * pthread_cond_wait; a thread that waits for the mutex cannot.
 *
 * Thread safety: any thread may call every function. None allocates, none calls stdio, all preserve
 * errno. The mutex is not recursive and must not be used in a signal handler.
 *
 * Ranks: a thread may take a lock only while all locks that it holds have a lower rank. Builds with
 * TG_LOCK_CHECKS abort if this is violated. */
#ifndef TG_BASE_LOCK_H
#define TG_BASE_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum tg_lock_rank {
  TG_RANK_ENVIRONMENTS = 1, /* the guard's list of environments */
  TG_RANK_FUNCTION,         /* one guarded function */
  TG_RANK_FREE_SLOTS,       /* the handle table's free list */
  TG_RANK_ADDONS,           /* the list of known addon objects */
  TG_RANK_STACKS,           /* the kept stacks */
  TG_RANK_REPORT,           /* the tally of events and the log */
};

/* Zero means unlocked. */
struct tg_lock {
  _Atomic uint32_t word;
};

/* A place to sleep, always used together with one tg_lock that guards the awaited condition. Zero
 * is the initial state. */
struct tg_gate {
  _Atomic uint32_t sequence;
};

void tg_lock_acquire(struct tg_lock *lock, enum tg_lock_rank rank);

/* False: another thread holds the lock, or this one does. This function never waits, so it has no
 * rank. It is the only way for a signal handler to take a lock, because the handler may have
 * interrupted the lock's holder. */
bool tg_lock_try(struct tg_lock *lock);

/* Like tg_lock_try, but retries for up to *patience_ms milliseconds, and subtracts the time that it
 * used. For exit handlers. A lock that is held for long at exit is never released: its holder is
 * this very thread, interrupted by the signal handler that exits, or a thread that the program has
 * killed. */
bool tg_lock_try_for(struct tg_lock *lock, unsigned *patience_ms);

/* Releases a lock that tg_lock_try or tg_lock_try_for took. */
void tg_lock_release_tried(struct tg_lock *lock);

void tg_lock_release(struct tg_lock *lock, enum tg_lock_rank rank);

/* Called with `lock` held; releases it while asleep and holds it again on return. May return early
 * for no reason, so the caller checks its condition in a loop. This is a cancellation point: a
 * thread that is cancelled here calls `cancelled`, without the lock, and then ends. `cancelled`
 * must pass on a wake-up, because the thread may already have received one. */
void tg_gate_wait(struct tg_gate *gate, struct tg_lock *lock, enum tg_lock_rank rank,
                  void (*cancelled)(void *argument), void *argument);

/* Called with the gate's lock held, after the condition has changed: a thread that is about to
 * sleep will not. */
void tg_gate_open(struct tg_gate *gate);

/* Wakes one sleeper. Call it after tg_gate_open, preferably after the lock is released, because the
 * sleeper takes the lock at once. */
void tg_gate_wake_one(struct tg_gate *gate);

/* Opens the gate and wakes all sleepers. Called with the lock held. */
void tg_gate_wake_all(struct tg_gate *gate);

/* For a word that is itself the condition, without a lock. tg_futex_wait sleeps while the word has
 * the value `seen`; it may return early for no reason. tg_futex_wake wakes all sleepers. */
void tg_futex_wait(_Atomic uint32_t *word, uint32_t seen);
void tg_futex_wake(_Atomic uint32_t *word);

#endif
