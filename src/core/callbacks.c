/* Implements callbacks.h: delivers items, closes functions at the end of an env, and finalizes
 * them. */
#include "core/callbacks.h"

#include <string.h>

#include "base/probes.h"
#include "core/cohort.h"
#include "core/environment.h"
#include "core/function.h"
#include "core/handle_table.h"
#include "core/queue.h"

/* Fills in an event about the function. With the lock held. */
static void describe(const struct tg_function *function, enum tg_event_kind kind, uint64_t quantity,
                     struct tg_event *event) {
  *event = (struct tg_event){.kind = kind,
                             .handle = function->handle,
                             .caller = (const void *)function->call_js_cb,
                             .known = true,
                             .quantity = quantity};
  if (event->caller == NULL) event->caller = (const void *)function->finalize_cb;
  tg_function_snapshot(function, &event->snapshot);
  event->snapshot.number = tg_table_number(function);
}

/* No lock held. */
static void report(const struct tg_guard *guard, const struct tg_event *event) {
  if (event->kind != TG_EVENT_NONE) guard->host->on_event(event);
}

/* Relaxed: only the loop thread, which reads it here, writes it. */
static void *context_of(const struct tg_function *function) {
  return atomic_load_explicit(&function->context, memory_order_relaxed);
}

/* Fills in `event` if the function has just closed while several callers slept. The runtime would
 * have woken only one of them. With the lock held. */
static void describe_blocked_callers(const struct tg_function *function, bool was_open,
                                     struct tg_event *event) {
  if (was_open && function->state != TG_OPEN && function->multiple_waiters)
    describe(function, TG_EVENT_BLOCKED_CALLERS_AT_CLOSE, function->waiters, event);
}

/* Some addons read a result that a failed Node-API function has not written. They find what earlier
 * frames have left on the stack: frames of the runtime, and with the guard also ours. This makes
 * sure that they find NULL. The callback's frame begins a few words below this one (but not with
 * AddressSanitizer's red zones). */
__attribute__((noinline, no_sanitize_address)) static void clear_stack(void) {
  char zeros[512];
  memset(zeros, 0, sizeof zeros);
  __asm__ volatile("" : : "r"(zeros) : "memory"); /* keeps the compiler from dropping the memset */
}

/* No lock held. The callback may have ended the function, so `describe` cannot be used: the slot
 * may serve another function by now. The slot itself still exists. */
__attribute__((cold, noinline)) static void report_exception(
    struct tg_function *function, struct tg_guard *guard, napi_threadsafe_function handle,
    napi_threadsafe_function_call_js call_js_cb) {
  struct tg_event event = {
      .kind = TG_EVENT_EXCEPTION_CAUGHT, .handle = handle, .caller = (const void *)call_js_cb};
  tg_function_lock(function);
  event.known = function->state > TG_CREATING && function->handle == handle;
  if (event.known) {
    function->threw = true;
    tg_function_snapshot(function, &event.snapshot);
  }
  tg_function_unlock(function);
  event.snapshot.number = tg_table_number_of(&guard->table, handle);
  report(guard, &event);
}

/* Calls call_js_cb. False: it has thrown, and the exception was caught. Unless it has thrown, the
 * function is not touched after the callback, which may have ended it. */
static bool call_js(struct tg_function *function, napi_threadsafe_function_call_js call_js_cb,
                    napi_env env, napi_value js_callback, void *context, void *item) {
  struct tg_guard *guard = tg_guard_of(function);
  const struct tg_environment *environment = tg_environment_of(function);
  napi_threadsafe_function handle = function->handle;
  if (call_js_cb == NULL) call_js_cb = guard->runtime->call_js_default;
  if (environment->can_terminate) clear_stack();
  if (guard->runtime->call_js(env, js_callback, context, item, call_js_cb, environment->env))
    return true;
  report_exception(function, guard, handle, call_js_cb);
  return false;
}

