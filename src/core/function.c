/* Implements the state machine of function.h. */
#include "core/function.h"

#include <pthread.h>
#include <string.h>

#include "core/cohort.h"
#include "core/handle_table.h"
#include "core/queue.h"

/* The loop thread must take the lock for each pop if callers may wait for space, if a ref or unref
 * is pending, if the function is closing, if the runtime may drop wake-ups, or if deliveries are
 * observed. To be called when one of these has changed. */
static void update_pop_mode(struct tg_function *function) {
  const struct tg_guard *guard = tg_guard_of(function);
  bool locked = function->max_queue_size != 0 || function->state > TG_OPEN ||
                function->pending_ref != TG_PENDING_NONE || guard->runtime->may_drop_wakeups ||
                tg_observes_deliveries(guard);
  atomic_store_explicit(&function->queue.pop_needs_lock, locked, memory_order_relaxed);
}

void tg_function_prepare(struct tg_function *function, const struct tg_create_arguments *arguments,
                         struct tg_cohort *cohort, struct tg_addon *addon,
                         const char name[TG_NAME_SIZE]) {
  tg_function_lock(function); /* a late caller with an older handle may be reading */
  function->state = TG_CREATING;
  function->pending_ref = TG_PENDING_NONE;
  function->wakeup_pending = false;
  function->doorbell_held = false;
  function->finalized = false;
  function->used_off_loop = false;
  function->multiple_waiters = false;
  function->referenced = true;
  function->long_queue_reported = false;
  function->unreleased = false;
  function->is_late = false;
  function->ended_first = false;
  function->threw = false;
  function->env_number = cohort->environment->number;
  /* Release: see tg_function_read_context. */
  atomic_store_explicit(&function->context, arguments->context, memory_order_release);
  function->thread_count = 0;
  function->release_credit = 0;
  function->max_queue_size = arguments->max_queue_size;
  function->doorbell = NULL;
  function->finalize_data = arguments->thread_finalize_data;
  function->finalize_cb = arguments->thread_finalize_cb;
  function->call_js_cb = arguments->call_js_cb;
  function->handle = tg_table_handle(&cohort->guard->table, function);
  function->cohort = cohort;
  function->addon = addon;
  memcpy(function->name, name, sizeof function->name);
  update_pop_mode(function);
  tg_function_unlock(function);
}

/* --- The context */

/* Release: whoever reads the value sees everything that was written before it. */
static void set_readable(struct tg_function *function, uint32_t readable) {
  atomic_store_explicit(&function->readable, readable, memory_order_release);
}

bool tg_function_read_context(const struct tg_function *function, uint32_t generation,
                              void **context) {
  /* Acquire: what is read after it is at least as new. */
  void *read = atomic_load_explicit(&function->context, memory_order_acquire);
  if (atomic_load_explicit(&function->readable, memory_order_relaxed) != generation + 1)
    return false;
  *context = read;
  return true;
}

void tg_function_open(struct tg_function *function, size_t thread_count) {
  if (thread_count != 0) {
    function->thread_count = thread_count;
    function->doorbell_held = true;
  }
  function->state = TG_OPEN;
  set_readable(function, function->generation + 1);
}

void tg_function_snapshot(const struct tg_function *function, struct tg_snapshot *snapshot) {
  snapshot->index = function->index;
  snapshot->generation = function->generation;
  snapshot->env = function->env_number;
  snapshot->state = (enum tg_state)function->state;
  snapshot->finalized = function->finalized;
  snapshot->referenced = function->referenced;
  snapshot->thread_count = function->thread_count;
  snapshot->release_credit = function->release_credit;
  snapshot->queue_length = tg_queue_length(&function->queue);
  snapshot->max_queue_size = function->max_queue_size;
  snapshot->waiters = function->waiters;
  snapshot->addon = function->addon;
  memcpy(snapshot->name, function->name, sizeof snapshot->name);
}

bool tg_function_is_loop_thread(const struct tg_function *function) {
  return pthread_equal(function->cohort->loop_thread, pthread_self()) != 0;
}

