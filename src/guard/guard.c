/* Implements the seven functions: finds the guarded function behind a handle, answers as the contract's table
 * says, and tells the host of every misuse that it absorbs. */
#include "guard/guard.h"

#include <string.h>

#include "base/probes.h"
#include "guard/told.h"

bool tg_guard_open(struct tg_guard *guard, const struct tg_runtime *runtime, const struct tg_host *host,
                   enum tg_deadlock deadlock) {
  guard->runtime = runtime;
  guard->host = host;
  guard->deadlock = deadlock;
  guard->queue_warn = SIZE_MAX;
  tg_guard_observe(guard);
  return tg_table_open(&guard->table, host);
}

void tg_guard_observe(struct tg_guard *guard) {
  const struct tg_observer *observer = guard->host->observer;
  guard->observer = observer;
  guard->watches_calls = observer != NULL && (observer->called != NULL || observer->used != NULL);
}

struct operation {
  const char *name;
  enum tg_event_kind after_finalize; /* what it is to do it once the runtime has freed the function */
};

static const struct operation
    create_operation = {"napi_create_threadsafe_function", TG_EVENT_NONE},
    get_context_operation = {"napi_get_threadsafe_function_context", TG_EVENT_GET_CONTEXT_AFTER_FINALIZE},
    call_operation = {"napi_call_threadsafe_function", TG_EVENT_CALL_AFTER_FINALIZE},
    acquire_operation = {"napi_acquire_threadsafe_function", TG_EVENT_ACQUIRE_AFTER_FINALIZE},
    release_operation = {"napi_release_threadsafe_function", TG_EVENT_RELEASE_AFTER_FINALIZE},
    ref_operation = {"napi_ref_threadsafe_function", TG_EVENT_REF_AFTER_FINALIZE},
    unref_operation = {"napi_unref_threadsafe_function", TG_EVENT_UNREF_AFTER_FINALIZE};

/* One use of a handle, from finding it to letting it go. */
struct use {
  struct tg_guard *guard;
  napi_threadsafe_function handle;
  struct tg_function *function; /* its lock is held; NULL: never a handle */
  enum tg_verdict verdict;
  const struct operation *operation;
  const void *caller;
  const char *mode;
  struct tg_event event; /* only its kind is set as long as that is TG_EVENT_NONE */
};

/* The first event of a use counts: it is the one that the others follow from. */
static void note(struct use *use, enum tg_event_kind kind, uint64_t quantity) {
  if (kind == TG_EVENT_NONE || use->event.kind != TG_EVENT_NONE) return;
  bool known = use->function != NULL && use->verdict != TG_HANDLE_STALE_REUSED;
  use->event = (struct tg_event){.kind = kind,
                                 .function = use->operation->name,
                                 .handle = use->handle,
                                 .mode = use->mode,
                                 .caller = use->caller,
                                 .known = known,
                                 .quantity = quantity};
  if (known) tg_function_view(use->function, &use->event.view);
  if (use->function == NULL) return;
  use->event.view.number = tg_table_number_of(&use->guard->table, use->handle);
  use->event.view.generation = tg_number_generation(use->event.view.number); /* the slot's may be newer */
}

/* Whether the runtime would have freed the function by now. For a valid handle. */
static bool is_freed_natively(const struct use *use) {
  const struct tg_function *function = use->function;
  if (!function->finalized) return false;
  return function->thread_count == 0 || !use->guard->runtime->keeps_closed_functions();
}

/* Whether the handle may be one that the runtime itself gave out, once the table was used up. */
static bool is_unguarded(const struct use *use) {
  return use->handle != NULL && atomic_load_explicit(&use->guard->passes_through, memory_order_relaxed) &&
         tg_table_is_outside(&use->guard->table, use->handle);
}

