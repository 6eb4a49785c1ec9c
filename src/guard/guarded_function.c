/* Implements the guarded function: its counts, its doorbell, its closing, dispatch and finalization. */
#include "guard/guarded_function.h"

#include <pthread.h>
#include <string.h>

#include "base/probes.h"
#include "guard/guard.h"

/* Until the finalizer is over. */
static struct tg_guard *guard_of(const struct tg_function *function) {
  return function->environment->guard;
}

static void lock(struct tg_function *function) {
  tg_lock_acquire(&function->lock, TG_RANK_FUNCTION);
}

static void unlock(struct tg_function *function) {
  tg_lock_release(&function->lock, TG_RANK_FUNCTION);
}

/* Whether somebody wants to know of each delivery. */
static bool is_observed(const struct tg_guard *guard) {
  const struct tg_observer *observer = guard->observer;
  return observer != NULL && observer->delivering != NULL;
}

/* The loop thread takes items with the lock held where callers may wait for room, where it has a wish to fulfil, and where
 * it must see what others do meanwhile. To be called where something of this has changed. With the lock held. */
static void choose_pop(struct tg_function *function) {
  const struct tg_guard *guard = guard_of(function);
  bool locked = function->max_queue_size != 0 || function->state > TG_OPEN ||
                function->wish != TG_WISH_NOTHING || guard->runtime->forgets_calls || is_observed(guard);
  atomic_store_explicit(&function->queue.is_locked, locked, memory_order_relaxed);
}

void tg_function_prepare(struct tg_function *function, const struct tg_create_arguments *arguments,
                         struct tg_environment *environment, struct tg_addon *addon,
                         const char name[TG_NAME_SIZE]) {
  lock(function); /* a late caller of the slot's last generation may be reading */
  function->state = TG_CREATING;
  function->wish = TG_WISH_NOTHING;
  function->rung = false;
  function->doorbell_held = false;
  function->finalized = false;
  function->used_elsewhere = false;
  function->crowded = false;
  function->referenced = true;
  function->long_queue_told = false;
  function->unreleased = false;
  function->threw = false;
  function->env_number = environment->number;
  /* Release: see tg_function_read_context. */
  atomic_store_explicit(&function->context, arguments->context, memory_order_release);
  function->thread_count = 0;
  function->release_credit = 0;
  function->max_queue_size = arguments->max_queue_size;
  function->doorbell = NULL;
  function->finalize_data = arguments->thread_finalize_data;
  function->finalize_cb = arguments->thread_finalize_cb;
  function->call_js_cb = arguments->call_js_cb;
  function->handle = tg_table_handle(&environment->guard->table, function);
  function->environment = environment;
  function->addon = addon;
  memcpy(function->name, name, sizeof function->name);
  choose_pop(function);
  unlock(function);
}

/* --- The context */

/* Release: who reads it sees what was written before. */
static void set_readable(struct tg_function *function, uint32_t readable) {
  atomic_store_explicit(&function->readable, readable, memory_order_release);
}

bool tg_function_read_context(const struct tg_function *function, uint32_t generation, void **context) {
  /* Acquire: what is read next is no older. */
  void *read = atomic_load_explicit(&function->context, memory_order_acquire);
  if (atomic_load_explicit(&function->readable, memory_order_relaxed) != generation + 1) return false;
  *context = read;
  return true;
}

/* Of the loop thread's own reads. */
static void *context_of(const struct tg_function *function) {
  return atomic_load_explicit(&function->context, memory_order_relaxed);
}

void tg_function_open(struct tg_function *function, size_t thread_count) {
  if (thread_count != 0) {
    function->thread_count = thread_count;
    function->doorbell_held = true;
  }
  function->state = TG_OPEN;
  set_readable(function, function->generation + 1);
}

void tg_function_view(const struct tg_function *function, struct tg_view *view) {
  view->index = function->index;
  view->generation = function->generation;
  view->env = function->env_number;
  view->state = (enum tg_state)function->state;
  view->finalized = function->finalized;
  view->referenced = function->referenced;
  view->thread_count = function->thread_count;
  view->release_credit = function->release_credit;
  view->queue_length = tg_queue_length(&function->queue);
  view->max_queue_size = function->max_queue_size;
  view->sleepers = function->sleepers;
  view->addon = function->addon;
  memcpy(view->name, function->name, sizeof view->name);
}

