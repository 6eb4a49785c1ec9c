/* What the core counts and what it gives back: waiters and wake-ups, counts, memory, slots, locks,
 * cleanup hooks, cancellation.
 *
 * Seen to fail: each test with the fault that its comment names (scripts/mutate.sh --random makes
 * them all). */
#include <pthread.h>
#include <sched.h>

#include "base/lock.h"
#include "core/closing_notice.h"
#include "guard_fixture.h"

/* --- A host that knows how much memory is out, and a runtime that tests can change. */

static atomic_int blocks_out;
static struct tg_host host;
static struct tg_runtime runtime;

static void *count_allocate(size_t size) {
  void *memory = fake_host.allocate(size);
  if (memory != NULL) atomic_fetch_add(&blocks_out, 1);
  return memory;
}

static void count_release(void *memory) {
  if (memory != NULL) atomic_fetch_sub(&blocks_out, 1);
  fake_host.release(memory);
}

static struct recorder open_counted(void) {
  fake_reset();
  host = fake_host;
  host.allocate = count_allocate;
  host.release = count_release;
  runtime = fake_runtime;
  atomic_store(&blocks_out, 0);
  struct recorder r = {.guard = fake_guard_open(TG_DEADLOCK_OVERFLOW), .env = fake_env_open()};
  r.guard->host = &host;
  r.guard->runtime = &runtime;
  r.guard->table.host = &host;
  return r;
}

static void end_env(struct recorder *r) {
  if (r->env != NULL) fake_env_close(r->env);
  r->env = NULL;
}

/* Expects that everything that was allocated has been given back. */
static void close_counted(struct recorder *r) {
  end_env(r);
  assert_int_equal(atomic_load(&blocks_out), 0);
  fake_guard_close(r->guard);
}

/* The slot behind the handle. It is read without its lock, while no other thread uses it. */
static struct tg_function *slot_of(const struct recorder *r) {
  struct tg_function *function;
  assert_int_equal(tg_table_find(&r->guard->table, r->func, &function), TG_LOOKUP_VALID);
  tg_lock_release(&function->lock, TG_RANK_FUNCTION);
  return function;
}

static bool is_unlocked(struct tg_function *function) {
  if (!tg_lock_try(&function->lock)) return false;
  tg_lock_release_tried(&function->lock);
  return true;
}

/* --- Waiters. */

struct caller {
  pthread_t thread;
  struct recorder *recorder;
  napi_status answer;
};

static void *call_once(void *argument) {
  struct caller *caller = argument;
  caller->answer = call_blocking(caller->recorder, 9);
  return NULL;
}

static void start_callers(struct caller *callers, unsigned count, struct recorder *r) {
  for (unsigned i = 0; i < count; i++) {
    callers[i] = (struct caller){.recorder = r, .answer = napi_arraybuffer_expected};
    assert_int_equal(pthread_create(&callers[i].thread, NULL, call_once, &callers[i]), 0);
  }
  for (;;) {
    struct tg_function *function;
    assert_int_equal(tg_table_find(&r->guard->table, r->func, &function), TG_LOOKUP_VALID);
    uint32_t asleep = function->waiters;
    tg_lock_release(&function->lock, TG_RANK_FUNCTION);
    if (asleep == count) return;
    sched_yield();
  }
}

static void join_callers(struct caller *callers, unsigned count, napi_status answer) {
  for (unsigned i = 0; i < count; i++) {
    pthread_join(callers[i].thread, NULL);
    assert_int_equal(callers[i].answer, answer);
  }
}

/* If waiters-- is changed to waiters++ or removed, the slot is never used again. */
static void who_has_slept_is_counted_no_more(void **state) {
  (void)state;
  struct recorder r = open_counted();
  struct caller callers[3];
  assert_int_equal(create_with(&r, 1, 1), napi_ok);
  assert_int_equal(call(&r, 1), napi_ok);
  start_callers(callers, 3, &r);
  while (r.live < 4) fake_env_turn(r.env);
  join_callers(callers, 3, napi_ok);
  struct tg_function *function = slot_of(&r);
  assert_int_equal(function->waiters, 0);
  assert_int_equal(function->wakeups_in_flight, 0);
  assert_false(tg_function_claim_waiter(function));
  assert_int_equal(release(&r), napi_ok);
  fake_env_turn(r.env);
  assert_int_equal(function->state, TG_FREE);
  close_counted(&r);
}

/* A waiter is claimed only if there is one that is not claimed yet. Each claim is counted. */
static void space_is_offered_to_each_waiter_once(void **state) {
  (void)state;
  struct recorder r = open_counted();
  assert_int_equal(create_with(&r, 1, 1), napi_ok);
  struct tg_function *function = slot_of(&r);
  function->waiters = 2;
  uint32_t sequence = function->not_full.sequence;
  assert_true(tg_function_claim_waiter(function));
  assert_int_equal(function->not_full.sequence, sequence + 1);
  assert_true(tg_function_claim_waiter(function));
  assert_false(tg_function_claim_waiter(function));
  assert_int_equal(function->wakeups_in_flight, 2);
  /* With more claims than the counter can hold, some waiters wake up for nothing, but none stays
   * asleep. */
  function->waiters = 1000;
  for (unsigned i = 0; i < 600; i++) assert_true(tg_function_claim_waiter(function));
  assert_int_equal(function->wakeups_in_flight, UINT8_MAX);
  function->waiters = 0;
  function->wakeups_in_flight = 0;
  close_counted(&r);
}

/* The waiter that wakes up cannot use the space. If it does not pass the wake-up on, the next
 * waiter sleeps for ever. */
static void who_gives_up_passes_the_wake_up_on(void **state) {
  (void)state;
  struct recorder r = open_counted();
  struct caller callers[4];
  assert_int_equal(create_with(&r, 1, 1), napi_ok);
  assert_int_equal(call(&r, 1), napi_ok);
  start_callers(callers, 4, &r);
  fake_settings.refuse_ring = napi_generic_failure;
  fake_env_turn(r.env); /* one pop: space for one */
  join_callers(callers, 4, napi_generic_failure);
  fake_settings.refuse_ring = napi_ok;
  close_counted(&r);
}

static struct caller hooked_callers[2];

