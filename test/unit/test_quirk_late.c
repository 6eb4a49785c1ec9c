/* TG_QUIRK_LATE: which answers threads get after the env of a worker has ended, and what is then
 * skipped.
 *
 * Each test was seen to fail without the quirk's part of api.c or callbacks.c. */
#include <pthread.h>
#include <sched.h>

#include "guard_fixture.h"

static struct tg_function *slot_of(struct recorder *r) {
  return tg_table_slot(&r->guard->table, 0);
}

static void open_late(struct recorder *r, size_t max_queue_size, size_t thread_count) {
  open_recorder(r, max_queue_size, thread_count);
  fake_addon.quirks = TG_QUIRK_LATE;
}

static void close_env(struct recorder *r) {
  fake_env_close(r->env);
  r->env = NULL;
}

/* The threads keep their counts, because they got napi_ok. */
static void after_the_end_everything_goes_well(void **state) {
  (void)state;
  struct recorder r;
  open_late(&r, 0, 1);
  close_env(&r);
  for (unsigned i = 0; i < 3; i++) assert_int_equal(call(&r, 1), napi_ok);
  assert_int_equal(slot_of(&r)->thread_count, 1);
  assert_int_equal(acquire(&r), napi_ok);
  assert_int_equal(slot_of(&r)->thread_count, 2);
  assert_int_equal(release(&r), napi_ok);
  assert_int_equal(release(&r), napi_ok);
  /* Now it is stale. */
  assert_int_equal(call(&r, 1), napi_ok);
  assert_int_equal(acquire(&r), napi_ok);
  assert_int_equal(release(&r), napi_ok);
  assert_int_equal(release(&r), napi_ok);
  assert_int_equal(atomic_load(&r.guard->late.answers), 6);
  assert_int_equal(atomic_load(&r.guard->late.items), 4);
  close_recorder(&r);
}

/* The finalizer would free memory that threads with counts still use. */
static void with_counts_out_nothing_is_drained_or_finalized(void **state) {
  (void)state;
  struct recorder r;
  open_late(&r, 0, 1);
  assert_int_equal(call(&r, 1), napi_ok);
  assert_int_equal(call(&r, 2), napi_ok);
  close_env(&r);
  assert_int_equal(r.drained + r.finalized, 0);
  assert_int_equal(atomic_load(&r.guard->late.items), 2);
  assert_int_equal(atomic_load(&r.guard->late.finalizers), 1);
  assert_int_equal(release(&r), napi_ok);
  assert_int_equal(r.finalized, 0);
  close_recorder(&r);
}

static void without_counts_out_it_is_drained_and_finalized(void **state) {
  (void)state;
  struct recorder r;
  open_late(&r, 0, 1);
  assert_int_equal(call(&r, 1), napi_ok);
  assert_int_equal(release(&r), napi_ok);
  close_env(&r);
  assert_int_equal(r.drained, 1);
  assert_int_equal(r.finalized, 1);
  assert_int_equal(atomic_load(&r.guard->late.finalizers), 0);
  close_recorder(&r);
}

/* While the env lives, an abort has its usual effect. */
static void in_a_live_env_answers_are_true(void **state) {
  (void)state;
  struct recorder r;
  open_late(&r, 0, 2);
  assert_int_equal(abort_it(&r), napi_ok);
  assert_int_equal(acquire(&r), napi_closing);
  assert_int_equal(call(&r, 1), napi_closing);
  fake_env_turn(r.env);
  assert_int_equal(r.finalized, 1);
  assert_int_equal(call(&r, 1), napi_invalid_arg);
  close_recorder(&r);
}

static void other_addons_hear_the_truth(void **state) {
  (void)state;
  struct recorder r;
  open_recorder(&r, 0, 1);
  fake_addon.quirks = TG_QUIRK_DYING | TG_QUIRK_LEAK;
  close_env(&r);
  assert_int_equal(call(&r, 1), napi_closing);
  assert_int_equal(r.finalized, 1);
  close_recorder(&r);
}

static atomic_bool is_answered;

