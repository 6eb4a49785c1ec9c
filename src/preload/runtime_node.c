/* Implements the binding to Node. */
#include "preload/runtime_node.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"
#include "preload/exception_guard.h"

static struct {
  napi_status (*get_undefined)(napi_env, napi_value *);
  napi_status (*call_function)(napi_env, napi_value, napi_value, size_t, const napi_value *,
                               napi_value *);
  napi_status (*throw_error)(napi_env, const char *, const char *);
  napi_status (*get_value_string_utf8)(napi_env, napi_value, char *, size_t, size_t *);
  napi_status (*add_env_cleanup_hook)(napi_env, void (*)(void *), void *);
  napi_status (*remove_env_cleanup_hook)(napi_env, void (*)(void *), void *);
  napi_status (*get_node_version)(napi_env, const napi_node_version **); /* NULL: Bare lacks it */
  /* The rest are NULL if the runtime lacks them. */
  napi_status (*get_global)(napi_env, napi_value *);
  napi_status (*get_named_property)(napi_env, napi_value, const char *, napi_value *);
  napi_status (*create_string_utf8)(napi_env, const char *, size_t, napi_value *);
  napi_status (*get_value_int64)(napi_env, napi_value, int64_t *);
  napi_status (*is_exception_pending)(napi_env, bool *);
  napi_status (*get_and_clear_last_exception)(napi_env, napi_value *);
  napi_status (*get_uv_event_loop)(napi_env, struct uv_loop_s **);
  napi_status (*throw_value)(napi_env, napi_value);
  napi_status (*open_handle_scope)(napi_env, napi_handle_scope *);
  napi_status (*close_handle_scope)(napi_env, napi_handle_scope);
  napi_status (*create_object)(napi_env, napi_value *);
  napi_status (*create_reference)(napi_env, napi_value, uint32_t, napi_ref *);
  /* v8::Isolate::TryGetCurrent: the calling thread's isolate; NULL: it has none */
  void *(*current_isolate)(void);
} node_api;

static struct tg_runtime node_runtime;
static struct tg_image runtime_image;
static bool is_node;        /* false: a runtime that imitates Node, and reports a version of Node */
static bool has_no_version; /* Bare has no napi_get_node_version */

/* NULL: unknown. Relaxed: it points to constant data of the runtime. */
static const napi_node_version *_Atomic node_version;

void tg_node_learn_version(napi_env env) {
  if (node_api.get_node_version == NULL || env == NULL) return;
  if (atomic_load_explicit(&node_version, memory_order_relaxed) != NULL) return;
  const napi_node_version *found;
  if (node_api.get_node_version(env, &found) == napi_ok)
    atomic_store_explicit(&node_version, found, memory_order_relaxed);
}

/* napi_get_node_version requires an env, and before main there is none. Node's own implementation,
 * in all versions from 12 to 26, uses the env only to clear its last error, which is plain data, so
 * a zeroed block suffices. Other runtimes may use more of it, so this is limited to binaries that
 * contain Node's own metadata object. */
void tg_node_learn_version_early(void) {
  static char blank_env[64 * 1024];
  if (is_node) tg_node_learn_version((napi_env)(void *)blank_env);
}

/* Looks up a function. Returns whether it exists; `place` then receives its address. */
static bool look_up_function(const struct tg_image *image, const char *name, void *place) {
  const ElfW(Sym) *symbol = tg_image_find(image, name, STT_FUNC);
  if (symbol == NULL) return false;
  void *address = tg_image_address(image, symbol);
  memcpy(place, &address, sizeof address);
  return true;
}

