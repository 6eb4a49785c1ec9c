/* Calls call_js_cb, and catches C++ exceptions that leave it where JavaScript is over.
 *
 * No frame of Node's has a handler, so such an exception ends the process: std::terminate. In an env that is being torn
 * down that helps nobody: whoever waits for the item is gone, and often the exception only says that JavaScript could not
 * be called any more. Everywhere else, and whatever else unwinds – a Rust panic, a cancelled thread – it goes on as
 * without the guard, and the stack is as it was thrown.
 *
 * Without libstdc++ and libgcc_s, which a program that is no C++ need not have: a personality routine of our own (Itanium
 * C++ ABI, level I) with the functions of the unwinder that calls it. An unwinder that does not export them, as one that
 * is linked into an addon with -static-libgcc, passes by. */
#ifndef TG_PRELOAD_BARRIER_H
#define TG_PRELOAD_BARRIER_H

#include <node_api.h>
#include <stdbool.h>

/* Once, before all else. `is_over`: whether the env can run no JavaScript any more; it is asked on the env's loop thread
 * within a throw. */
void tg_barrier_open(bool (*is_over)(napi_env env));

/* The runtime function of that name (guard/runtime.h). */
bool tg_barrier_call_js(napi_env env, napi_value js_callback, void *context, void *data,
                        napi_threadsafe_function_call_js call_js_cb, napi_env owner);

#endif
