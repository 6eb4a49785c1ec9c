/* Implements the futex mutex and gate of lock.h. */
#include "base/lock.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cancellation.h"

/* The classic three-state futex lock (U. Drepper, "Futexes Are Tricky", mutex 2). A thread that
 * sleeps or has slept writes CONTENDED, so an unlocker that finds HELD knows that nobody waits. */
enum { UNLOCKED = 0, HELD = 1, CONTENDED = 2 };

/* A lock is held for some hundred cycles. Values 0, 10, 30 and 100 were measured with one producer
 * flooding one loop thread on two cores (Node 20). A value of 10 was best for both threads; 0 and
 * 100 cost a third to a half more. */
enum { SPINS_BEFORE_SLEEP = 10 };

_Static_assert(sizeof(_Atomic uint32_t) == 4, "a futex word is 32 bits");

static void futex_wait(_Atomic uint32_t *word, uint32_t seen) {
  int saved = errno;
  /* EINTR, EAGAIN and a wake-up mean the same to the callers: check the word again. */
  syscall(SYS_futex, (void *)word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
  errno = saved;
}

/* Out of line: a guarded call takes at least two locks, and must be fast if nobody waits. */
__attribute__((noinline, cold)) static void futex_wake(_Atomic uint32_t *word, int waiters) {
  int saved = errno;
  syscall(SYS_futex, (void *)word, FUTEX_WAKE_PRIVATE, waiters, NULL, NULL, 0);
  errno = saved;
}

static void cpu_relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

#ifdef TG_LOCK_CHECKS
static _Thread_local uint32_t ranks_held;

static void check_rank_on_acquire(enum tg_lock_rank rank) {
  if (ranks_held >> rank) abort(); /* a lock of this or a higher rank is already held */
  ranks_held |= 1U << rank;
}

static void check_rank_on_release(enum tg_lock_rank rank) {
  if (!(ranks_held & (1U << rank))) abort();
  ranks_held &= ~(1U << rank);
}
#else
static void check_rank_on_acquire(enum tg_lock_rank rank) {
  (void)rank;
}

static void check_rank_on_release(enum tg_lock_rank rank) {
  (void)rank;
}
#endif

static bool try_acquire(struct tg_lock *lock) {
  uint32_t expected = UNLOCKED;
  return atomic_compare_exchange_strong_explicit(&lock->word, &expected, HELD, memory_order_acquire,
                                                 memory_order_relaxed);
}

static void acquire_contended(struct tg_lock *lock) {
  for (int spin = 0; spin < SPINS_BEFORE_SLEEP; spin++) {
    cpu_relax();
    if (atomic_load_explicit(&lock->word, memory_order_relaxed) == UNLOCKED && try_acquire(lock))
      return;
  }
  while (atomic_exchange_explicit(&lock->word, CONTENDED, memory_order_acquire) != UNLOCKED)
    futex_wait(&lock->word, CONTENDED);
}

void tg_lock_acquire(struct tg_lock *lock, enum tg_lock_rank rank) {
  check_rank_on_acquire(rank);
  if (!try_acquire(lock)) acquire_contended(lock);
}

bool tg_lock_try(struct tg_lock *lock) {
  return try_acquire(lock);
}

bool tg_lock_try_for(struct tg_lock *lock, unsigned *patience_ms) {
  const struct timespec millisecond = {.tv_nsec = 1000000};
  while (!try_acquire(lock)) {
    if (*patience_ms == 0) return false;
    (*patience_ms)--;
    nanosleep(&millisecond, NULL);
  }
  return true;
}

void tg_lock_release_tried(struct tg_lock *lock) {
  if (atomic_exchange_explicit(&lock->word, UNLOCKED, memory_order_release) == CONTENDED)
    futex_wake(&lock->word, 1);
}

void tg_lock_release(struct tg_lock *lock, enum tg_lock_rank rank) {
  check_rank_on_release(rank);
  tg_lock_release_tried(lock);
}

void tg_gate_wait(struct tg_gate *gate, struct tg_lock *lock, enum tg_lock_rank rank,
                  void (*cancelled)(void *argument), void *argument) {
  /* Relaxed suffices: the sequence changes only under the lock, which is held here, and the kernel
   * compares the value again before it puts the thread to sleep. */
  uint32_t seen = atomic_load_explicit(&gate->sequence, memory_order_relaxed);
  struct tg_cancellation cancellation;
  tg_lock_release(lock, rank);
  tg_cancellation_begin(&cancellation, cancelled, argument);
  futex_wait(&gate->sequence, seen);
  tg_cancellation_end(&cancellation);
  tg_lock_acquire(lock, rank);
}

void tg_gate_open(struct tg_gate *gate) {
  atomic_fetch_add_explicit(&gate->sequence, 1, memory_order_relaxed);
}

void tg_gate_wake_one(struct tg_gate *gate) {
  futex_wake(&gate->sequence, 1);
}

void tg_gate_wake_all(struct tg_gate *gate) {
  atomic_fetch_add_explicit(&gate->sequence, 1, memory_order_relaxed);
  futex_wake(&gate->sequence, INT_MAX);
}

void tg_futex_wait(_Atomic uint32_t *word, uint32_t seen) {
  futex_wait(word, seen);
}

void tg_futex_wake(_Atomic uint32_t *word) {
  futex_wake(word, INT_MAX);
}
