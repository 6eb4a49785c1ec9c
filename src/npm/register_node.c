/* The addon behind tsfn-guard/register: loading it loads libtsfnguard.so beside it, which arms the guard; what it
 * exports are the library's words as strings of JSON.
 *
 * Where the library is preloaded already the dynamic linker knows it by its soname, and that one serves. */
#include <node_api.h>
#include <stdlib.h>

#include "preload/register.h"

static napi_value tell(napi_env env, size_t (*words)(char json[TSFN_GUARD_JSON_SIZE])) {
  napi_value string = NULL;
  char *json = malloc(TSFN_GUARD_JSON_SIZE);
  if (json == NULL) {
    napi_throw_error(env, "ENOMEM", "tsfn-guard: not enough memory for its answer");
    return NULL;
  }
  napi_create_string_utf8(env, json, words(json), &string);
  free(json);
  return string;
}

static napi_value stats(napi_env env, napi_callback_info info) {
  (void)info;
  return tell(env, tsfn_guard_stats);
}

static napi_value events(napi_env env, napi_callback_info info) {
  (void)info;
  return tell(env, tsfn_guard_events);
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor properties[] = {
      {.utf8name = "stats", .method = stats, .attributes = napi_enumerable},
      {.utf8name = "events", .method = events, .attributes = napi_enumerable},
  };
  napi_define_properties(env, exports, sizeof properties / sizeof properties[0], properties);
  return exports;
}
