/* Like older addons, this one is registered by its constructor, and has no symbol
 * napi_register_module_v1. */
#include "mapped.h"

static napi_module module = {
    .nm_version = NAPI_MODULE_VERSION,
    .nm_filename = __FILE__,
    .nm_register_func = init_mapped,
    .nm_modname = "mapped_constructor",
};

__attribute__((constructor)) static void register_module(void) {
  napi_module_register(&module);
}