/* The function was found and is locked. */
static void begin_found(struct use *use, struct tg_guard *guard, napi_threadsafe_function handle,
                        enum tg_verdict verdict, struct tg_function *function,
                        const struct operation *operation, const void *caller, const char *mode) {
  use->guard = guard;
  use->handle = handle;
  use->function = function;
  use->verdict = verdict;
  use->operation = operation;
  use->caller = caller;
  use->mode = mode;
  use->event.kind = TG_EVENT_NONE;
  if (use->verdict == TG_HANDLE_VALID) {
    tg_function_note_user(use->function, guard->host);
    if (is_freed_natively(use)) note(use, operation->after_finalize, 0);
  } else if (use->verdict != TG_NEVER_A_HANDLE) {
    note(use, TG_EVENT_STALE_HANDLE, 0);
  } else if (!is_unguarded(use)) {
    note(use, handle == NULL ? TG_EVENT_NULL_HANDLE : TG_EVENT_NEVER_A_HANDLE, 0);
  }
}

static void begin(struct use *use, struct tg_guard *guard, napi_threadsafe_function handle,
                  const struct operation *operation, const void *caller, const char *mode) {
  struct tg_function *function;
  enum tg_verdict verdict = tg_table_find(&guard->table, handle, &function);
  begin_found(use, guard, handle, verdict, function, operation, caller, mode);
}

/* For probes: 0 where the handle is not valid. */
static size_t queue_length(const struct use *use) {
  return use->verdict == TG_HANDLE_VALID ? tg_queue_length(&use->function->queue) : 0;
}

static size_t thread_count(const struct use *use) {
  return use->verdict == TG_HANDLE_VALID ? use->function->thread_count : 0;
}

/* The handle is valid. */
static void show(const struct use *use, napi_status answer) {
  const struct tg_observer *observer = use->guard->observer;
  if (observer == NULL || observer->used == NULL) return;
  observer->used(use->function, use->operation == &call_operation, answer);
}

/* Tells of what was noted, and gives `answer` back. No lock held. */
static napi_status answer_with(struct use *use, napi_status answer) {
  if (use->event.kind != TG_EVENT_NONE) {
    use->event.answered = true;
    use->event.answer = answer;
    use->guard->host->on_event(&use->event);
  }
  return answer;
}

/* Lets go of the function and gives `answer` back. */
static napi_status end(struct use *use, napi_status answer) {
  if (use->operation == &call_operation) tg_probe_call(use->handle, answer, queue_length(use));
  if (use->operation == &release_operation) tg_probe_release(use->handle, answer, thread_count(use));
  if (use->function != NULL) {
    if (use->verdict == TG_HANDLE_VALID) {
      show(use, answer);
      tg_function_leave(use->guard, use->function);
    }
    tg_lock_release(&use->function->lock, TG_RANK_FUNCTION);
  }
  return answer_with(use, answer);
}

/* The calling thread gives a count back. */
static void drop_count(struct use *use) {
  tg_function_drop_count(use->function);
  const struct tg_observer *observer = use->guard->observer;
  if (observer != NULL && observer->released != NULL) observer->released(use->function);
}

static bool is_open(const struct use *use) {
  return use->verdict == TG_HANDLE_VALID && use->function->state == TG_OPEN;
}

/* Makes the doorbell. Whatever the runtime would refuse in the addon's arguments is handed on as it is, so
 * that the runtime refuses it with its own status and last error info. */
static napi_status make_doorbell(struct tg_guard *guard, const struct tg_create_arguments *arguments,
                                 struct tg_function *function, bool has_place) {
  bool nothing_to_call = arguments->func == NULL && arguments->call_js_cb == NULL;
  napi_threadsafe_function doorbell = NULL;
  napi_status status = guard->runtime->create(
      arguments->env, arguments->func, arguments->async_resource, arguments->async_resource_name, 0,
      arguments->initial_thread_count == 0 ? 0 : 1, function, tg_function_finalize, function,
      nothing_to_call ? NULL : tg_function_dispatch, has_place ? &doorbell : NULL);
  function->doorbell = doorbell;
  return status;
}

static void open_function(struct tg_function *function, size_t thread_count) {
  tg_lock_acquire(&function->lock, TG_RANK_FUNCTION);
  tg_function_open(function, thread_count);
  tg_lock_release(&function->lock, TG_RANK_FUNCTION);
}

