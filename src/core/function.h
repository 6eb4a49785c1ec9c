/* The guarded function's state machine: its counts, its doorbell, its wake-ups, its closing, and its slot's way back.
 *
 * Thread safety: struct tg_function says it of each field (types.h). Functions are called with the function's lock held
 * unless they say otherwise. */
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

/* Until the finalizer is over. */
static inline struct tg_guard *tg_guard_of(const struct tg_function *function) {
  return function->environment->guard;
}

/* Whether somebody wants to know of each delivery. */
static inline bool tg_observes_deliveries(const struct tg_guard *guard) {
  return guard->observer != NULL && guard->observer->delivering != NULL;
}

/* A slot in state TG_FREE and, in *handle, the handle that it has from now on. NULL: no memory, or every handle is used
 * up. Loop thread, no lock held. */
struct tg_function *tg_function_take(struct tg_guard *guard, napi_threadsafe_function *handle);

/* FREE -> CREATING: takes what the functions below need of a create; the doorbell comes later. The lock is not held. */
void tg_function_prepare(struct tg_function *function, const struct tg_create_arguments *arguments,
                         struct tg_environment *environment, struct tg_addon *addon,
                         const char name[TG_NAME_SIZE]);

/* Reads the context of that generation without the lock. False: it takes the lock, as the slot has another generation, or
 * the function is over, which is an event. For a thread that is noted as a user.
 *
 * `readable` is the generation plus one, from the time it is open until its finalizer is over, else 0. It never has a value
 * again that it had. So who finds the same there before and after has read the context of that generation: a later one is
 * written after `readable` was 0, and with release, so that who reads it finds that 0 then, or what came after it. */
bool tg_function_read_context(const struct tg_function *function, uint32_t generation, void **context);

/* CREATING -> OPEN. */
void tg_function_open(struct tg_function *function, size_t thread_count);

/* What an event tells of it. `number` is left to the caller, who knows the table. */
void tg_function_snapshot(const struct tg_function *function, struct tg_snapshot *snapshot);

bool tg_function_is_loop_thread(const struct tg_function *function);
bool tg_function_is_full(const struct tg_function *function);

/* The handle that the calling thread has used last: it is noted as that function's user. */
extern _Thread_local napi_threadsafe_function tg_last_used_handle;

void tg_function_mark_first_use(struct tg_function *function, const struct tg_host *host);

/* Notes that the calling thread uses it. Handles are never given out twice, so one comparison says that it is noted. */
static inline void tg_function_mark_foreign_use(struct tg_function *function, const struct tg_host *host) {
  if (function->handle != tg_last_used_handle) tg_function_mark_first_use(function, host);
}

void tg_function_drop_count(struct tg_function *function);

/* So many more releases are to be answered with ok. */
void tg_function_add_credit(struct tg_function *function, size_t count);

/* OPEN only. Makes sure that the doorbell's own count is held, so that the runtime keeps it open.
 * napi_closing: the runtime is closing it already, and so has the function been closed. */
napi_status tg_function_hold_doorbell(struct tg_function *function);

/* OPEN only, doorbell held. Makes sure that a ring is on its way. napi_closing: as above. */
napi_status tg_function_ring(struct tg_function *function);

/* What the doorbell answered to a ring. */
void tg_function_record_ring(struct tg_function *function, napi_status answer);

/* The hand-off. OPEN, doorbell held, no ring on its way, and an item has just been queued. Gives the lock up and then
 * rings, as the loop thread, woken by the ring, wants that lock at once. The function is not to be touched afterwards.
 * Not napi_ok: the runtime has refused, and the item is not queued any more.
 *
 * In between the thread is a ringer:
 *  - `wakeup_pending` is true, so nobody else rings: the ring that is promised is the only one.
 *  - Its item is in the queue until the ring is delivered, so the doorbell's count stays held, and the runtime does not
 *    decide to close. Who aborts, or ends the env, does close the doorbell; the ring is then refused, and the finalizer
 *    drains the item.
 *  - The doorbell's finalizer waits for ringers before all else; so the doorbell is there, and the function in its
 *    generation. A ringer waits for nobody but the runtime's own mutex, and for this lock where it was refused. No
 *    finalizer is called with either held. So the finalizer waits for nobody whom it would not wait for if the ringer
 *    rang with the lock held.
 *  - It cannot be cancelled. A signal handler that interrupts it finds the lock free.
 *
 * Not where the runtime forgets calls: there each call rings, with the lock held; and there a doorbell may end without
 * its finalizer. */
napi_status tg_function_hand_off(const struct tg_guard *guard, struct tg_function *function);

/* Waits until no ringer is left. Loop thread, no lock held, the function closed, so that nobody becomes one any more. */
void tg_function_await_ringers(struct tg_function *function);

/* Gives the doorbell's own count back where it is held. */
void tg_function_release_doorbell(struct tg_function *function, napi_threadsafe_function_release_mode mode);

/* OPEN -> CLOSING: turns callers away from now on and wakes all that sleep. */
void tg_function_close(struct tg_function *function);

/* Another thread wants it to be ref'd or unref'd by the loop thread. */
void tg_function_set_pending_ref(struct tg_function *function, enum tg_pending_ref pending_ref);

/* There is room for one more: picks a sleeper who is to be woken for it. True: the caller calls tg_gate_wake_one. */
bool tg_function_claim_waiter(struct tg_function *function);

/* Sleeps until there may be room. The function stays in its generation meanwhile. A cancellation point: the thread may end
 * in here, and has left the function then, with the lock not held. */
void tg_function_wait(struct tg_guard *guard, struct tg_function *function);

/* CLOSED: the finalizer is over, and so is the env for the function. */
void tg_function_end_finalizer(struct tg_guard *guard, struct tg_function *function);

/* The caller goes: the handle becomes stale if it is over and nobody else is inside. */
void tg_function_leave(struct tg_guard *guard, struct tg_function *function);

#endif
