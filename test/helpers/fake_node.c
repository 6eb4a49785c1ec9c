/* Exports what the guard needs of a runtime, all trivial. Linked into programs and into libraries.
 *
 * Variants lack a function: built with -DITS_NAME=absent. FAKE_NODE_METADATA makes it tell its version, which
 * the guard asks of those runtimes only that export Node's own metadata object. */
#include <stdint.h>

#include "answers.h"

/* Without the prototypes of node_api.h: nobody looks at the arguments. */
#define TRIVIAL(name)         \
  int name(void);             \
  int name(void) {            \
    return FAKE_NODE_ANSWERS; \
  }

TRIVIAL(napi_create_threadsafe_function)
TRIVIAL(napi_get_threadsafe_function_context)
TRIVIAL(napi_call_threadsafe_function)
TRIVIAL(napi_acquire_threadsafe_function)
TRIVIAL(napi_release_threadsafe_function)
TRIVIAL(napi_ref_threadsafe_function)
TRIVIAL(napi_unref_threadsafe_function)
TRIVIAL(napi_get_undefined)
TRIVIAL(napi_call_function)
TRIVIAL(napi_throw_error)
TRIVIAL(napi_get_value_string_utf8)
TRIVIAL(napi_add_env_cleanup_hook)
TRIVIAL(napi_remove_env_cleanup_hook)

struct version {
  uint32_t major;
  uint32_t minor;
  uint32_t patch;
  const char *release;
};

int napi_get_node_version(void *env, const struct version **result);
int napi_get_node_version(void *env, const struct version **result) {
  static const struct version version = {12, 34, 56, "fakenode"};
  (void)env;
  *result = &version;
  return 0;
}

#ifdef FAKE_NODE_METADATA
int metadata __asm__("_ZN4node11per_process8metadataE") = 1;
#endif