bool tg_function_is_full(const struct tg_function *function) {
  return function->max_queue_size != 0 &&
         tg_queue_length(&function->queue) >= function->max_queue_size;
}

/* What the function contributes to the counters of its addon. */
struct addon_use {
  bool is_unreturned;
  bool is_foreign_user;
};

static struct addon_use addon_use_of(const struct tg_function *function) {
  bool is_unreturned = function->state >= TG_CLOSING && function->thread_count != 0;
  return (struct addon_use){is_unreturned, is_unreturned && function->used_off_loop};
}

/* Release: a thread that finds the counter at 0 may unmap the code, and all uses of the code come
 * before that. */
static void adjust_counter(atomic_uint *counter, bool before, bool now) {
  if (now && !before) atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
  if (before && !now) atomic_fetch_sub_explicit(counter, 1, memory_order_release);
}

/* To be called after a change of the state, of thread_count or of used_off_loop. */
static void update_addon_counters(const struct tg_function *function, struct addon_use before) {
  struct addon_use now = addon_use_of(function);
  if (function->addon == NULL) return;
  adjust_counter(&function->addon->unreturned, before.is_unreturned, now.is_unreturned);
  adjust_counter(&function->addon->foreign_users, before.is_foreign_user, now.is_foreign_user);
}

_Thread_local struct tg_last_use tg_last_use;

void tg_function_mark_first_use(struct tg_function *function, const struct tg_host *host) {
  tg_last_use = (struct tg_last_use){function->handle, function, function->generation};
  if (function->cohort == NULL || tg_function_is_loop_thread(function)) return;
  struct addon_use before = addon_use_of(function);
  function->used_off_loop = true;
  update_addon_counters(function, before);
  if (function->addon != NULL) host->record_thread(function->addon);
}

void tg_function_add_count(struct tg_function *function) {
  struct addon_use before = addon_use_of(function);
  function->thread_count++;
  update_addon_counters(function, before);
}

void tg_function_drop_count(struct tg_function *function) {
  struct addon_use before = addon_use_of(function);
  function->thread_count--;
  update_addon_counters(function, before);
}

void tg_function_add_credit(struct tg_function *function, size_t count) {
  size_t most = UINT32_MAX - function->release_credit;
  function->release_credit += (uint32_t)(count < most ? count : most);
}

void tg_function_close(struct tg_function *function) {
  const struct tg_observer *observer = tg_guard_of(function)->observer;
  struct addon_use before = addon_use_of(function);
  function->state = TG_CLOSING;
  update_addon_counters(function, before);
  update_pop_mode(function);
  if (observer != NULL && observer->closing != NULL) observer->closing(function);
  if (function->waiters == 0) return;
  function->multiple_waiters = function->waiters > 1;
  tg_gate_wake_all(&function->not_full);
}

bool tg_function_has_late_quirk(const struct tg_function *function) {
  return tg_environment_of(function)->can_terminate && function->addon != NULL &&
         (function->addon->quirks & TG_QUIRK_LATE) != 0;
}

/* The runtime is closing the doorbell of an open function. It does this only when the env ends,
 * before the hook of the cohort runs. */
static void close_with_doorbell(struct tg_function *function) {
  function->ended_first = true;
  function->is_late = tg_function_has_late_quirk(function);
  tg_function_close(function);
}

/* The runtime wakes its loop with write(2), which is a cancellation point, while we hold a lock or
 * are counted as a ringer. So cancellation is disabled, and a thread that is cancelled there ends
 * at its next cancellation point instead. */
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
  napi_status status = tg_guard_of(function)->runtime->acquire(function->doorbell);
  allow_cancellation(cancellation);
  if (status != napi_ok) {
    close_with_doorbell(function);
    return status;
  }
  function->doorbell_held = true;
  /* A ref or unref that became pending while the doorbell was not held could not ring. */
  return function->pending_ref == TG_PENDING_NONE ? napi_ok : tg_function_ring(function);
}