/* The addon's own hook. It is added before the create, so it runs after the function's hook. */
static void join_in_hook(void *argument) {
  (void)argument;
  join_callers(hooked_callers, 2, napi_closing);
}

/* If the function's hook does not close the function, the callers still sleep when the addon's hook
 * joins them. */
static void the_hook_of_a_function_wakes_its_callers(void **state) {
  (void)state;
  struct recorder r = open_counted();
  fake_runtime.add_env_cleanup_hook(fake_napi_env(r.env), join_in_hook, &r);
  assert_int_equal(create_with(&r, 1, 2), napi_ok);
  assert_int_equal(call(&r, 1), napi_ok);
  start_callers(hooked_callers, 2, &r);
  end_env(&r);
  assert_int_equal(atomic_load(&fake_events[TG_EVENT_BLOCKED_CALLERS_AT_CLOSE]), 1);
  /* napi_closing took both counts */
  assert_int_equal(atomic_load(&fake_events[TG_EVENT_NEVER_RELEASED]), 0);
  assert_int_equal(atomic_load(&fake_events[TG_EVENT_ITEMS_UNDELIVERED]), 1);
  close_counted(&r);
}

static struct recorder *in_hook;

/* The addon's own hook. It was added after the create, so it runs before the function's hook. */
static void join_and_use_in_hook(void *argument) {
  (void)argument;
  join_callers(hooked_callers, 2, napi_closing);
  assert_int_equal(call(in_hook, 2), napi_queue_full); /* the function itself is still open */
  assert_int_equal(acquire(in_hook), napi_ok);
  assert_int_equal(release(in_hook), napi_ok);
  /* a thread that was rejected releases all the same */
  assert_int_equal(release(in_hook), napi_ok);
}

/* If no hook of ours runs first, or if it only wakes the callers, the addon's hook waits for ever.
 * If it closes the function, the addon's other calls are rejected too early. */
static void a_hook_that_is_added_later_can_join_blocked_callers(void **state) {
  (void)state;
  struct recorder r = open_counted();
  in_hook = &r;
  assert_int_equal(create_with(&r, 1, 2), napi_ok);
  assert_int_equal(call(&r, 1), napi_ok);
  start_callers(hooked_callers, 2, &r);
  /* The second round moves the hook of ours that the first one has registered. */
  for (unsigned i = 0; i < 2; i++) {
    if (i == 1) fake_runtime.add_env_cleanup_hook(fake_napi_env(r.env), join_and_use_in_hook, &r);
    tg_on_hook_added();
  }
  end_env(&r);
  assert_int_equal(atomic_load(&fake_events[TG_EVENT_BLOCKED_CALLERS_AT_CLOSE]), 1);
  assert_int_equal(atomic_load(&fake_events[TG_EVENT_RELEASE_AFTER_CLOSING]), 1);
  assert_int_equal(atomic_load(&fake_events[TG_EVENT_OVER_RELEASE]), 0);
  close_counted(&r);
}

static unsigned hooks_registered;

static napi_status count_hook(napi_env env, void (*hook)(void *), void *argument) {
  hooks_registered++;
  return fake_runtime.add_env_cleanup_hook(env, hook, argument);
}

/* A hook of ours makes each hook of the addon more expensive, and without blocked callers nobody
 * needs it. */
static void no_hook_is_registered_for_functions_without_a_limit(void **state) {
  (void)state;
  struct recorder r = open_counted();
  assert_int_equal(create_with(&r, 1, 1), napi_ok);
  assert_int_equal(release(&r), napi_ok);
  fake_env_turn(r.env); /* the only function with a limit is finalized */
  assert_int_equal(create_with(&r, 0, 1), napi_ok);
  runtime.add_env_cleanup_hook = count_hook;
  hooks_registered = 0;
  tg_on_hook_added();
  assert_int_equal(hooks_registered, 0);
  assert_int_equal(create_with(&r, 1, 1), napi_ok);
  hooks_registered = 0;
  tg_on_hook_added();
  assert_int_equal(hooks_registered, 1);
  close_counted(&r);
}

/* Node wakes one blocked caller too, so an event needs more than one. The function closes by an
 * abort, by the env's end, and by the last item. */
static void several_blocked_callers_at_close_are_reported(void **state) {
  (void)state;
  for (unsigned waiters = 0; waiters < 3; waiters++)
    for (unsigned way = 0; way < 3; way++) {
      struct recorder r = open_counted();
      assert_int_equal(create_with(&r, 1, 1), napi_ok);
      assert_int_equal(call(&r, 1), napi_ok);
      struct tg_function *function = slot_of(&r);
      if (way == 2) assert_int_equal(release(&r), napi_ok);
      function->waiters = waiters;
      if (way == 0) assert_int_equal(abort_it(&r), napi_ok);
      if (way == 1) end_env(&r);
      if (way == 2) fake_env_turn(r.env);
      assert_int_equal(atomic_load(&fake_events[TG_EVENT_BLOCKED_CALLERS_AT_CLOSE]), waiters > 1);
      /* If the function was closed before, the env's end reports nothing more. */
      end_env(&r);
      assert_int_equal(atomic_load(&fake_events[TG_EVENT_BLOCKED_CALLERS_AT_CLOSE]), waiters > 1);
      tg_lock_acquire(&function->lock, TG_RANK_FUNCTION);
      function->waiters = 0;
      function->wakeups_in_flight = 0;
      while (function->thread_count != 0) tg_function_drop_count(function);
      tg_function_leave(r.guard, function);
      tg_lock_release(&function->lock, TG_RANK_FUNCTION);
      close_counted(&r);
    }
}

static void *abort_once_asleep(void *argument) {
  struct recorder *r = argument;
  struct tg_function *function = tg_table_slot(&r->guard->table, 0);
  for (uint32_t asleep = 0; asleep == 0; sched_yield()) {
    tg_lock_acquire(&function->lock, TG_RANK_FUNCTION);
    asleep = function->waiters;
    tg_lock_release(&function->lock, TG_RANK_FUNCTION);
  }
  assert_int_equal(abort_it(r), napi_ok);
  return NULL;
}

