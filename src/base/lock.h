/* A mutex and a wait gate, each one 32-bit futex word.
 *
 * Why not pthread's: a guarded function has its lock inside a table slot that comes zeroed from the kernel,
 * is never destroyed and must stay lockable for any late caller, during exit too; and 4 bytes instead of 88 a
 * handle. Who waits at a gate can be cancelled, as in pthread_cond_wait; who waits for the mutex cannot.
 *
 * Thread safety: every function may be called by any thread. None allocates, none calls stdio, all leave
 * errno as it was. The mutex is not recursive and must not be used in a signal handler.
 *
 * Ranks: a thread may take a lock only while it holds locks of lower rank; builds with TG_LOCK_CHECKS abort
 * where that is broken. */
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
  TG_RANK_STACKS,           /* the stacks that are kept */
  TG_RANK_REPORT,           /* the tally of events, and the log */
};

/* Zero is unlocked. */
struct tg_lock {
  _Atomic uint32_t word;
};

/* A place to sleep, always used together with one tg_lock that guards the condition waited for. Zero is
 * ready. */
struct tg_gate {
  _Atomic uint32_t sequence;
};

void tg_lock_acquire(struct tg_lock *lock, enum tg_lock_rank rank);

/* False: it is held by somebody now. As nothing waits it has no rank, and is the one way to a lock for a signal
 * handler, which may have interrupted the lock's holder. */
bool tg_lock_try(struct tg_lock *lock);

/* As tg_lock_try, again and again for as many milliseconds in all as *patience_ms says, which it counts down. For
 * exit handlers: who holds a lock for long then will not give it back, as it is this very thread, interrupted by
 * the signal handler that exits, or a thread that the program has killed. */
bool tg_lock_try_for(struct tg_lock *lock, unsigned *patience_ms);

/* Gives back what one of these two took. */
void tg_lock_release_tried(struct tg_lock *lock);

void tg_lock_release(struct tg_lock *lock, enum tg_lock_rank rank);

/* Called with `lock` held; gives it up while asleep and holds it again on return. May return early for no
 * reason: the caller checks its condition in a loop. A cancellation point: a thread that is cancelled in here ends, and
 * `cancelled` is called before, with the lock not held. A wake-up may have been for that thread: it passes it on. */
void tg_gate_wait(struct tg_gate *gate, struct tg_lock *lock, enum tg_lock_rank rank,
                  void (*cancelled)(void *argument), void *argument);

/* With the gate's lock held, after the condition was changed: who is about to sleep does not. */
void tg_gate_open(struct tg_gate *gate);

/* Wakes one who sleeps. After tg_gate_open, at best with the lock released, which the sleeper wants at once. */
void tg_gate_wake_one(struct tg_gate *gate);

/* Both, for all; with the lock held. */
void tg_gate_wake_all(struct tg_gate *gate);

/* For a word that is itself waited for, without a lock: sleeps while it has the value that was seen; wakes who sleeps.
 * May return early for no reason. */
void tg_futex_wait(_Atomic uint32_t *word, uint32_t seen);
void tg_futex_wake(_Atomic uint32_t *word);

#endif