/* With the lock held. */
static void describe(const struct tg_function *function, enum tg_event_kind kind, uint64_t quantity,
                     struct tg_event *event) {
  *event = (struct tg_event){.kind = kind,
                             .handle = function->handle,
                             .caller = (const void *)function->call_js_cb,
                             .known = true,
                             .quantity = quantity};
  if (event->caller == NULL) event->caller = (const void *)function->finalize_cb;
  tg_function_view(function, &event->view);
  event->view.number = tg_table_number(function);
}

/* No lock held. */
static void tell(const struct tg_guard *guard, const struct tg_event *event) {
  if (event->kind != TG_EVENT_NONE) guard->host->on_event(event);
}

bool tg_function_is_loop_thread(const struct tg_function *function) {
  return pthread_equal(function->environment->loop_thread, pthread_self()) != 0;
}

bool tg_function_is_full(const struct tg_function *function) {
  return function->max_queue_size != 0 && tg_queue_length(&function->queue) >= function->max_queue_size;
}

/* What the function adds to its addon's counters. */
struct share {
  bool is_unreturned;
  bool is_straggler;
};

static struct share share_of(const struct tg_function *function) {
  bool is_unreturned = function->state >= TG_CLOSING && function->thread_count != 0;
  return (struct share){is_unreturned, is_unreturned && function->used_elsewhere};
}

/* Release: who finds nothing left to wait for unmaps code, after all that was done before. */
static void count(atomic_uint *counter, bool before, bool now) {
  if (now && !before) atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
  if (before && !now) atomic_fetch_sub_explicit(counter, 1, memory_order_release);
}

/* After a change of what a share is made of: the state, the count of threads, or who has used it. */
static void update_addon(const struct tg_function *function, struct share before) {
  struct share now = share_of(function);
  if (function->addon == NULL) return;
  count(&function->addon->unreturned, before.is_unreturned, now.is_unreturned);
  count(&function->addon->stragglers, before.is_straggler, now.is_straggler);
}

_Thread_local napi_threadsafe_function tg_noted_handle;

void tg_function_note_new_user(struct tg_function *function, const struct tg_host *host) {
  tg_noted_handle = function->handle;
  if (function->environment == NULL || tg_function_is_loop_thread(function)) return;
  struct share before = share_of(function);
  function->used_elsewhere = true;
  update_addon(function, before);
  if (function->addon != NULL) host->note_thread(function->addon);
}

void tg_function_drop_count(struct tg_function *function) {
  struct share before = share_of(function);
  function->thread_count--;
  update_addon(function, before);
}

void tg_function_add_credit(struct tg_function *function, size_t count) {
  size_t most = UINT32_MAX - function->release_credit;
  function->release_credit += (uint32_t)(count < most ? count : most);
}

void tg_function_close(struct tg_function *function) {
  const struct tg_observer *observer = guard_of(function)->observer;
  struct share before = share_of(function);
  function->state = TG_CLOSING;
  update_addon(function, before);
  choose_pop(function);
  if (observer != NULL && observer->closing != NULL) observer->closing(function);
  if (function->sleepers == 0) return;
  function->crowded = function->sleepers > 1;
  tg_gate_wake_all(&function->room);
}

/* The runtime wakes its loop with write(2), a cancellation point, and we hold a lock. A thread that is
 * cancelled there ends at its next cancellation point instead. */
static int forbid_cancellation(void) {
  int before;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
  return before;
}

static void allow_cancellation(int before) {
  pthread_setcancelstate(before, NULL);
}

napi_status tg_function_hold_doorbell(struct tg_function *function) {
  if (function->doorbell_held) return napi_ok;
  int cancellation = forbid_cancellation();
  napi_status status = guard_of(function)->runtime->acquire(function->doorbell);
  allow_cancellation(cancellation);
  if (status != napi_ok) {
    tg_function_close(function); /* the runtime says closing, so do we */
    return status;
  }
  function->doorbell_held = true;
  /* A wish that came while nobody held the doorbell found no bell to ring. */
  return function->wish == TG_WISH_NOTHING ? napi_ok : tg_function_ring(function);
}