/* deadlock=hang: waits as Node does. */
static void the_loop_thread_may_wait_as_in_node(void **state) {
  (void)state;
  struct recorder r = open_counted();
  pthread_t thread;
  r.guard->options.deadlock = TG_DEADLOCK_HANG;
  assert_int_equal(create_with(&r, 1, 2), napi_ok);
  assert_int_equal(call(&r, 1), napi_ok);
  assert_int_equal(pthread_create(&thread, NULL, abort_once_asleep, &r), 0);
  assert_int_equal(call_blocking(&r, 2), napi_closing);
  pthread_join(thread, NULL);
  assert_int_equal(atomic_load(&fake_events[TG_EVENT_BLOCKING_ON_OWN_LOOP]), 0);
  close_counted(&r);
}

/* --- Creates that fail, and memory. */

static napi_status refuse_cohort_hooks(napi_env env, void (*hook)(void *), void *argument) {
  if (hook == tg_on_cohort_cleanup) return napi_generic_failure;
  return fake_runtime.add_env_cleanup_hook(env, hook, argument);
}

static napi_status refuse_hooks(napi_env env, void (*hook)(void *), void *argument) {
  (void)env, (void)hook, (void)argument;
  return napi_generic_failure;
}

/* No doorbell is made, and no slot is taken. */
static void a_create_without_a_hook_is_taken_back(void **state) {
  (void)state;
  struct recorder r = open_counted();
  r.guard->table.free_slots_min = 1;
  runtime.add_env_cleanup_hook = refuse_cohort_hooks;
  for (unsigned i = 0; i < 3; i++) {
    r.func = NULL;
    assert_int_equal(create_with(&r, 0, 2), napi_generic_failure);
    assert_null(r.func);
    assert_int_equal(fake_env_live(r.env), 0);
    assert_int_equal(r.finalized, 0);
  }
  assert_int_equal(tg_table_used(&r.guard->table), 0);
  assert_int_equal(r.guard->table.abandoned.count, 0);
  close_counted(&r);
}

static void what_is_refused_costs_neither_memory_nor_a_slot(void **state) {
  (void)state;
  struct recorder r = open_counted();
  r.guard->table.free_slots_min = 1;
  runtime.add_env_cleanup_hook = refuse_hooks;
  assert_int_equal(create_with(&r, 0, 1), napi_generic_failure);
  assert_int_equal(atomic_load(&blocks_out), 0);
  runtime.add_env_cleanup_hook = fake_runtime.add_env_cleanup_hook;
  /* For the env, but not for a cohort; then for a cohort, but not for a slot. */
  for (unsigned i = 0; i < 2; i++) {
    fake_settings.allocations_left = 1;
    assert_int_equal(create_with(&r, 0, 1), napi_generic_failure);
  }
  fake_settings.allocations_left = -1;
  for (unsigned i = 0; i < 20; i++) {
    fake_settings.refuse_create = napi_string_expected;
    assert_int_equal(create_with(&r, 0, 1), napi_string_expected);
    fake_settings.refuse_create = napi_ok;
    assert_int_equal(create_with(&r, 0, 0), napi_invalid_arg);
  }
  assert_int_equal(tg_table_used(&r.guard->table), 1);
  assert_null(tg_table_slot(&r.guard->table, 0)->cohort);
  assert_int_equal(create_with(&r, 0, 1), napi_ok);
  assert_int_equal(atomic_load(&fake_events[TG_EVENT_NEVER_A_HANDLE]), 0);
  close_counted(&r);
}

static napi_status answer_while_creating;

static napi_status call_then_create(napi_env env, napi_value func, napi_value resource,
                                    napi_value name, size_t max_queue_size, size_t thread_count,
                                    void *finalize_data, napi_finalize finalize_cb, void *context,
                                    napi_threadsafe_function_call_js call_js_cb,
                                    napi_threadsafe_function *result) {
  struct tg_function *function = context;
  assert_int_equal(function->state, TG_CREATING);
  struct recorder early = {.guard = tg_guard_of(function), .func = function->handle};
  answer_while_creating = call(&early, 1);
  return fake_runtime.create(env, func, resource, name, max_queue_size, thread_count, finalize_data,
                             finalize_cb, context, call_js_cb, result);
}

/* If the lookup did not check state > TG_CREATING, the call would be queued into a function without
 * a doorbell. */
static void a_handle_is_none_before_its_create_is_done(void **state) {
  (void)state;
  struct recorder r = open_counted();
  runtime.create = call_then_create;
  assert_int_equal(create_with(&r, 0, 1), napi_ok);
  assert_int_equal(answer_while_creating, napi_invalid_arg);
  assert_int_equal(atomic_load(&fake_events[TG_EVENT_NEVER_A_HANDLE]), 1);
  assert_int_equal(call(&r, 1), napi_ok);
  close_counted(&r);
}

/* The slot keeps nothing of its last function, whatever values the fields had. */
static void a_slot_used_again_begins_anew(void **state) {
  (void)state;
  struct recorder r = open_counted();
  r.guard->table.free_slots_min = 1;
  r.guard->options.queue_warn = 0;
  for (unsigned round = 0; round < 2; round++) {
    assert_int_equal(create_with(&r, 3, 3), napi_ok);
    struct tg_function *function = tg_table_slot(&r.guard->table, 0);
    assert_int_equal(function->generation, round);
    assert_int_equal(function->pending_ref, TG_PENDING_NONE);
    assert_false(function->wakeup_pending || function->finalized || function->used_off_loop ||
                 function->multiple_waiters);
    assert_true(function->referenced && function->doorbell_held && !function->long_queue_reported);
    assert_false(function->unreleased || function->threw);
    assert_int_equal(function->thread_count, 3);
    assert_int_equal(function->release_credit, 0);
    assert_int_equal(call(&r, 1), napi_ok);
    function->used_off_loop = true;
    function->multiple_waiters = true;
    function->unreleased = true;
    function->threw = true;
    assert_int_equal(tg_unref(r.guard, NULL, r.func, CALLER), napi_ok);
    function->pending_ref = TG_PENDING_UNREF; /* comes too late: it is never applied */
    assert_int_equal(abort_it(&r), napi_ok);
    assert_int_equal(call(&r, 1), napi_closing);
    fake_env_turn(r.env);
    assert_int_equal(release(&r), napi_ok);
    assert_int_equal(function->release_credit, 1);
    assert_int_equal(function->state, TG_FREE);
  }
  assert_int_equal(create_with(&r, 0, 1), napi_ok);
  assert_int_equal(release(&r), napi_ok);
  fake_env_turn(r.env);
  close_counted(&r);
}

