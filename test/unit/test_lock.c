/* The lock and the gate: mutual exclusion, tg_lock_try, and a wake-up that comes between the check
 * and the sleep. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka.h needs the four above first. */
#include <cmocka.h>

#include "base/lock.h"

static struct tg_lock lock;
static struct tg_gate gate;
static unsigned long shared; /* guarded by lock */

enum { THREADS = 4, ROUNDS = 50000 };

static void *count(void *argument) {
  (void)argument;
  for (int i = 0; i < ROUNDS; i++) {
    tg_lock_acquire(&lock, TG_RANK_FUNCTION);
    shared++;
    tg_lock_release(&lock, TG_RANK_FUNCTION);
  }
  return NULL;
}

static void only_one_thread_is_inside(void **state) {
  (void)state;
  pthread_t threads[THREADS];
  shared = 0;
  for (int i = 0; i < THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  assert_int_equal(shared, THREADS * ROUNDS);
}

static void *try_it(void *argument) {
  (void)argument;
  if (!tg_lock_try(&lock)) return NULL;
  tg_lock_release_tried(&lock);
  return &lock;
}

static void trying_a_held_lock_fails_at_once(void **state) {
  (void)state;
  pthread_t thread;
  void *taken;
  for (int held = 0; held < 2; held++) {
    if (held) tg_lock_acquire(&lock, TG_RANK_FUNCTION);
    assert_int_equal(pthread_create(&thread, NULL, try_it, NULL), 0);
    pthread_join(thread, &taken);
    if (held) tg_lock_release(&lock, TG_RANK_FUNCTION);
    assert_int_equal(taken != NULL, !held);
  }
}

/* A thread may have read the sequence and be about to sleep. If a wake-up did not change the
 * sequence, that thread would sleep for ever. */
static void every_wake_up_changes_the_sequence(void **state) {
  (void)state;
  uint32_t before = atomic_load(&gate.sequence);
  tg_gate_open(&gate);
  tg_gate_wake_one(&gate);
  uint32_t between = atomic_load(&gate.sequence);
  tg_gate_wake_all(&gate);
  assert_int_not_equal(before, between);
  assert_int_not_equal(between, atomic_load(&gate.sequence));
}

static void never(void *argument) {
  (void)argument;
  abort();
}

static void *wait_for_turn(void *turn) {
  tg_lock_acquire(&lock, TG_RANK_FUNCTION);
  while (shared != (uintptr_t)turn) tg_gate_wait(&gate, &lock, TG_RANK_FUNCTION, never, NULL);
  shared++;
  tg_gate_wake_all(&gate);
  tg_lock_release(&lock, TG_RANK_FUNCTION);
  return NULL;
}

/* Each thread sleeps until its turn; a lost wake-up hangs the test. */
static void waiters_take_turns(void **state) {
  (void)state;
  for (int round = 0; round < 500; round++) {
    pthread_t threads[THREADS];
    shared = 0;
    for (uintptr_t i = 0; i < THREADS; i++)
      assert_int_equal(pthread_create(&threads[i], NULL, wait_for_turn, (void *)(THREADS - 1 - i)),
                       0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(shared, THREADS);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(only_one_thread_is_inside),
      cmocka_unit_test(trying_a_held_lock_fails_at_once),
      cmocka_unit_test(every_wake_up_changes_the_sequence),
      cmocka_unit_test(waiters_take_turns),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
