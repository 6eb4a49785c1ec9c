/* Every field of every event that the core reports, and what an observer gets.
 *
 * Seen to fail: if any one of the fields that `record_event`, `describe`, tg_function_snapshot and
 * the other events set is left out (scripts/mutate.sh --random, kinds "field" and "statement"). */
#include <pthread.h>
#include <stdio.h>

#include "guard_fixture.h"

enum { REPORTED_MAX = 16, LIMIT = 3, COUNTS = 4, ENV_NUMBER = 2, GENERATION = 2, INDEX = 1 };

/* --- A host that keeps all events that it gets. */

static struct {
  struct tg_event events[REPORTED_MAX];
  unsigned count;
} reported;

static void keep_event(const struct tg_event *event) {
  assert_true(reported.count < REPORTED_MAX);
  reported.events[reported.count++] = *event;
}

static struct tg_host host;
static struct tg_observer observer;
static struct tg_runtime runtime;

static void assert_snapshot(const struct tg_snapshot *actual, const struct tg_snapshot *expected) {
  assert_int_equal(actual->number, expected->number);
  assert_int_equal(actual->index, expected->index);
  assert_int_equal(actual->generation, expected->generation);
  assert_int_equal(actual->env, expected->env);
  assert_int_equal(actual->state, expected->state);
  assert_int_equal(actual->finalized, expected->finalized);
  assert_int_equal(actual->referenced, expected->referenced);
  assert_int_equal(actual->thread_count, expected->thread_count);
  assert_int_equal(actual->release_credit, expected->release_credit);
  assert_int_equal(actual->queue_length, expected->queue_length);
  assert_int_equal(actual->max_queue_size, expected->max_queue_size);
  assert_int_equal(actual->waiters, expected->waiters);
  assert_ptr_equal(actual->addon, expected->addon);
  assert_string_equal(actual->name, expected->name);
}