/* The function cannot be guarded after all: lets the runtime close its doorbell, without the addon's
 * callbacks, which were never promised anything. */
static void abandon(struct tg_function *function) {
  tg_lock_acquire(&function->lock, TG_RANK_FUNCTION);
  function->finalize_cb = NULL;
  function->thread_count = 0;
  tg_function_close(function);
  tg_function_release_doorbell(function, napi_tsfn_abort);
  tg_lock_release(&function->lock, TG_RANK_FUNCTION);
}

/* There is no handle left: the runtime serves this function itself. */
static napi_status pass_through(struct tg_guard *guard, const struct tg_create_arguments *arguments,
                                const void *caller, struct tg_addon *addon,
                                napi_threadsafe_function *result) {
  atomic_store_explicit(&guard->passes_through, true, memory_order_relaxed);
  napi_status status = guard->runtime->create(
      arguments->env, arguments->func, arguments->async_resource, arguments->async_resource_name,
      arguments->max_queue_size, arguments->initial_thread_count, arguments->thread_finalize_data,
      arguments->thread_finalize_cb, arguments->context, arguments->call_js_cb, result);
  const struct tg_event event = {.kind = TG_EVENT_HANDLES_USED_UP,
                                 .function = create_operation.name,
                                 .caller = caller,
                                 .answered = true,
                                 .answer = status,
                                 .view = {.addon = addon}};
  guard->host->on_event(&event);
  return status;
}

napi_status tg_create(struct tg_guard *guard, const struct tg_create_arguments *arguments, const void *caller,
                      napi_threadsafe_function *result) {
  if (arguments->env == NULL) return napi_invalid_arg;
  struct tg_environment *environment = tg_environment_enter(guard, arguments->env);
  if (environment == NULL) return napi_generic_failure;
  const void *const places[TG_CODE_PLACES] = {caller, (const void *)arguments->call_js_cb,
                                              (const void *)arguments->thread_finalize_cb};
  struct tg_addon *addon = tg_environment_adopt(environment, places);
  napi_threadsafe_function handle;
  struct tg_function *function = tg_table_take(&guard->table, &handle);
  if (function == NULL) {
    tg_environment_leave(environment);
    return tg_table_is_used_up(&guard->table) ? pass_through(guard, arguments, caller, addon, result)
                                              : napi_generic_failure;
  }
  char name[TG_NAME_SIZE] = "";
  /* Before the doorbell is made, so that the runtime's last error info is that of its create. */
  if (arguments->async_resource_name != NULL)
    guard->runtime->copy_string(arguments->env, arguments->async_resource_name, name, sizeof name);
  tg_function_prepare(function, arguments, environment, addon, name);
  napi_status status = make_doorbell(guard, arguments, function, result != NULL);
  if (status != napi_ok || result == NULL) {
    function->environment = NULL; /* nobody else has seen the slot in this generation */
    /* A runtime that made a doorbell without a place for it has one now that knows this slot: it stays
     * unused. */
    if (status != napi_ok) tg_table_put_back(&guard->table, function);
    tg_environment_leave(environment);
    return status != napi_ok ? status : napi_invalid_arg;
  }
  open_function(function, arguments->initial_thread_count);
  if (guard->runtime->add_env_cleanup_hook(arguments->env, tg_function_on_env_cleanup, function) != napi_ok) {
    abandon(function);
    return napi_generic_failure;
  }
  const struct tg_observer *observer = guard->observer;
  if (observer != NULL && observer->created != NULL) observer->created(function, caller);
  tg_probe_create(handle, arguments->max_queue_size, arguments->initial_thread_count, function->name);
  *result = handle;
  return napi_ok;
}

__attribute__((noinline)) static napi_status get_context_with_care(struct tg_guard *guard,
                                                                   napi_threadsafe_function func,
                                                                   const void *caller, void **result) {
  struct use use;
  begin(&use, guard, func, &get_context_operation, caller, NULL);
  if (result == NULL) {
    note(&use, TG_EVENT_NULL_RESULT, 0);
    return end(&use, napi_invalid_arg);
  }
  *result = NULL;
  if (use.function == NULL)
    return end(&use, is_unguarded(&use) ? guard->runtime->get_context(func, result) : napi_invalid_arg);
  if (use.verdict != TG_HANDLE_VALID && use.verdict != TG_HANDLE_STALE) return end(&use, napi_invalid_arg);
  *result = use.function->context;
  return end(&use, napi_ok);
}