/* The doorbell's answer to a ring. */
static void note_ring(struct tg_function *function, napi_status answer) {
  if (answer == napi_ok) {
    function->rung = true;
  } else if (answer == napi_closing) {
    function->doorbell_held = false; /* that answer took the doorbell's count */
    tg_function_close(function);
  }
}

napi_status tg_function_ring(struct tg_function *function) {
  if (function->rung && !guard_of(function)->runtime->forgets_calls) return napi_ok;
  int cancellation = forbid_cancellation();
  napi_status answer = guard_of(function)->runtime->call(function->doorbell, NULL, napi_tsfn_nonblocking);
  allow_cancellation(cancellation);
  note_ring(function, answer);
  return answer;
}

/* --- Ringers */

enum { AWAITED = 1, RINGER = 2 };

/* The ring was refused. Where the function is being closed its item stays, and the finalizer drains it. Else it is as
 * if the item had never been queued; but where others have queued behind it, trusting in this ring, it waits with them
 * for the next one. */
__attribute__((cold, noinline)) static napi_status take_back(struct tg_function *function, size_t last,
                                                             napi_status answer) {
  bool wake = false, is_back = false;
  lock(function);
  if (function->state == TG_OPEN) note_ring(function, answer);
  if (function->state == TG_OPEN) {
    function->rung = false;
    is_back = tg_queue_take_back(&function->queue, last);
    if (is_back && function->thread_count == 0 && tg_queue_length(&function->queue) == 0)
      tg_function_release_doorbell(function, napi_tsfn_release);
    wake = is_back && tg_function_offer_room(function);
  }
  unlock(function);
  if (wake) tg_gate_wake_one(&function->room);
  return is_back ? answer : napi_ok;
}

napi_status tg_function_hand_over(const struct tg_guard *guard, struct tg_function *function) {
  napi_threadsafe_function doorbell = function->doorbell;
  size_t last = tg_queue_last(&function->queue);
  int cancellation = forbid_cancellation();
  function->rung = true;
  /* Relaxed: whoever waits for ringers has held the lock since. */
  atomic_fetch_add_explicit(&function->ringers, RINGER, memory_order_relaxed);
  unlock(function);
  napi_status answer = guard->runtime->call(doorbell, NULL, napi_tsfn_nonblocking);
  if (answer != napi_ok) answer = take_back(function, last, answer);
  /* Release: all that was done with the doorbell comes before its end. */
  if (atomic_fetch_sub_explicit(&function->ringers, RINGER, memory_order_release) == (RINGER | AWAITED))
    tg_word_wake(&function->ringers); /* the slot stays, whatever becomes of the function */
  allow_cancellation(cancellation);
  return answer;
}

/* Waits until no ringer is left. Loop thread, no lock held, the function closed, so that nobody becomes one any more. */
static void await_ringers(struct tg_function *function) {
  uint32_t ringers = atomic_load_explicit(&function->ringers, memory_order_acquire);
  while (ringers >= RINGER) {
    ringers = atomic_fetch_or_explicit(&function->ringers, AWAITED, memory_order_acquire) | AWAITED;
    if (ringers >= RINGER) tg_word_wait(&function->ringers, ringers);
    ringers = atomic_load_explicit(&function->ringers, memory_order_acquire);
  }
  atomic_store_explicit(&function->ringers, 0, memory_order_relaxed);
}

void tg_function_release_doorbell(struct tg_function *function, napi_threadsafe_function_release_mode mode) {
  if (!function->doorbell_held) return;
  function->doorbell_held = false;
  /* Of a single count a release is as good, but that the rings on their way deliver before the drain does. */
  if (guard_of(function)->runtime->forgets_calls) mode = napi_tsfn_release;
  int cancellation = forbid_cancellation();
  guard_of(function)->runtime->release(function->doorbell, mode);
  allow_cancellation(cancellation);
}

void tg_function_wish(struct tg_function *function, enum tg_wish wish) {
  function->wish = (uint8_t)wish;
  choose_pop(function);
}

