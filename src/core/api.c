/* Implements the seven functions: finds the guarded function behind a handle, answers as the table
 * in docs/contract.md says, and reports each misuse that it absorbs. */
#include "core/api.h"

#include <string.h>

#include "base/probes.h"
#include "core/callbacks.h"
#include "core/closing_notice.h"
#include "core/cohort.h"
#include "core/environment.h"
#include "core/function.h"
#include "core/handle_table.h"
#include "core/queue.h"

bool tg_guard_open(struct tg_guard *guard, const struct tg_runtime *runtime,
                   const struct tg_host *host, const struct tg_guard_options *options) {
  guard->runtime = runtime;
  guard->host = host;
  guard->options = *options;
  atomic_init(&guard->passes_through, options->passes_through);
  return tg_table_open(&guard->table, host);
}

void tg_guard_close(struct tg_guard *guard) {
  tg_table_close(&guard->table);
}

void tg_guard_observe(struct tg_guard *guard, const struct tg_observer *observer) {
  guard->observer = observer;
  guard->watches_calls = observer != NULL && (observer->called != NULL || observer->used != NULL);
}

struct operation_kind {
  const char *name;
  enum tg_event_kind after_finalize; /* the event, if the runtime would have freed the function */
};

static const struct operation_kind
    create_kind = {"napi_create_threadsafe_function", TG_EVENT_NONE},
    get_context_kind = {"napi_get_threadsafe_function_context",
                        TG_EVENT_GET_CONTEXT_AFTER_FINALIZE},
    call_kind = {"napi_call_threadsafe_function", TG_EVENT_CALL_AFTER_FINALIZE},
    acquire_kind = {"napi_acquire_threadsafe_function", TG_EVENT_ACQUIRE_AFTER_FINALIZE},
    release_kind = {"napi_release_threadsafe_function", TG_EVENT_RELEASE_AFTER_FINALIZE},
    ref_kind = {"napi_ref_threadsafe_function", TG_EVENT_REF_AFTER_FINALIZE},
    unref_kind = {"napi_unref_threadsafe_function", TG_EVENT_UNREF_AFTER_FINALIZE};

/* A call of one of the seven functions, from the lookup of the handle to the answer. */
struct operation {
  struct tg_guard *guard;
  const struct operation_kind *kind;
  napi_threadsafe_function handle;
  const void *caller;
  const char *mode;             /* NULL: there is none */
  struct tg_function *function; /* its lock is held; NULL: the handle is invalid */
  enum tg_lookup lookup;
  struct tg_event event; /* while its kind is TG_EVENT_NONE, nothing else is set */
};

/* Keeps the first event of an operation: later ones are its consequences. */
static void record_event(struct operation *operation, enum tg_event_kind kind, uint64_t quantity) {
  if (kind == TG_EVENT_NONE || operation->event.kind != TG_EVENT_NONE) return;
  bool known = operation->function != NULL && operation->lookup != TG_LOOKUP_REUSED;
  operation->event = (struct tg_event){.kind = kind,
                                       .function = operation->kind->name,
                                       .handle = operation->handle,
                                       .mode = operation->mode,
                                       .caller = operation->caller,
                                       .known = known,
                                       .quantity = quantity};
  if (known) tg_function_snapshot(operation->function, &operation->event.snapshot);
  if (operation->function == NULL) return;
  struct tg_snapshot *snapshot = &operation->event.snapshot;
  snapshot->number = tg_table_number_of(&operation->guard->table, operation->handle);
  snapshot->generation = tg_number_generation(snapshot->number); /* the slot's own may be newer */
}

/* Whether the runtime would have freed the function by now. The handle is valid. */
static bool runtime_has_freed(const struct operation *operation) {
  const struct tg_function *function = operation->function;
  if (!function->finalized) return false;
  return function->thread_count == 0 || !operation->guard->runtime->keeps_closed_functions();
}

/* Whether the handle may be one that the runtime itself gave out. */
static bool is_unguarded(const struct operation *operation) {
  return operation->handle != NULL &&
         atomic_load_explicit(&operation->guard->passes_through, memory_order_relaxed) &&
         tg_table_is_outside(&operation->guard->table, operation->handle);
}