const char *tg_node_open(const struct tg_image *image) {
  const struct {
    const char *name;
    void *place;
    bool optional;
  } wanted[] = {
      {"napi_get_undefined", &node_api.get_undefined, false},
      {"napi_call_function", &node_api.call_function, false},
      {"napi_throw_error", &node_api.throw_error, false},
      {"napi_get_value_string_utf8", &node_api.get_value_string_utf8, false},
      {"napi_add_env_cleanup_hook", &node_api.add_env_cleanup_hook, false},
      {"napi_remove_env_cleanup_hook", &node_api.remove_env_cleanup_hook, false},
      {"napi_get_node_version", &node_api.get_node_version, true},
      {"napi_get_global", &node_api.get_global, true},
      {"napi_get_named_property", &node_api.get_named_property, true},
      {"napi_create_string_utf8", &node_api.create_string_utf8, true},
      {"napi_get_value_int64", &node_api.get_value_int64, true},
      {"napi_is_exception_pending", &node_api.is_exception_pending, true},
      {"napi_get_and_clear_last_exception", &node_api.get_and_clear_last_exception, true},
      {"napi_get_uv_event_loop", &node_api.get_uv_event_loop, true},
      {"napi_throw", &node_api.throw_value, true},
      {"napi_open_handle_scope", &node_api.open_handle_scope, true},
      {"napi_close_handle_scope", &node_api.close_handle_scope, true},
      {"napi_create_object", &node_api.create_object, true},
      {"napi_create_reference", &node_api.create_reference, true},
      {"_ZN2v87Isolate13TryGetCurrentEv", &node_api.current_isolate, true},
  };
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
    if (!look_up_function(image, wanted[i].name, wanted[i].place) && !wanted[i].optional)
      return wanted[i].name;
  runtime_image = *image;
  is_node = tg_image_find(image, "_ZN4node11per_process8metadataE", STT_OBJECT) != NULL;
  has_no_version = node_api.get_node_version == NULL;
  if (!is_node) node_api.get_uv_event_loop = NULL; /* in Bun and Deno it is not libuv's loop */
  return NULL;
}

static void copy_js_string(napi_env env, napi_value value, char *buffer, size_t size) {
  size_t length;
  node_api.get_value_string_utf8(env, value, buffer, size, &length);
}

/* Does what Node does for a thread-safe function without call_js_cb. */
static void call_js_default(napi_env env, napi_value js_callback, void *context, void *data) {
  (void)context;
  (void)data;
  if (env == NULL || js_callback == NULL) return;
  napi_value receiver;
  if (node_api.get_undefined(env, &receiver) != napi_ok) {
    node_api.throw_error(env, "ERR_NAPI_TSFN_GET_UNDEFINED", "Failed to retrieve undefined value");
    return;
  }
  napi_status status = node_api.call_function(env, receiver, js_callback, 0, NULL, NULL);
  if (status != napi_ok && status != napi_pending_exception)
    node_api.throw_error(env, "ERR_NAPI_TSFN_CALL_JS", "Failed to call JS callback");
}

static bool is_worker_thread(void) {
  return syscall(SYS_gettid) != getpid();
}

/* nodejs/node#55877 is in 24.13.1, in 25.4 and in later versions. */
static bool keeps_closed_functions(void) {
  const napi_node_version *known = atomic_load_explicit(&node_version, memory_order_relaxed);
  if (known == NULL) return false;
  if (known->major == 24) return known->minor > 13 || (known->minor == 13 && known->patch >= 1);
  if (known->major == 25) return known->minor >= 4;
  return known->major > 25;
}

bool tg_node_is_node(void) {
  return is_node;
}

bool tg_node_is_on_loop_thread(void) {
  return is_node && node_api.current_isolate != NULL && node_api.current_isolate() != NULL;
}

/* Works whether or not an exception is pending. */
bool tg_node_is_javascript_over(napi_env env) {
  if (!is_node) return false;
  return tg_node_has_exception(env) ? !tg_node_was_left_exception(env)
                                    : tg_node_is_javascript_forbidden(env);
}

bool tg_node_is_runtime_code(const void *address) {
  return tg_image_contains(&runtime_image, (uintptr_t)address, 1, NULL);
}