/* After an abort the last release has no reason to ring. A ring that comes anyway finds nothing. */
static void a_ring_without_an_item_delivers_nothing(void **state) {
  (void)state;
  struct recorder r = open_counted();
  assert_int_equal(create_with(&r, 0, 1), napi_ok);
  tg_on_dispatch(fake_napi_env(r.env), NULL, slot_of(&r), NULL);
  assert_int_equal(r.live, 0);
  assert_true(is_unlocked(slot_of(&r)));
  assert_int_equal(slot_of(&r)->state, TG_OPEN);
  close_counted(&r);
}

/* If the runtime drops wake-ups, each call rings, even if another ring is on its way. */
static void a_forgetful_runtime_is_rung_for_each_call(void **state) {
  (void)state;
  struct recorder r = open_counted();
  runtime.may_drop_wakeups = true;
  assert_int_equal(create_with(&r, 0, 1), napi_ok);
  slot_of(&r)->used_off_loop = true; /* as if calls took the fast path */
  for (unsigned i = 1; i <= 3; i++) {
    assert_int_equal(call(&r, i), napi_ok);
    assert_int_equal(atomic_load(&fake_rings), i);
  }
  close_counted(&r);
}

/* --- What the addon's callbacks get. */

static napi_env expected_env, expected_owner;
static unsigned delivered;

static bool check_call_js(napi_env env, napi_value js_callback, void *context, void *data,
                          napi_threadsafe_function_call_js call_js_cb, napi_env owner) {
  assert_ptr_equal(env, expected_env);
  assert_ptr_equal(owner, expected_owner);
  assert_int_equal(js_callback == NULL, expected_env == NULL);
  assert_ptr_equal(call_js_cb, record_call);
  delivered++;
  return fake_runtime.call_js(env, js_callback, context, data, call_js_cb, owner);
}

static napi_env finalized_in;

static void keep_finalizers_env(napi_env env, void *data, void *hint) {
  finalized_in = env;
  record_finalize(env, data, hint);
}

static void callbacks_get_their_env(void **state) {
  (void)state;
  struct recorder r = open_counted();
  runtime.call_js = check_call_js;
  delivered = 0;
  finalized_in = NULL;
  expected_env = expected_owner = fake_napi_env(r.env);
  const struct tg_create_arguments arguments = {.env = fake_napi_env(r.env),
                                                .initial_thread_count = 1,
                                                .thread_finalize_data = &r,
                                                .thread_finalize_cb = keep_finalizers_env,
                                                .context = &r,
                                                .call_js_cb = record_call};
  assert_int_equal(tg_create(r.guard, &arguments, CALLER, &r.func), napi_ok);
  assert_int_equal(call(&r, 1), napi_ok);
  fake_env_turn(r.env);
  expected_env = NULL;
  assert_int_equal(call(&r, 2), napi_ok);
  end_env(&r);
  assert_int_equal(delivered, 2);
  assert_ptr_equal(finalized_in, expected_owner);
  close_counted(&r);
}

static napi_env referenced_in;
static napi_threadsafe_function referenced_doorbell;

static napi_status keep_ref(napi_env env, napi_threadsafe_function func) {
  referenced_in = env;
  referenced_doorbell = func;
  return napi_queue_full; /* a status that nothing else returns here */
}

static napi_status keep_unref(napi_env env, napi_threadsafe_function func) {
  keep_ref(env, func);
  return napi_would_deadlock;
}

/* The doorbell gets the function's own env, whichever env the addon passes. The later of two
 * requests counts. */
static void ref_and_unref_reach_the_doorbell(void **state) {
  (void)state;
  struct recorder r = open_counted();
  runtime.ref = keep_ref;
  runtime.unref = keep_unref;
  assert_int_equal(create_with(&r, 0, 1), napi_ok);
  struct tg_function *function = slot_of(&r);
  napi_env other = (napi_env)(void *)&r;
  referenced_in = NULL;
  assert_int_equal(tg_unref(r.guard, other, r.func, CALLER), napi_would_deadlock);
  assert_ptr_equal(referenced_in, fake_napi_env(r.env));
  assert_ptr_equal(referenced_doorbell, function->doorbell);
  assert_false(function->referenced);
  function->pending_ref = TG_PENDING_UNREF; /* from another thread, not done yet */
  assert_int_equal(tg_ref(r.guard, other, r.func, CALLER), napi_queue_full);
  assert_true(function->referenced);
  assert_int_equal(function->pending_ref, TG_PENDING_NONE);
  function->pending_ref = TG_PENDING_REF;
  function->referenced = false;
  assert_int_equal(call(&r, 1), napi_ok);
  referenced_in = NULL;
  fake_env_turn(r.env);
  assert_ptr_equal(referenced_in, fake_napi_env(r.env));
  assert_true(function->referenced);
  assert_int_equal(function->pending_ref, TG_PENDING_NONE);
  close_counted(&r);
}

static void *unref_and_ref_elsewhere(void *argument) {
  struct recorder *r = argument;
  assert_int_equal(tg_unref(r->guard, NULL, r->func, CALLER), napi_ok);
  assert_int_equal(tg_ref(r->guard, NULL, r->func, CALLER), napi_ok);
  return NULL;
}

/* No item waits and no ring is on its way, so the pending ref has to ring. It rings once. */
static void a_ref_of_another_thread_rings(void **state) {
  (void)state;
  struct recorder r = open_counted();
  pthread_t thread;
  assert_int_equal(create_with(&r, 0, 1), napi_ok);
  assert_int_equal(pthread_create(&thread, NULL, unref_and_ref_elsewhere, &r), 0);
  pthread_join(thread, NULL);
  assert_int_equal(atomic_load(&fake_rings), 1);
  assert_int_equal(slot_of(&r)->pending_ref, TG_PENDING_REF);
  fake_env_turn(r.env);
  assert_int_equal(atomic_load(&fake_refs), 1);
  assert_int_equal(atomic_load(&fake_unrefs), 0);
  assert_int_equal(atomic_load(&fake_events[TG_EVENT_FOREIGN_REF]), 2);
  close_counted(&r);
}