static void apply_pending_ref(struct tg_function *function) {
  uint8_t pending_ref = function->pending_ref;
  if (pending_ref == TG_PENDING_NONE) return;
  tg_function_set_pending_ref(function, TG_PENDING_NONE);
  function->referenced = pending_ref == TG_PENDING_REF;
  if (pending_ref == TG_PENDING_REF)
    tg_guard_of(function)->runtime->ref(tg_environment_of(function)->env, function->doorbell);
  if (pending_ref == TG_PENDING_UNREF)
    tg_guard_of(function)->runtime->unref(tg_environment_of(function)->env, function->doorbell);
}

/* Called after an item was popped. If more items wait, rings for the next one. If it was the last
 * item and nobody holds a count, closes the function: this is the moment at which the runtime
 * decides to close, before the last callback runs. */
static void continue_after_pop(struct tg_function *function) {
  if (tg_queue_length(&function->queue) != 0) {
    if (function->doorbell_held) tg_function_ring(function);
  } else if (function->thread_count == 0 && function->state == TG_OPEN) {
    tg_function_close(function);
    tg_function_release_doorbell(function, napi_tsfn_release);
  }
}

/* Like call_js, and calls the observer before and after. `event` describes the function as it was
 * before the callback, because the callback may end the function. */
static void call_js_observed(struct tg_function *function, const struct tg_guard *guard,
                             napi_threadsafe_function_call_js call_js_cb, napi_env env,
                             napi_value js_callback, void *context, void *item,
                             struct tg_event *event) {
  const struct tg_observer *observer = guard->observer;
  event->kind = observer->delivering(env);
  report(guard, event);
  call_js(function, call_js_cb, env, js_callback, context, item);
  event->kind = observer->delivered(env);
  report(guard, event);
}

/* Pops an item without the lock if another one waits behind it, and rings for that one.
 * `wakeup_pending` stays true: one ring has arrived and the next is on its way. A thread that holds
 * the lock meanwhile sees a queue that is not empty and a wake-up that is pending, as before and
 * after. */
static bool pop_unlocked(struct tg_function *function, void **item) {
  if (!tg_queue_can_pop_unlocked(&function->queue)) return false;
  napi_status answer =
      tg_guard_of(function)->runtime->call(function->doorbell, NULL, napi_tsfn_nonblocking);
  if (answer == napi_ok) {
    *item = tg_queue_pop_unlocked(&function->queue);
    return true;
  }
  /* another thread is aborting the function, or there is no memory for a ring */
  tg_function_lock(function);
  tg_function_record_ring(function, answer);
  tg_function_unlock(function);
  return false;
}

/* Pops the only item of a function that stays open, if there is nothing else to do for the
 * function. */
static bool pop_only(struct tg_function *function, void **item) {
  tg_function_lock(function);
  bool is_fast_path =
      !atomic_load_explicit(&function->queue.pop_needs_lock, memory_order_relaxed) &&
      function->pending_ref == TG_PENDING_NONE && function->thread_count != 0 &&
      tg_queue_length(&function->queue) == 1;
  if (is_fast_path) {
    function->wakeup_pending = false;
    *item = tg_queue_pop_only(&function->queue, tg_guard_of(function)->host);
  }
  tg_function_unlock(function);
  return is_fast_path;
}

/* Pops an item in all other cases. If deliveries are observed, fills in `seen` with the function as
 * it was before. The caller has to report `blocked_callers`. */
static bool pop_locked(struct tg_function *function, void **item, struct tg_event *seen,
                       struct tg_event *blocked_callers) {
  tg_function_lock(function);
  function->wakeup_pending = false;
  apply_pending_ref(function);
  bool waits = tg_queue_length(&function->queue) != 0, wake = false;
  if (waits) {
    const struct tg_guard *guard = tg_guard_of(function);
    if (tg_observes_deliveries(guard)) describe(function, TG_EVENT_NONE, 0, seen);
    bool was_open = function->state == TG_OPEN;
    *item = tg_queue_pop(&function->queue, guard->host);
    continue_after_pop(function);
    wake = tg_function_claim_waiter(function);
    describe_blocked_callers(function, was_open, blocked_callers);
  }
  tg_function_unlock(function);
  /* Safe even if the function is over: the slot stays. At worst a thread wakes for nothing. */
  if (wake) tg_gate_wake_one(&function->not_full);
  return waits;
}

