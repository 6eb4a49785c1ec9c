/* Implements cleanup_hooks.h. */
#include "preload/cleanup_hooks.h"

#include <node_api.h>
#include <string.h>

#include "core/callbacks.h"
#include "elf/redirect.h"
#include "preload/entry_points.h"
#include "preload/runtime_node.h"

enum { ADD_HOOK, ADD_ASYNC_HOOK, ADDERS };

static napi_status add_hook(napi_env env, void (*hook)(void *), void *argument);
static napi_status add_async_hook(napi_env env, napi_async_cleanup_hook hook, void *argument,
                                  napi_async_cleanup_hook_handle *handle);

static struct tg_redirection adders[ADDERS] = {
    [ADD_HOOK] = {.name = "napi_add_env_cleanup_hook", .replacement = (void *)add_hook},
    [ADD_ASYNC_HOOK] = {.name = "napi_add_async_cleanup_hook", .replacement = (void *)add_async_hook},
};

static napi_status add_hook(napi_env env, void (*hook)(void *), void *argument) {
  napi_status (*original)(napi_env, void (*)(void *), void *);
  memcpy(&original, &adders[ADD_HOOK].original, sizeof original);
  napi_status status = original(env, hook, argument);
  if (status == napi_ok) tg_on_hook_added(&tg_the_guard, env);
  return status;
}

static napi_status add_async_hook(napi_env env, napi_async_cleanup_hook hook, void *argument,
                                  napi_async_cleanup_hook_handle *handle) {
  napi_status (*original)(napi_env, napi_async_cleanup_hook, void *, napi_async_cleanup_hook_handle *);
  memcpy(&original, &adders[ADD_ASYNC_HOOK].original, sizeof original);
  napi_status status = original(env, hook, argument, handle);
  if (status == napi_ok) tg_on_hook_added(&tg_the_guard, env);
  return status;
}

void tg_cleanup_hooks_open(const struct tg_image *runtime) {
  if (tg_node_is_node()) tg_redirect_each(runtime, adders, ADDERS);
}