napi_status tg_get_context(struct tg_guard *guard, napi_threadsafe_function func, const void *caller,
                           void **result) {
  uint32_t generation;
  const struct tg_function *function = tg_table_locate(&guard->table, func, &generation);
  if (func == tg_noted_handle && function != NULL && result != NULL && !guard->watches_calls &&
      tg_function_read_context(function, generation, result))
    return napi_ok;
  return get_context_with_care(guard, func, caller, result);
}

/* Answers a call that came too late: with napi_closing while there is a count to consume, and once a thread
 * where there is none. */
static napi_status turn_away(struct use *use) {
  bool told = tg_told_closing(use->handle);
  struct tg_function *function = use->function;
  if (use->verdict == TG_HANDLE_VALID && function->thread_count != 0) {
    drop_count(use);
    tg_function_add_credit(function, 1);
    return end(use, napi_closing);
  }
  return end(use, told ? napi_invalid_arg : napi_closing);
}

/* Waits for room. Answers napi_ok to go on: there is room, the queue may be overfilled, or it is closing. */
static napi_status wait_for_room(struct use *use, napi_threadsafe_function_call_mode mode) {
  struct tg_function *function = use->function;
  while (function->state == TG_OPEN && tg_function_is_full(function)) {
    if (mode == napi_tsfn_nonblocking) return napi_queue_full;
    if (use->guard->deadlock != TG_DEADLOCK_HANG && tg_function_is_loop_thread(function)) {
      note(use, TG_EVENT_BLOCKING_ON_OWN_LOOP, 0);
      return use->guard->deadlock == TG_DEADLOCK_STATUS ? napi_would_deadlock : napi_ok;
    }
    tg_function_sleep(use->guard, function);
  }
  return napi_ok;
}

/* The caller may have been woken for room that it cannot use: passes the wake-up on. */
static napi_status give_up(struct use *use, napi_status answer) {
  if (tg_function_offer_room(use->function)) tg_gate_wake_one(&use->function->room);
  return end(use, answer);
}

/* An item has been queued. */
static void watch_call(struct use *use) {
  struct tg_function *function = use->function;
  if (function->thread_count == 0) note(use, TG_EVENT_CALL_WITHOUT_COUNT, 0);
  size_t length = tg_queue_length(&function->queue);
  if (length > use->guard->queue_warn && !function->long_queue_told) {
    function->long_queue_told = true;
    note(use, TG_EVENT_LONG_QUEUE, length);
  }
  const struct tg_observer *observer = use->guard->observer;
  if (observer == NULL || observer->called == NULL) return;
  uint64_t quantity = 0;
  enum tg_event_kind kind = observer->called(function, &quantity);
  note(use, kind, quantity);
}

/* Whether all that a call has to do is to queue its item, and to ring where no ring is on its way: there is room, and
 * nothing is to be told. With the lock of an open function held. */
static bool is_plain(const struct tg_guard *guard, const struct tg_function *function) {
  return function->doorbell_held && function->thread_count != 0 && !guard->watches_calls &&
         guard->queue_warn == SIZE_MAX && !guard->runtime->forgets_calls && !tg_function_is_full(function) &&
         tg_queue_has_room(&function->queue);
}

/* The item has been queued, and no ring is on its way. */
static napi_status hand_over(struct use *use) {
  tg_probe_call(use->handle, napi_ok, queue_length(use));
  show(use, napi_ok);
  return answer_with(use, tg_function_hand_over(use->guard, use->function));
}

