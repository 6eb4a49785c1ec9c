/* The core's face: the seven Node-API functions on guarded functions.
 *
 * Statuses and states are those of docs/contract.md. Every function may be called by any thread that Node-API
 * allows; create, and nothing else, must be on the env's loop thread. `caller` is the address in the addon
 * that the call came from, for messages; NULL is fine. */
#ifndef TG_CORE_API_H
#define TG_CORE_API_H

#include "core/types.h"

/* `guard` is zeroed memory. False: no address space for the handles. */
bool tg_guard_open(struct tg_guard *guard, const struct tg_runtime *runtime, const struct tg_host *host,
                   const struct tg_guard_options *options);

/* Gives back what the guard has reserved. No function of its own may be called any more. */
void tg_guard_close(struct tg_guard *guard);

/* From now on this one observes; NULL: nobody. Before the first create. */
void tg_guard_observe(struct tg_guard *guard, const struct tg_observer *observer);

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
void tg_guard_walk(struct tg_guard *guard, void (*visit)(void *argument, const struct tg_snapshot *snapshot),
                   void *argument);

/* The process is exiting: no finalizer will run, so turn every caller away and wake all that sleep. */
void tg_reject_all(struct tg_guard *guard);

#endif
