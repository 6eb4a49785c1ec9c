/* The state machine of a guarded function: its counts, its doorbell, its waiting callers, its end.
 *
 * Thread safety: types.h says for each field what guards it. The functions here are called with the
 * function's lock held, unless they say otherwise. */
#ifndef TG_CORE_FUNCTION_H
#define TG_CORE_FUNCTION_H

#include "base/lock.h"
#include "core/types.h"

static inline void tg_function_lock(struct tg_function *function) {
  tg_lock_acquire(&function->lock, TG_RANK_FUNCTION);
}

static inline void tg_function_unlock(struct tg_function *function) {
  tg_lock_release(&function->lock, TG_RANK_FUNCTION);
}

/* Valid until the finalizer is over. */
static inline struct tg_guard *tg_guard_of(const struct tg_function *function) {
  return function->cohort->guard;
}

/* Valid as long as the function's cohort is. */
static inline struct tg_environment *tg_environment_of(const struct tg_function *function) {
  return function->cohort->environment;
}

/* Whether the observer is called for each delivery. */
static inline bool tg_observes_deliveries(const struct tg_guard *guard) {
  return guard->observer != NULL && guard->observer->delivering != NULL;
}

/* Takes a free slot for a new function; *handle is its handle from now on. If too many abandoned
 * functions wait for their counts, the oldest becomes stale. NULL: there is no memory, or all
 * handles are used up. No lock held. */
struct tg_function *tg_function_take(struct tg_guard *guard, napi_threadsafe_function *handle);

/* FREE -> CREATING: stores the arguments of a create. The doorbell comes later. The lock is not
 * held. */
void tg_function_prepare(struct tg_function *function, const struct tg_create_arguments *arguments,
                         struct tg_cohort *cohort, struct tg_addon *addon,
                         const char name[TG_NAME_SIZE]);

/* Reads the context of a generation without the lock. False: the caller has to take the lock,
 * because the slot has another generation, or because the function is over, which is an event. To
 * be called by a thread that has already been marked as a user of the function.
 *
 * `readable` is the generation plus one while the function is open, closing or being finalized, and
 * 0 otherwise. Apart from 0, it never returns to an earlier value. A thread reads the context and
 * then `readable`. If it finds the generation there, the context is that of this generation:
 *  - It is not an earlier one, because that was overwritten before the thread became a user.
 *  - It is not a later one. A later one is stored with release after `readable` became 0, so a
 *    thread that reads it then finds that 0 or a later value in `readable`. */
bool tg_function_read_context(const struct tg_function *function, uint32_t generation,
                              void **context);

/* Whether the function's threads must not notice that its env ends: the env is a worker's, and the
 * addon has TG_QUIRK_LATE. */
bool tg_function_has_late_quirk(const struct tg_function *function);

/* CREATING -> OPEN. */
void tg_function_open(struct tg_function *function, size_t thread_count);

/* Fills in a snapshot, except for its number. */
void tg_function_snapshot(const struct tg_function *function, struct tg_snapshot *snapshot);

bool tg_function_is_loop_thread(const struct tg_function *function);
bool tg_function_is_full(const struct tg_function *function);

extern _Thread_local struct tg_last_use tg_last_use;

/* The slow path of tg_function_mark_foreign_use. */
void tg_function_mark_first_use(struct tg_function *function, const struct tg_host *host);

/* Records that the calling thread uses the function. Handles are never reused, so if the thread's
 * last use was of the same handle, that use has recorded this already. */
static inline void tg_function_mark_foreign_use(struct tg_function *function,
                                                const struct tg_host *host) {
  if (function->handle != tg_last_use.handle) tg_function_mark_first_use(function, host);
}

/* A thread gets a count. */
void tg_function_add_count(struct tg_function *function);

/* A thread gives its count back. */
void tg_function_drop_count(struct tg_function *function);

/* `count` more late releases will get napi_ok. */
void tg_function_add_credit(struct tg_function *function, size_t count);

/* OPEN only. Makes sure that the doorbell's own count is held, so that the runtime keeps it open.
 * napi_closing: the runtime is closing the doorbell already, so this call has closed the
 * function. */
napi_status tg_function_hold_doorbell(struct tg_function *function);

/* OPEN only, doorbell held. Rings unless a wake-up is pending. napi_closing: as above. */
napi_status tg_function_ring(struct tg_function *function);

/* Records what the runtime answered to a ring. */
void tg_function_record_ring(struct tg_function *function, napi_status answer);

/* The hand-off. Called while OPEN, with the doorbell held and no wake-up pending, right after an
 * item was queued. Releases the lock, and then rings: the loop thread, which the ring wakes, needs
 * the lock at once. The caller must not touch the function afterwards. Any answer but napi_ok: the
 * runtime has refused the ring, and the item was taken out of the queue again.
 *
 * From the release of the lock until the ring has returned, the thread is a ringer:
 *  - `wakeup_pending` is true, so no other thread rings. This is the only ring.
 *  - The item waits until the ring is delivered. So the doorbell's count stays held, and the
 *    runtime does not decide to close the doorbell. An abort or the env's end does close it. Then
 *    the ring is refused, the item stays, and the finalizer drains it.
 *  - The doorbell's finalizer first waits for ringers. So the doorbell exists, and the function
 *    stays in its generation.
 *  - A ringer waits only for the runtime's own mutex and, if its ring was refused, for the
 *    function's lock. No finalizer is called with either held. So the finalizer waits for no more
 *    threads than if ringers rang with the lock held.
 *  - A ringer cannot be cancelled. A signal handler that interrupts it finds the lock free.
 *
 * Not for a runtime that may drop wake-ups. Such a runtime may free a doorbell without its
 * finalizer, so each call rings with the lock held. */
napi_status tg_function_hand_off(const struct tg_guard *guard, struct tg_function *function);

/* Whether a thread is within tg_function_hand_off. If it returns false for a closed function, all
 * uses of the doorbell by other threads are over. */
bool tg_function_has_ringers(const struct tg_function *function);

/* Waits until there are no ringers. Loop thread, no lock held. The function is closed, so no thread
 * becomes a ringer any more. */
void tg_function_await_ringers(struct tg_function *function);

/* Gives the doorbell's own count back, if it is held. */
void tg_function_release_doorbell(struct tg_function *function,
                                  napi_threadsafe_function_release_mode mode);

/* OPEN -> CLOSING: from now on callers are rejected. Wakes those that sleep. */
void tg_function_close(struct tg_function *function);

/* Asks the loop thread to ref or unref the doorbell. TG_PENDING_NONE withdraws the request. */
void tg_function_set_pending_ref(struct tg_function *function, enum tg_pending_ref pending_ref);

/* To be called when the queue has space for one more item. Claims a waiter that may use the space.
 * True: the caller has to call tg_gate_wake_one, preferably without the lock. */
bool tg_function_claim_waiter(struct tg_function *function);

/* Sleeps until there may be space. The function stays in its generation meanwhile. This is a
 * cancellation point. A thread that is cancelled here has left the function and does not hold the
 * lock. */
void tg_function_wait(struct tg_guard *guard, struct tg_function *function);

/* CLOSED only. Marks the finalizer as over. This is the last thing that the finalizer does with the
 * function, except to unlock it. Counts that are still out may never come back, so from here on the
 * slot may be taken for another function. */
void tg_function_end_finalizer(struct tg_guard *guard, struct tg_function *function);

/* To be called when a thread leaves the function. Makes the handle stale if the function is
 * finalized, no counts are out, and no caller waits inside. */
void tg_function_leave(struct tg_guard *guard, struct tg_function *function);

#endif
