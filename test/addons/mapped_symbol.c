/* Like the addons of today, this one is registered by the symbol napi_register_module_v1. */
#include "mapped.h"

NAPI_MODULE_INIT() {
  return init_mapped(env, exports);
}