static void *call_on_a_full_queue(void *argument) {
  assert_int_equal(call_blocking(argument, 2), napi_ok);
  atomic_store(&is_answered, true);
  return NULL;
}

static void await_answer(void *argument) {
  (void)argument;
  while (!atomic_load(&is_answered)) sched_yield();
}

/* A hook of the addon runs while the function is still open, and waits for a blocked caller. */
static void a_blocked_caller_gets_ok_before_the_function_closes(void **state) {
  (void)state;
  struct recorder r;
  pthread_t thread;
  open_late(&r, 1, 2);
  assert_int_equal(call(&r, 1), napi_ok);
  atomic_store(&is_answered, false);
  assert_int_equal(pthread_create(&thread, NULL, call_on_a_full_queue, &r), 0);
  for (uint32_t waiters = 0; waiters == 0; sched_yield()) {
    tg_function_lock(slot_of(&r));
    waiters = slot_of(&r)->waiters;
    tg_function_unlock(slot_of(&r));
  }
  fake_runtime.add_env_cleanup_hook(fake_napi_env(r.env), await_answer, NULL);
  tg_on_hook_added();
  close_env(&r);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(atomic_load(&r.guard->late.answers), 1);
  close_recorder(&r);
}

static bool never(void) {
  return false;
}

/* The end of the main thread's env is the end of the process. For that there is exit=fast. */
static void in_the_main_env_answers_are_true(void **state) {
  (void)state;
  fake_reset();
  struct tg_runtime runtime = fake_runtime;
  runtime.can_terminate = never;
  struct recorder r = {.guard = fake_guard_open(TG_DEADLOCK_OVERFLOW), .env = fake_env_open()};
  r.guard->runtime = &runtime;
  fake_addon.quirks = TG_QUIRK_LATE;
  assert_int_equal(create_with(&r, 0, 1), napi_ok);
  close_env(&r);
  assert_int_equal(call(&r, 1), napi_closing);
  assert_int_equal(r.finalized, 1);
  close_recorder(&r);
}

/* So a thread that loops until a call fails does end. */
static void one_answer_of_many_is_true(void **state) {
  (void)state;
  struct recorder r;
  open_late(&r, 0, 1);
  while (tg_count_false_answer()) continue; /* discards what earlier tests have counted */
  close_env(&r);
  for (unsigned i = 0; i < TG_FALSE_ANSWERS_MAX; i++) assert_int_equal(call(&r, 1), napi_ok);
  assert_int_equal(call(&r, 1), napi_closing);
  assert_int_equal(call(&r, 1), napi_ok);
  close_recorder(&r);
}

static void *block(void *argument) {
  struct recorder *r = argument;
  assert_int_equal(tg_call(r->guard, r->func, CALLER, (void *)2, napi_tsfn_blocking), napi_ok);
  return NULL;
}

static void a_blocked_caller_is_woken_and_gets_ok(void **state) {
  (void)state;
  struct recorder r;
  pthread_t thread;
  open_late(&r, 1, 1);
  assert_int_equal(call(&r, 1), napi_ok);
  assert_int_equal(pthread_create(&thread, NULL, block, &r), 0);
  for (uint32_t waiters = 0; waiters == 0; sched_yield()) {
    tg_function_lock(slot_of(&r));
    waiters = slot_of(&r)->waiters;
    tg_function_unlock(slot_of(&r));
  }
  close_env(&r);
  pthread_join(thread, NULL);
  assert_int_equal(atomic_load(&r.guard->late.items), 2);
  close_recorder(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(after_the_end_everything_goes_well),
      cmocka_unit_test(with_counts_out_nothing_is_drained_or_finalized),
      cmocka_unit_test(without_counts_out_it_is_drained_and_finalized),
      cmocka_unit_test(in_a_live_env_answers_are_true),
      cmocka_unit_test(other_addons_hear_the_truth),
      cmocka_unit_test(a_blocked_caller_gets_ok_before_the_function_closes),
      cmocka_unit_test(in_the_main_env_answers_are_true),
      cmocka_unit_test(one_answer_of_many_is_true),
      cmocka_unit_test(a_blocked_caller_is_woken_and_gets_ok),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
