/* Shows which object defines the seven functions, as this addon sees them.
 *
 * Exports: describe(way): "7 in OBJECT"; way is "load" (bound when the addon was loaded), "default"
 * (dlsym(RTLD_DEFAULT)) or "program" (dlsym(dlopen(NULL))). */
#include "../helpers/seven.h"
#include "addon.h"

static napi_value describe(napi_env env, napi_callback_info info) {
  char way[32], text[512];
  size_t length;
  MUST(env, napi_get_value_string_utf8(env, argument(env, info, 0), way, sizeof way, &length));
  seven_describe(way, text, sizeof text);
  return make_string(env, text);
}

NAPI_MODULE_INIT() {
  export_function(env, exports, "describe", describe);
  return exports;
}