bool tg_function_offer_room(struct tg_function *function) {
  if (function->sleepers == function->woken) return false;
  if (function->woken != UINT8_MAX) function->woken++;
  tg_gate_open(&function->room);
  return true;
}

static void leave_environment(struct tg_function *function) {
  if (function->environment == NULL) return;
  tg_environment_leave(function->environment);
  function->environment = NULL;
}

void tg_function_forget_counts(struct tg_function *function) {
  tg_function_add_credit(function, function->thread_count);
  if (function->thread_count != 0) {
    function->thread_count = 1;
    tg_function_drop_count(function);
  }
  leave_environment(function);
}

void tg_function_leave(struct tg_guard *guard, struct tg_function *function) {
  if (function->state != TG_CLOSED || !function->finalized) return;
  if (function->thread_count != 0 || function->sleepers != 0) return;
  leave_environment(function);
  tg_table_expire(&guard->table, function);
}

static void wake_up(struct tg_function *function) {
  function->sleepers--;
  if (function->woken != 0) function->woken--;
}

struct sleep {
  struct tg_guard *guard;
  struct tg_function *function;
};

/* The sleeping thread was cancelled. Its count stays out, as in Node. */
static void on_cancelled(void *argument) {
  const struct sleep *sleep = argument;
  struct tg_function *function = sleep->function;
  lock(function);
  wake_up(function);
  bool wake = tg_function_offer_room(function); /* a wake-up may have been for this thread */
  tg_function_leave(sleep->guard, function);
  unlock(function);
  if (wake) tg_gate_wake_one(&function->room);
}

void tg_function_sleep(struct tg_guard *guard, struct tg_function *function) {
  struct sleep sleep = {guard, function};
  function->sleepers++;
  tg_gate_wait(&function->room, &function->lock, TG_RANK_FUNCTION, on_cancelled, &sleep);
  wake_up(function);
}

/* The last thing that the loop thread does. Counts that are still out may never come back; so from here on
 * the slot may be taken for others if need be, and nothing that is the env's own stays behind. */
static void end_finalizer(struct tg_guard *guard, struct tg_function *function) {
  function->finalized = true;
  set_readable(function, 0);
  if (function->environment->ended) leave_environment(function);
  if (function->thread_count != 0) tg_table_abandon(&guard->table, function);
  tg_function_leave(guard, function);
}

/* Whether it closed while several callers slept, of whom the runtime would have woken only one. With the lock
 * held. */
static bool note_crowd(const struct tg_function *function, bool was_open, struct tg_event *event) {
  bool crowded = was_open && function->state != TG_OPEN && function->crowded;
  if (crowded) describe(function, TG_EVENT_BLOCKED_CALLERS_AT_CLOSE, function->sleepers, event);
  return crowded;
}

/* Addons read results that a failed Node-API function has not written, and live, or not, by what the frames before
 * theirs left there: the runtime's, or now ours. So they find NULL. The callback's frame begins some words below where this one
 * did (with AddressSanitizer's red zones it would not). */
__attribute__((noinline, no_sanitize_address)) static void clear_stack(void) {
  char room[512];
  memset(room, 0, sizeof room);
  __asm__ volatile("" : : "r"(room) : "memory"); /* it is read, which the compiler cannot know */
}

/* No lock held. The callback may have ended the function, so `describe`, which needs its env, will not do; its slot
 * stays. */
__attribute__((cold, noinline)) static void tell_exception(struct tg_function *function,
                                                           struct tg_guard *guard,
                                                           napi_threadsafe_function handle,
                                                           napi_threadsafe_function_call_js call_js_cb) {
  struct tg_event event = {
      .kind = TG_EVENT_EXCEPTION_CAUGHT, .handle = handle, .caller = (const void *)call_js_cb};
  lock(function);
  event.known = function->state > TG_CREATING && function->handle == handle;
  if (event.known) {
    function->threw = true;
    tg_function_view(function, &event.view);
  }
  unlock(function);
  event.view.number = tg_table_number_of(&guard->table, handle);
  tell(guard, &event);
}