void tg_function_record_ring(struct tg_function *function, napi_status answer) {
  if (answer == napi_ok) {
    function->wakeup_pending = true;
  } else if (answer == napi_closing) {
    function->doorbell_held = false; /* this answer has consumed the doorbell's count */
    if (function->state == TG_OPEN) close_with_doorbell(function);
  }
}

napi_status tg_function_ring(struct tg_function *function) {
  if (function->wakeup_pending && !tg_guard_of(function)->runtime->may_drop_wakeups) return napi_ok;
  int cancellation = forbid_cancellation();
  napi_status answer =
      tg_guard_of(function)->runtime->call(function->doorbell, NULL, napi_tsfn_nonblocking);
  allow_cancellation(cancellation);
  tg_function_record_ring(function, answer);
  return answer;
}

/* --- Ringers */

enum { AWAITED = 1, RINGER = 2 };

/* The ring was refused. If the function is closing, the item stays and the finalizer drains it.
 * Else the item is taken out of the queue again. But if other threads have queued items behind it
 * and rely on this ring, all of these items wait for the next ring. */
__attribute__((cold, noinline)) static napi_status withdraw_item(struct tg_function *function,
                                                                 size_t last, napi_status answer) {
  bool wake = false, is_back = false;
  tg_function_lock(function);
  if (function->state == TG_OPEN) tg_function_record_ring(function, answer);
  if (function->state == TG_OPEN) {
    function->wakeup_pending = false;
    is_back = tg_queue_unpush(&function->queue, last);
    if (is_back && function->thread_count == 0 && tg_queue_length(&function->queue) == 0)
      tg_function_release_doorbell(function, napi_tsfn_release);
    wake = is_back && tg_function_claim_waiter(function);
  }
  tg_function_unlock(function);
  if (wake) tg_gate_wake_one(&function->not_full);
  return is_back ? answer : napi_ok;
}

napi_status tg_function_hand_off(const struct tg_guard *guard, struct tg_function *function) {
  napi_threadsafe_function doorbell = function->doorbell;
  size_t last = tg_queue_last_number(&function->queue);
  int cancellation = forbid_cancellation();
  function->wakeup_pending = true;
  /* Relaxed: the thread that waits for ringers takes the lock after this. */
  atomic_fetch_add_explicit(&function->ringers, RINGER, memory_order_relaxed);
  tg_function_unlock(function);
  napi_status answer = guard->runtime->call(doorbell, NULL, napi_tsfn_nonblocking);
  if (answer != napi_ok) answer = withdraw_item(function, last, answer);
  /* Release: all uses of the doorbell come before its end. */
  if (atomic_fetch_sub_explicit(&function->ringers, RINGER, memory_order_release) ==
      (RINGER | AWAITED))
    tg_futex_wake(&function->ringers); /* safe even if the function is over: the slot stays */
  allow_cancellation(cancellation);
  return answer;
}

/* Acquire pairs with the release by each ringer. */
bool tg_function_has_ringers(const struct tg_function *function) {
  return atomic_load_explicit(&function->ringers, memory_order_acquire) >= RINGER;
}

void tg_function_await_ringers(struct tg_function *function) {
  uint32_t ringers = atomic_load_explicit(&function->ringers, memory_order_acquire);
  while (ringers >= RINGER) {
    ringers = atomic_fetch_or_explicit(&function->ringers, AWAITED, memory_order_acquire) | AWAITED;
    if (ringers >= RINGER) tg_futex_wait(&function->ringers, ringers);
    ringers = atomic_load_explicit(&function->ringers, memory_order_acquire);
  }
  atomic_store_explicit(&function->ringers, 0, memory_order_relaxed);
}

void tg_function_release_doorbell(struct tg_function *function,
                                  napi_threadsafe_function_release_mode mode) {
  if (!function->doorbell_held) return;
  function->doorbell_held = false;
  /* The doorbell has a single count, so a release closes it just as well. Pending rings are then
   * delivered before the drain. */
  if (tg_guard_of(function)->runtime->may_drop_wakeups) mode = napi_tsfn_release;
  int cancellation = forbid_cancellation();
  tg_guard_of(function)->runtime->release(function->doorbell, mode);
  allow_cancellation(cancellation);
}