static bool is_same_text(const char *a, const char *b) {
  return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void assert_event(const struct tg_event *actual, const struct tg_event *expected) {
  assert_int_equal(actual->kind, expected->kind);
  if (!is_same_text(actual->function, expected->function) ||
      !is_same_text(actual->mode, expected->mode))
    fail_msg("kind %d: function %s, mode %s", actual->kind, actual->function, actual->mode);
  assert_ptr_equal(actual->handle, expected->handle);
  assert_ptr_equal(actual->caller, expected->caller);
  assert_int_equal(actual->answered, expected->answered);
  assert_int_equal(actual->answer, expected->answer);
  assert_int_equal(actual->known, expected->known);
  assert_int_equal(actual->quantity, expected->quantity);
  assert_int_equal(actual->matters, expected->matters);
  assert_snapshot(&actual->snapshot, &expected->snapshot);
}

/* Expects that this event, and nothing else, was reported since the last check. */
static void assert_reported(const struct tg_event *expected) {
  assert_int_equal(reported.count, 1);
  reported.count = 0;
  assert_event(&reported.events[0], expected);
}

/* --- A function in which no field is 0, as it would be in zeroed memory. Therefore it is in the
 * second env and the second slot, in that slot's third generation. */

struct setting {
  struct recorder first, r;    /* `first` holds the first slot and env */
  struct tg_snapshot snapshot; /* of r, when all is new */
};

static void open_setting_of(struct setting *setting, const char *name) {
  open_recorder(&setting->first, 0, 1);
  struct tg_guard *guard = setting->first.guard;
  host = fake_host;
  host.on_event = keep_event;
  observer = (struct tg_observer){0};
  runtime = fake_runtime;
  guard->host = &host;
  guard->runtime = &runtime;
  guard->table.free_slots_min = 1;
  setting->r = (struct recorder){.guard = guard, .env = fake_env_open(), .name = name};
  for (unsigned i = 0; i < GENERATION; i++) {
    assert_int_equal(create_with(&setting->r, 0, 1), napi_ok);
    assert_int_equal(release(&setting->r), napi_ok);
    fake_env_turn(setting->r.env);
  }
  assert_int_equal(create_with(&setting->r, LIMIT, COUNTS), napi_ok);
  setting->snapshot = (struct tg_snapshot){.number = (uint64_t)GENERATION << TG_INDEX_BITS | INDEX,
                                           .index = INDEX,
                                           .generation = GENERATION,
                                           .env = ENV_NUMBER,
                                           .state = TG_OPEN,
                                           .referenced = true,
                                           .thread_count = COUNTS,
                                           .max_queue_size = LIMIT,
                                           .addon = &fake_addon};
  snprintf(setting->snapshot.name, sizeof setting->snapshot.name, "%s", name);
  setting->r.live = setting->r.drained = setting->r.finalized = 0;
  reported.count = 0;
}

static void open_setting(struct setting *setting) {
  open_setting_of(setting, "events");
}

static void close_setting(struct setting *setting) {
  setting->first.guard->host = &fake_host;
  tg_guard_observe(setting->first.guard, NULL);
  if (setting->r.env != NULL) fake_env_close(setting->r.env);
  close_recorder(&setting->first);
}

static void observe(struct setting *setting) {
  tg_guard_observe(setting->r.guard, &observer);
}

static struct tg_function *slot_of(const struct recorder *r) {
  struct tg_function *function;
  assert_int_equal(tg_table_find(&r->guard->table, r->func, &function), TG_LOOKUP_VALID);
  tg_lock_release(&function->lock, TG_RANK_FUNCTION);
  return function;
}

/* --- The seven functions have numbers here, so that all are tested in the same way. */

static const char *const names[] = {
    "napi_call_threadsafe_function",    "napi_acquire_threadsafe_function",
    "napi_release_threadsafe_function", "napi_get_threadsafe_function_context",
    "napi_ref_threadsafe_function",     "napi_unref_threadsafe_function"};
enum { CALL, ACQUIRE, RELEASE, GET_CONTEXT, REF, UNREF, USES };

static napi_status perform(struct recorder *r, unsigned which) {
  void *context;
  switch (which) {
    case CALL:
      return call(r, 1);
    case ACQUIRE:
      return acquire(r);
    case RELEASE:
      return release(r);
    case GET_CONTEXT:
      return get_context(r, &context);
    case REF:
      return tg_ref(r->guard, NULL, r->func, CALLER);
    default:
      return tg_unref(r->guard, NULL, r->func, CALLER);
  }
}

static const char *mode_of(unsigned which) {
  if (which == CALL) return "napi_tsfn_nonblocking";
  return which == RELEASE ? "napi_tsfn_release" : NULL;
}

/* The event that this use of the function reports, with this answer. The caller fills in the
 * snapshot. */
static struct tg_event event_of(const struct recorder *r, unsigned which, enum tg_event_kind kind,
                                napi_status answer) {
  return (struct tg_event){.kind = kind,
                           .function = names[which],
                           .handle = r->func,
                           .mode = mode_of(which),
                           .caller = CALLER,
                           .answered = true,
                           .answer = answer};
}

static void uses_after_the_finalizer(void **state) {
  (void)state;
  const napi_status answers[USES] = {napi_closing, napi_closing, napi_ok,
                                     napi_ok,      napi_ok,      napi_ok};
  for (unsigned which = 0; which < USES; which++) {
    struct setting s;
    open_setting(&s);
    assert_int_equal(abort_it(&s.r), napi_ok);
    fake_env_turn(s.r.env);
    assert_int_equal(s.r.finalized, 1);
    assert_int_equal(perform(&s.r, which), answers[which]);
    struct tg_event expected = event_of(
        &s.r, which, TG_EVENT_CALL_AFTER_FINALIZE + (enum tg_event_kind)which, answers[which]);
    expected.known = true;
    expected.snapshot = s.snapshot;
    expected.snapshot.state = TG_CLOSED;
    expected.snapshot.finalized = true;
    expected.snapshot.thread_count = COUNTS - 1; /* as it was before the use */
    assert_reported(&expected);
    close_setting(&s);
  }
}

/* A call turns its count into credit. With one count and one credit, the snapshot shows both. */
static void credit_shows(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  assert_int_equal(abort_it(&s.r), napi_ok);
  fake_env_turn(s.r.env);
  assert_int_equal(call(&s.r, 1), napi_closing);
  reported.count = 0;
  assert_int_equal(call_blocking(&s.r, 1), napi_closing);
  struct tg_event expected = event_of(&s.r, CALL, TG_EVENT_CALL_AFTER_FINALIZE, napi_closing);
  expected.mode = "napi_tsfn_blocking";
  expected.known = true;
  expected.snapshot = s.snapshot;
  expected.snapshot.state = TG_CLOSED;
  expected.snapshot.finalized = true;
  expected.snapshot.thread_count = COUNTS - 2;
  expected.snapshot.release_credit = 1;
  assert_reported(&expected);
  close_setting(&s);
}

/* Of a stale handle the slot still knows its last function. If the slot was reused, the event has
 * only the handle's own numbers. */
static void uses_of_a_stale_handle(void **state) {
  (void)state;
  for (unsigned reused = 0; reused < 2; reused++)
    for (unsigned which = 0; which < USES; which++) {
      struct setting s;
      open_setting(&s);
      for (unsigned i = 0; i < COUNTS; i++) assert_int_equal(release(&s.r), napi_ok);
      fake_env_turn(s.r.env);
      struct recorder next = s.r;
      if (reused) assert_int_equal(create_with(&next, 0, 1), napi_ok);
      if (reused) assert_ptr_equal(slot_of(&next), tg_table_slot(&next.guard->table, INDEX));
      napi_status answer = perform(&s.r, which);
      struct tg_event expected = event_of(&s.r, which, TG_EVENT_STALE_HANDLE, answer);
      expected.known = !reused;
      if (!reused) expected.snapshot = s.snapshot;
      expected.snapshot.number = s.snapshot.number;
      expected.snapshot.generation = GENERATION;
      expected.snapshot.state = TG_FREE;
      expected.snapshot.finalized = !reused;
      expected.snapshot.thread_count = 0;
      assert_reported(&expected);
      close_setting(&s);
    }
}

static void uses_of_what_never_was_a_handle(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  for (unsigned which = 0; which < USES; which++)
    for (unsigned is_null = 0; is_null < 2; is_null++) {
      struct recorder garbage = {
          .guard = s.r.guard, .func = (napi_threadsafe_function)(uintptr_t)(is_null ? 0 : 0x1230)};
      assert_int_equal(perform(&garbage, which), napi_invalid_arg);
      struct tg_event expected =
          event_of(&garbage, which, is_null ? TG_EVENT_NULL_HANDLE : TG_EVENT_NEVER_A_HANDLE,
                   napi_invalid_arg);
      assert_reported(&expected);
    }
  close_setting(&s);
}

static void releases_too_many(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  assert_int_equal(call(&s.r, 1), napi_ok);
  assert_int_equal(tg_unref(s.r.guard, NULL, s.r.func, CALLER), napi_ok);
  for (unsigned i = 0; i < COUNTS; i++) assert_int_equal(release(&s.r), napi_ok);
  assert_int_equal(release(&s.r), napi_invalid_arg);
  struct tg_event expected = event_of(&s.r, RELEASE, TG_EVENT_OVER_RELEASE, napi_invalid_arg);
  expected.known = true;
  expected.snapshot = s.snapshot;
  expected.snapshot.thread_count = 0;
  expected.snapshot.referenced = false;
  expected.snapshot.queue_length = 1;
  assert_reported(&expected);
  assert_int_equal(abort_it(&s.r), napi_invalid_arg);
  expected.mode = "napi_tsfn_abort";
  assert_reported(&expected);
  close_setting(&s);
}

/* Releases after calls that returned napi_closing, and then one release too many. */
static void releases_after_closing(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  assert_int_equal(abort_it(&s.r), napi_ok);
  for (unsigned i = 1; i < COUNTS; i++) assert_int_equal(call(&s.r, 1), napi_closing);
  for (unsigned credit = COUNTS - 1; credit > 0; credit--) {
    assert_int_equal(release(&s.r), napi_ok);
    struct tg_event expected = event_of(&s.r, RELEASE, TG_EVENT_RELEASE_AFTER_CLOSING, napi_ok);
    expected.known = true;
    expected.snapshot = s.snapshot;
    expected.snapshot.state = TG_CLOSING;
    expected.snapshot.thread_count = 0;
    expected.snapshot.release_credit = credit;
    assert_reported(&expected);
  }
  assert_int_equal(release(&s.r), napi_invalid_arg);
  struct tg_event expected = event_of(&s.r, RELEASE, TG_EVENT_OVER_RELEASE, napi_invalid_arg);
  expected.known = true;
  expected.snapshot = s.snapshot;
  expected.snapshot.state = TG_CLOSING;
  expected.snapshot.thread_count = 0;
  assert_reported(&expected);
  close_setting(&s);
}

static void a_context_without_a_place_for_it(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  assert_int_equal(get_context(&s.r, NULL), napi_invalid_arg);
  struct tg_event expected = event_of(&s.r, GET_CONTEXT, TG_EVENT_NULL_RESULT, napi_invalid_arg);
  expected.known = true;
  expected.snapshot = s.snapshot;
  assert_reported(&expected);
  close_setting(&s);
}

static void calls_without_a_count(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  for (unsigned i = 0; i < COUNTS; i++) assert_int_equal(release(&s.r), napi_ok);
  assert_int_equal(call(&s.r, 1), napi_ok);
  struct tg_event expected = event_of(&s.r, CALL, TG_EVENT_CALL_WITHOUT_COUNT, napi_ok);
  expected.known = true;
  expected.snapshot = s.snapshot;
  expected.snapshot.thread_count = 0;
  expected.snapshot.queue_length = 1;
  assert_reported(&expected);
  close_setting(&s);
}

static void a_blocking_call_on_its_own_loop(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  for (unsigned i = 0; i < LIMIT; i++) assert_int_equal(call(&s.r, 1), napi_ok);
  assert_int_equal(call_blocking(&s.r, 1), napi_ok);
  struct tg_event expected = event_of(&s.r, CALL, TG_EVENT_BLOCKING_ON_OWN_LOOP, napi_ok);
  expected.mode = "napi_tsfn_blocking";
  expected.known = true;
  expected.snapshot = s.snapshot;
  expected.snapshot.queue_length = LIMIT;
  assert_reported(&expected);
  close_setting(&s);
}

/* This is reported once per function, by the first call that makes the queue too long. */
static void a_queue_that_grows_long(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  s.r.guard->options.queue_warn = 1;
  slot_of(&s.r)->used_off_loop = true; /* as if calls took the fast path */
  for (unsigned i = 0; i < LIMIT; i++) assert_int_equal(call(&s.r, 1), napi_ok);
  struct tg_event expected = event_of(&s.r, CALL, TG_EVENT_LONG_QUEUE, napi_ok);
  expected.known = true;
  expected.snapshot = s.snapshot;
  expected.snapshot.queue_length = 2;
  expected.quantity = 2;
  assert_reported(&expected);
  assert_int_equal(create_with(&s.r, 0, 1), napi_ok); /* another function reports it again */
  assert_int_equal(call(&s.r, 1), napi_ok);
  assert_int_equal(reported.count, 0);
  assert_int_equal(call(&s.r, 1), napi_ok);
  assert_int_equal(reported.count, 1);
  close_setting(&s);
}

static void *ref_elsewhere(void *argument) {
  struct recorder *r = argument;
  assert_int_equal(tg_ref(r->guard, NULL, r->func, CALLER), napi_ok);
  return NULL;
}

static void a_ref_by_another_thread(void **state) {
  (void)state;
  struct setting s;
  pthread_t thread;
  open_setting(&s);
  assert_int_equal(tg_unref(s.r.guard, NULL, s.r.func, CALLER), napi_ok);
  assert_int_equal(pthread_create(&thread, NULL, ref_elsewhere, &s.r), 0);
  pthread_join(thread, NULL);
  struct tg_event expected = event_of(&s.r, REF, TG_EVENT_FOREIGN_REF, napi_ok);
  expected.known = true;
  expected.snapshot = s.snapshot;
  expected.snapshot.referenced = false; /* until the loop thread applies the ref */
  assert_reported(&expected);
  fake_env_turn(s.r.env);
  assert_true(slot_of(&s.r)->referenced);
  close_setting(&s);
}

/* --- Reported by the loop thread, outside any call. */

static struct tg_event event_of_function(const struct setting *s, enum tg_event_kind kind,
                                         uint64_t quantity) {
  return (struct tg_event){.kind = kind,
                           .handle = s->r.func,
                           .caller = (const void *)record_call,
                           .known = true,
                           .snapshot = s->snapshot,
                           .quantity = quantity};
}

static void the_end_of_an_env(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  for (unsigned i = 0; i < LIMIT; i++) assert_int_equal(call(&s.r, 1), napi_ok);
  fake_env_close(s.r.env);
  s.r.env = NULL;
  assert_int_equal(reported.count, 2);
  struct tg_event undelivered = event_of_function(&s, TG_EVENT_ITEMS_UNDELIVERED, LIMIT);
  undelivered.snapshot.queue_length = LIMIT;
  assert_event(&reported.events[0], &undelivered);
  /* This is reported when all finalizers have run and the counts have still not come back. */
  struct tg_event unreleased = event_of_function(&s, TG_EVENT_NEVER_RELEASED, COUNTS);
  unreleased.snapshot.state = TG_CLOSED;
  unreleased.snapshot.finalized = true;
  assert_event(&reported.events[1], &unreleased);
  close_setting(&s);
}

static void an_exception_that_was_caught(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  fake_settings.throws = true;
  assert_int_equal(call(&s.r, 1), napi_ok);
  fake_env_turn(s.r.env);
  struct tg_event expected = event_of_function(&s, TG_EVENT_EXCEPTION_CAUGHT, 0);
  assert_reported(&expected);
  close_setting(&s);
}

/* Items that are left after such an exception are dropped, and this is reported once. */
static void items_that_were_dropped(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  fake_settings.throws = true;
  for (unsigned i = 0; i < LIMIT; i++) assert_int_equal(call(&s.r, 1), napi_ok);
  assert_int_equal(abort_it(&s.r), napi_ok);
  fake_env_turn(s.r.env);
  assert_int_equal(reported.count, 2);
  struct tg_event expected = event_of_function(&s, TG_EVENT_EXCEPTION_CAUGHT, 0);
  expected.snapshot.state = TG_CLOSED;
  expected.snapshot.thread_count = COUNTS - 1;
  assert_event(&reported.events[0], &expected);
  expected.kind = TG_EVENT_ITEMS_DROPPED;
  expected.quantity = LIMIT - 1;
  assert_event(&reported.events[1], &expected);
  close_setting(&s);
}

/* The callback has closed its function and run the loop, which has finalized the function. Another
 * create has taken its slot. */
static struct recorder next_of_slot;

static void end_within(struct recorder *r, napi_env env, void *item) {
  (void)item;
  if (env == NULL) return;
  while (release(r) == napi_ok) {
  }
  reported.count = 0;
  fake_env_turn(r->env);
  assert_int_equal(r->finalized, 1);
  next_of_slot = *r;
  next_of_slot.on_item = NULL;
  assert_int_equal(create_with(&next_of_slot, 0, 1), napi_ok);
}

static void an_exception_after_the_end_of_its_function(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  s.r.on_item = end_within;
  fake_settings.throws = true;
  assert_int_equal(call(&s.r, 1), napi_ok);
  fake_env_turn(s.r.env);
  struct tg_event expected = event_of_function(&s, TG_EVENT_EXCEPTION_CAUGHT, 0);
  expected.known = false;
  expected.snapshot = (struct tg_snapshot){.number = s.snapshot.number};
  assert_reported(&expected);
  close_setting(&s);
}

enum { SLEEPERS = 2 };

/* Pretends that two callers sleep. The test removes them again before anybody would wake them. */
static struct tg_function *put_to_sleep(struct setting *s) {
  struct tg_function *function = slot_of(&s->r);
  function->waiters = SLEEPERS;
  s->snapshot.waiters = SLEEPERS;
  return function;
}

static void wake(struct setting *s, struct tg_function *function) {
  tg_lock_acquire(&function->lock, TG_RANK_FUNCTION);
  function->waiters = 0;
  tg_function_leave(s->r.guard, function);
  tg_lock_release(&function->lock, TG_RANK_FUNCTION);
}

static void an_abort_with_blocked_callers(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  struct tg_function *function = put_to_sleep(&s);
  assert_int_equal(abort_it(&s.r), napi_ok);
  struct tg_event expected = event_of(&s.r, RELEASE, TG_EVENT_BLOCKED_CALLERS_AT_CLOSE, napi_ok);
  expected.mode = "napi_tsfn_abort";
  expected.known = true;
  expected.snapshot = s.snapshot;
  expected.snapshot.state = TG_CLOSING;
  expected.snapshot.thread_count = COUNTS - 1;
  expected.quantity = SLEEPERS;
  assert_reported(&expected);
  wake(&s, function);
  close_setting(&s);
}

static void a_last_item_with_blocked_callers(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  assert_int_equal(call(&s.r, 1), napi_ok);
  for (unsigned i = 0; i < COUNTS; i++) assert_int_equal(release(&s.r), napi_ok);
  struct tg_function *function = put_to_sleep(&s);
  fake_env_turn(s.r.env);
  struct tg_event expected = event_of_function(&s, TG_EVENT_BLOCKED_CALLERS_AT_CLOSE, SLEEPERS);
  expected.snapshot.state = TG_CLOSING;
  expected.snapshot.thread_count = 0;
  assert_reported(&expected);
  wake(&s, function);
  close_setting(&s);
}

static void the_end_of_an_env_with_blocked_callers(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  for (unsigned i = 0; i < COUNTS; i++) assert_int_equal(release(&s.r), napi_ok);
  struct tg_function *function = put_to_sleep(&s);
  fake_env_close(s.r.env);
  s.r.env = NULL;
  struct tg_event expected = event_of_function(&s, TG_EVENT_BLOCKED_CALLERS_AT_CLOSE, SLEEPERS);
  expected.snapshot.state = TG_CLOSING;
  expected.snapshot.thread_count = 0;
  assert_reported(&expected);
  wake(&s, function);
  close_setting(&s);
}

/* The create that the runtime serves itself reports this. */
static void no_handle_is_left(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  struct tg_table *table = &s.r.guard->table;
  struct tg_segment *segment = &table->segments[0];
  uint32_t bits = segment->index_bits;
  segment->index_bits = 1; /* both slots are taken */
  fake_settings.reserve_bits_max = 0;
  struct recorder last = s.r;
  /* the answer of the runtime, which serves this create */
  fake_settings.refuse_create = napi_string_expected;
  assert_int_equal(create_with(&last, 0, 1), napi_string_expected);
  segment->index_bits = bits;
  const struct tg_event expected = {.kind = TG_EVENT_HANDLES_USED_UP,
                                    .function = "napi_create_threadsafe_function",
                                    .caller = CALLER,
                                    .answered = true,
                                    .answer = napi_string_expected,
                                    .snapshot = {.addon = &fake_addon}};
  assert_reported(&expected);
  close_setting(&s);
}

/* --- The core passes on events that an observer reports. */

static enum tg_event_kind called_too_often(const struct tg_function *function, uint64_t *quantity) {
  assert_int_equal(tg_queue_length(&function->queue), 1);
  *quantity = 77;
  return TG_EVENT_MORE_THREADS_THAN_COUNTS;
}

static void what_an_observer_of_calls_noticed(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  observer.called = called_too_often;
  observe(&s);
  assert_int_equal(call(&s.r, 1), napi_ok);
  struct tg_event expected = event_of(&s.r, CALL, TG_EVENT_MORE_THREADS_THAN_COUNTS, napi_ok);
  expected.known = true;
  expected.snapshot = s.snapshot;
  expected.snapshot.queue_length = 1;
  expected.quantity = 77;
  assert_reported(&expected);
  close_setting(&s);
}

static enum tg_event_kind notice_a_call(const struct tg_function *function, uint64_t *quantity) {
  (void)function, (void)quantity;
  return TG_EVENT_MORE_THREADS_THAN_COUNTS;
}

static enum tg_event_kind notice_a_finalizer(const struct tg_function *function,
                                             uint64_t *quantity) {
  (void)function, (void)quantity;
  return TG_EVENT_SLOW_FINALIZER;
}

static void a_quantity_that_no_observer_wrote_is_zero(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  observer.called = notice_a_call;
  observer.finalized = notice_a_finalizer;
  observe(&s);
  assert_int_equal(call(&s.r, 1), napi_ok);
  assert_int_equal(abort_it(&s.r), napi_ok);
  fake_env_turn(s.r.env);
  assert_int_equal(reported.count, 2);
  assert_int_equal(reported.events[0].quantity, 0);
  assert_int_equal(reported.events[1].quantity, 0);
  close_setting(&s);
}

static enum tg_event_kind finalized_slowly(const struct tg_function *function, uint64_t *quantity) {
  assert_false(function->finalized);
  *quantity = 88;
  return TG_EVENT_SLOW_FINALIZER;
}

static void what_an_observer_of_finalizers_noticed(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  observer.finalized = finalized_slowly;
  observe(&s);
  assert_int_equal(abort_it(&s.r), napi_ok);
  fake_env_turn(s.r.env);
  struct tg_event expected = event_of_function(&s, TG_EVENT_SLOW_FINALIZER, 88);
  expected.snapshot.state = TG_CLOSED;
  expected.snapshot.finalized = true;
  expected.snapshot.thread_count = COUNTS - 1;
  assert_reported(&expected);
  close_setting(&s);
}

static char order[32]; /* what was observed, one letter each */

static void observed(char what) {
  size_t length = strlen(order);
  assert_true(length + 1 < sizeof order);
  order[length] = what;
  order[length + 1] = '\0';
}

static enum tg_event_kind before_item(napi_env env) {
  assert_non_null(env);
  observed('(');
  return TG_EVENT_JAVASCRIPT_FORBIDDEN;
}

static enum tg_event_kind after_item(napi_env env) {
  assert_non_null(env);
  observed(')');
  return TG_EVENT_PENDING_EXCEPTION;
}

static void item_within(struct recorder *r, napi_env env, void *item) {
  (void)r, (void)env, (void)item;
  observed('i');
}

/* The observer reports before and after each live delivery. Both times the snapshot shows the
 * function as it was before the item was taken. */
static void what_an_observer_of_deliveries_noticed(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  observer.delivering = before_item;
  observer.delivered = after_item;
  observe(&s);
  s.r.on_item = item_within;
  order[0] = '\0';
  assert_int_equal(create_with(&s.r, LIMIT, COUNTS), napi_ok);
  s.snapshot.number++; /* the next slot, in its first generation */
  s.snapshot.index++;
  s.snapshot.generation = 0;
  s.snapshot.number = s.snapshot.index;
  assert_int_equal(call(&s.r, 1), napi_ok);
  assert_int_equal(call(&s.r, 2), napi_ok);
  fake_env_turn(s.r.env);
  assert_string_equal(order, "(i)(i)");
  assert_int_equal(reported.count, 4);
  for (unsigned i = 0; i < 4; i++) {
    struct tg_event expected = event_of_function(
        &s, i % 2 == 0 ? TG_EVENT_JAVASCRIPT_FORBIDDEN : TG_EVENT_PENDING_EXCEPTION, 0);
    expected.snapshot.queue_length = i < 2 ? 2 : 1;
    assert_event(&reported.events[i], &expected);
  }
  reported.count = 0;
  close_setting(&s);
}

/* If no call_js_cb was given, finalize_cb identifies the code. */
static void a_function_without_call_js_cb(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  struct tg_create_arguments arguments = {.env = fake_napi_env(s.r.env),
                                          .func = (napi_value)(void *)&s,
                                          .initial_thread_count = 1,
                                          .thread_finalize_data = &s.r,
                                          .thread_finalize_cb = record_finalize,
                                          .context = &s.r};
  assert_int_equal(tg_create(s.r.guard, &arguments, CALLER, &s.r.func), napi_ok);
  assert_int_equal(call(&s.r, 1), napi_ok);
  fake_env_turn(s.r.env); /* the runtime's default callback takes it */
  assert_int_equal(s.r.live, 0);
  assert_int_equal(call(&s.r, 1), napi_ok);
  fake_env_close(s.r.env);
  s.r.env = NULL;
  bool seen = false;
  for (unsigned i = 0; i < reported.count; i++) {
    if (reported.events[i].handle != s.r.func) continue;
    assert_ptr_equal(reported.events[i].caller, (const void *)record_finalize);
    assert_string_equal(reported.events[i].snapshot.name, "");
    seen = true;
  }
  assert_true(seen);
  close_setting(&s);
}

/* Only the first event of a use is reported. */
static void one_event_a_use(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  s.r.guard->options.queue_warn = 0;
  for (unsigned i = 0; i < COUNTS; i++) assert_int_equal(release(&s.r), napi_ok);
  assert_int_equal(call(&s.r, 1), napi_ok);
  assert_int_equal(reported.count, 1);
  assert_int_equal(reported.events[0].kind, TG_EVENT_CALL_WITHOUT_COUNT);
  close_setting(&s);
}

/* --- What an observer gets during a function's whole life. */

static const struct tg_function *expected_function;
static size_t counts_shown;

static void see_created(const struct tg_function *function, const void *caller) {
  assert_ptr_equal(caller, CALLER);
  assert_int_equal(function->state, TG_OPEN);
  expected_function = function;
  observed('+');
}

static enum tg_event_kind see_called(const struct tg_function *function, uint64_t *quantity) {
  (void)quantity;
  assert_ptr_equal(function, expected_function);
  assert_true(tg_queue_length(&function->queue) > 0);
  observed('c');
  return TG_EVENT_NONE;
}

static void see_released(const struct tg_function *function) {
  assert_ptr_equal(function, expected_function);
  assert_int_equal(function->thread_count, --counts_shown);
  observed('r');
}

static void see_used(const struct tg_function *function, bool is_call, napi_status answer) {
  assert_ptr_equal(function, expected_function);
  observed(is_call ? 'C' : 'U');
  if (answer != napi_ok) observed('!');
}

static void see_closing(const struct tg_function *function) {
  assert_ptr_equal(function, expected_function);
  assert_int_equal(function->state, TG_CLOSING);
  observed('x');
}

static void see_taken(const struct tg_function *function) {
  assert_ptr_equal(function, expected_function);
  observed('t');
}

static void see_finalizing(const struct tg_function *function) {
  assert_ptr_equal(function, expected_function);
  assert_int_equal(function->state, TG_CLOSED);
  observed('f');
}

static enum tg_event_kind see_finalized(const struct tg_function *function, uint64_t *quantity) {
  (void)quantity;
  assert_ptr_equal(function, expected_function);
  observed('F');
  return TG_EVENT_NONE;
}

static void see_expired(const struct tg_function *function) {
  assert_ptr_equal(function, expected_function);
  assert_int_not_equal(function->state, TG_FREE);
  observed('-');
}

static void in_finalizer(struct recorder *r) {
  (void)r;
  observed('z');
}

static const struct tg_observer sees_all = {.created = see_created,
                                            .called = see_called,
                                            .released = see_released,
                                            .used = see_used,
                                            .closing = see_closing,
                                            .taken = see_taken,
                                            .finalizing = see_finalizing,
                                            .finalized = see_finalized,
                                            .expired = see_expired};

static void an_observer_sees_a_whole_life_in_order(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  observer = sees_all;
  observe(&s);
  s.r.on_item = item_within;
  s.r.on_finalize = in_finalizer;
  order[0] = '\0';
  counts_shown = 2;
  assert_int_equal(create_with(&s.r, 0, 2), napi_ok);
  assert_int_equal(call(&s.r, 1), napi_ok);
  fake_env_turn(s.r.env);
  assert_int_equal(release(&s.r), napi_ok);
  assert_int_equal(release(&s.r), napi_ok);
  assert_int_equal(release(&s.r), napi_invalid_arg);
  fake_env_turn(s.r.env);
  assert_string_equal(order, "+cCtirUrUU!xfzF-");
  order[0] = '\0';
  counts_shown = 1;
  s.r.guard->table.free_slots_min = 1000; /* another slot */
  assert_int_equal(create_with(&s.r, 0, 1), napi_ok);
  assert_int_equal(abort_it(&s.r), napi_ok);
  fake_env_turn(s.r.env);
  assert_string_equal(order, "+rxUfzF-");
  close_setting(&s);
}

static unsigned calls_shown;

static enum tg_event_kind count_called(const struct tg_function *function, uint64_t *quantity) {
  (void)function, (void)quantity;
  calls_shown++;
  return TG_EVENT_NONE;
}

/* Either of the two observers alone, `called` or `used`, gets every call, because then no call
 * takes the fast path. */
static void an_observer_of_calls_alone_sees_each_call(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  observer.called = count_called;
  observe(&s);
  calls_shown = 0;
  slot_of(&s.r)->used_off_loop = true; /* as if calls took the fast path */
  for (unsigned i = 0; i < LIMIT; i++) assert_int_equal(call(&s.r, 1), napi_ok);
  assert_int_equal(calls_shown, LIMIT);
  close_setting(&s);
}

static void an_observer_of_uses_alone_sees_each_call(void **state) {
  (void)state;
  struct setting s;
  open_setting(&s);
  observer.used = see_used;
  observe(&s);
  order[0] = '\0';
  expected_function = slot_of(&s.r);
  slot_of(&s.r)->used_off_loop = true; /* as if calls took the fast path */
  for (unsigned i = 0; i < LIMIT; i++) assert_int_equal(call(&s.r, 1), napi_ok);
  assert_int_equal(call(&s.r, 1), napi_queue_full);
  assert_string_equal(order, "CCCC!");
  close_setting(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(uses_after_the_finalizer),
      cmocka_unit_test(credit_shows),
      cmocka_unit_test(uses_of_a_stale_handle),
      cmocka_unit_test(uses_of_what_never_was_a_handle),
      cmocka_unit_test(releases_too_many),
      cmocka_unit_test(releases_after_closing),
      cmocka_unit_test(a_context_without_a_place_for_it),
      cmocka_unit_test(calls_without_a_count),
      cmocka_unit_test(a_blocking_call_on_its_own_loop),
      cmocka_unit_test(a_queue_that_grows_long),
      cmocka_unit_test(a_ref_by_another_thread),
      cmocka_unit_test(the_end_of_an_env),
      cmocka_unit_test(an_exception_that_was_caught),
      cmocka_unit_test(items_that_were_dropped),
      cmocka_unit_test(an_exception_after_the_end_of_its_function),
      cmocka_unit_test(an_abort_with_blocked_callers),
      cmocka_unit_test(a_last_item_with_blocked_callers),
      cmocka_unit_test(the_end_of_an_env_with_blocked_callers),
      cmocka_unit_test(no_handle_is_left),
      cmocka_unit_test(what_an_observer_of_calls_noticed),
      cmocka_unit_test(a_quantity_that_no_observer_wrote_is_zero),
      cmocka_unit_test(what_an_observer_of_finalizers_noticed),
      cmocka_unit_test(what_an_observer_of_deliveries_noticed),
      cmocka_unit_test(a_function_without_call_js_cb),
      cmocka_unit_test(one_event_a_use),
      cmocka_unit_test(an_observer_sees_a_whole_life_in_order),
      cmocka_unit_test(an_observer_of_calls_alone_sees_each_call),
      cmocka_unit_test(an_observer_of_uses_alone_sees_each_call),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