/* --- The doorbell's count is given back once, whatever ends the function. */

static unsigned doorbell_releases, doorbell_aborts;

static napi_status count_doorbell_release(napi_threadsafe_function func,
                                          napi_threadsafe_function_release_mode mode) {
  *(mode == napi_tsfn_abort ? &doorbell_aborts : &doorbell_releases) += 1;
  return fake_runtime.release(func, mode);
}

static void the_doorbells_count_is_given_back_once(void **state) {
  (void)state;
  enum { BY_RELEASE, BY_LAST_ITEM, BY_ABORT, BY_ENV_END, WAYS };
  for (unsigned way = 0; way < WAYS; way++) {
    struct recorder r = open_counted();
    doorbell_releases = doorbell_aborts = 0;
    runtime.release = count_doorbell_release;
    assert_int_equal(create_with(&r, 0, 2), napi_ok);
    if (way != BY_RELEASE) assert_int_equal(call(&r, 1), napi_ok);
    assert_int_equal(release(&r), napi_ok);
    assert_int_equal(doorbell_releases, 0);
    if (way == BY_RELEASE) assert_int_equal(release(&r), napi_ok);
    assert_int_equal(doorbell_releases, way == BY_RELEASE);
    if (way == BY_LAST_ITEM) assert_int_equal(release(&r), napi_ok);
    if (way == BY_ABORT) assert_int_equal(abort_it(&r), napi_ok);
    if (way == BY_ENV_END) end_env(&r);
    if (way != BY_ENV_END) fake_env_turn(r.env);
    assert_int_equal(doorbell_releases, way == BY_RELEASE || way == BY_LAST_ITEM);
    assert_int_equal(doorbell_aborts, way == BY_ABORT || way == BY_ENV_END);
    assert_int_equal(r.finalized, 1);
    if (way == BY_ENV_END) assert_int_equal(release(&r), napi_ok);
    close_counted(&r);
  }
}

/* The runtime begins to close a doorbell that nobody holds. The next acquire or call learns this
 * from the runtime's answer. */
static void what_the_runtime_closes_is_closed(void **state) {
  (void)state;
  for (unsigned acquires = 0; acquires < 2; acquires++) {
    struct recorder r = open_counted();
    assert_int_equal(create_with(&r, 0, 1), napi_ok);
    assert_int_equal(release(&r), napi_ok);
    napi_threadsafe_function doorbell = slot_of(&r)->doorbell;
    assert_int_equal(fake_runtime.acquire(doorbell), napi_ok);
    assert_int_equal(fake_runtime.release(doorbell, napi_tsfn_abort), napi_ok);
    if (acquires) assert_int_equal(acquire(&r), napi_closing);
    assert_int_equal(slot_of(&r)->thread_count, 0);
    assert_int_equal(call(&r, 1), napi_closing);
    assert_int_equal(slot_of(&r)->state, TG_CLOSING);
    assert_int_equal(call(&r, 1), napi_invalid_arg);
    assert_int_equal(acquire(&r), napi_closing);
    fake_env_turn(r.env);
    assert_int_equal(r.live + r.drained, 0);
    assert_int_equal(r.finalized, 1);
    close_counted(&r);
  }
}

/* That answer has consumed the count, so nobody gives it back again. */
static void a_ring_that_hears_closing_gives_no_count_back(void **state) {
  (void)state;
  struct recorder r = open_counted();
  doorbell_releases = doorbell_aborts = 0;
  runtime.release = count_doorbell_release;
  assert_int_equal(create_with(&r, 0, 1), napi_ok);
  fake_settings.refuse_ring = napi_closing;
  assert_int_equal(call(&r, 1), napi_ok); /* accepted before the ring, so it is drained */
  assert_int_equal(slot_of(&r)->state, TG_CLOSING);
  end_env(&r);
  assert_int_equal(doorbell_releases + doorbell_aborts, 0);
  assert_int_equal(r.drained, 1);
  assert_int_equal(r.finalized, 1);
  close_counted(&r);
}

static unsigned closings;

static void count_closing(const struct tg_function *function) {
  (void)function;
  closings++;
}

/* This happens at the end of an env if the runtime does not run its hooks. */
static void the_runtime_may_finalize_what_we_hold(void **state) {
  (void)state;
  const struct tg_observer observer = {.closing = count_closing};
  struct recorder r = open_counted();
  struct caller callers[2];
  assert_int_equal(create_with(&r, 1, 2), napi_ok);
  r.guard->observer = &observer;
  closings = 0;
  assert_int_equal(call(&r, 1), napi_ok);
  start_callers(callers, 2, &r);
  struct tg_function *function = slot_of(&r);
  assert_int_equal(fake_runtime.release(function->doorbell, napi_tsfn_abort), napi_ok);
  fake_env_turn(r.env);
  join_callers(callers, 2, napi_closing);
  assert_int_equal(closings, 1);
  assert_int_equal(r.drained, 1);
  assert_int_equal(r.finalized, 1);
  assert_int_equal(function->state, TG_FREE); /* the two calls consumed both counts */
  assert_null(function->doorbell);
  assert_false(function->doorbell_held);
  assert_null(function->queue.head);
  assert_int_equal(tg_queue_length(&function->queue), 0);
  r.guard->observer = NULL;
  close_counted(&r);
}

/* The counts may never come back, so the record of an ended env is freed without waiting for
 * them. */
static void counts_that_are_out_keep_no_ended_env(void **state) {
  (void)state;
  struct recorder r = open_counted();
  assert_int_equal(create_with(&r, 0, 2), napi_ok);
  struct tg_function *function = slot_of(&r);
  end_env(&r);
  assert_int_equal(function->thread_count, 2);
  assert_null(function->cohort);
  assert_int_equal(atomic_load(&blocks_out), 0);
  close_counted(&r);
}

/* --- Cancellation is disabled while the runtime is called under our lock. Afterwards its state is
 * what it was before. */

static int cancel_state(void) {
  int before;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
  pthread_setcancelstate(before, NULL);
  return before;
}

static unsigned guarded_calls;

static void expect_no_cancellation(void) {
  assert_int_equal(cancel_state(), PTHREAD_CANCEL_DISABLE);
  guarded_calls++;
}

