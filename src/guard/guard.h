/* The core's face: the seven Node-API functions on guarded functions.
 *
 * Statuses and states are those of docs/contract.md. Every function may be called by any thread that Node-API
 * allows; create, and nothing else, must be on the env's loop thread. `caller` is the address in the addon
 * that the call came from, for messages; NULL is fine. */
#ifndef TG_GUARD_GUARD_H
#define TG_GUARD_GUARD_H

#include <node_api.h>
#include <stdatomic.h>
#include <stdint.h>

#include "guard/environment.h"
#include "guard/handle_table.h"
#include "guard/runtime.h"

/* What a blocking call on a full queue does on the thread that alone could empty the queue. */
enum tg_deadlock {
  TG_DEADLOCK_OVERFLOW, /* queue past the limit, answer napi_ok */
  TG_DEADLOCK_STATUS,   /* answer napi_would_deadlock */
  TG_DEADLOCK_HANG,     /* wait for ever, as Node does */
};

enum { TG_ENVIRONMENT_BUCKETS = 64 };

struct tg_guard {
  /* Constant after tg_guard_open, down to watches_calls. */
  const struct tg_runtime *runtime;
  const struct tg_host *host;
  const struct tg_observer *observer; /* the host's */
  enum tg_deadlock deadlock;
  size_t queue_warn;  /* a longer queue is an event; SIZE_MAX: never */
  bool watches_calls; /* the observer wants to know of each */
  /* Once the table has no handle left, functions are the runtime's own, unguarded: better than none. From
   * then on a value outside the table's reservation may be one of those. Relaxed: whoever holds such a handle
   * has it from the create that set this. Set from the start where addons were loaded before the guard. */
  atomic_bool passes_through;
  struct tg_table table;
  _Atomic uint64_t taken_at_exit;   /* the table's `taken` when an exit handler last walked it */
  struct tg_lock environments_lock; /* guards the lists; rank TG_RANK_ENVIRONMENTS */
  struct tg_environment *environments[TG_ENVIRONMENT_BUCKETS];
  atomic_uint environments_made; /* relaxed: only to number them */
};

static inline unsigned tg_environment_bucket(napi_env env) {
  return (unsigned)((uintptr_t)env >> 6) %
         TG_ENVIRONMENT_BUCKETS; /* heap addresses: the low bits are alike */
}

/* `guard` is zeroed memory. False: no address space for the handles. */
bool tg_guard_open(struct tg_guard *guard, const struct tg_runtime *runtime, const struct tg_host *host,
                   enum tg_deadlock deadlock);

/* The host has another observer now. Before the first create. */
void tg_guard_observe(struct tg_guard *guard);

struct tg_create_arguments {
  napi_env env;
  napi_value func;
  napi_value async_resource;
  napi_value async_resource_name;
  size_t max_queue_size;
  size_t initial_thread_count;
  void *thread_finalize_data;
  napi_finalize thread_finalize_cb;
  void *context;
  napi_threadsafe_function_call_js call_js_cb;
};

napi_status tg_create(struct tg_guard *guard, const struct tg_create_arguments *arguments, const void *caller,
                      napi_threadsafe_function *result);
napi_status tg_get_context(struct tg_guard *guard, napi_threadsafe_function func, const void *caller,
                           void **result);
napi_status tg_call(struct tg_guard *guard, napi_threadsafe_function func, const void *caller, void *data,
                    napi_threadsafe_function_call_mode mode);
napi_status tg_acquire(struct tg_guard *guard, napi_threadsafe_function func, const void *caller);
napi_status tg_release(struct tg_guard *guard, napi_threadsafe_function func, const void *caller,
                       napi_threadsafe_function_release_mode mode);
/* `env` is what the addon named. A guarded function knows its own. */
napi_status tg_ref(struct tg_guard *guard, napi_env env, napi_threadsafe_function func, const void *caller);
napi_status tg_unref(struct tg_guard *guard, napi_env env, napi_threadsafe_function func, const void *caller);

/* Shows every function that is not over as it is now; NULL for one that is in use just now by another thread, or by
 * the code that a signal handler has interrupted: no lock is waited for. Any thread, any time. */
void tg_guard_walk(struct tg_guard *guard, void (*visit)(void *argument, const struct tg_view *view),
                   void *argument);

/* The process is exiting: no finalizer will run, so turn every caller away and wake all that sleep. */
void tg_turn_all_away(struct tg_guard *guard);

#endif
