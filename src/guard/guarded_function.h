/* The guarded function: what stands behind a handle. It owns the queue, the thread_count and the state.
 *
 * One lives in each slot of the handle table and is used again and again, a generation each time.
 *
 * Thread safety: every field is guarded by `lock` (rank TG_RANK_FUNCTION), but for those marked otherwise, and the
 * loop thread's part of `queue`. No lock is held while code of the addon runs. The runtime's functions may be called
 * under `lock`: lock order is ours, then the runtime's. (The first versions with nodejs/node#55877 discard left-over rings under their
 * own lock; tg_function_dispatch returns from those before it takes ours.) */
#ifndef TG_GUARD_GUARDED_FUNCTION_H
#define TG_GUARD_GUARDED_FUNCTION_H

#include <node_api.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"
#include "guard/addon.h"
#include "guard/event.h"
#include "guard/queue.h"

struct tg_create_arguments;
struct tg_guard;
struct tg_host;

enum tg_wish { TG_WISH_NOTHING = 0, TG_WISH_REF, TG_WISH_UNREF };

/* Three cache lines: what callers write under the lock, what the loop thread uses to take an item without it, and what
 * neither needs often. */
struct tg_function {
  struct tg_lock lock;
  struct tg_gate room; /* where callers sleep while the queue is full */
  uint32_t generation; /* written with the table's free_lock held too, and only while nobody is inside */
  uint32_t sleepers;   /* callers asleep in `room`: they are inside, the generation must not change */

  uint8_t state : 4; /* enum tg_state */
  uint8_t wish : 3;  /* enum tg_wish: what another thread asked for, to be done on the loop thread */
  /* Its counts were out when its env began to end: to be told, unless they come back. */
  bool unreleased : 1;
  uint8_t woken;  /* of the sleepers, those that a wake-up is on its way to */
  bool abandoned; /* in the table's list of abandoned slots; guarded by the table's free_lock instead */
  bool rung : 1;  /* a ring of the doorbell is on its way to the loop thread */
  /* Whether the doorbell's own thread_count is 1, not 0. While OPEN it is 1 exactly as long as somebody holds
   * a count or an item waits; so the runtime decides to close just when it would close the addon's own. */
  bool doorbell_held : 1;
  bool used_elsewhere : 1;  /* by a thread other than the loop thread, so that addon code may run on one */
  bool finalized : 1;       /* the finalizer is over */
  bool crowded : 1;         /* more than one caller slept when it closed; the runtime wakes only one */
  bool referenced : 1;      /* keeps the event loop alive, as far as we know */
  bool long_queue_told : 1; /* the queue was longer than the guard's queue_warn */
  bool threw : 1;           /* an exception was caught from call_js_cb: nothing is drained into it */
  uint32_t release_credit;  /* releases to answer with ok after a call has consumed the count */

  uint32_t index; /* constant for ever */
  /* Threads within tg_function_hand_over, and a bit for who waits until there is none. Grows under the lock and while OPEN
   * only; shrinks without the lock. */
  _Atomic uint32_t ringers;
  size_t thread_count;
  size_t max_queue_size; /* 0: no limit */
  struct tg_queue queue; /* its second half begins the second line */

  napi_threadsafe_function handle; /* set at create and then constant for the generation */

  /* Touched only until its finalizer has waited for the last ringer, so it cannot be gone: under `lock`; by a
   * ringer, for whom the finalizer waits; or on the loop thread, where the finalizer runs. */
  napi_threadsafe_function doorbell;

  /* Set at create and then constant for the generation; stale callers read `context`, `addon` and `name`. `context` is
   * read without the lock too, see tg_function_read_context. */
  void *_Atomic context;
  napi_threadsafe_function_call_js call_js_cb; /* NULL: the runtime's default */

  /* Referenced while set: from create until the function is finalized and its env is gone, or it is stale. */
  struct tg_environment *environment;

  napi_finalize finalize_cb; /* these are constant too */
  union {
    void *finalize_data; /* until the finalizer is over */
    /* The list that a slot without use is in, guarded by the table's free_lock: indices, plus one; 0: none. */
    struct {
      uint32_t next;
      uint32_t previous;
    };
  };
  struct tg_addon *addon;
  char name[TG_NAME_SIZE];
  uint32_t env_number;       /* of its environment */
  _Atomic uint32_t readable; /* see tg_function_read_context; written under the lock */
};

