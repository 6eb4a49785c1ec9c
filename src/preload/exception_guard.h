/* Calls call_js_cb, and catches C++ exceptions that leave it while the env can no longer run
 * JavaScript.
 *
 * Node has no handler in any frame, so such an exception ends the process with std::terminate.
 * During the teardown of an env this helps nobody: nobody waits for the item any more, and often
 * the exception only says that JavaScript could not be called. In all other cases, and for
 * everything else that unwinds (a Rust panic, a cancelled thread), unwinding continues as it would
 * without the guard, and the stack is left as it was at the throw.
 *
 * The exception guard needs neither libstdc++ nor libgcc_s, which a program that is not C++ may
 * lack. Instead it has a personality routine of its own (Itanium C++ ABI, level I), which uses the
 * functions of the unwinder that calls it. An exception that a hidden unwinder of an addon raises
 * is not caught. */
#ifndef TG_PRELOAD_EXCEPTION_GUARD_H
#define TG_PRELOAD_EXCEPTION_GUARD_H

#include <node_api.h>
#include <stdbool.h>

/* Queries of the exception guard. Called during a throw, on the env's loop thread, with no lock
 * held. */
struct tg_exception_guard_questions {
  bool (*is_over)(napi_env env); /* whether the env can no longer run JavaScript */
  bool (*is_runtime_code)(const void *code);
};

/* Call it once, before everything else. */
void tg_exception_guard_open(const struct tg_exception_guard_questions *questions);

/* Implements call_js of struct tg_runtime (core/ports.h). */
bool tg_exception_guard_call_js(napi_env env, napi_value js_callback, void *context, void *data,
                                napi_threadsafe_function_call_js call_js_cb, napi_env owner);

#endif