static inline void operation_init(struct operation *operation, struct tg_guard *guard,
                                  const struct operation_kind *kind,
                                  napi_threadsafe_function handle, const void *caller) {
  operation->guard = guard;
  operation->kind = kind;
  operation->handle = handle;
  operation->caller = caller;
  operation->mode = NULL;
  operation->event.kind = TG_EVENT_NONE;
}

/* Records the misuse of a handle that is not valid. */
__attribute__((cold, noinline)) static void record_bad_handle(struct operation *operation) {
  if (operation->lookup != TG_LOOKUP_INVALID)
    record_event(operation, TG_EVENT_STALE_HANDLE, 0);
  else if (!is_unguarded(operation))
    record_event(operation,
                 operation->handle == NULL ? TG_EVENT_NULL_HANDLE : TG_EVENT_NEVER_A_HANDLE, 0);
}

/* Records the misuse that the handle alone reveals. The function was looked up, and is locked.
 * Inlining saves fifteen instructions. */
__attribute__((always_inline)) static inline void check_handle(struct operation *operation) {
  if (operation->lookup != TG_LOOKUP_VALID) {
    record_bad_handle(operation);
    return;
  }
  tg_function_mark_foreign_use(operation->function, operation->guard->host);
  if (runtime_has_freed(operation)) record_event(operation, operation->kind->after_finalize, 0);
}

/* Finds the function and locks it. The table is not needed for the function that the thread has
 * used last. */
static inline enum tg_lookup find_function(struct tg_guard *guard, napi_threadsafe_function handle,
                                           struct tg_function **found) {
  struct tg_function *slot = tg_last_use.function;
  uint32_t generation = tg_last_use.generation;
  if (handle != tg_last_use.handle) slot = tg_table_locate(&guard->table, handle, &generation);
  return tg_table_lock(slot, generation, found);
}

/* Looks the function up and locks it. */
static inline void operation_begin(struct operation *operation) {
  operation->lookup = find_function(operation->guard, operation->handle, &operation->function);
  check_handle(operation);
}

/* For probes. 0 if the handle is not valid. */
static size_t queue_length(const struct operation *operation) {
  return operation->lookup == TG_LOOKUP_VALID ? tg_queue_length(&operation->function->queue) : 0;
}

static size_t thread_count(const struct operation *operation) {
  return operation->lookup == TG_LOOKUP_VALID ? operation->function->thread_count : 0;
}

/* The handle is valid. */
static void observe_use(const struct operation *operation, napi_status answer) {
  const struct tg_observer *observer = operation->guard->observer;
  if (observer == NULL || observer->used == NULL) return;
  observer->used(operation->function, operation->kind == &call_kind, answer);
}

/* Reports the recorded event, and returns `answer`. No lock held. */
static napi_status report_and_answer(struct operation *operation, napi_status answer) {
  if (operation->event.kind != TG_EVENT_NONE) {
    operation->event.answered = true;
    operation->event.answer = answer;
    operation->guard->host->on_event(&operation->event);
  }
  return answer;
}

/* Unlocks the function, and returns `answer`. */
static napi_status operation_end(struct operation *operation, napi_status answer) {
  if (operation->kind == &call_kind)
    tg_probe_call(operation->handle, answer, queue_length(operation));
  if (operation->kind == &release_kind)
    tg_probe_release(operation->handle, answer, thread_count(operation));
  if (operation->function != NULL) {
    if (operation->lookup == TG_LOOKUP_VALID) {
      observe_use(operation, answer);
      tg_function_leave(operation->guard, operation->function);
    }
    tg_function_unlock(operation->function);
  }
  return report_and_answer(operation, answer);
}

/* The calling thread gives a count back. */
static void drop_count(struct operation *operation) {
  tg_function_drop_count(operation->function);
  const struct tg_observer *observer = operation->guard->observer;
  if (observer != NULL && observer->released != NULL) observer->released(operation->function);
}