static napi_status call_uncancelled(napi_threadsafe_function func, void *data,
                                    napi_threadsafe_function_call_mode mode) {
  expect_no_cancellation();
  return fake_runtime.call(func, data, mode);
}

static napi_status acquire_uncancelled(napi_threadsafe_function func) {
  expect_no_cancellation();
  return fake_runtime.acquire(func);
}

static napi_status release_uncancelled(napi_threadsafe_function func,
                                       napi_threadsafe_function_release_mode mode) {
  expect_no_cancellation();
  return fake_runtime.release(func, mode);
}

static void *use_with_cancellation(void *argument) {
  struct recorder *r = argument;
  const int states[] = {PTHREAD_CANCEL_ENABLE, PTHREAD_CANCEL_DISABLE};
  for (unsigned i = 0; i < 2; i++) {
    pthread_setcancelstate(states[i], NULL);
    assert_int_equal(call(r, 1), napi_ok); /* rings */
    assert_int_equal(cancel_state(), states[i]);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    r->on_item = NULL;
    fake_env_turn(r->env);
    pthread_setcancelstate(states[i], NULL);
    assert_int_equal(release(r), napi_ok); /* releases the doorbell */
    assert_int_equal(cancel_state(), states[i]);
    assert_int_equal(acquire(r), napi_ok); /* acquires it */
    assert_int_equal(cancel_state(), states[i]);
  }
  return NULL;
}

static void cancellation_is_as_it_was(void **state) {
  (void)state;
  struct recorder r = open_counted();
  pthread_t thread;
  runtime.call = call_uncancelled;
  runtime.acquire = acquire_uncancelled;
  runtime.release = release_uncancelled;
  guarded_calls = 0;
  assert_int_equal(create_with(&r, 0, 1), napi_ok);
  assert_int_equal(pthread_create(&thread, NULL, use_with_cancellation, &r), 0);
  pthread_join(thread, NULL);
  assert_int_equal(guarded_calls, 6);
  close_counted(&r);
}

/* --- Walks over all functions. */

static struct tg_snapshot seen[8];
static unsigned seen_count, unseen_count;

static void see(void *argument, const struct tg_snapshot *snapshot) {
  assert_ptr_equal(argument, seen);
  if (snapshot == NULL) unseen_count++;
  if (snapshot != NULL) seen[seen_count++] = *snapshot;
}

static void walk(struct tg_guard *guard) {
  seen_count = unseen_count = 0;
  tg_guard_walk(guard, see, seen);
}

/* This test notices a lock that the walk does not release, and a function that it leaves out. */
static void a_walk_shows_what_lives_and_leaves_it_unlocked(void **state) {
  (void)state;
  struct recorder r[4];
  r[0] = open_counted();
  for (unsigned i = 0; i < 4; i++) {
    if (i != 0) r[i] = r[0];
    assert_int_equal(create_with(&r[i], i, i + 1), napi_ok);
  }
  assert_int_equal(release(&r[0]), napi_ok); /* finished */
  assert_int_equal(abort_it(&r[1]), napi_ok);
  fake_env_turn(r[0].env); /* closed, with a count out */
  assert_int_equal(abort_it(&r[2]), napi_ok);
  walk(r[0].guard);
  assert_int_equal(unseen_count, 0);
  assert_int_equal(seen_count, 3);
  const enum tg_state states[] = {TG_CLOSED, TG_CLOSING, TG_OPEN};
  for (unsigned i = 0; i < 3; i++) {
    assert_int_equal(seen[i].number, i + 1);
    assert_int_equal(seen[i].index, i + 1);
    assert_int_equal(seen[i].state, states[i]);
    assert_int_equal(seen[i].max_queue_size, i + 1);
    assert_int_equal(seen[i].thread_count, i == 2 ? 4 : i + 1);
  }
  for (unsigned i = 0; i < 4; i++) assert_true(is_unlocked(tg_table_slot(&r[0].guard->table, i)));
  struct tg_function *busy = tg_table_slot(&r[0].guard->table, 2);
  assert_true(tg_lock_try(&busy->lock));
  walk(r[0].guard);
  assert_int_equal(unseen_count, 1);
  assert_int_equal(seen_count, 2);
  assert_false(tg_lock_try(&busy->lock)); /* still held */
  tg_lock_release_tried(&busy->lock);
  assert_int_equal(release(&r[1]), napi_ok);
  assert_int_equal(release(&r[2]), napi_ok);
  assert_int_equal(release(&r[2]), napi_ok);
  close_counted(&r[0]);
}

/* A refused create leaves its slot in state CREATING. */
static void a_walk_passes_over_what_was_never_created(void **state) {
  (void)state;
  struct recorder r = open_counted();
  fake_settings.refuse_create = napi_generic_failure;
  assert_int_equal(create_with(&r, 0, 1), napi_generic_failure);
  assert_int_equal(tg_table_slot(&r.guard->table, 0)->state, TG_CREATING);
  fake_settings.refuse_create = napi_ok;
  walk(r.guard);
  assert_int_equal(seen_count + unseen_count, 0);
  assert_true(is_unlocked(tg_table_slot(&r.guard->table, 0)));
  close_counted(&r);
}

/* Each exit handler closes the functions that were created since the last one, so that their
 * callers are rejected. A function that is over does not change. */
static void each_exit_handler_rejects_callers_of_new_functions(void **state) {
  (void)state;
  struct recorder first = open_counted(), second = first, closed = first;
  assert_int_equal(create_with(&closed, 0, 2), napi_ok);
  assert_int_equal(abort_it(&closed), napi_ok);
  fake_env_turn(first.env);
  assert_int_equal(create_with(&first, 0, 1), napi_ok);
  tg_reject_all(first.guard);
  assert_int_equal(slot_of(&closed)->state, TG_CLOSED);
  assert_int_equal(slot_of(&first)->state, TG_CLOSING);
  assert_int_equal(create_with(&second, 0, 1), napi_ok);
  slot_of(&first)->state = TG_OPEN; /* shows whether the next walk visits it again */
  tg_reject_all(first.guard);
  assert_int_equal(slot_of(&second)->state, TG_CLOSING);
  assert_int_equal(slot_of(&first)->state, TG_CLOSING);
  slot_of(&first)->state = TG_OPEN;
  tg_reject_all(first.guard); /* nothing is new */
  assert_int_equal(slot_of(&first)->state, TG_OPEN);
  for (uint32_t i = 0; i < tg_table_used(&first.guard->table); i++)
    assert_true(is_unlocked(tg_table_slot(&first.guard->table, i)));
  end_env(&first);
  assert_int_equal(release(&closed), napi_ok);
  assert_int_equal(release(&first), napi_ok);
  assert_int_equal(release(&second), napi_ok);
  close_counted(&first);
}