const struct tg_runtime *tg_node_runtime(const struct tg_redirection redirections[TG_FUNCTIONS]) {
  memcpy(&node_runtime.create, &redirections[TG_CREATE].original, sizeof(void *));
  memcpy(&node_runtime.get_context, &redirections[TG_GET_CONTEXT].original, sizeof(void *));
  memcpy(&node_runtime.call, &redirections[TG_CALL].original, sizeof(void *));
  memcpy(&node_runtime.acquire, &redirections[TG_ACQUIRE].original, sizeof(void *));
  memcpy(&node_runtime.release, &redirections[TG_RELEASE].original, sizeof(void *));
  memcpy(&node_runtime.ref, &redirections[TG_REF].original, sizeof(void *));
  memcpy(&node_runtime.unref, &redirections[TG_UNREF].original, sizeof(void *));
  node_runtime.add_env_cleanup_hook = node_api.add_env_cleanup_hook;
  node_runtime.remove_env_cleanup_hook = node_api.remove_env_cleanup_hook;
  node_runtime.copy_string = copy_js_string;
  node_runtime.call_js_default = call_js_default;
  static const struct tg_exception_guard_questions questions = {tg_node_is_javascript_over,
                                                                tg_node_is_runtime_code};
  tg_exception_guard_open(&questions);
  node_runtime.call_js = tg_exception_guard_call_js;
  node_runtime.keeps_closed_functions = keeps_closed_functions;
  node_runtime.can_terminate = is_worker_thread;
  node_runtime.may_drop_wakeups = !is_node;
  return &node_runtime;
}

bool tg_node_version(char text[TG_RUNTIME_MAX]) {
  const napi_node_version *known = atomic_load_explicit(&node_version, memory_order_relaxed);
  tg_copy_string(text, TG_RUNTIME_MAX, has_no_version ? "a runtime like node" : "");
  if (known == NULL) return has_no_version;
  struct tg_text line;
  line.length = 0;
  tg_text_add(&line, is_node ? known->release /* "node" */ : "a runtime like node");
  tg_text_add(&line, " ");
  tg_text_add_number(&line, known->major);
  tg_text_add(&line, ".");
  tg_text_add_number(&line, known->minor);
  tg_text_add(&line, ".");
  tg_text_add_number(&line, known->patch);
  line.bytes[line.length] = '\0';
  tg_copy_string(text, TG_RUNTIME_MAX, line.bytes);
  return true;
}

/* --- For mode=diagnose */

/* The beginning of libuv's uv_loop_t, which is stable in libuv 1. The two counters count handles
 * and requests that are active and ref'd. */
struct loop_head {
  void *data;
  unsigned active_handles;
  void *handle_queue[2];
  union {
    void *unused;
    unsigned count;
  } active_requests;
};

/* NULL: unknown. Stored with release and loaded with acquire order: a reader sees an initialized
 * loop. */
static const struct loop_head *_Atomic main_loop;

bool tg_node_is_loop_kept_by(uint64_t count) {
  const struct loop_head *loop = atomic_load_explicit(&main_loop, memory_order_acquire);
  return loop != NULL && loop->active_handles == count && loop->active_requests.count == 0;
}

static bool query_worker_id(napi_env env, int64_t *id) {
  napi_value global, process, get_builtin, name, module, thread_id;
  return node_api.get_global(env, &global) == napi_ok &&
         node_api.get_named_property(env, global, "process", &process) == napi_ok &&
         node_api.get_named_property(env, process, "getBuiltinModule", &get_builtin) == napi_ok &&
         node_api.create_string_utf8(env, "worker_threads", NAPI_AUTO_LENGTH, &name) == napi_ok &&
         node_api.call_function(env, process, get_builtin, 1, &name, &module) == napi_ok &&
         node_api.get_named_property(env, module, "threadId", &thread_id) == napi_ok &&
         node_api.get_value_int64(env, thread_id, id) == napi_ok;
}

