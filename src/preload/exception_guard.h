/* Calls call_js_cb, and catches C++ exceptions that leave it where JavaScript is over.
 *
 * No frame of Node's has a handler, so such an exception ends the process: std::terminate. In an env that is being torn
 * down that helps nobody: whoever waits for the item is gone, and often the exception only says that JavaScript could not
 * be called any more. Everywhere else, and whatever else unwinds – a Rust panic, a cancelled thread – it goes on as
 * without the guard, and the stack is as it was thrown.
 *
 * Without libstdc++ and libgcc_s, which a program that is no C++ need not have: a personality routine of our own (Itanium
 * C++ ABI, level I) with the functions of the unwinder that calls it. An unwinder that an addon has for itself, and hides,
 * passes by. */
#ifndef TG_PRELOAD_EXCEPTION_GUARD_H
#define TG_PRELOAD_EXCEPTION_GUARD_H

#include <node_api.h>
#include <stdbool.h>

/* What the exception guard must know. Asked within a throw, on the env's loop thread, no lock held. */
struct tg_exception_guard_questions {
  bool (*is_over)(napi_env env); /* whether the env can run no JavaScript any more */
  bool (*is_runtime_code)(const void *code);
};

/* Once, before all else. */
void tg_exception_guard_open(const struct tg_exception_guard_questions *questions);

/* The runtime function of that name (core/ports.h). */
bool tg_exception_guard_call_js(napi_env env, napi_value js_callback, void *context, void *data,
                                napi_threadsafe_function_call_js call_js_cb, napi_env owner);

#endif