static bool is_open(const struct operation *operation) {
  return operation->lookup == TG_LOOKUP_VALID && operation->function->state == TG_OPEN;
}

/* Makes the doorbell. Arguments that the runtime would refuse are passed on as they are, so that
 * the runtime refuses them with its own status and last error info. */
static napi_status make_doorbell(struct tg_guard *guard,
                                 const struct tg_create_arguments *arguments,
                                 struct tg_function *function, bool has_place) {
  bool nothing_to_call = arguments->func == NULL && arguments->call_js_cb == NULL;
  napi_threadsafe_function doorbell = NULL;
  napi_status status = guard->runtime->create(
      arguments->env, arguments->func, arguments->async_resource, arguments->async_resource_name, 0,
      arguments->initial_thread_count == 0 ? 0 : 1, function, tg_on_finalize, function,
      nothing_to_call ? NULL : tg_on_dispatch, has_place ? &doorbell : NULL);
  function->doorbell = doorbell;
  return status;
}

static void open_function(struct tg_function *function, size_t thread_count) {
  tg_function_lock(function);
  tg_function_open(function, thread_count);
  tg_function_unlock(function);
}

/* No handle is left, so the runtime serves this function itself. */
static napi_status pass_through(struct tg_guard *guard, const struct tg_create_arguments *arguments,
                                const void *caller, struct tg_addon *addon,
                                napi_threadsafe_function *result) {
  atomic_store_explicit(&guard->passes_through, true, memory_order_relaxed);
  napi_status status = guard->runtime->create(
      arguments->env, arguments->func, arguments->async_resource, arguments->async_resource_name,
      arguments->max_queue_size, arguments->initial_thread_count, arguments->thread_finalize_data,
      arguments->thread_finalize_cb, arguments->context, arguments->call_js_cb, result);
  const struct tg_event event = {.kind = TG_EVENT_HANDLES_USED_UP,
                                 .function = create_kind.name,
                                 .caller = caller,
                                 .answered = true,
                                 .answer = status,
                                 .snapshot = {.addon = addon}};
  guard->host->on_event(&event);
  return status;
}

napi_status tg_create(struct tg_guard *guard, const struct tg_create_arguments *arguments,
                      const void *caller, napi_threadsafe_function *result) {
  if (arguments->env == NULL) return napi_invalid_arg;
  struct tg_environment *environment =
      tg_environment_enter(guard, arguments->env, tg_on_env_cleanup);
  if (environment == NULL) return napi_generic_failure;
  const void *const places[TG_CODE_PLACES] = {caller, (const void *)arguments->call_js_cb,
                                              (const void *)arguments->thread_finalize_cb};
  struct tg_addon *addon = tg_environment_register_code(environment, places);
  struct tg_cohort *cohort = tg_cohort_join(environment, tg_on_cohort_cleanup);
  if (cohort == NULL) return napi_generic_failure;
  napi_threadsafe_function handle;
  struct tg_function *function = tg_function_take(guard, &handle);
  if (function == NULL) {
    tg_cohort_end_function(cohort);
    return tg_table_is_used_up(&guard->table)
               ? pass_through(guard, arguments, caller, addon, result)
               : napi_generic_failure;
  }
  tg_cohort_include(cohort, function->index);
  char name[TG_NAME_SIZE] = "";
  /* This comes before the doorbell is made, so that the last error info is that of the create. */
  if (arguments->async_resource_name != NULL)
    guard->runtime->copy_string(arguments->env, arguments->async_resource_name, name, sizeof name);
  tg_function_prepare(function, arguments, cohort, addon, name);
  napi_status status = make_doorbell(guard, arguments, function, result != NULL);
  if (status != napi_ok || result == NULL) {
    function->cohort = NULL; /* no other thread has seen the slot in this generation */
    tg_cohort_end_function(cohort);
    /* If the runtime made a doorbell although `result` is NULL, that doorbell refers to this slot.
     * So the slot is not used again. */
    if (status != napi_ok) tg_table_put_back(&guard->table, function);
    return status != napi_ok ? status : napi_invalid_arg;
  }
  open_function(function, arguments->initial_thread_count);
  if (arguments->max_queue_size != 0) environment->bounded++;
  const struct tg_observer *observer = guard->observer;
  if (observer != NULL && observer->created != NULL) observer->created(function, caller);
  tg_probe_create(handle, arguments->max_queue_size, arguments->initial_thread_count,
                  function->name);
  *result = handle;
  return napi_ok;
}

