/* Exports what the guard needs of a runtime. All functions are trivial. This is linked into
 * programs and into libraries.
 *
 * A variant that lacks a function is built with -DITS_NAME=absent. With FAKE_NODE_METADATA this
 * also exports Node's own metadata object: the guard asks only runtimes that have it for their
 * version. */
#include <stdint.h>

#include "answers.h"

/* The prototypes are not those of node_api.h, because the arguments are not used. */
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