/* False: it has thrown, and the exception was caught. Nothing of the function is touched after the callback, unless that has
 * thrown. */
static bool call_js(struct tg_function *function, napi_threadsafe_function_call_js call_js_cb, napi_env env,
                    napi_value js_callback, void *context, void *item) {
  struct tg_guard *guard = guard_of(function);
  const struct tg_environment *environment = function->environment;
  napi_threadsafe_function handle = function->handle;
  if (call_js_cb == NULL) call_js_cb = guard->runtime->call_js_default;
  if (environment->may_be_ended) clear_stack();
  if (guard->runtime->call_js(env, js_callback, context, item, call_js_cb, environment->env)) return true;
  tell_exception(function, guard, handle, call_js_cb);
  return false;
}

static void fulfil_wish(struct tg_function *function) {
  uint8_t wish = function->wish;
  if (wish == TG_WISH_NOTHING) return;
  tg_function_wish(function, TG_WISH_NOTHING);
  function->referenced = wish == TG_WISH_REF;
  if (wish == TG_WISH_REF) guard_of(function)->runtime->ref(function->environment->env, function->doorbell);
  if (wish == TG_WISH_UNREF)
    guard_of(function)->runtime->unref(function->environment->env, function->doorbell);
}

/* After an item was taken: keeps the bell ringing while more wait. When that was the last one and nobody
 * holds a count, this is the moment at which the runtime decides to close, before the last callback runs; so
 * do we. */
static void after_pop(struct tg_function *function) {
  if (tg_queue_length(&function->queue) != 0) {
    if (function->doorbell_held) tg_function_ring(function);
  } else if (function->thread_count == 0 && function->state == TG_OPEN) {
    tg_function_close(function);
    tg_function_release_doorbell(function, napi_tsfn_release);
  }
}

/* As call_js, with the observer before and after. `event` describes the function as it was: after the callback
 * it may be gone. */
static void call_js_observed(struct tg_function *function, const struct tg_guard *guard,
                             napi_threadsafe_function_call_js call_js_cb, napi_env env,
                             napi_value js_callback, void *context, void *item, struct tg_event *event) {
  const struct tg_observer *observer = guard->observer;
  event->kind = observer->delivering(env);
  tell(guard, event);
  call_js(function, call_js_cb, env, js_callback, context, item);
  event->kind = observer->delivered(env);
  tell(guard, event);
}

/* Takes an item without the lock, where another one waits behind it, and rings for that one. `rung` stays true: the ring
 * that was on its way is here, and the next one is on its way. Whatever another thread does meanwhile under the lock, it
 * finds a function whose queue is not empty and whose bell is rung, as it was before and is afterwards. */
static bool take_ahead(struct tg_function *function, void **item) {
  if (!tg_queue_is_ahead(&function->queue)) return false;
  napi_status answer = guard_of(function)->runtime->call(function->doorbell, NULL, napi_tsfn_nonblocking);
  if (answer == napi_ok) {
    *item = tg_queue_pop_ahead(&function->queue);
    return true;
  }
  lock(function); /* it is being aborted just now, or there is no memory for a ring */
  note_ring(function, answer);
  unlock(function);
  return false;
}

/* Takes the only item of a function that stays open, and of which nothing else is to be seen to. */
static bool take_alone(struct tg_function *function, void **item) {
  lock(function);
  bool is_plain = !atomic_load_explicit(&function->queue.is_locked, memory_order_relaxed) &&
                  function->wish == TG_WISH_NOTHING && function->thread_count != 0 &&
                  tg_queue_length(&function->queue) == 1;
  if (is_plain) {
    function->rung = false;
    *item = tg_queue_pop_only(&function->queue, guard_of(function)->host);
  }
  unlock(function);
  return is_plain;
}

