/* The hand-off: what other threads may do after a caller has released the lock and before its ring
 * returns.
 *
 * In tests of one thread, the fake runtime does something just before or just after the ring. In
 * tests of two threads, it stops the ringer there until the finalizer waits for the ringer. */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard_fixture.h"

static struct tg_function *function_of(struct recorder *r) {
  return tg_table_slot(&r->guard->table, 0);
}

static void assert_in_order(const struct recorder *r, uintptr_t count) {
  assert_int_equal(r->live + r->drained, count);
  for (uintptr_t i = 0; i < count; i++) assert_int_equal((uintptr_t)r->items[i], i + 1);
}

/* A call takes the fast path from the second call on, and only if another thread has called
 * before. */
static void open_for(struct recorder *r, size_t limit, size_t thread_count, bool takes_fast_path) {
  open_recorder(r, limit, thread_count);
  if (!takes_fast_path) return;
  function_of(r)->used_off_loop = true;
  assert_true(tg_queue_reserve(&function_of(r)->queue, r->guard->host));
}

/* --- What happens during the ring, on one thread. */

static struct recorder *interrupted;

static void abort_now(void) {
  assert_int_equal(abort_it(interrupted), napi_ok);
}

static void release_now(void) {
  assert_int_equal(release(interrupted), napi_ok);
}

static void call_now(void) {
  unsigned rings = atomic_load(&fake_rings);
  assert_int_equal(call(interrupted, 2), napi_ok);
  assert_int_equal(atomic_load(&fake_rings), rings); /* a ring is on its way, or will be */
}

static void exit_now(void) {
  tg_reject_all(interrupted->guard);
}

static void look_now(void) {
  struct tg_function *function = function_of(interrupted);
  assert_true(tg_lock_try(&function->lock)); /* the ringer has released it */
  assert_int_equal(tg_queue_length(&function->queue), 1);
  assert_true(function->wakeup_pending);
  tg_lock_release_tried(&function->lock);
}

static void unref_now(void) {
  assert_int_equal(tg_unref(interrupted->guard, NULL, interrupted->func, CALLER), napi_ok);
}

/* Seen to fail: ringing with the lock held (look_now); queuing the item after the ring; taking a
 * refused ring for a refused call (abort_now). */
static void whatever_happens_within_the_ring_the_item_is_delivered_once(void **state) {
  (void)state;
  static const struct {
    void (*event)(void);
    unsigned live, drained, finalized; /* after the turn */
  } cases[] = {
      {look_now, 1, 0, 0},  {call_now, 2, 0, 0}, {release_now, 1, 0, 1},
      {abort_now, 0, 1, 1}, {exit_now, 1, 0, 0}, {unref_now, 1, 0, 0},
  };
  for (unsigned i = 0; i < 4 * sizeof cases / sizeof cases[0]; i++) {
    bool is_short = i & 1, before = i & 2;
    void (*event)(void) = cases[i / 4].event;
    struct recorder r;
    open_for(&r, 0, 1, is_short);
    interrupted = &r;
    *(before ? &fake_settings.before_ring : &fake_settings.after_ring) = event;
    assert_int_equal(call(&r, 1), napi_ok);
    assert_null(before ? fake_settings.before_ring : fake_settings.after_ring);
    fake_env_turn(r.env);
    /* If the abort comes after the ring, the doorbell has been rung, but the runtime delivers
     * nothing any more. */
    assert_int_equal(r.live, cases[i / 4].live);
    assert_int_equal(r.drained, cases[i / 4].drained);
    assert_int_equal(r.finalized, cases[i / 4].finalized);
    assert_in_order(&r, event == call_now ? 2 : 1);
    assert_int_equal(function_of(&r)->ringers, 0);
    close_recorder(&r);
  }
}

/* The loop thread is as fast as it can be: it delivers the item before the ring returns. Seen to
 * fail: if `wakeup_pending` is set after the ring, because then the next call relies on a ring that
 * is not on its way. */