__attribute__((noinline)) static napi_status get_context_slow_path(struct tg_guard *guard,
                                                                   napi_threadsafe_function func,
                                                                   const void *caller,
                                                                   void **result) {
  struct operation operation;
  operation_init(&operation, guard, &get_context_kind, func, caller);
  operation_begin(&operation);
  if (result == NULL) {
    record_event(&operation, TG_EVENT_NULL_RESULT, 0);
    return operation_end(&operation, napi_invalid_arg);
  }
  *result = NULL;
  if (operation.function == NULL)
    return operation_end(&operation, is_unguarded(&operation)
                                         ? guard->runtime->get_context(func, result)
                                         : napi_invalid_arg);
  if (operation.lookup != TG_LOOKUP_VALID && operation.lookup != TG_LOOKUP_STALE)
    return operation_end(&operation, napi_invalid_arg);
  *result = operation.function->context;
  return operation_end(&operation, napi_ok);
}

napi_status tg_get_context(struct tg_guard *guard, napi_threadsafe_function func,
                           const void *caller, void **result) {
  if (func == tg_last_use.handle && func != NULL && result != NULL && !guard->watches_calls &&
      tg_function_read_context(tg_last_use.function, tg_last_use.generation, result))
    return napi_ok;
  return get_context_slow_path(guard, func, caller, result);
}

/* Whether TG_QUIRK_LATE applies to an operation on a function that is closing or over. */
static bool is_late(const struct operation *operation) {
  return operation->lookup != TG_LOOKUP_REUSED && operation->function->is_late;
}

/* Whether the thread gets a false napi_ok because of TG_QUIRK_LATE. */
static bool answers_falsely(const struct operation *operation) {
  if (!is_late(operation) || !tg_count_false_answer()) return false;
  atomic_fetch_add_explicit(&operation->guard->late.answers, 1, memory_order_relaxed);
  return true;
}

/* Answers a call to a function that is closing or over, or that has no space while its env ends.
 * napi_closing: there is a count to consume, or this thread has not received that answer yet. With
 * TG_QUIRK_LATE the item is dropped and the answer is napi_ok. */
static napi_status reject_closing(struct operation *operation) {
  if (answers_falsely(operation)) {
    atomic_fetch_add_explicit(&operation->guard->late.items, 1, memory_order_relaxed);
    return operation_end(operation, napi_ok);
  }
  bool was_informed = tg_record_closing_notice(operation->handle);
  struct tg_function *function = operation->function;
  if (operation->lookup == TG_LOOKUP_VALID && function->thread_count != 0) {
    drop_count(operation);
    tg_function_add_credit(function, 1);
    return operation_end(operation, napi_closing);
  }
  return operation_end(operation, was_informed ? napi_invalid_arg : napi_closing);
}

/* Waits until the queue has space. napi_ok: it has space, or it may exceed its limit, or the
 * function is closing. napi_closing: the env's cleanup hooks run, so there will be no space any
 * more. */
static napi_status wait_until_not_full(struct operation *operation,
                                       napi_threadsafe_function_call_mode mode) {
  struct tg_function *function = operation->function;
  while (function->state == TG_OPEN && tg_function_is_full(function)) {
    if (mode == napi_tsfn_nonblocking) return napi_queue_full;
    if (operation->guard->options.deadlock != TG_DEADLOCK_HANG &&
        tg_function_is_loop_thread(function)) {
      record_event(operation, TG_EVENT_BLOCKING_ON_OWN_LOOP, 0);
      return operation->guard->options.deadlock == TG_DEADLOCK_STATUS ? napi_would_deadlock
                                                                      : napi_ok;
    }
    /* Relaxed: the thread that writes this takes the function's lock afterwards. */
    if (atomic_load_explicit(&tg_environment_of(function)->hooks_run, memory_order_relaxed))
      return napi_closing;
    tg_function_wait(operation->guard, function);
  }
  return napi_ok;
}

