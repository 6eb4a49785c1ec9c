/* Refers to its own napi_register_module_v1, like addons that were built with NAPI_MODULE_INIT of
 * Node 10 to 17. If a preloaded object defined that name, the addon would use that definition
 * instead of its own. */
#include "addon.h"

napi_value napi_register_module_v1(napi_env env, napi_value exports);

static napi_module module = {
    .nm_version = NAPI_MODULE_VERSION,
    .nm_filename = __FILE__,
    .nm_register_func = napi_register_module_v1,
    .nm_modname = "own_init",
};

__attribute__((constructor)) static void register_module(void) {
  napi_module_register(&module);
}

__attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env,
                                                                          napi_value exports) {
  MUST(env, napi_set_named_property(env, exports, "whose", make_string(env, "its own")));
  return exports;
}
