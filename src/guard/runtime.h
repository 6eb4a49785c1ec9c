/* What the core needs from outside: the runtime that it guards, and the host that it lives in.
 *
 * The core never calls Node-API or the kernel itself (but for its own locks). Production fills these structs
 * in src/preload; unit tests, fuzzers and models fill them with their own. Both are set up once, before the
 * first handle exists, and are read-only from then on. */
#ifndef TG_GUARD_RUNTIME_H
#define TG_GUARD_RUNTIME_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>

#include "guard/fault.h"

/* Node-API's functions by the names that Node-API gives them, less prefix and suffix. All are called as the
 * Node-API documentation allows: call, acquire and release from any thread, the rest on the loop thread. */
struct tg_runtime {
  napi_status (*create)(napi_env env, napi_value func, napi_value async_resource,
                        napi_value async_resource_name, size_t max_queue_size, size_t initial_thread_count,
                        void *thread_finalize_data, napi_finalize thread_finalize_cb, void *context,
                        napi_threadsafe_function_call_js call_js_cb, napi_threadsafe_function *result);
  napi_status (*get_context)(napi_threadsafe_function func, void **result);
  napi_status (*call)(napi_threadsafe_function func, void *data, napi_threadsafe_function_call_mode mode);
  napi_status (*acquire)(napi_threadsafe_function func);
  napi_status (*release)(napi_threadsafe_function func, napi_threadsafe_function_release_mode mode);
  napi_status (*ref)(napi_env env, napi_threadsafe_function func);
  napi_status (*unref)(napi_env env, napi_threadsafe_function func);
  napi_status (*add_env_cleanup_hook)(napi_env env, void (*hook)(void *), void *argument);
  napi_status (*remove_env_cleanup_hook)(napi_env env, void (*hook)(void *), void *argument);

  /* Copies a JavaScript string, cut to `size` with its NUL; leaves the buffer as it is where the value is no
   * string. Runs no JavaScript. */
  void (*copy_string)(napi_env env, napi_value value, char *buffer, size_t size);

  /* What the runtime does for an addon that gave no call_js_cb: it calls the function without arguments. */
  void (*call_js_default)(napi_env env, napi_value js_callback, void *context, void *data);

  /* Whether a thread-safe function that is closed but still has counts stays allocated (Node 24.14, 25.4, 26;
   * nodejs/node#55877). Only messages depend on it. Any thread, locks held. */
  bool (*keeps_closed_functions)(void);
};

/* An object file with addon code; its meaning is the host's. Never freed. */
struct tg_addon;

struct tg_host {
  void *(*allocate)(size_t size); /* NULL when there is none */
  void (*release)(void *memory);
  void *(*map)(size_t size);     /* zeroed pages that are never given back, or NULL */
  void *(*reserve)(size_t size); /* inaccessible address space, aligned to 16 bytes, or NULL */

  /* Which object `code` is in (NULL: unknown, or not an addon's). Sees to it that the object stays mapped as
   * far as that harms nobody, and that its exit handler is registered. Called once an env and object, on the
   * loop thread, no lock held. */
  const struct tg_addon *(*adopt_addon)(const void *code);

  /* Whether the code is in that object. Any thread, locks held. */
  bool (*is_in_addon)(const struct tg_addon *addon, const void *code);

  /* The environment is being torn down and threads still hold counts: the object must stay mapped. */
  void (*keep_mapped)(const struct tg_addon *addon);

  /* A misuse was absorbed. Any thread, no lock of the core held, must not call back into the core. */
  void (*on_fault)(const struct tg_fault *fault);
};

#endif