/* Ends a call that does not queue its item. The caller may have been woken for space that it does
 * not use, so this passes the wake-up on. */
static napi_status fail_call(struct operation *operation, napi_status answer) {
  if (tg_function_claim_waiter(operation->function))
    tg_gate_wake_one(&operation->function->not_full);
  return operation_end(operation, answer);
}

/* Called after an item was queued. */
static void watch_call(struct operation *operation) {
  struct tg_function *function = operation->function;
  if (function->thread_count == 0) record_event(operation, TG_EVENT_CALL_WITHOUT_COUNT, 0);
  size_t length = tg_queue_length(&function->queue);
  if (length > operation->guard->options.queue_warn && !function->long_queue_reported) {
    function->long_queue_reported = true;
    record_event(operation, TG_EVENT_LONG_QUEUE, length);
  }
  const struct tg_observer *observer = operation->guard->observer;
  if (observer == NULL || observer->called == NULL) return;
  uint64_t quantity = 0;
  enum tg_event_kind kind = observer->called(function, &quantity);
  record_event(operation, kind, quantity);
}

/* Whether a call only has to queue its item and to ring: there is space, and nothing to report. The
 * function is open and its lock is held. */
static bool is_fast_path(const struct tg_guard *guard, const struct tg_function *function) {
  return function->doorbell_held && function->thread_count != 0 && !guard->watches_calls &&
         guard->options.queue_warn == SIZE_MAX && !guard->runtime->may_drop_wakeups &&
         !tg_function_is_full(function) && tg_queue_has_space(&function->queue);
}

/* Called after an item was queued while no wake-up is pending. */
static napi_status hand_off(struct operation *operation) {
  tg_probe_call(operation->handle, napi_ok, queue_length(operation));
  observe_use(operation, napi_ok);
  return report_and_answer(operation, tg_function_hand_off(operation->guard, operation->function));
}

/* A call that does not fit the fast path. `function` is locked. */
__attribute__((noinline)) static napi_status call_slow_path(
    struct tg_guard *guard, napi_threadsafe_function func, enum tg_lookup lookup,
    struct tg_function *function, const void *caller, void *data,
    napi_threadsafe_function_call_mode mode) {
  struct operation operation;
  operation_init(&operation, guard, &call_kind, func, caller);
  operation.mode = mode == napi_tsfn_blocking ? "napi_tsfn_blocking" : "napi_tsfn_nonblocking";
  operation.lookup = lookup;
  operation.function = function;
  check_handle(&operation);
  if (function == NULL)
    return operation_end(&operation, is_unguarded(&operation)
                                         ? guard->runtime->call(func, data, mode)
                                         : napi_invalid_arg);
  if (!is_open(&operation)) return reject_closing(&operation);
  napi_status status = wait_until_not_full(&operation, mode);
  if (status == napi_closing || function->state != TG_OPEN) return reject_closing(&operation);
  if (status != napi_ok) return operation_end(&operation, status);
  if (!tg_queue_reserve(&function->queue, guard->host))
    return fail_call(&operation, napi_generic_failure);
  status = tg_function_hold_doorbell(function);
  /* Such a runtime may have dropped the wake-up that is pending. */
  if (status == napi_ok && guard->runtime->may_drop_wakeups) status = tg_function_ring(function);
  if (function->state != TG_OPEN) return reject_closing(&operation);
  if (status != napi_ok) return fail_call(&operation, status);
  tg_queue_push(&function->queue, data);
  watch_call(&operation);
  return function->wakeup_pending ? operation_end(&operation, napi_ok) : hand_off(&operation);
}