static void turn_now(void) {
  fake_env_turn(interrupted->env);
  assert_int_equal(interrupted->live, 1);
  assert_false(function_of(interrupted)->wakeup_pending);
}

static void an_item_may_be_delivered_before_its_ringer_is_back(void **state) {
  (void)state;
  for (int is_short = 0; is_short < 2; is_short++) {
    struct recorder r;
    open_for(&r, 0, 1, is_short);
    interrupted = &r;
    fake_settings.after_ring = turn_now;
    assert_int_equal(call(&r, 1), napi_ok);
    assert_int_equal(atomic_load(&fake_rings), 1);
    assert_int_equal(call(&r, 2), napi_ok);
    assert_int_equal(atomic_load(&fake_rings), 2);
    fake_env_turn(r.env);
    assert_in_order(&r, 2);
    close_recorder(&r);
  }
}

/* --- The runtime refuses a ring, for example because there is no memory. (No runtime of today does
 * this.) */

/* Seen to fail: without tg_queue_unpush; without the release of the doorbell, because then nobody
 * closes it. */
static void an_item_that_is_not_rung_for_is_taken_back(void **state) {
  (void)state;
  for (unsigned i = 0; i < 4; i++) {
    bool is_short = i & 1, is_released = i & 2;
    struct recorder r;
    open_for(&r, 0, 1, is_short);
    interrupted = &r;
    fake_settings.refuse_ring = napi_generic_failure;
    if (is_released) fake_settings.before_ring = release_now;
    assert_int_equal(call(&r, 1), napi_generic_failure);
    fake_settings.refuse_ring = napi_ok;
    fake_env_turn(r.env);
    assert_int_equal(r.live + r.drained, 0);
    assert_int_equal(r.finalized, is_released ? 1 : 0);
    assert_int_equal(call(&r, 1), is_released ? napi_closing : napi_ok);
    fake_env_turn(r.env);
    assert_in_order(&r, is_released ? 0 : 1);
    close_recorder(&r);
  }
}

/* Seen to fail: if the caller takes the last item back although other items are queued behind its
 * own, because then it takes a wrong item. */
static void an_item_that_others_are_queued_behind_stays(void **state) {
  (void)state;
  struct recorder r;
  open_for(&r, 0, 1, true);
  interrupted = &r;
  fake_settings.refuse_ring = napi_generic_failure;
  fake_settings.before_ring = call_now;
  assert_int_equal(call(&r, 1), napi_ok);
  fake_settings.refuse_ring = napi_ok;
  assert_int_equal(call(&r, 3), napi_ok); /* rings for all of them */
  fake_env_turn(r.env);
  assert_in_order(&r, 3);
  assert_int_equal(r.live, 3);
  close_recorder(&r);
}

/* The runtime closes the doorbell for a reason of its own. Seen to fail: if the function is left
 * open. */
static void an_item_that_the_runtime_refuses_as_it_closes_is_drained(void **state) {
  (void)state;
  for (int is_short = 0; is_short < 2; is_short++) {
    struct recorder r;
    open_for(&r, 0, 2, is_short);
    fake_settings.refuse_ring = napi_closing;
    assert_int_equal(call(&r, 1), napi_ok);
    assert_int_equal(function_of(&r)->state, TG_CLOSING);
    assert_int_equal(call(&r, 2), napi_closing);
    fake_env_close(r.env);
    r.env = NULL;
    assert_in_order(&r, 1);
    assert_int_equal(r.drained, 1);
    assert_int_equal(r.finalized, 1);
    close_recorder(&r);
  }
}

/* --- Ringers that are stopped. */

/* A thread that calls, and stops within its ring until it may go on. */
struct ringer {
  pthread_t thread;
  struct recorder *recorder;
  uintptr_t item;
  napi_status answer;
};

static atomic_uint arrived, gone_on;
static atomic_bool may_go_on, is_over;

static void stop_here(void) {
  atomic_fetch_add(&arrived, 1);
  while (!atomic_load(&may_go_on)) sched_yield();
  atomic_fetch_add(&gone_on, 1);
}

