/* Implements cleanup_hooks.h. */
#include "preload/cleanup_hooks.h"

#include <node_api.h>
#include <stdatomic.h>
#include <string.h>

#include "core/callbacks.h"
#include "elf/redirect.h"
#include "preload/entry_points.h"
#include "preload/runtime_node.h"

enum { ADD_HOOK, ADD_ASYNC_HOOK, ADD_NODE_HOOK, ADD_ASYNC_NODE_HOOK, ADDERS };

static napi_status add_hook(napi_env env, void (*hook)(void *), void *argument);
static napi_status add_async_hook(napi_env env, napi_async_cleanup_hook hook, void *argument,
                                  napi_async_cleanup_hook_handle *handle);
static void add_node_hook(void *isolate, void (*hook)(void *), void *argument);
static void *add_async_node_hook(void *isolate, void (*hook)(void *, void (*)(void *), void *),
                                 void *argument);

/* The last two belong to Node's C++ interface: node::AddEnvironmentCleanupHook, plain and
 * asynchronous (Node 14). */
static struct tg_redirection adders[ADDERS] = {
    [ADD_HOOK] = {.name = "napi_add_env_cleanup_hook", .replacement = (void *)add_hook},
    [ADD_ASYNC_HOOK] = {.name = "napi_add_async_cleanup_hook",
                        .replacement = (void *)add_async_hook},
    [ADD_NODE_HOOK] = {.name = "_ZN4node25AddEnvironmentCleanupHookEPN2v87IsolateEPFvPvES3_",
                       .replacement = (void *)add_node_hook},
    [ADD_ASYNC_NODE_HOOK] =
        {.name = "_ZN4node33AddEnvironmentCleanupHookInternalEPN2v87IsolateEPFvPvPFvS3_ES3_ES3_",
         .replacement = (void *)add_async_node_hook},
};

static napi_status add_hook(napi_env env, void (*hook)(void *), void *argument) {
  napi_status (*original)(napi_env, void (*)(void *), void *);
  memcpy(&original, &adders[ADD_HOOK].original, sizeof original);
  napi_status status = original(env, hook, argument);
  if (status == napi_ok) tg_on_hook_added();
  return status;
}

static napi_status add_async_hook(napi_env env, napi_async_cleanup_hook hook, void *argument,
                                  napi_async_cleanup_hook_handle *handle) {
  napi_status (*original)(napi_env, napi_async_cleanup_hook, void *,
                          napi_async_cleanup_hook_handle *);
  memcpy(&original, &adders[ADD_ASYNC_HOOK].original, sizeof original);
  napi_status status = original(env, hook, argument, handle);
  if (status == napi_ok) tg_on_hook_added();
  return status;
}

/* Ignores hooks that the runtime's own code adds. These include all hooks that are added through
 * Node-API, ours among them. */
static void record_node_hook(const void *caller) {
  if (!tg_node_is_runtime_code(caller)) tg_on_hook_added();
}

static void add_node_hook(void *isolate, void (*hook)(void *), void *argument) {
  void (*original)(void *, void (*)(void *), void *);
  memcpy(&original, &adders[ADD_NODE_HOOK].original, sizeof original);
  original(isolate, hook, argument);
  record_node_hook(__builtin_return_address(0));
}

static void *add_async_node_hook(void *isolate, void (*hook)(void *, void (*)(void *), void *),
                                 void *argument) {
  void *(*original)(void *, void (*)(void *, void (*)(void *), void *), void *);
  memcpy(&original, &adders[ADD_ASYNC_NODE_HOOK].original, sizeof original);
  void *handle = original(isolate, hook, argument);
  record_node_hook(__builtin_return_address(0));
  return handle;
}

void tg_cleanup_hooks_open(const struct tg_image *runtime) {
  bool reports_all = true;
  if (!tg_node_is_node()) return;
  for (size_t i = 0; i < ADDERS; i++)
    if (tg_redirect_find(runtime, &adders[i], 1) == NULL)
      reports_all = tg_redirect_apply(runtime, &adders[i], 1) && reports_all;
  atomic_store_explicit(&tg_the_guard.reports_hooks, reports_all, memory_order_relaxed);
}