napi_status tg_call(struct tg_guard *guard, napi_threadsafe_function func, const void *caller,
                    void *data, napi_threadsafe_function_call_mode mode) {
  struct tg_function *found;
  enum tg_lookup lookup = find_function(guard, func, &found);
  if (lookup == TG_LOOKUP_VALID) tg_function_mark_foreign_use(found, guard->host);
  if (lookup != TG_LOOKUP_VALID || found->state != TG_OPEN || !is_fast_path(guard, found))
    return call_slow_path(guard, func, lookup, found, caller, data, mode);
  tg_queue_push(&found->queue, data);
  napi_status answer = napi_ok;
  if (found->wakeup_pending)
    tg_function_unlock(found);
  else
    answer = tg_function_hand_off(guard, found);
  tg_probe_call(func, answer, TG_PROBE_UNKNOWN);
  return answer;
}

/* Answers an acquire of a function that is closing or over. */
static napi_status acquire_closing(struct operation *operation) {
  if (!answers_falsely(operation)) return operation_end(operation, napi_closing);
  if (operation->lookup == TG_LOOKUP_VALID) tg_function_add_count(operation->function);
  return operation_end(operation, napi_ok);
}

napi_status tg_acquire(struct tg_guard *guard, napi_threadsafe_function func, const void *caller) {
  struct operation operation;
  operation_init(&operation, guard, &acquire_kind, func, caller);
  operation_begin(&operation);
  if (operation.function == NULL)
    return operation_end(
        &operation, is_unguarded(&operation) ? guard->runtime->acquire(func) : napi_invalid_arg);
  if (!is_open(&operation)) return acquire_closing(&operation);
  napi_status status = tg_function_hold_doorbell(operation.function);
  if (status == napi_ok) operation.function->thread_count++;
  return operation_end(&operation, operation.function->state == TG_OPEN ? status : napi_closing);
}

static napi_status release_open(struct operation *operation,
                                napi_threadsafe_function_release_mode mode) {
  struct tg_function *function = operation->function;
  if (function->thread_count == 0) {
    record_event(operation, TG_EVENT_OVER_RELEASE, 0);
    return operation_end(operation, napi_invalid_arg);
  }
  drop_count(operation);
  if (mode == napi_tsfn_abort) {
    tg_function_close(function);
    tg_function_release_doorbell(function, napi_tsfn_abort);
    if (function->multiple_waiters)
      record_event(operation, TG_EVENT_BLOCKED_CALLERS_AT_CLOSE, function->waiters);
  } else if (function->thread_count == 0 && tg_queue_length(&function->queue) == 0) {
    tg_function_release_doorbell(function, napi_tsfn_release);
  } else if (function->thread_count == 0) {
    /* no other thread will ring, and the runtime may have dropped the last ring */
    tg_function_ring(function);
  }
  return operation_end(operation, napi_ok);
}

napi_status tg_release(struct tg_guard *guard, napi_threadsafe_function func, const void *caller,
                       napi_threadsafe_function_release_mode mode) {
  struct operation operation;
  operation_init(&operation, guard, &release_kind, func, caller);
  operation.mode = mode == napi_tsfn_abort ? "napi_tsfn_abort" : "napi_tsfn_release";
  operation_begin(&operation);
  if (operation.function == NULL)
    return operation_end(&operation, is_unguarded(&operation) ? guard->runtime->release(func, mode)
                                                              : napi_invalid_arg);
  struct tg_function *function = operation.function;
  if (is_open(&operation) && (function->thread_count != 0 || function->release_credit == 0))
    return release_open(&operation, mode);
  if (operation.lookup == TG_LOOKUP_VALID && function->thread_count != 0) {
    drop_count(&operation);
    return operation_end(&operation, napi_ok);
  }
  if (is_late(&operation)) return operation_end(&operation, napi_ok);
  /* An abort of a closing function changes nothing (node-addon-api's AsyncProgressWorker does this
   * in its finalizer). */
  bool is_harmless = mode == napi_tsfn_abort;
  if (operation.lookup == TG_LOOKUP_REUSED || function->release_credit == 0) {
    if (!is_harmless) record_event(&operation, TG_EVENT_OVER_RELEASE, 0);
    return operation_end(&operation, napi_invalid_arg);
  }
  if (!is_harmless) record_event(&operation, TG_EVENT_RELEASE_AFTER_CLOSING, 0);
  function->release_credit--;
  return operation_end(&operation, napi_ok);
}