/* Takes whatever waits. `seen` is the function as it was, where somebody observes; `crowd` is to be told of. */
static bool take_locked(struct tg_function *function, void **item, struct tg_event *seen,
                        struct tg_event *crowd) {
  lock(function);
  function->rung = false;
  fulfil_wish(function);
  bool waits = tg_queue_length(&function->queue) != 0, wake = false;
  if (waits) {
    const struct tg_guard *guard = guard_of(function);
    if (is_observed(guard)) describe(function, TG_EVENT_NONE, 0, seen);
    bool was_open = function->state == TG_OPEN;
    *item = tg_queue_pop(&function->queue, guard->host);
    after_pop(function);
    wake = tg_function_offer_room(function);
    note_crowd(function, was_open, crowd);
  }
  unlock(function);
  /* The slot stays, whatever becomes of the function: at worst somebody wakes for nothing. */
  if (wake) tg_gate_wake_one(&function->room);
  return waits;
}

/* An item was taken. Until the callback the function is not over, as only this thread finalizes it. */
static void note_taken(struct tg_function *function, const struct tg_guard *guard) {
  const struct tg_observer *observer = guard->observer;
  tg_probe_dispatch(function->handle, function->queue.ahead);
  if (observer != NULL && observer->taken != NULL) observer->taken(function);
}

__attribute__((noinline)) static void dispatch_with_care(struct tg_function *function, napi_env env,
                                                         napi_value js_callback) {
  struct tg_event seen, crowd;
  crowd.kind = TG_EVENT_NONE;
  void *item;
  if (!take_locked(function, &item, &seen, &crowd)) return;
  const struct tg_guard *guard = guard_of(function);
  tell(guard, &crowd);
  note_taken(function, guard);
  if (is_observed(guard))
    call_js_observed(function, guard, function->call_js_cb, env, js_callback, context_of(function), item,
                     &seen);
  else
    call_js(function, function->call_js_cb, env, js_callback, context_of(function), item);
}

/* The doorbell rang: delivers one item, in the callback scope that the runtime has opened for it. The
 * doorbell's finalizer has not run, so the function is in its generation and stays in it until the addon's
 * callback is entered; the callback may run the loop, and so may end it: nothing of the function is touched
 * afterwards. */
void tg_function_dispatch(napi_env env, napi_value js_callback, void *context, void *data) {
  (void)data;
  if (env == NULL) return; /* a left-over ring that the runtime discards, maybe after our finalizer */
  struct tg_function *function = context;
  void *item;
  if (!take_ahead(function, &item) && !take_alone(function, &item)) {
    dispatch_with_care(function, env, js_callback);
    return;
  }
  note_taken(function, guard_of(function));
  call_js(function, function->call_js_cb, env, js_callback, context_of(function), item);
}

/* Counts that the end of the env has not brought back. With the lock held. */
static void note_unreleased(struct tg_function *function, struct tg_event *event) {
  if (function->unreleased && function->state > TG_CREATING && function->thread_count != 0)
    describe(function, TG_EVENT_NEVER_RELEASED, function->thread_count, event);
  function->unreleased = false;
}

/* An env cleanup hook that was added while such hooks ran already. Node (12 to 26) runs those it has, then the finalizers
 * of all doorbells, with the last of which the napi_env ends and finalizes what the addon has wrapped; and then the hooks
 * that were added meanwhile. The napi_env is gone, and the addon still loaded. */
static void tell_unreleased(void *argument) {
  struct tg_environment *environment = argument;
  struct tg_guard *guard = environment->guard;
  uint32_t used = tg_table_used(&guard->table);
  environment->tells_unreleased = false;
  for (uint32_t index = 0; index < used; index++) {
    struct tg_function *function = tg_table_slot(&guard->table, index);
    struct tg_event event = {.kind = TG_EVENT_NONE};
    lock(function);
    if (function->env_number == environment->number) note_unreleased(function, &event);
    unlock(function);
    tell(guard, &event);
  }
  tg_environment_leave(environment);
}

/* False: there will be no later moment. Runtimes other than Node may run such a hook at once, or not expect it. */
static bool tell_unreleased_later(struct tg_environment *environment) {
  const struct tg_runtime *runtime = environment->guard->runtime;
  if (environment->tells_unreleased) return true;
  if (runtime->forgets_calls) return false;
  if (runtime->add_env_cleanup_hook(environment->env, tell_unreleased, environment) != napi_ok) return false;
  environment->tells_unreleased = true;
  atomic_fetch_add_explicit(&environment->references, 1, memory_order_relaxed);
  return true;
}

