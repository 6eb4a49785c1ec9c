/* What the core needs from outside: the runtime that it guards, the host that it lives in, and whoever observes it.
 *
 * The core never calls Node-API or the kernel itself (but for its own locks). Production fills these structs
 * in src/preload; unit tests, fuzzers and models fill them with their own. They are set up once, before the
 * first handle exists, and are read-only from then on. */
#ifndef TG_CORE_PORTS_H
#define TG_CORE_PORTS_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/event.h"

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

  /* Calls call_js_cb with the arguments before it. `owner` is the function's own env, also where `env` is NULL. False: a
   * C++ exception has left it where that env can run no JavaScript any more, and is over. Loop thread, no lock held. */
  bool (*call_js)(napi_env env, napi_value js_callback, void *context, void *data,
                  napi_threadsafe_function_call_js call_js_cb, napi_env owner);

  /* Whether a thread-safe function that is closed but still has counts stays allocated (Node 24.13.1, 25.4, 26;
   * nodejs/node#55877). Only messages depend on it. Any thread, locks held. */
  bool (*keeps_closed_functions)(void);

  /* Whether JavaScript may be ended from outside while it runs on the calling loop thread: a worker's is. */
  bool (*can_terminate)(void);

  /* Whether the runtime may forget a call that comes while it ends a dispatch, until the next call or release; never
   * finalizes what is aborted with several calls queued (Bun 1.3); and may free a function without its finalizer. */
  bool may_drop_wakeups;
};

struct tg_addon;
struct tg_function;

/* Whoever wants to know about ordinary life too: mode=diagnose, the metrics and publish=1. Each answers the kind of an
 * event that it noticed, or TG_EVENT_NONE. Members may be NULL, `delivering` and `delivered` both or none. None
 * may call back into the core. */
struct tg_observer {
  /* An env creates its first thread-safe function. Loop thread, no lock held. */
  void (*env_entered)(napi_env env, uint32_t env_number);
  /* Loop thread, no lock held, before the addon gets the handle. */
  void (*created)(const struct tg_function *function, const void *caller);
  /* The function's lock is held, and an item has just been queued. Any thread. */
  enum tg_event_kind (*called)(const struct tg_function *function, uint64_t *quantity);
  /* The function's lock is held, and the calling thread has just given a count back. */
  void (*released)(const struct tg_function *function);
  /* The function's lock is held, and one of the seven functions is about to give this answer. Any thread. */
  void (*used)(const struct tg_function *function, bool is_call, napi_status answer);
  /* The function's lock is held, and it has just been closed. Any thread. */
  void (*closing)(const struct tg_function *function);
  /* An item was taken from its queue, and is to be delivered now. Loop thread, no lock held. */
  void (*taken)(const struct tg_function *function);
  /* Around call_js_cb with a live env. Loop thread, no lock held. */
  enum tg_event_kind (*delivering)(napi_env env);
  enum tg_event_kind (*delivered)(napi_env env);
  /* Around the drain and finalize_cb. Loop thread, no lock held. */
  void (*finalizing)(const struct tg_function *function);
  enum tg_event_kind (*finalized)(const struct tg_function *function, uint64_t *quantity);
  /* The function's lock is held, and its handle ends. Any thread; of a slot that was never `created` too. */
  void (*expired)(const struct tg_function *function);
};

struct tg_host {
  void *(*allocate)(size_t size); /* NULL when there is none */
  void (*release)(void *memory);
  void *(*map)(size_t size);                /* zeroed pages, or NULL */
  void *(*reserve)(size_t size);            /* inaccessible address space, aligned to 16 bytes, or NULL */
  void (*unmap)(void *memory, size_t size); /* of either sort */

  /* Which object `code` is in (NULL: unknown, or no object's), with an exit handler registered that comes after the
   * static objects of all that is loaded. Loop thread, no lock held. */
  struct tg_addon *(*register_addon)(const void *code);

  /* Whether the code is in that object. Loop thread, no lock held. */
  bool (*is_in_addon)(const struct tg_addon *addon, const void *code);

  /* A function has code in both: while something of one may still run the other stays mapped as well. As above. */
  void (*join_addons)(struct tg_addon *addon, struct tg_addon *other);

  /* How many objects were unloaded so far: as long as it is the same, code addresses mean what they meant. As above. */
  unsigned long long (*count_unloads)(void);

  /* An env in which the object has created functions ends. All of these are closed by now. As above. */
  void (*leave_addon)(struct tg_addon *addon);

  /* The calling thread uses a function of that object's: it counts among the object's threads until it ends. Called for
   * each function that it uses, with that function's lock held. */
  void (*record_thread)(struct tg_addon *addon);

  /* Something worth telling has happened. Any thread, no lock of the core held, must not call back into the
   * core. */
  void (*on_event)(const struct tg_event *event);
};

#endif
