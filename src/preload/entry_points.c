/* The seven entry points. Each passes its arguments and the caller's address to the core. */
#include "preload/entry_points.h"

#include "preload/earlier_addons.h"

struct tg_guard tg_the_guard;

static napi_status guarded_create(napi_env env, napi_value func, napi_value async_resource,
                                  napi_value async_resource_name, size_t max_queue_size,
                                  size_t initial_thread_count, void *thread_finalize_data,
                                  napi_finalize thread_finalize_cb, void *context,
                                  napi_threadsafe_function_call_js call_js_cb,
                                  napi_threadsafe_function *result) {
  if (tg_earlier_addons_have(__builtin_return_address(0)))
    return tg_the_guard.runtime->create(env, func, async_resource, async_resource_name,
                                        max_queue_size, initial_thread_count, thread_finalize_data,
                                        thread_finalize_cb, context, call_js_cb, result);
  const struct tg_create_arguments arguments = {
      .env = env,
      .func = func,
      .async_resource = async_resource,
      .async_resource_name = async_resource_name,
      .max_queue_size = max_queue_size,
      .initial_thread_count = initial_thread_count,
      .thread_finalize_data = thread_finalize_data,
      .thread_finalize_cb = thread_finalize_cb,
      .context = context,
      .call_js_cb = call_js_cb,
  };
  /* Called before the create, because it changes the env's last error info, which the addon may
   * query after the create. */
  tg_node_learn_version(env);
  return tg_create(&tg_the_guard, &arguments, __builtin_return_address(0), result);
}

static napi_status guarded_get_context(napi_threadsafe_function func, void **result) {
  return tg_get_context(&tg_the_guard, func, __builtin_return_address(0), result);
}

static napi_status guarded_call(napi_threadsafe_function func, void *data,
                                napi_threadsafe_function_call_mode mode) {
  return tg_call(&tg_the_guard, func, __builtin_return_address(0), data, mode);
}

static napi_status guarded_acquire(napi_threadsafe_function func) {
  return tg_acquire(&tg_the_guard, func, __builtin_return_address(0));
}

static napi_status guarded_release(napi_threadsafe_function func,
                                   napi_threadsafe_function_release_mode mode) {
  return tg_release(&tg_the_guard, func, __builtin_return_address(0), mode);
}

static napi_status guarded_ref(napi_env env, napi_threadsafe_function func) {
  return tg_ref(&tg_the_guard, env, func, __builtin_return_address(0));
}

static napi_status guarded_unref(napi_env env, napi_threadsafe_function func) {
  return tg_unref(&tg_the_guard, env, func, __builtin_return_address(0));
}

struct tg_redirection tg_redirections[TG_FUNCTIONS] = {
    [TG_CREATE] = {.name = "napi_create_threadsafe_function",
                   .replacement = (void *)guarded_create},
    [TG_GET_CONTEXT] = {.name = "napi_get_threadsafe_function_context",
                        .replacement = (void *)guarded_get_context},
    [TG_CALL] = {.name = "napi_call_threadsafe_function", .replacement = (void *)guarded_call},
    [TG_ACQUIRE] = {.name = "napi_acquire_threadsafe_function",
                    .replacement = (void *)guarded_acquire},
    [TG_RELEASE] = {.name = "napi_release_threadsafe_function",
                    .replacement = (void *)guarded_release},
    [TG_REF] = {.name = "napi_ref_threadsafe_function", .replacement = (void *)guarded_ref},
    [TG_UNREF] = {.name = "napi_unref_threadsafe_function", .replacement = (void *)guarded_unref},
};