static napi_status ref_or_unref(struct tg_guard *guard, napi_env env, napi_threadsafe_function func,
                                const void *caller, enum tg_pending_ref pending_ref) {
  napi_status (*runtime_function)(napi_env, napi_threadsafe_function) =
      pending_ref == TG_PENDING_REF ? guard->runtime->ref : guard->runtime->unref;
  struct operation operation;
  operation_init(&operation, guard, pending_ref == TG_PENDING_REF ? &ref_kind : &unref_kind, func,
                 caller);
  operation_begin(&operation);
  if (operation.function == NULL)
    return operation_end(&operation,
                         is_unguarded(&operation) ? runtime_function(env, func) : napi_invalid_arg);
  if (!is_open(&operation)) return operation_end(&operation, napi_ok);
  struct tg_function *function = operation.function;
  if (tg_function_is_loop_thread(function)) {
    tg_function_set_pending_ref(function, TG_PENDING_NONE); /* the latest request counts */
    function->referenced = pending_ref == TG_PENDING_REF;
    return operation_end(&operation,
                         runtime_function(tg_environment_of(function)->env, function->doorbell));
  }
  record_event(&operation, TG_EVENT_FOREIGN_REF, 0);
  tg_function_set_pending_ref(function, pending_ref);
  if (function->doorbell_held)
    tg_function_ring(function); /* else the next thread that holds the doorbell rings */
  return operation_end(&operation, napi_ok);
}

napi_status tg_ref(struct tg_guard *guard, napi_env env, napi_threadsafe_function func,
                   const void *caller) {
  return ref_or_unref(guard, env, func, caller, TG_PENDING_REF);
}

napi_status tg_unref(struct tg_guard *guard, napi_env env, napi_threadsafe_function func,
                     const void *caller) {
  return ref_or_unref(guard, env, func, caller, TG_PENDING_UNREF);
}

void tg_guard_walk(struct tg_guard *guard,
                   void (*visit)(void *argument, const struct tg_snapshot *snapshot),
                   void *argument) {
  uint32_t used = tg_table_used(&guard->table);
  for (uint32_t index = 0; index < used; index++) {
    struct tg_function *function = tg_table_slot(&guard->table, index);
    struct tg_snapshot snapshot = {.index = index};
    bool seen = tg_lock_try(&function->lock);
    if (seen) {
      tg_function_snapshot(function, &snapshot);
      snapshot.number = tg_table_number(function);
      tg_lock_release_tried(&function->lock);
      if (snapshot.state <= TG_CREATING) continue;
    }
    visit(argument, seen ? &snapshot : NULL);
  }
}

/* A lock that is held for longer than this will not be released. Its holder is this very thread,
 * interrupted by a signal handler, or a thread that the program has killed. Without the guard the
 * process would exit, so it must exit here too. */
enum { EXIT_WAIT_MS_MAX = 200 };

void tg_reject_all(struct tg_guard *guard) {
  unsigned patience_ms = EXIT_WAIT_MS_MAX;
  uint64_t taken = atomic_load_explicit(&guard->table.taken, memory_order_relaxed);
  uint32_t used = tg_table_used(&guard->table);
  /* There may be several exit handlers (preload/addon_code.c). The first one that runs rejects all
   * callers. A later one has work only if functions were created since. Relaxed: `taken` is a
   * counter, and only exit handlers write taken_at_exit. */
  if (atomic_exchange_explicit(&guard->taken_at_exit, taken, memory_order_relaxed) == taken) return;
  for (uint32_t index = 0; index < used; index++) {
    struct tg_function *function = tg_table_slot(&guard->table, index);
    if (!tg_lock_try_for(&function->lock, &patience_ms)) continue;
    if (function->state == TG_OPEN) tg_function_close(function);
    tg_lock_release_tried(&function->lock);
  }
}