/* A walk that goes one slot too far fails here, because the next chunk does not exist yet. */
static void walks_end_with_the_last_slot(void **state) {
  (void)state;
  struct recorder r = open_counted();
  for (unsigned i = 0; i < TG_CHUNK_SLOTS; i++) assert_int_equal(create_with(&r, 0, 1), napi_ok);
  struct tg_function *last = slot_of(&r);
  assert_true(tg_lock_try(&last->lock)); /* so that the walk cannot see this slot */
  for (unsigned i = 0; i + 1 < TG_CHUNK_SLOTS; i++)
    tg_table_slot(&r.guard->table, i)->state = TG_FREE;
  walk(r.guard);
  assert_int_equal(seen_count, 0);
  assert_int_equal(unseen_count, 1);
  tg_lock_release_tried(&last->lock);
  for (unsigned i = 0; i + 1 < TG_CHUNK_SLOTS; i++)
    tg_table_slot(&r.guard->table, i)->state = TG_OPEN;
  tg_reject_all(r.guard);
  for (unsigned i = 0; i < TG_CHUNK_SLOTS; i++)
    assert_int_equal(tg_table_slot(&r.guard->table, i)->state, TG_CLOSING);
  end_env(&r);
  for (unsigned i = 0; i < TG_CHUNK_SLOTS; i++) {
    r.func = tg_table_handle(&r.guard->table, tg_table_slot(&r.guard->table, i));
    assert_int_equal(release(&r), napi_ok);
  }
  close_counted(&r);
}

/* The loop thread must not take an item without the lock if one of these conditions holds. */
static void what_keeps_the_loop_thread_from_taking_ahead(void **state) {
  (void)state;
  struct recorder r = open_counted();
  assert_int_equal(create_with(&r, 0, 2), napi_ok);
  struct tg_function *function = slot_of(&r);
  assert_false(function->queue.pop_needs_lock);
  tg_function_set_pending_ref(function, TG_PENDING_REF);
  assert_true(function->queue.pop_needs_lock);
  tg_function_set_pending_ref(function, TG_PENDING_NONE);
  assert_false(function->queue.pop_needs_lock);
  assert_int_equal(abort_it(&r), napi_ok);
  assert_true(function->queue.pop_needs_lock);
  fake_env_turn(r.env);
  assert_int_equal(release(&r), napi_ok);
  assert_int_equal(create_with(&r, 1, 1), napi_ok);
  assert_true(slot_of(&r)->queue.pop_needs_lock);
  runtime.may_drop_wakeups = true;
  assert_int_equal(create_with(&r, 0, 1), napi_ok);
  assert_true(slot_of(&r)->queue.pop_needs_lock);
  runtime.may_drop_wakeups = false;
  assert_int_equal(create_with(&r, 0, 1), napi_ok);
  assert_false(slot_of(&r)->queue.pop_needs_lock);
  for (uint32_t i = 0; i < 4; i++) {
    function = tg_table_slot(&r.guard->table, i);
    if (function->state == TG_OPEN) tg_function_drop_count(function);
  }
  close_counted(&r);
}

/* --- Counts that never come back, and what an addon's counters say of them. */

static void *touch(void *argument) {
  void *context;
  assert_int_equal(get_context(argument, &context), napi_ok);
  return NULL;
}

static void touch_elsewhere(struct recorder *r) {
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, touch, r), 0);
  pthread_join(thread, NULL);
}

/* A reclaim takes several counts at once, of a function that another thread has used. Afterwards
 * these counts are credit, and the addon's counters no longer include the function, neither as
 * unreturned nor as foreign-used. */
static void reclaimed_counts_become_credit_and_no_foreign_users(void **state) {
  (void)state;
  struct recorder r = open_counted(), next = r;
  r.guard->table.abandoned_max = 0;
  assert_int_equal(create_with(&r, 0, 4), napi_ok);
  touch_elsewhere(&r);
  assert_int_equal(abort_it(&r), napi_ok);
  fake_env_turn(r.env);
  struct tg_function *function = slot_of(&r);
  assert_int_equal(r.guard->table.abandoned.count, 1);
  assert_int_equal(create_with(&next, 0, 1), napi_ok); /* reclaims */
  assert_int_equal(r.guard->table.abandoned.count, 0);
  assert_int_equal(function->state, TG_FREE);
  assert_int_equal(function->thread_count, 0);
  assert_int_equal(function->release_credit, 3);
  assert_null(function->cohort);
  for (unsigned i = 0; i < 3; i++) assert_int_equal(release(&r), napi_ok);
  assert_int_equal(release(&r), napi_invalid_arg);
  assert_int_equal(release(&next), napi_ok);
  fake_env_turn(r.env);
  end_env(&r);
  assert_int_equal(atomic_load(&fake_addon.foreign_users), 0);
  assert_int_equal(atomic_load(&fake_addon.unreturned), 0);
  close_counted(&r);
}

/* If another thread uses a finalized function, the addon's counter of foreign-used functions
 * includes that function, until its last count comes back. */
static void a_foreign_user_counts_until_its_last_count(void **state) {
  (void)state;
  for (unsigned touched = 0; touched < 3; touched++)
    for (unsigned counts = 0; counts < 3; counts++) {
      struct recorder r = open_counted(), other = r;
      assert_int_equal(create_with(&r, 0, 3), napi_ok);
      assert_int_equal(create_with(&other, 0, 1), napi_ok);
      if (touched == 1) touch_elsewhere(&r);
      assert_int_equal(abort_it(&r), napi_ok);
      fake_env_turn(r.env);
      if (touched == 2) touch_elsewhere(&r);
      if (touched == 2) touch_elsewhere(&r); /* once is enough */
      for (unsigned i = counts; i < 2; i++) assert_int_equal(release(&r), napi_ok);
      assert_int_equal(release(&other), napi_ok);
      fake_env_turn(r.env);
      end_env(&r);
      assert_int_equal(atomic_load(&fake_addon.foreign_users), touched != 0 && counts != 0);
      for (unsigned i = 0; i < counts; i++) assert_int_equal(release(&r), napi_ok);
      close_counted(&r);
    }
}

