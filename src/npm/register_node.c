/* The addon behind tsfn-guard/register. Loading it also loads libtsfnguard.so from the same
 * directory, which arms the guard. It exports the library's two functions, whose results are JSON.
 *
 * If the library is already preloaded, the dynamic linker finds that copy by its soname and uses
 * it. */
#include <node_api.h>
#include <stdlib.h>

#include "preload/register.h"

static napi_value call_json_function(napi_env env,
                                     size_t (*write_json)(char json[TSFN_GUARD_JSON_SIZE])) {
  napi_value string = NULL;
  char *json = malloc(TSFN_GUARD_JSON_SIZE);
  if (json == NULL) {
    napi_throw_error(env, "ENOMEM", "tsfn-guard: not enough memory for the result");
    return NULL;
  }
  napi_create_string_utf8(env, json, write_json(json), &string);
  free(json);
  return string;
}

static napi_value get_stats(napi_env env, napi_callback_info info) {
  (void)info;
  return call_json_function(env, tsfn_guard_stats);
}

static napi_value get_events(napi_env env, napi_callback_info info) {
  (void)info;
  return call_json_function(env, tsfn_guard_events);
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor properties[] = {
      {.utf8name = "stats", .method = get_stats, .attributes = napi_enumerable},
      {.utf8name = "events", .method = get_events, .attributes = napi_enumerable},
  };
  napi_define_properties(env, exports, sizeof properties / sizeof properties[0], properties);
  return exports;
}