/* A call that is not plain. `function` is what was found, and locked. */
__attribute__((noinline)) static napi_status call_with_care(
    struct tg_guard *guard, napi_threadsafe_function func, enum tg_verdict verdict,
    struct tg_function *function, const void *caller, void *data, napi_threadsafe_function_call_mode mode) {
  struct use use;
  begin_found(&use, guard, func, verdict, function, &call_operation, caller,
              mode == napi_tsfn_blocking ? "napi_tsfn_blocking" : "napi_tsfn_nonblocking");
  if (function == NULL)
    return end(&use, is_unguarded(&use) ? guard->runtime->call(func, data, mode) : napi_invalid_arg);
  if (!is_open(&use)) return turn_away(&use);
  napi_status status = wait_for_room(&use, mode);
  if (status != napi_ok) return end(&use, status);
  if (function->state != TG_OPEN) return turn_away(&use);
  if (!tg_queue_reserve(&function->queue, guard->host)) return give_up(&use, napi_generic_failure);
  status = tg_function_hold_doorbell(function);
  /* A runtime that forgets calls may have forgotten the one that is on its way. */
  if (status == napi_ok && guard->runtime->forgets_calls) status = tg_function_ring(function);
  if (function->state != TG_OPEN) return turn_away(&use);
  if (status != napi_ok) return give_up(&use, status);
  tg_queue_push(&function->queue, data);
  watch_call(&use);
  return function->rung ? end(&use, napi_ok) : hand_over(&use);
}

napi_status tg_call(struct tg_guard *guard, napi_threadsafe_function func, const void *caller, void *data,
                    napi_threadsafe_function_call_mode mode) {
  struct tg_function *found;
  enum tg_verdict verdict = tg_table_find(&guard->table, func, &found);
  if (verdict == TG_HANDLE_VALID) tg_function_note_user(found, guard->host);
  if (verdict != TG_HANDLE_VALID || found->state != TG_OPEN || !is_plain(guard, found))
    return call_with_care(guard, func, verdict, found, caller, data, mode);
  tg_queue_push(&found->queue, data);
  napi_status answer = napi_ok;
  if (found->rung)
    tg_lock_release(&found->lock, TG_RANK_FUNCTION);
  else
    answer = tg_function_hand_over(guard, found);
  tg_probe_call(func, answer, TG_PROBE_UNKNOWN);
  return answer;
}

napi_status tg_acquire(struct tg_guard *guard, napi_threadsafe_function func, const void *caller) {
  struct use use;
  begin(&use, guard, func, &acquire_operation, caller, NULL);
  if (use.function == NULL)
    return end(&use, is_unguarded(&use) ? guard->runtime->acquire(func) : napi_invalid_arg);
  if (!is_open(&use)) return end(&use, napi_closing);
  napi_status status = tg_function_hold_doorbell(use.function);
  if (status == napi_ok) use.function->thread_count++;
  return end(&use, use.function->state == TG_OPEN ? status : napi_closing);
}

static napi_status release_open(struct use *use, napi_threadsafe_function_release_mode mode) {
  struct tg_function *function = use->function;
  if (function->thread_count == 0) {
    note(use, TG_EVENT_OVER_RELEASE, 0);
    return end(use, napi_invalid_arg);
  }
  drop_count(use);
  if (mode == napi_tsfn_abort) {
    tg_function_close(function);
    tg_function_release_doorbell(function, napi_tsfn_abort);
    if (function->crowded) note(use, TG_EVENT_BLOCKED_CALLERS_AT_CLOSE, function->sleepers);
  } else if (function->thread_count == 0 && tg_queue_length(&function->queue) == 0) {
    tg_function_release_doorbell(function, napi_tsfn_release);
  } else if (function->thread_count == 0) {
    tg_function_ring(function); /* nobody will again, and the runtime may have forgotten the last one */
  }
  return end(use, napi_ok);
}