/* Called after an item was popped. The function is not over yet, because only this thread finalizes
 * it. */
static void observe_taken(struct tg_function *function, const struct tg_guard *guard) {
  const struct tg_observer *observer = guard->observer;
  tg_probe_dispatch(function->handle, function->queue.known_available);
  if (observer != NULL && observer->taken != NULL) observer->taken(function);
}

__attribute__((noinline)) static void dispatch_slow_path(struct tg_function *function, napi_env env,
                                                         napi_value js_callback) {
  struct tg_event seen, blocked_callers;
  blocked_callers.kind = TG_EVENT_NONE;
  void *item;
  if (!pop_locked(function, &item, &seen, &blocked_callers)) return;
  const struct tg_guard *guard = tg_guard_of(function);
  report(guard, &blocked_callers);
  observe_taken(function, guard);
  if (tg_observes_deliveries(guard))
    call_js_observed(function, guard, function->call_js_cb, env, js_callback, context_of(function),
                     item, &seen);
  else
    call_js(function, function->call_js_cb, env, js_callback, context_of(function), item);
}

/* Runs in the callback scope that the runtime has opened. The doorbell's finalizer has not run, so
 * the function stays in its generation until the addon's callback is entered. The callback may run
 * the event loop, which may end the function, so the function is not touched after the callback. */
void tg_on_dispatch(napi_env env, napi_value js_callback, void *context, void *data) {
  (void)data;
  if (env == NULL) return; /* the runtime discards a ring, perhaps after our finalizer */
  struct tg_function *function = context;
  void *item;
  if (!pop_unlocked(function, &item) && !pop_only(function, &item)) {
    dispatch_slow_path(function, env, js_callback);
    return;
  }
  observe_taken(function, tg_guard_of(function));
  call_js(function, function->call_js_cb, env, js_callback, context_of(function), item);
}

/* Describes counts that are still out after the end of the env. With the lock held. */
static void describe_unreleased(struct tg_function *function, struct tg_event *event) {
  if (function->unreleased && function->state > TG_CREATING && function->thread_count != 0)
    describe(function, TG_EVENT_NEVER_RELEASED, function->thread_count, event);
  function->unreleased = false;
}

/* Visits the functions of an env, each with its lock held. Reports the event that a visit has
 * filled in. */
static void visit_functions(struct tg_environment *environment,
                            void (*visit)(struct tg_function *function, struct tg_event *event)) {
  struct tg_guard *guard = environment->guard;
  uint32_t used = tg_table_used(&guard->table);
  for (uint32_t index = 0; index < used; index++) {
    struct tg_function *function = tg_table_slot(&guard->table, index);
    struct tg_event event = {.kind = TG_EVENT_NONE};
    tg_function_lock(function);
    if (function->env_number == environment->number) visit(function, &event);
    tg_function_unlock(function);
    report(guard, &event);
  }
}

/* This env cleanup hook is added while such hooks already run. Node (12 to 26) first runs the hooks
 * that it has, and then the finalizers of all doorbells. With the last of these the napi_env ends,
 * and the addon's wrapped objects are finalized. Only then does Node run the hooks that were added
 * meanwhile. So when this runs, the napi_env is gone, but the addon is still loaded. */
static void report_unreleased(void *argument) {
  struct tg_environment *environment = argument;
  environment->reports_unreleased = false;
  visit_functions(environment, describe_unreleased);
  tg_environment_leave(environment);
}

/* False: the counts must be reported now. Runtimes other than Node may run such a hook at once, or
 * not at all. */
static bool report_unreleased_later(struct tg_environment *environment) {
  const struct tg_runtime *runtime = environment->guard->runtime;
  if (environment->reports_unreleased) return true;
  if (runtime->may_drop_wakeups) return false;
  if (runtime->add_env_cleanup_hook(environment->env, report_unreleased, environment) != napi_ok)
    return false;
  environment->reports_unreleased = true;
  atomic_fetch_add_explicit(&environment->references, 1, memory_order_relaxed);
  return true;
}