/* Registered after the doorbell was made, so it runs just before the runtime's own hook for the doorbell. */
void tg_function_on_env_cleanup(void *argument) {
  struct tg_function *function = argument;
  struct tg_event crowd, undelivered = {.kind = TG_EVENT_NONE}, unreleased = {.kind = TG_EVENT_NONE};
  lock(function);
  const struct tg_guard *guard = guard_of(function);
  bool was_open = function->state == TG_OPEN;
  size_t left = tg_queue_length(&function->queue);
  if (left != 0 && !function->threw) describe(function, TG_EVENT_ITEMS_UNDELIVERED, left, &undelivered);
  function->unreleased = was_open && function->thread_count != 0;
  if (function->unreleased && !tell_unreleased_later(function->environment))
    note_unreleased(function, &unreleased);
  if (was_open) tg_function_close(function);
  /* A runtime that keeps closed functions would keep the doorbell for ever if its count stayed. */
  tg_function_release_doorbell(function, napi_tsfn_abort);
  bool crowded = note_crowd(function, was_open, &crowd);
  unlock(function);
  if (crowded) tell(guard, &crowd);
  tell(guard, &undelivered);
  tell(guard, &unreleased);
}

/* napi-rs makes a function of this name for each promise of an async fn. With many of its versions (up to the middle
 * of 2026) what it delivers frees references by the env that it is given, and panics where that is NULL. Nobody waits
 * for such an item: it settles a promise that no JavaScript will see. */
static bool is_promise_of_napi_rs(const struct tg_function *function) {
  return strcmp(function->name, "napi_resolve_deferred") == 0;
}

/* Gives what is left to call_js_cb without an env. From the first exception on it is dropped: a callback that has let one
 * out did not see that JavaScript is over, and may not see that there is no env. Natively the process would have ended
 * there. How many items were dropped for that. */
static size_t drain(struct tg_function *function, struct tg_queue *rest, bool threw) {
  const struct tg_host *host = guard_of(function)->host;
  bool forgotten = is_promise_of_napi_rs(function);
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
  return dropped;
}

static void tell_dropped(struct tg_function *function, size_t dropped) {
  struct tg_event event;
  lock(function);
  describe(function, TG_EVENT_ITEMS_DROPPED, dropped, &event);
  unlock(function);
  tell(guard_of(function), &event);
}

/* The doorbell's finalizer: runs exactly once, and nothing touches the doorbell once no ringer is left. Until
 * `finalized` is set the function keeps its generation, so it may be read without the lock where it is
 * constant. */
void tg_function_finalize(napi_env env, void *data, void *hint) {
  (void)hint;
  struct tg_function *function = data;
  struct tg_guard *guard = guard_of(function);
  const struct tg_observer *observer = guard->observer;
  lock(function);
  if (function->state == TG_OPEN) tg_function_close(function);
  unlock(function);
  await_ringers(function);
  lock(function);
  function->state = TG_CLOSED;
  function->doorbell = NULL;
  function->doorbell_held = false;
  struct tg_queue rest;
  tg_queue_move(&rest, &function->queue);
  bool threw = function->threw;
  tg_probe_finalize(function->handle, tg_queue_length(&rest));
  unlock(function);

  if (observer != NULL && observer->finalizing != NULL) observer->finalizing(function);
  size_t dropped = drain(function, &rest, threw);
  if (dropped != 0) tell_dropped(function, dropped);
  guard->runtime->remove_env_cleanup_hook(function->environment->env, tg_function_on_env_cleanup, function);
  if (function->finalize_cb != NULL)
    function->finalize_cb(env, function->finalize_data, context_of(function));

  struct tg_event event = {.kind = TG_EVENT_NONE};
  uint64_t quantity = 0;
  enum tg_event_kind kind = TG_EVENT_NONE;
  if (observer != NULL && observer->finalized != NULL) kind = observer->finalized(function, &quantity);
  lock(function);
  if (kind != TG_EVENT_NONE) describe(function, kind, quantity, &event);
  event.view.finalized = true; /* by the time that it is told */
  end_finalizer(guard, function);
  unlock(function);
  tell(guard, &event);
}