napi_status tg_release(struct tg_guard *guard, napi_threadsafe_function func, const void *caller,
                       napi_threadsafe_function_release_mode mode) {
  struct use use;
  begin(&use, guard, func, &release_operation, caller,
        mode == napi_tsfn_abort ? "napi_tsfn_abort" : "napi_tsfn_release");
  if (use.function == NULL)
    return end(&use, is_unguarded(&use) ? guard->runtime->release(func, mode) : napi_invalid_arg);
  if (is_open(&use)) return release_open(&use, mode);
  struct tg_function *function = use.function;
  if (use.verdict == TG_HANDLE_VALID && function->thread_count != 0) {
    drop_count(&use);
    return end(&use, napi_ok);
  }
  /* Who aborts what is closing has what it wants (node-addon-api's AsyncProgressWorker does it in its finalizer). */
  bool is_harmless = mode == napi_tsfn_abort;
  if (use.verdict == TG_HANDLE_STALE_REUSED || function->release_credit == 0) {
    if (!is_harmless) note(&use, TG_EVENT_OVER_RELEASE, 0);
    return end(&use, napi_invalid_arg);
  }
  if (!is_harmless) note(&use, TG_EVENT_RELEASE_AFTER_CLOSING, 0);
  function->release_credit--;
  return end(&use, napi_ok);
}

static napi_status ref_or_unref(struct tg_guard *guard, napi_env env, napi_threadsafe_function func,
                                const void *caller, enum tg_wish wish) {
  napi_status (*natively)(napi_env, napi_threadsafe_function) =
      wish == TG_WISH_REF ? guard->runtime->ref : guard->runtime->unref;
  struct use use;
  begin(&use, guard, func, wish == TG_WISH_REF ? &ref_operation : &unref_operation, caller, NULL);
  if (use.function == NULL) return end(&use, is_unguarded(&use) ? natively(env, func) : napi_invalid_arg);
  if (!is_open(&use)) return end(&use, napi_ok);
  struct tg_function *function = use.function;
  if (tg_function_is_loop_thread(function)) {
    tg_function_wish(function, TG_WISH_NOTHING); /* the later word counts */
    function->referenced = wish == TG_WISH_REF;
    return end(&use, natively(function->environment->env, function->doorbell));
  }
  note(&use, TG_EVENT_FOREIGN_REF, 0);
  tg_function_wish(function, wish);
  if (function->doorbell_held) tg_function_ring(function); /* else whoever holds it next rings */
  return end(&use, napi_ok);
}

napi_status tg_ref(struct tg_guard *guard, napi_env env, napi_threadsafe_function func, const void *caller) {
  return ref_or_unref(guard, env, func, caller, TG_WISH_REF);
}

napi_status tg_unref(struct tg_guard *guard, napi_env env, napi_threadsafe_function func,
                     const void *caller) {
  return ref_or_unref(guard, env, func, caller, TG_WISH_UNREF);
}

/* Whoever holds a lock for longer than this will not give it back: this very thread in a signal handler, or a
 * thread that the program has killed. Natively the process would exit, so it does here. */
enum { EXIT_PATIENCE_MS = 200 };

void tg_guard_walk(struct tg_guard *guard, void (*visit)(void *argument, const struct tg_view *view),
                   void *argument) {
  uint32_t used = tg_table_used(&guard->table);
  for (uint32_t index = 0; index < used; index++) {
    struct tg_function *function = tg_table_slot(&guard->table, index);
    struct tg_view view = {.index = index};
    bool seen = tg_lock_try(&function->lock);
    if (seen) {
      tg_function_view(function, &view);
      view.number = tg_table_number(function);
      tg_lock_release_tried(&function->lock);
      if (view.state <= TG_CREATING) continue;
    }
    visit(argument, seen ? &view : NULL);
  }
}

void tg_turn_all_away(struct tg_guard *guard) {
  unsigned patience_ms = EXIT_PATIENCE_MS;
  uint64_t taken = guard->table.taken;
  uint32_t used = tg_table_used(&guard->table);
  /* Every addon has its handler; the first walk turns all away, the next only what was created since. */
  if (atomic_exchange(&guard->taken_at_exit, taken) == taken) return;
  for (uint32_t index = 0; index < used; index++) {
    struct tg_function *function = tg_table_slot(&guard->table, index);
    if (!tg_lock_try_for(&function->lock, &patience_ms)) continue;
    if (function->state == TG_OPEN) tg_function_close(function);
    tg_lock_release_tried(&function->lock);
  }
}
