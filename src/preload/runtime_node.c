/* Implements the binding to Node. */
#include "preload/runtime_node.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

static struct {
  napi_status (*get_undefined)(napi_env, napi_value *);
  napi_status (*call_function)(napi_env, napi_value, napi_value, size_t, const napi_value *, napi_value *);
  napi_status (*throw_error)(napi_env, const char *, const char *);
  napi_status (*get_value_string_utf8)(napi_env, napi_value, char *, size_t, size_t *);
  napi_status (*get_node_version)(napi_env, const napi_node_version **);
  napi_status (*add_env_cleanup_hook)(napi_env, void (*)(void *), void *);
  napi_status (*remove_env_cleanup_hook)(napi_env, void (*)(void *), void *);
} node;

static struct tg_runtime runtime;
static const napi_node_version *_Atomic version; /* NULL: unknown */

void tg_node_learn_version(napi_env env) {
  if (atomic_load_explicit(&version, memory_order_relaxed) != NULL || env == NULL) return;
  const napi_node_version *found;
  if (node.get_node_version(env, &found) == napi_ok)
    atomic_store_explicit(&version, found, memory_order_relaxed); /* constant data of the runtime */
}

/* napi_get_node_version wants an env, and before main there is none. Node's own implementation, of all
 * versions from 12 to 26, uses it only to clear the env's last error, which is plain data; so a block of
 * zeros will do. Other runtimes' may look deeper, so this is for binaries that carry Node's own metadata
 * object. */
void tg_node_learn_version_early(const struct tg_image *image) {
  static char blank_env[64 * 1024];
  if (tg_image_find(image, "_ZN4node11per_process8metadataE", STT_OBJECT) == NULL) return;
  tg_node_learn_version((napi_env)(void *)blank_env);
}

const char *tg_node_open(const struct tg_image *image) {
  const struct {
    const char *name;
    void *place;
  } needed[] = {
      {"napi_get_undefined", &node.get_undefined},
      {"napi_call_function", &node.call_function},
      {"napi_throw_error", &node.throw_error},
      {"napi_get_value_string_utf8", &node.get_value_string_utf8},
      {"napi_get_node_version", &node.get_node_version},
      {"napi_add_env_cleanup_hook", &node.add_env_cleanup_hook},
      {"napi_remove_env_cleanup_hook", &node.remove_env_cleanup_hook},
  };
  for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
    const ElfW(Sym) *symbol = tg_image_find(image, needed[i].name, STT_FUNC);
    if (symbol == NULL) return needed[i].name;
    void *address = tg_image_address(image, symbol);
    memcpy(needed[i].place, &address, sizeof address);
  }
  return NULL;
}

static void copy_string(napi_env env, napi_value value, char *buffer, size_t size) {
  size_t length;
  node.get_value_string_utf8(env, value, buffer, size, &length);
}

/* As Node does it for a thread-safe function without call_js_cb. */
static void call_js_default(napi_env env, napi_value js_callback, void *context, void *data) {
  (void)context;
  (void)data;
  if (env == NULL || js_callback == NULL) return;
  napi_value receiver;
  if (node.get_undefined(env, &receiver) != napi_ok) {
    node.throw_error(env, "ERR_NAPI_TSFN_GET_UNDEFINED", "Failed to retrieve undefined value");
    return;
  }
  napi_status status = node.call_function(env, receiver, js_callback, 0, NULL, NULL);
  if (status != napi_ok && status != napi_pending_exception)
    node.throw_error(env, "ERR_NAPI_TSFN_CALL_JS", "Failed to call JS callback");
}

/* nodejs/node#55877 came with 24.14 and 25.4. */
static bool keeps_closed_functions(void) {
  const napi_node_version *known = version;
  if (known == NULL) return false;
  if (known->major == 24) return known->minor >= 14;
  if (known->major == 25) return known->minor >= 4;
  return known->major > 25;
}

const struct tg_runtime *tg_node_runtime(const struct tg_redirection redirections[TG_FUNCTIONS]) {
  memcpy(&runtime.create, &redirections[TG_CREATE].original, sizeof(void *));
  memcpy(&runtime.get_context, &redirections[TG_GET_CONTEXT].original, sizeof(void *));
  memcpy(&runtime.call, &redirections[TG_CALL].original, sizeof(void *));
  memcpy(&runtime.acquire, &redirections[TG_ACQUIRE].original, sizeof(void *));
  memcpy(&runtime.release, &redirections[TG_RELEASE].original, sizeof(void *));
  memcpy(&runtime.ref, &redirections[TG_REF].original, sizeof(void *));
  memcpy(&runtime.unref, &redirections[TG_UNREF].original, sizeof(void *));
  runtime.add_env_cleanup_hook = node.add_env_cleanup_hook;
  runtime.remove_env_cleanup_hook = node.remove_env_cleanup_hook;
  runtime.copy_string = copy_string;
  runtime.call_js_default = call_js_default;
  runtime.keeps_closed_functions = keeps_closed_functions;
  return &runtime;
}

bool tg_node_add_version(struct tg_text *line) {
  const napi_node_version *known = version;
  if (known == NULL) return false;
  tg_text_add(line, known->release); /* "node" */
  tg_text_add(line, " ");
  tg_text_add_number(line, known->major);
  tg_text_add(line, ".");
  tg_text_add_number(line, known->minor);
  tg_text_add(line, ".");
  tg_text_add_number(line, known->patch);
  return true;
}