/* Wakes the callers that wait for space. They find that the env's hooks run, and are rejected. */
static void wake_waiters(struct tg_function *function, struct tg_event *event) {
  if (function->state != TG_OPEN || function->max_queue_size == 0) return;
  if (tg_function_has_late_quirk(function)) function->is_late = true;
  if (function->waiters == 0) return;
  if (function->waiters > 1)
    describe(function, TG_EVENT_BLOCKED_CALLERS_AT_CLOSE, function->waiters, event);
  tg_gate_wake_all(&function->not_full);
}

/* The first of the env's cleanup hooks to run. Without it, a hook of the addon that joins a blocked
 * caller would wait for ever: the hooks that close functions created before that hook was added run
 * only after it. The functions stay open. Other calls are answered as before, because the addon may
 * still use the functions in its own hooks. */
static void on_first_hook(void *argument) {
  struct tg_environment *environment = argument;
  environment->awaits_hooks = false;
  atomic_store_explicit(&environment->hooks_run, true, memory_order_relaxed);
  visit_functions(environment, wake_waiters);
}

/* Makes on_first_hook the newest hook, which runs first. */
static void make_newest(struct tg_environment *environment) {
  const struct tg_runtime *runtime = environment->guard->runtime;
  if (environment->awaits_hooks)
    runtime->remove_env_cleanup_hook(environment->env, on_first_hook, environment);
  environment->awaits_hooks =
      runtime->add_env_cleanup_hook(environment->env, on_first_hook, environment) == napi_ok;
}

static void on_hook_added(struct tg_environment *environment) {
  bool run = atomic_load_explicit(&environment->hooks_run, memory_order_relaxed);
  environment->hook_added = true;
  if (environment->bounded != 0 && !run) make_newest(environment);
}

void tg_on_hook_added(void) {
  for (struct tg_environment *each = tg_environments_of_thread; each != NULL;
       each = each->next_of_thread)
    if (!each->ended) on_hook_added(each);
}

/* What is to be reported about a function when its env ends. */
struct end_events {
  struct tg_event blocked_callers, undelivered, unreleased;
};

/* Closes a function because its env ends. With the lock held. */
static void close_with_env(struct tg_function *function, struct end_events *events) {
  bool was_open = function->state == TG_OPEN;
  size_t left = tg_queue_length(&function->queue);
  if (left != 0 && !function->threw)
    describe(function, TG_EVENT_ITEMS_UNDELIVERED, left, &events->undelivered);
  function->unreleased = (was_open || function->ended_first) && function->thread_count != 0;
  if (function->unreleased && !report_unreleased_later(tg_environment_of(function)))
    describe_unreleased(function, &events->unreleased);
  function->is_late = tg_function_has_late_quirk(function);
  if (was_open) tg_function_close(function);
  /* Otherwise a runtime that keeps closed functions until their counts are back would never free
   * the doorbell. */
  tg_function_release_doorbell(function, napi_tsfn_abort);
  describe_blocked_callers(function, was_open, &events->blocked_callers);
}

void tg_on_cohort_cleanup(void *argument) {
  struct tg_cohort *cohort = argument;
  struct tg_guard *guard = cohort->guard;
  uint32_t behind = cohort->unfinalized == 0 ? 0 : cohort->last_index + 1;
  for (uint32_t index = behind; index-- > cohort->first_index;) {
    struct tg_function *function = tg_table_slot(&guard->table, index);
    struct end_events events;
    events.blocked_callers.kind = events.undelivered.kind = events.unreleased.kind = TG_EVENT_NONE;
    tg_function_lock(function);
    if (function->cohort == cohort && function->state <= TG_CLOSING)
      close_with_env(function, &events);
    tg_function_unlock(function);
    report(guard, &events.blocked_callers);
    report(guard, &events.undelivered);
    report(guard, &events.unreleased);
  }
  tg_cohort_end(cohort);
}

/* The hooks of all functions have run by now, and all doorbells are closing. */
void tg_on_env_cleanup(void *argument) {
  tg_environment_end(argument);
}

