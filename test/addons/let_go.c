/* Counts that an addon gives back at the end of its env, in each possible place.
 *
 * Exports:
 *   create(place): creates an unref'd function with one count. `place` says where the count is
 *     given back: 'wrap-before', the finalizer of an object that was wrapped before the function
 *     was created; 'wrap-after'; 'instance', the finalizer of the instance data, once per env;
 *     'finalizer', the function's own finalizer; 'hook', a cleanup hook that was added before;
 *     'never' */
#include <string.h>

#include "addon.h"

struct count {
  napi_threadsafe_function function;
};

static void let_go(void *data) {
  struct count *count = data;
  napi_release_threadsafe_function(count->function, napi_tsfn_release);
  free(count);
}

static void finalize(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  let_go(data);
}

static void wrap(napi_env env, struct count *count) {
  napi_value object;
  MUST(env, napi_create_object(env, &object));
  MUST(env, napi_wrap(env, object, count, finalize, NULL, NULL));
  napi_ref reference; /* so that the object lives as long as its env */
  MUST(env, napi_create_reference(env, object, 1, &reference));
}

static napi_value create(napi_env env, napi_callback_info info) {
  size_t arguments = 1;
  char place[32];
  napi_value argument, name;
  struct count *count = calloc(1, sizeof *count);
  MUST(env, napi_get_cb_info(env, info, &arguments, &argument, NULL, NULL));
  MUST(env, napi_get_value_string_utf8(env, argument, place, sizeof place, NULL));
  MUST(env, napi_create_string_utf8(env, place, NAPI_AUTO_LENGTH, &name));
  bool own = strcmp(place, "finalizer") == 0;
  if (strcmp(place, "wrap-before") == 0) wrap(env, count);
  if (strcmp(place, "hook") == 0) MUST(env, napi_add_env_cleanup_hook(env, let_go, count));
  napi_value callback;
  MUST(env, napi_create_function(env, NULL, 0, create, NULL, &callback));
  MUST(env, napi_create_threadsafe_function(env, callback, NULL, name, 0, 1, count,
                                            own ? finalize : NULL, NULL, NULL, &count->function));
  MUST(env, napi_unref_threadsafe_function(env, count->function));
  if (strcmp(place, "wrap-after") == 0) wrap(env, count);
  if (strcmp(place, "instance") == 0) MUST(env, napi_set_instance_data(env, count, finalize, NULL));
  return NULL;
}

NAPI_MODULE_INIT() {
  export_function(env, exports, "create", create);
  return exports;
}