static void *release_last(void *argument) {
  assert_int_equal(release(argument), napi_ok);
  return NULL;
}

/* Threads without any other synchronization give back the last references to an ended env. The TSan
 * build checks the memory order: seen to fail there with a relaxed order in tg_cohort_leave. */
static void the_last_to_leave_an_env_frees_it(void **state) {
  (void)state;
  enum { THREADS = 4 };
  struct recorder r[THREADS];
  pthread_t threads[THREADS];
  r[0] = open_counted();
  for (unsigned i = 0; i < THREADS; i++) {
    if (i != 0) r[i] = r[0];
    assert_int_equal(create_with(&r[i], 0, 2), napi_ok);
    assert_int_equal(abort_it(&r[i]), napi_ok);
  }
  fake_env_turn(r[0].env);
  end_env(&r[0]);
  assert_int_equal(atomic_load(&blocks_out), 2); /* the records of the env and of the cohort */
  for (unsigned i = 0; i < THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, release_last, &r[i]), 0);
  for (unsigned i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  close_counted(&r[0]);
}

static void credit_does_not_overflow(void **state) {
  (void)state;
  struct recorder r = open_counted();
  assert_int_equal(create_with(&r, 0, 1), napi_ok);
  struct tg_function *function = slot_of(&r);
  tg_function_add_credit(function, 2);
  assert_int_equal(function->release_credit, 2);
  tg_function_add_credit(function, SIZE_MAX);
  assert_int_equal(function->release_credit, UINT32_MAX);
  tg_function_add_credit(function, 1);
  assert_int_equal(function->release_credit, UINT32_MAX);
  close_counted(&r);
}

/* --- What a thread remembers of the handles for which it has received napi_closing. */

static void *juggle(void *argument) {
  (void)argument;
  const uintptr_t count = TG_CLOSING_NOTICES;
  for (uintptr_t i = 1; i <= count; i++)
    assert_false(tg_record_closing_notice((napi_threadsafe_function)i));
  for (uintptr_t i = 1; i <= count; i++)
    assert_true(tg_record_closing_notice((napi_threadsafe_function)i));
  /* Each further handle replaces the oldest one, several times around. */
  for (uintptr_t i = count + 1; i < 5 * count; i++) {
    assert_false(tg_record_closing_notice((napi_threadsafe_function)i));
    for (uintptr_t kept = i - count + 1; kept <= i; kept++)
      assert_true(tg_record_closing_notice((napi_threadsafe_function)kept));
  }
  assert_false(tg_record_closing_notice((napi_threadsafe_function)1));
  /* Values as small as the index of the next entry, which follows the handles in memory: it must
   * not be compared as if it were a handle. */
  for (uintptr_t i = 0; i < 2 * count; i++)
    assert_false(tg_record_closing_notice((napi_threadsafe_function)(1000 + i)));
  for (uintptr_t i = 1; i < 5; i++)
    assert_false(tg_record_closing_notice((napi_threadsafe_function)i));
  return NULL;
}

static void a_thread_remembers_its_last_sixteen_handles(void **state) {
  (void)state;
  pthread_t thread;
  assert_int_equal(TG_CLOSING_NOTICES, 16); /* docs/contract.md says so */
  assert_int_equal(pthread_create(&thread, NULL, juggle, NULL), 0);
  pthread_join(thread, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(who_has_slept_is_counted_no_more),
      cmocka_unit_test(space_is_offered_to_each_waiter_once),
      cmocka_unit_test(who_gives_up_passes_the_wake_up_on),
      cmocka_unit_test(the_hook_of_a_function_wakes_its_callers),
      cmocka_unit_test(a_hook_that_is_added_later_can_join_blocked_callers),
      cmocka_unit_test(no_hook_is_registered_for_functions_without_a_limit),
      cmocka_unit_test(several_blocked_callers_at_close_are_reported),
      cmocka_unit_test(the_loop_thread_may_wait_as_in_node),
      cmocka_unit_test(a_create_without_a_hook_is_taken_back),
      cmocka_unit_test(what_is_refused_costs_neither_memory_nor_a_slot),
      cmocka_unit_test(a_handle_is_none_before_its_create_is_done),
      cmocka_unit_test(a_slot_used_again_begins_anew),
      cmocka_unit_test(a_ring_without_an_item_delivers_nothing),
      cmocka_unit_test(a_forgetful_runtime_is_rung_for_each_call),
      cmocka_unit_test(callbacks_get_their_env),
      cmocka_unit_test(ref_and_unref_reach_the_doorbell),
      cmocka_unit_test(a_ref_of_another_thread_rings),
      cmocka_unit_test(the_doorbells_count_is_given_back_once),
      cmocka_unit_test(what_the_runtime_closes_is_closed),
      cmocka_unit_test(a_ring_that_hears_closing_gives_no_count_back),
      cmocka_unit_test(the_runtime_may_finalize_what_we_hold),
      cmocka_unit_test(counts_that_are_out_keep_no_ended_env),
      cmocka_unit_test(cancellation_is_as_it_was),
      cmocka_unit_test(a_walk_shows_what_lives_and_leaves_it_unlocked),
      cmocka_unit_test(a_walk_passes_over_what_was_never_created),
      cmocka_unit_test(each_exit_handler_rejects_callers_of_new_functions),
      cmocka_unit_test(walks_end_with_the_last_slot),
      cmocka_unit_test(what_keeps_the_loop_thread_from_taking_ahead),
      cmocka_unit_test(reclaimed_counts_become_credit_and_no_foreign_users),
      cmocka_unit_test(a_foreign_user_counts_until_its_last_count),
      cmocka_unit_test(the_last_to_leave_an_env_frees_it),
      cmocka_unit_test(credit_does_not_overflow),
      cmocka_unit_test(a_thread_remembers_its_last_sixteen_handles),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