/* napi-rs makes a function of this name for each promise of an async fn. In many of its versions
 * (up to the middle of 2026) the callback frees references with the env that it gets, and panics if
 * that is NULL. Nobody misses such an item: it would settle a promise that no JavaScript will ever
 * see. */
static bool is_promise_of_napi_rs(const struct tg_function *function) {
  return strcmp(function->name, "napi_resolve_deferred") == 0;
}

static void report_dropped(struct tg_function *function, size_t dropped) {
  struct tg_event event;
  tg_function_lock(function);
  describe(function, TG_EVENT_ITEMS_DROPPED, dropped, &event);
  tg_function_unlock(function);
  report(tg_guard_of(function), &event);
}

/* Passes the remaining items to call_js_cb with a NULL env. After the first exception, the items
 * are dropped: a callback that throws did not notice that JavaScript is over, and may not notice
 * that the env is NULL. (Without the guard the exception would have ended the process.) */
static void drain(struct tg_function *function, struct tg_queue *rest, bool threw) {
  const struct tg_host *host = tg_guard_of(function)->host;
  bool forgotten = tg_queue_length(rest) != 0 && is_promise_of_napi_rs(function);
  size_t dropped = 0;
  while (tg_queue_length(rest) != 0) {
    void *item = tg_queue_pop(rest, host);
    if (forgotten) continue;
    if (threw)
      dropped++;
    else
      threw = !call_js(function, function->call_js_cb, NULL, NULL, context_of(function), item);
  }
  tg_queue_free(rest, host);
  if (dropped != 0) report_dropped(function, dropped);
}

/* For TG_QUIRK_LATE: threads still use what finalize_cb would free. Also, neon, napi-rs and aws-crt
 * would crash in the drain or in their own finalizer. */
static void leave_out_finalizer(struct tg_guard *guard, struct tg_queue *rest) {
  atomic_fetch_add_explicit(&guard->late.items, tg_queue_length(rest), memory_order_relaxed);
  atomic_fetch_add_explicit(&guard->late.finalizers, 1, memory_order_relaxed);
  tg_queue_free(rest, guard->host);
}

/* Runs exactly once. Nobody touches the doorbell once there are no ringers. The function stays in
 * its generation until `finalized` is set, so fields that are constant for the generation are read
 * without the lock. */
void tg_on_finalize(napi_env env, void *data, void *hint) {
  (void)hint;
  struct tg_function *function = data;
  struct tg_cohort *cohort = function->cohort; /* the function may leave it at the end */
  struct tg_guard *guard = cohort->guard;
  const struct tg_observer *observer = guard->observer;
  tg_function_lock(function);
  if (function->state == TG_OPEN) tg_function_close(function);
  if (tg_function_has_ringers(function)) {
    tg_function_unlock(function);
    tg_function_await_ringers(function);
    tg_function_lock(function);
  }
  function->state = TG_CLOSED;
  function->doorbell = NULL;
  function->doorbell_held = false;
  struct tg_queue rest;
  tg_queue_move(&rest, &function->queue);
  bool threw = function->threw, leave_out = function->is_late && function->thread_count != 0;
  tg_probe_finalize(function->handle, tg_queue_length(&rest));
  tg_function_unlock(function);

  if (observer != NULL && observer->finalizing != NULL) observer->finalizing(function);
  if (leave_out)
    leave_out_finalizer(guard, &rest);
  else
    drain(function, &rest, threw);
  if (function->finalize_cb != NULL && !leave_out)
    function->finalize_cb(env, function->finalize_data, context_of(function));

  struct tg_event event;
  event.kind = TG_EVENT_NONE;
  uint64_t quantity = 0;
  enum tg_event_kind kind = TG_EVENT_NONE;
  if (observer != NULL && observer->finalized != NULL)
    kind = observer->finalized(function, &quantity);
  tg_function_lock(function);
  if (kind != TG_EVENT_NONE) describe(function, kind, quantity, &event);
  event.snapshot.finalized = true; /* true when the event is reported */
  if (function->max_queue_size != 0) cohort->environment->bounded--;
  tg_function_end_finalizer(guard, function);
  tg_function_unlock(function);
  tg_cohort_end_function(cohort);
  report(guard, &event);
}
