/* What the core needs from outside: the runtime that it guards, the host that it lives in, and an
 * observer.
 *
 * The core never calls Node-API, and calls the kernel only for its own locks. src/preload fills
 * these structs in production; unit tests, fuzzers and benchmarks fill them with their own
 * functions. They are set up once, before the first handle exists, and are read-only from then
 * on. */
#ifndef TG_CORE_PORTS_H
#define TG_CORE_PORTS_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/event.h"

/* Node-API's functions, named as in Node-API without prefix and suffix. They are called as
 * Node-API's documentation allows: call, acquire and release from any thread, the rest on the loop
 * thread. */
struct tg_runtime {
  napi_status (*create)(napi_env env, napi_value func, napi_value async_resource,
                        napi_value async_resource_name, size_t max_queue_size,
                        size_t initial_thread_count, void *thread_finalize_data,
                        napi_finalize thread_finalize_cb, void *context,
                        napi_threadsafe_function_call_js call_js_cb,
                        napi_threadsafe_function *result);
  napi_status (*get_context)(napi_threadsafe_function func, void **result);
  napi_status (*call)(napi_threadsafe_function func, void *data,
                      napi_threadsafe_function_call_mode mode);
  napi_status (*acquire)(napi_threadsafe_function func);
  napi_status (*release)(napi_threadsafe_function func, napi_threadsafe_function_release_mode mode);
  napi_status (*ref)(napi_env env, napi_threadsafe_function func);
  napi_status (*unref)(napi_env env, napi_threadsafe_function func);
  napi_status (*add_env_cleanup_hook)(napi_env env, void (*hook)(void *), void *argument);
  napi_status (*remove_env_cleanup_hook)(napi_env env, void (*hook)(void *), void *argument);

  /* Copies a JavaScript string, truncated to `size` bytes including its NUL. Leaves the buffer as
   * it is if the value is not a string. Runs no JavaScript. */
  void (*copy_string)(napi_env env, napi_value value, char *buffer, size_t size);

  /* Used instead of call_js_cb if the addon gave none: calls the function without arguments, as
   * Node does. */
  void (*call_js_default)(napi_env env, napi_value js_callback, void *context, void *data);

  /* Calls call_js_cb with the arguments that precede it in this list. `owner` is the function's own
   * env, even if `env` is NULL. False: a C++ exception has left call_js_cb while that env could run
   * no JavaScript any more, and was caught. Loop thread, no lock held. */
  bool (*call_js)(napi_env env, napi_value js_callback, void *context, void *data,
                  napi_threadsafe_function_call_js call_js_cb, napi_env owner);

  /* Whether the runtime keeps a closed thread-safe function allocated while it has counts (Node
   * 24.13.1, 25.4, 26: nodejs/node#55877). Only messages depend on this. Any thread, locks held. */
  bool (*keeps_closed_functions)(void);

  /* Whether JavaScript can be terminated from outside while it runs on the calling loop thread, as
   * in a worker. */
  bool (*can_terminate)(void);

  /* A call that arrives while the runtime ends a dispatch may have no effect until the next call or
   * release. The runtime never finalizes a function that is aborted with several calls queued, and
   * may free one without its finalizer (Bun 1.3). */
  bool may_drop_wakeups;
};

struct tg_addon;
struct tg_function;

/* Is called for ordinary use too, not only for misuse. mode=diagnose, the metrics and publish=1 are
 * observers. A member that returns an event kind returns the kind of event that it has detected, or
 * TG_EVENT_NONE. Members may be NULL; `delivering` and `delivered` are both set or both NULL. No
 * member may call back into the core. */
struct tg_observer {
  /* An env creates its first thread-safe function. Loop thread, no lock held. */
  void (*env_entered)(napi_env env, uint32_t env_number);
  /* Loop thread, no lock held, before the addon gets the handle. */
  void (*created)(const struct tg_function *function, const void *caller);
  /* The function's lock is held, and an item has just been queued. Any thread. */
  enum tg_event_kind (*called)(const struct tg_function *function, uint64_t *quantity);
  /* The function's lock is held, and the calling thread has just given a count back. */
  void (*released)(const struct tg_function *function);
  /* The function's lock is held, and one of the seven functions, other than create, is about to
   * return this answer. Any thread. */
  void (*used)(const struct tg_function *function, bool is_call, napi_status answer);
  /* The function's lock is held, and it has just been closed. Any thread. */
  void (*closing)(const struct tg_function *function);
  /* An item was taken from the queue, and is about to be delivered. Loop thread, no lock held. */
  void (*taken)(const struct tg_function *function);
  /* Before and after call_js_cb with a live env. Loop thread, no lock held. */
  enum tg_event_kind (*delivering)(napi_env env);
  enum tg_event_kind (*delivered)(napi_env env);
  /* Before the drain, and after finalize_cb. Loop thread, no lock held. */
  void (*finalizing)(const struct tg_function *function);
  enum tg_event_kind (*finalized)(const struct tg_function *function, uint64_t *quantity);
  /* The function's lock is held, and its handle becomes stale. Any thread. Also called for a slot
   * for which `created` was never called. */
  void (*expired)(const struct tg_function *function);
};

struct tg_host {
  void *(*allocate)(size_t size); /* NULL: there is no memory */
  void (*release)(void *memory);
  void *(*map)(size_t size); /* zeroed pages, or NULL */
  /* inaccessible address space, aligned to 16 bytes, or NULL */
  void *(*reserve)(size_t size);
  void (*unmap)(void *memory, size_t size); /* memory of `map` or of `reserve` */

  /* Returns the object file that contains `code`, or NULL if none is known. Also makes sure that
   * our exit handler runs before the static destructors of everything loaded by now. Loop thread,
   * no lock held. */
  struct tg_addon *(*register_addon)(const void *code);

  /* Whether the object contains the code. Loop thread, no lock held. */
  bool (*is_in_addon)(const struct tg_addon *addon, const void *code);

  /* A function has code in both objects. So while code of one may still run, the other stays mapped
   * as well. Loop thread, no lock held. */
  void (*join_addons)(struct tg_addon *addon, struct tg_addon *other);

  /* How many objects were unloaded so far. While this stays the same, code addresses keep their
   * meaning. Loop thread, no lock held. */
  unsigned long long (*count_unloads)(void);

  /* An env ends, and the object has created functions in it. All of these are closed by now. Loop
   * thread, no lock held. */
  void (*leave_addon)(struct tg_addon *addon);

  /* Counts the calling thread, which uses a function of the object, among the object's threads
   * until the thread ends. Called for each function that the thread uses, with that function's lock
   * held. */
  void (*record_thread)(struct tg_addon *addon);

  /* Reports an event. Any thread, no lock of the core held. Must not call back into the core. */
  void (*on_event)(const struct tg_event *event);
};

#endif