static void *ring_once(void *argument) {
  struct ringer *ringer = argument;
  ringer->answer = call(ringer->recorder, ringer->item);
  return NULL;
}

static void start_ringer(struct ringer *ringer, struct recorder *r, uintptr_t item, bool before) {
  unsigned expected = atomic_load(&arrived) + 1;
  *(before ? &fake_settings.before_ring : &fake_settings.after_ring) = stop_here;
  *ringer = (struct ringer){.recorder = r, .item = item};
  assert_int_equal(pthread_create(&ringer->thread, NULL, ring_once, ringer), 0);
  while (atomic_load(&arrived) != expected) sched_yield();
}

/* Wakes the thread that waits for ringers, without a reason. Returns true if a thread slept
 * there. */
static bool wake_spuriously(struct tg_function *function) {
  return syscall(SYS_futex, (void *)&function->ringers, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 1;
}

/* Lets the ringers go on after a thread that waits for them was woken twice without a reason, so
 * that it had to wait again. Also lets them go on if the finalizer is over, which means that no
 * thread has waited. */
static void *let_go_on(void *argument) {
  for (int wakes = 0; wakes < 2 && !atomic_load(&is_over); sched_yield())
    if (wake_spuriously(argument)) wakes++;
  atomic_store(&may_go_on, true);
  return NULL;
}

static void expect_that_all_have_gone_on(struct recorder *r) {
  (void)r;
  assert_int_equal(atomic_load(&gone_on), atomic_load(&arrived));
}

/* The finalizer begins while ringers have not yet begun their rings, or have not come back from
 * them. The fake runtime checks that they do not use the doorbell after its finalizer. Seen to fail
 * (the fake runtime aborts): without tg_function_await_ringers; if that function mistakes a ringer
 * for the last one. */
static void the_finalizer_waits_for_ringers(void **state) {
  (void)state;
  for (unsigned i = 0; i < 16; i++) {
    bool is_short = i & 1, before = i & 2, by_abort = i & 4, two = i & 8;
    if (two && before) continue; /* only one ringer at a time can be just before its ring */
    struct recorder r;
    struct ringer ringers[2];
    pthread_t helper;
    atomic_store(&arrived, 0);
    atomic_store(&gone_on, 0);
    atomic_store(&may_go_on, false);
    atomic_store(&is_over, false);
    open_for(&r, 0, 3, is_short);
    struct tg_function *function = function_of(&r);
    r.on_finalize = expect_that_all_have_gone_on;
    start_ringer(&ringers[0], &r, 1, before);
    unsigned accepted = 1;
    if (two) {
      fake_env_turn(r.env);
      assert_int_equal(r.live, 1);
      start_ringer(&ringers[1], &r, 2, false);
      accepted = 2;
    }
    assert_int_equal(pthread_create(&helper, NULL, let_go_on, function), 0);
    if (by_abort) {
      assert_int_equal(abort_it(&r), napi_ok);
      fake_env_turn(r.env);
    } else {
      fake_env_close(r.env);
      r.env = NULL;
    }
    assert_int_equal(r.finalized, 1);
    atomic_store(&is_over, true);
    pthread_join(helper, NULL);
    for (unsigned n = 0; n < accepted; n++) {
      pthread_join(ringers[n].thread, NULL);
      assert_int_equal(ringers[n].answer, napi_ok);
    }
    assert_int_equal(function->ringers, 0);
    assert_in_order(&r, accepted);
    assert_int_equal(r.drained, two ? 1 : accepted);
    assert_int_equal(r.drained_after_finalize, 0);
    close_recorder(&r);
  }
}

/* The item is delivered and the last count is given back, while the ring has not returned yet. The
 * runtime then closes the doorbell in the loop's next turn. */
static void the_last_release_does_not_outrun_a_ringer(void **state) {
  (void)state;
  struct recorder r;
  struct ringer ringer;
  pthread_t helper;
  atomic_store(&arrived, 0);
  atomic_store(&gone_on, 0);
  atomic_store(&may_go_on, false);
  atomic_store(&is_over, false);
  open_for(&r, 0, 1, true);
  r.on_finalize = expect_that_all_have_gone_on;
  start_ringer(&ringer, &r, 1, false);
  fake_env_turn(r.env);
  assert_int_equal(r.live, 1);
  assert_int_equal(release(&r), napi_ok);
  assert_int_equal(pthread_create(&helper, NULL, let_go_on, function_of(&r)), 0);
  fake_env_turn(r.env);
  assert_int_equal(r.finalized, 1);
  atomic_store(&is_over, true);
  pthread_join(helper, NULL);
  pthread_join(ringer.thread, NULL);
  assert_int_equal(ringer.answer, napi_ok);
  close_recorder(&r);
}

/* Only the finalizer waits for a ringer. All other threads use the function as usual. Seen to fail
 * (waits for ever): with the lock held during the ring. */
static void nobody_else_waits_for_a_ringer(void **state) {
  (void)state;
  struct recorder r;
  struct ringer ringer;
  void *context;
  atomic_store(&arrived, 0);
  atomic_store(&may_go_on, false);
  open_for(&r, 0, 1, true);
  start_ringer(&ringer, &r, 1, true);
  for (uintptr_t item = 2; item <= 20; item++) assert_int_equal(call(&r, item), napi_ok);
  assert_int_equal(atomic_load(&fake_rings), 0);
  assert_int_equal(acquire(&r), napi_ok);
  assert_int_equal(release(&r), napi_ok);
  assert_int_equal(get_context(&r, &context), napi_ok);
  assert_int_equal(tg_unref(r.guard, NULL, r.func, CALLER), napi_ok);
  fake_env_turn(r.env);
  assert_int_equal(r.live, 0);
  assert_int_equal(release(&r), napi_ok); /* items wait, so the function does not close yet */
  fake_env_turn(r.env);
  assert_int_equal(r.finalized, 0);
  assert_int_equal(call(&r, 21), napi_ok);
  atomic_store(&may_go_on, true);
  pthread_join(ringer.thread, NULL);
  assert_int_equal(ringer.answer, napi_ok);
  fake_env_turn(r.env);
  assert_in_order(&r, 21);
  assert_int_equal(r.live, 21);
  assert_int_equal(r.finalized, 1);
  close_recorder(&r);
}

/* When an item is taken back, there is space for a waiter. Seen to fail (waits for ever): without
 * tg_function_claim_waiter there. */
static void fail_and_recover(void) {
  stop_here();
  fake_settings.refuse_ring = napi_generic_failure;
}

static void recover(void) {
  fake_settings.refuse_ring = napi_ok;
}

static void *call_when_there_is_space(void *argument) {
  assert_int_equal(call_blocking(argument, 1), napi_ok);
  return NULL;
}

static void a_waiter_gets_the_space_of_an_item_that_is_taken_back(void **state) {
  (void)state;
  struct recorder r;
  struct ringer ringer;
  pthread_t waiter;
  atomic_store(&arrived, 0);
  atomic_store(&may_go_on, false);
  open_for(&r, 1, 2, true);
  fake_settings.before_ring = fail_and_recover;
  fake_settings.after_ring = recover;
  ringer = (struct ringer){.recorder = &r, .item = 9};
  assert_int_equal(pthread_create(&ringer.thread, NULL, ring_once, &ringer), 0);
  while (atomic_load(&arrived) == 0) sched_yield();
  assert_int_equal(pthread_create(&waiter, NULL, call_when_there_is_space, &r), 0);
  struct tg_function *function = function_of(&r);
  for (bool asleep = false; !asleep; sched_yield()) {
    tg_lock_acquire(&function->lock, TG_RANK_FUNCTION);
    asleep = function->waiters == 1;
    tg_lock_release(&function->lock, TG_RANK_FUNCTION);
  }
  atomic_store(&may_go_on, true);
  pthread_join(ringer.thread, NULL);
  pthread_join(waiter, NULL);
  assert_int_equal(ringer.answer, napi_generic_failure);
  fake_env_turn(r.env);
  assert_in_order(&r, 1);
  close_recorder(&r);
}

/* A runtime wakes its loop with write(2), which is a cancellation point. */
static void come_to_a_cancellation_point(void) {
  stop_here();
  pthread_testcancel();
}

static void *ring_and_be_cancelled(void *argument) {
  struct ringer *ringer = argument;
  ringer->answer = call(ringer->recorder, ringer->item);
  for (;;) pause();
  return NULL;
}

/* Seen to fail (waits for ever): without forbid_cancellation in tg_function_hand_off. */
static void a_ringer_that_is_cancelled_rings_first(void **state) {
  (void)state;
  struct recorder r;
  struct ringer ringer;
  void *result;
  atomic_store(&arrived, 0);
  atomic_store(&may_go_on, false);
  open_for(&r, 0, 2, true);
  fake_settings.before_ring = come_to_a_cancellation_point;
  ringer = (struct ringer){.recorder = &r, .item = 1, .answer = napi_cancelled};
  assert_int_equal(pthread_create(&ringer.thread, NULL, ring_and_be_cancelled, &ringer), 0);
  while (atomic_load(&arrived) == 0) sched_yield();
  assert_int_equal(pthread_cancel(ringer.thread), 0);
  atomic_store(&may_go_on, true);
  pthread_join(ringer.thread, &result);
  assert_ptr_equal(result, PTHREAD_CANCELED);
  assert_int_equal(ringer.answer, napi_ok);
  fake_env_turn(r.env);
  assert_in_order(&r, 1);
  assert_int_equal(abort_it(&r), napi_ok);
  fake_env_turn(r.env);
  assert_int_equal(r.finalized, 1);
  close_recorder(&r);
}

/* The thread ends as soon as it may be cancelled again: after its ring, when it no longer counts as
 * a ringer. The answer is lost, but the item is not. */
static void become_asynchronous(void) {
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  stop_here();
}

/* Seen to fail: if cancellation is allowed again while the thread still counts as a ringer. */
static void a_ringer_that_is_cancelled_asynchronously_rings_first(void **state) {
  (void)state;
#ifdef __SANITIZE_ADDRESS__
  /* When such a thread ends, ASan takes the redzones of unwound frames for those of live frames. */
  skip();
#endif
  struct recorder r;
  struct ringer ringer;
  void *result;
  atomic_store(&arrived, 0);
  atomic_store(&may_go_on, false);
  open_for(&r, 0, 2, true);
  fake_settings.before_ring = become_asynchronous;
  ringer = (struct ringer){.recorder = &r, .item = 1};
  assert_int_equal(pthread_create(&ringer.thread, NULL, ring_and_be_cancelled, &ringer), 0);
  while (atomic_load(&arrived) == 0) sched_yield();
  assert_int_equal(pthread_cancel(ringer.thread), 0);
  atomic_store(&may_go_on, true);
  pthread_join(ringer.thread, &result);
  assert_ptr_equal(result, PTHREAD_CANCELED);
  assert_int_equal(function_of(&r)->ringers, 0);
  fake_env_close(r.env); /* the finalizer has nobody to wait for */
  r.env = NULL;
  assert_in_order(&r, 1);
  assert_int_equal(r.finalized, 1);
  close_recorder(&r);
}

/* --- What else a program may do. */

static void call_the_other(struct recorder *r) {
  (void)r;
  /* the hook of that function has run before all finalizers */
  assert_int_equal(call(interrupted, 2), napi_closing);
}

static void call_from_a_hook(void *recorder) {
  assert_int_equal(call(recorder, 1), napi_ok);
}

/* The loop thread itself is the ringer, in a cleanup hook that runs before ours. Later calls are
 * rejected. The finalizer must not wait for its own thread. */
static void the_loop_thread_calls_while_its_env_ends(void **state) {
  (void)state;
  for (int is_short = 0; is_short < 2; is_short++) {
    struct recorder r, other;
    open_for(&r, 0, 2, is_short);
    interrupted = &r;
    other = (struct recorder){.guard = r.guard, .env = r.env, .on_finalize = call_the_other};
    assert_int_equal(create_with(&other, 0, 1), napi_ok);
    assert_int_equal(fake_runtime.add_env_cleanup_hook(fake_napi_env(r.env), call_from_a_hook, &r),
                     napi_ok);
    fake_env_close(r.env);
    r.env = NULL;
    assert_int_equal(other.finalized, 1);
    assert_int_equal(r.finalized, 1);
    assert_in_order(&r, 1);
    assert_int_equal(r.drained, 1);
    close_recorder(&r);
  }
}

/* The child of a fork has no ringer thread. The function's lock is free, so a call does not hang,
 * but nobody rings. Seen to fail (SIGALRM): with the lock held during the ring. */
static void a_child_that_is_forked_while_another_thread_rings_may_call(void **state) {
  (void)state;
  struct recorder r;
  struct ringer ringer;
  int status;
  atomic_store(&arrived, 0);
  atomic_store(&may_go_on, false);
  open_for(&r, 0, 2, true);
  start_ringer(&ringer, &r, 1, true);
  pid_t child = fork();
  if (child == 0) {
    void *context;
    alarm(20);
    bool is_well =
        call(&r, 2) == napi_ok && get_context(&r, &context) == napi_ok && release(&r) == napi_ok;
    tg_reject_all(r.guard);
    _exit(is_well && function_of(&r)->state == TG_CLOSING ? 0 : 1);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  atomic_store(&may_go_on, true);
  pthread_join(ringer.thread, NULL);
  fake_env_turn(r.env);
  assert_in_order(&r, 1);
  close_recorder(&r);
}

/* If the runtime drops wake-ups, each call rings, with the lock held. */
static void try_lock_now(void) {
  assert_false(tg_lock_try(&function_of(interrupted)->lock));
}

static void a_forgetful_runtime_is_rung_with_the_lock_held(void **state) {
  (void)state;
  struct recorder r;
  struct tg_runtime forgetful = fake_runtime;
  forgetful.may_drop_wakeups = true;
  open_for(&r, 0, 1, true);
  r.guard->runtime = &forgetful;
  interrupted = &r;
  for (uintptr_t item = 1; item <= 3; item++) {
    fake_settings.before_ring = try_lock_now;
    assert_int_equal(call(&r, item), napi_ok);
    assert_null(fake_settings.before_ring);
  }
  assert_int_equal(atomic_load(&fake_rings), 3);
  fake_env_turn(r.env);
  assert_in_order(&r, 3);
  close_recorder(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(whatever_happens_within_the_ring_the_item_is_delivered_once),
      cmocka_unit_test(an_item_may_be_delivered_before_its_ringer_is_back),
      cmocka_unit_test(an_item_that_is_not_rung_for_is_taken_back),
      cmocka_unit_test(an_item_that_others_are_queued_behind_stays),
      cmocka_unit_test(an_item_that_the_runtime_refuses_as_it_closes_is_drained),
      cmocka_unit_test(the_finalizer_waits_for_ringers),
      cmocka_unit_test(the_last_release_does_not_outrun_a_ringer),
      cmocka_unit_test(nobody_else_waits_for_a_ringer),
      cmocka_unit_test(a_waiter_gets_the_space_of_an_item_that_is_taken_back),
      cmocka_unit_test(a_ringer_that_is_cancelled_rings_first),
      cmocka_unit_test(a_ringer_that_is_cancelled_asynchronously_rings_first),
      cmocka_unit_test(the_loop_thread_calls_while_its_env_ends),
      cmocka_unit_test(a_child_that_is_forked_while_another_thread_rings_may_call),
      cmocka_unit_test(a_forgetful_runtime_is_rung_with_the_lock_held),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