int64_t tg_node_worker_id(napi_env env) {
  if (syscall(SYS_gettid) == getpid()) {
    struct uv_loop_s *loop = NULL;
    if (node_api.get_uv_event_loop != NULL && node_api.get_uv_event_loop(env, &loop) == napi_ok)
      atomic_store_explicit(&main_loop, (const struct loop_head *)(const void *)loop,
                            memory_order_release);
    return 0;
  }
  if (node_api.get_global == NULL || node_api.get_named_property == NULL ||
      node_api.create_string_utf8 == NULL || node_api.get_value_int64 == NULL ||
      node_api.get_and_clear_last_exception == NULL || tg_node_has_exception(env))
    return -1;
  int64_t id;
  if (query_worker_id(env, &id)) return id;
  napi_value exception;
  if (tg_node_has_exception(env)) node_api.get_and_clear_last_exception(env, &exception);
  return -1;
}

/* --- Exceptions, and envs that can no longer run JavaScript */

bool tg_node_has_exception(napi_env env) {
  bool pending = false;
  return node_api.is_exception_pending != NULL &&
         node_api.is_exception_pending(env, &pending) == napi_ok && pending;
}

/* Whether the env refuses to call JavaScript. napi_call_function checks this before it checks its
 * arguments. If JavaScript is allowed, it rejects these arguments. */
static bool is_call_refused(napi_env env) {
  napi_status status = node_api.call_function(env, NULL, NULL, 0, NULL, NULL);
  return status == napi_cannot_run_js || status == napi_pending_exception;
}

/* In most cases the first query is enough: if the call is not refused, no exception is pending
 * either. The last query leaves the env's last error as if only that query had been made. */
bool tg_node_is_javascript_forbidden(napi_env env) {
  return is_call_refused(env) && !tg_node_has_exception(env) && is_call_refused(env);
}

/* The termination of an env also leaves an exception, which is nobody's fault. While an exception
 * is pending, it cannot be queried whether the env is terminating. So the exception is cleared for
 * the query and thrown again. A terminated env refuses to throw it, but there the exception means
 * nothing. */
static bool was_left_exception(napi_env env) {
  napi_value exception;
  if (node_api.get_and_clear_last_exception(env, &exception) != napi_ok) return true;
  bool forbidden = tg_node_is_javascript_forbidden(env);
  node_api.throw_value(env, exception);
  return !forbidden;
}

/* To clear an exception, a handle for it is needed, and cleanup hooks of Node run without a scope
 * for handles. */
static bool can_take_off_exception(void) {
  return node_api.throw_value != NULL && node_api.get_and_clear_last_exception != NULL &&
         node_api.open_handle_scope != NULL && node_api.close_handle_scope != NULL;
}

napi_status tg_node_get_undefined(napi_env env, napi_value *result) {
  return node_api.get_undefined(env, result);
}

bool tg_node_create_empty_reference(napi_env env, uint32_t count, napi_ref *result) {
  napi_handle_scope scope;
  napi_value object;
  if (!can_take_off_exception() || node_api.create_object == NULL ||
      node_api.create_reference == NULL)
    return false;
  if (node_api.open_handle_scope(env, &scope) != napi_ok) return false;
  bool created = node_api.create_object(env, &object) == napi_ok &&
                 node_api.create_reference(env, object, count, result) == napi_ok;
  node_api.close_handle_scope(env, scope);
  return created;
}

napi_status tg_node_add_env_cleanup_hook(napi_env env, void (*hook)(void *), void *argument) {
  return node_api.add_env_cleanup_hook(env, hook, argument);
}

bool tg_node_was_left_exception(napi_env env) {
  napi_handle_scope scope;
  if (!tg_node_has_exception(env)) return false;
  if (!can_take_off_exception() || node_api.open_handle_scope(env, &scope) != napi_ok) return true;
  bool was_left = was_left_exception(env);
  node_api.close_handle_scope(env, scope);
  /* Sets the env's last error to "an exception is pending" again, as it was before the query. */
  if (was_left) is_call_refused(env);
  return was_left;
}

void tg_node_drop_exception(napi_env env) {
  napi_handle_scope scope;
  napi_value exception;
  if (!can_take_off_exception() || node_api.open_handle_scope(env, &scope) != napi_ok) return;
  node_api.get_and_clear_last_exception(env, &exception);
  node_api.close_handle_scope(env, scope);
}
