/* Registered by the symbol napi_register_module_v1, like the addons of today. */
#include "mapped.h"

NAPI_MODULE_INIT() {
  return init_mapped(env, exports);
}