void tg_function_set_pending_ref(struct tg_function *function, enum tg_pending_ref pending_ref) {
  function->pending_ref = (uint8_t)pending_ref;
  update_pop_mode(function);
}

bool tg_function_claim_waiter(struct tg_function *function) {
  if (function->waiters == function->wakeups_in_flight) return false;
  if (function->wakeups_in_flight != UINT8_MAX) function->wakeups_in_flight++;
  tg_gate_open(&function->not_full);
  return true;
}

static void leave_cohort(struct tg_function *function) {
  if (function->cohort == NULL) return;
  tg_cohort_leave(function->cohort);
  function->cohort = NULL;
}

/* Makes the handle stale. */
static void expire_handle(struct tg_guard *guard, struct tg_function *function) {
  const struct tg_observer *observer = guard->observer;
  leave_cohort(function);
  if (observer != NULL && observer->expired != NULL) observer->expired(function);
  tg_table_expire(&guard->table, function);
}

void tg_function_leave(struct tg_guard *guard, struct tg_function *function) {
  if (function->state != TG_CLOSED || !function->finalized) return;
  if (function->thread_count != 0 || function->waiters != 0) return;
  expire_handle(guard, function);
}

/* The counts are not expected to come back any more. A late release is answered from the credit. */
static void convert_counts_to_credit(struct tg_function *function) {
  tg_function_add_credit(function, function->thread_count);
  if (function->thread_count == 0) return;
  function->thread_count = 1;
  tg_function_drop_count(function);
}

/* Makes the oldest abandoned function stale if there are more than `most`. */
static void reclaim_abandoned(struct tg_guard *guard, uint32_t most) {
  uint32_t generation;
  struct tg_function *function = tg_table_take_abandoned(&guard->table, most, &generation);
  if (function == NULL) return;
  tg_function_lock(function);
  if (function->generation != generation) {
    /* its last count came back meanwhile */
  } else if (function->waiters != 0) {
    tg_table_abandon(&guard->table, function);
  } else {
    convert_counts_to_credit(function);
    expire_handle(guard, function);
  }
  tg_function_unlock(function);
}

struct tg_function *tg_function_take(struct tg_guard *guard, napi_threadsafe_function *handle) {
  reclaim_abandoned(guard, guard->table.abandoned_max);
  struct tg_function *function = tg_table_take(&guard->table, handle);
  if (function != NULL || !tg_table_is_used_up(&guard->table)) return function;
  reclaim_abandoned(guard, 0);
  return tg_table_take(&guard->table, handle);
}

static void record_wakeup(struct tg_function *function) {
  function->waiters--;
  if (function->wakeups_in_flight != 0) function->wakeups_in_flight--;
}

struct wait {
  struct tg_guard *guard;
  struct tg_function *function;
};

/* The thread was cancelled while it slept. Its count stays out, as in Node. */
static void on_cancelled(void *argument) {
  const struct wait *wait = argument;
  struct tg_function *function = wait->function;
  tg_function_lock(function);
  record_wakeup(function);
  bool wake = tg_function_claim_waiter(function); /* this thread may have been claimed */
  tg_function_leave(wait->guard, function);
  tg_function_unlock(function);
  if (wake) tg_gate_wake_one(&function->not_full);
}

void tg_function_wait(struct tg_guard *guard, struct tg_function *function) {
  struct wait wait = {guard, function};
  function->waiters++;
  tg_gate_wait(&function->not_full, &function->lock, TG_RANK_FUNCTION, on_cancelled, &wait);
  record_wakeup(function);
}

void tg_function_end_finalizer(struct tg_guard *guard, struct tg_function *function) {
  bool stays = function->thread_count != 0 || function->waiters != 0;
  function->finalized = true;
  set_readable(function, 0);
  if (stays && !tg_environment_of(function)->ended)
    tg_cohort_keep(function->cohort);
  else
    function->cohort = NULL;
  if (function->thread_count != 0) tg_table_abandon(&guard->table, function);
  tg_function_leave(guard, function);
}
