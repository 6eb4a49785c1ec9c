/* The public functions of the core: the seven Node-API functions, for guarded functions.
 *
 * docs/contract.md defines their statuses. tg_create must be called on the env's loop thread; any
 * thread may call the others. `caller` is the code address in the addon from which the call came.
 * It is used in messages only, and may be NULL. */
#ifndef TG_CORE_API_H
#define TG_CORE_API_H

#include "core/types.h"

/* `guard` is zeroed memory. False: there is no address space for the handles. */
bool tg_guard_open(struct tg_guard *guard, const struct tg_runtime *runtime,
                   const struct tg_host *host, const struct tg_guard_options *options);

/* Gives back all memory and address space. No other function may be called on the guard after
 * this. */
void tg_guard_close(struct tg_guard *guard);

/* Sets the observer; NULL: none. To be called before the first create. */
void tg_guard_observe(struct tg_guard *guard, const struct tg_observer *observer);

napi_status tg_create(struct tg_guard *guard, const struct tg_create_arguments *arguments,
                      const void *caller, napi_threadsafe_function *result);
napi_status tg_get_context(struct tg_guard *guard, napi_threadsafe_function func,
                           const void *caller, void **result);
napi_status tg_call(struct tg_guard *guard, napi_threadsafe_function func, const void *caller,
                    void *data, napi_threadsafe_function_call_mode mode);
napi_status tg_acquire(struct tg_guard *guard, napi_threadsafe_function func, const void *caller);
napi_status tg_release(struct tg_guard *guard, napi_threadsafe_function func, const void *caller,
                       napi_threadsafe_function_release_mode mode);
/* `env` is the one that the addon passed. It is used only for handles that the runtime itself gave
 * out: a guarded function knows its own env. */
napi_status tg_ref(struct tg_guard *guard, napi_env env, napi_threadsafe_function func,
                   const void *caller);
napi_status tg_unref(struct tg_guard *guard, napi_env env, napi_threadsafe_function func,
                     const void *caller);

/* Visits every function whose handle is valid. The snapshot is NULL for a slot whose lock is held
 * by another thread, or by the code that a signal handler has interrupted: this never waits for a
 * lock. Any thread may call this at any time. */
void tg_guard_walk(struct tg_guard *guard,
                   void (*visit)(void *argument, const struct tg_snapshot *snapshot),
                   void *argument);

/* To be called when the process exits, because then no finalizer will run. Closes every function,
 * which rejects all callers and wakes those that sleep. */
void tg_reject_all(struct tg_guard *guard);

#endif