/* FREE -> CREATING: takes what the functions below need of a create; the doorbell comes later. */
void tg_function_prepare(struct tg_function *function, const struct tg_create_arguments *arguments,
                         struct tg_environment *environment, struct tg_addon *addon,
                         const char name[TG_NAME_SIZE]);

/* The doorbell's callbacks, and the env cleanup hook; the function is their context or data. Loop thread. */
void tg_function_dispatch(napi_env env, napi_value js_callback, void *context, void *data);
void tg_function_finalize(napi_env env, void *data, void *hint);
void tg_function_on_env_cleanup(void *argument);

/* Reads the context of that generation without the lock. False: it takes the lock, as the slot has another generation, or
 * the function is over, which is an event. For a thread that is noted as a user.
 *
 * `readable` is the generation plus one, from the time it is open until its finalizer is over, else 0. It never has a value
 * again that it had. So who finds the generation there after the context was read has read that generation's: an earlier
 * one was written over before the thread became a user; a later one is written after `readable` was 0, and with release,
 * so that who reads it finds that 0 then, or what came after it. */
bool tg_function_read_context(const struct tg_function *function, uint32_t generation, void **context);

/* What follows is called with the lock held. */

/* CREATING -> OPEN. */
void tg_function_open(struct tg_function *function, size_t thread_count);

/* What an event tells of it. `number` is left to the caller, who knows the table. */
void tg_function_view(const struct tg_function *function, struct tg_view *view);

bool tg_function_is_loop_thread(const struct tg_function *function);
bool tg_function_is_full(const struct tg_function *function);

/* The handle that the calling thread has used last: it is noted as that function's user. */
extern _Thread_local napi_threadsafe_function tg_noted_handle;

void tg_function_note_new_user(struct tg_function *function, const struct tg_host *host);

/* Notes that the calling thread uses it. Handles are never given out twice, so one comparison says that it is noted. */
static inline void tg_function_note_user(struct tg_function *function, const struct tg_host *host) {
  if (function->handle != tg_noted_handle) tg_function_note_new_user(function, host);
}

void tg_function_drop_count(struct tg_function *function);

/* So many more releases are to be answered with ok. */
void tg_function_add_credit(struct tg_function *function, size_t count);

/* OPEN only. Makes sure that the doorbell's own count is held, so that the runtime keeps it open.
 * napi_closing: the runtime is closing it already, and so has the function been closed. */
napi_status tg_function_hold_doorbell(struct tg_function *function);

/* OPEN only, doorbell held. Makes sure that a ring is on its way. napi_closing: as above. */
napi_status tg_function_ring(struct tg_function *function);

/* The hand-off. OPEN, doorbell held, no ring on its way, and an item has just been queued. Gives the lock up and then
 * rings, as the loop thread, woken by the ring, wants that lock at once. The function is not to be touched afterwards.
 * Not napi_ok: the runtime has refused, and the item is not queued any more.
 *
 * In between the thread is a ringer:
 *  - `rung` is true, so nobody else rings: the ring that is promised is the only one.
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
napi_status tg_function_hand_over(const struct tg_guard *guard, struct tg_function *function);

/* Gives the doorbell's own count back where it is held. */
void tg_function_release_doorbell(struct tg_function *function, napi_threadsafe_function_release_mode mode);

/* OPEN -> CLOSING: turns callers away from now on and wakes all that sleep. */
void tg_function_close(struct tg_function *function);

/* Another thread wants it to be ref'd or unref'd by the loop thread. */
void tg_function_wish(struct tg_function *function, enum tg_wish wish);

/* There is room for one more: picks a sleeper who is to be woken for it. True: the caller calls tg_gate_wake_one. */
bool tg_function_offer_room(struct tg_function *function);

/* Sleeps until there may be room. The function stays in its generation meanwhile. A cancellation point: the thread may end
 * in here, and has left the function then, with the lock not held. */
void tg_function_sleep(struct tg_guard *guard, struct tg_function *function);

/* Finalized: nobody is expected to bring the counts back; a late release is answered from credit. */
void tg_function_forget_counts(struct tg_function *function);

/* The caller goes: the handle becomes stale if it is over and nobody else is inside. */
void tg_function_leave(struct tg_guard *guard, struct tg_function *function);

_Static_assert(sizeof(struct tg_function) <= 192, "docs/design.md promises at most 192 bytes a handle");
_Static_assert(offsetof(struct tg_function, queue.popped) == 64,
               "the loop thread's part begins a cache line");
_Static_assert(offsetof(struct tg_function, finalize_cb) == 128, "the part for rare use begins another");

#endif
