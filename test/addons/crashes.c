/* Crashes that have nothing to do with thread-safe functions. tsfn-guard triage must recognise
 * that. Export: crash(KIND). */
#include <node_api.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "addon.h"

/* A function of libuv. Its header does not come with that of Node-API. */
int uv_async_init(void *loop, void *handle, void (*callback)(void *handle));

static napi_env kept_env;
static pthread_mutex_t mutex;
static char *volatile block;
static char *volatile nowhere;

__attribute__((noinline)) static void crash_in_own_code(void) {
  *nowhere = 1;
}

static void *use_node_api(void *unused) {
  napi_handle_scope scope;
  napi_value source, value;
  (void)unused;
  napi_open_handle_scope(kept_env, &scope);
  napi_create_string_utf8(kept_env, "new Array(1e6).fill({})", NAPI_AUTO_LENGTH, &source);
  napi_run_script(kept_env, source, &value);
  return NULL;
}

static void wait_for_thread(void *(*run)(void *)) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, run, NULL) == 0) pthread_join(thread, NULL);
}

/* The destructor of a pthread key. It is called when the worker's thread ends. By then the addon,
 * and this code with it, has been unloaded. */
static void destroy_value(void *value) {
  free(value);
}

static void leave_destructor(void) {
  pthread_key_t key;
  if (pthread_key_create(&key, destroy_value) == 0) pthread_setspecific(key, malloc(1));
}

static void open_handle(napi_env env) {
  /* larger than a uv_async_t; never freed, because the loop still uses it */
  void *handle = calloc(1, 512);
  struct uv_loop_s *loop = NULL;
  if (napi_get_uv_event_loop(env, &loop) == napi_ok) uv_async_init(loop, handle, NULL);
}

static void free_twice(void) {
  block = malloc(2048);
  free(block);
  free(block);
}

/* The mutex looks as if it had been freed and overwritten: it is not locked, but has an owner. */
static void lock_damaged_mutex(void) {
  mutex.__data.__owner = 1;
  pthread_mutex_lock(&mutex);
}

__attribute__((destructor)) static void at_exit(void) {
  if (kept_env != NULL && getenv("CRASH_AT_EXIT") != NULL) crash_in_own_code();
}

static void crash(napi_env env, const char *kind) {
  kept_env = env;
  if (strcmp(kind, "own") == 0) crash_in_own_code();
  if (strcmp(kind, "thread") == 0) wait_for_thread(use_node_api);
  if (strcmp(kind, "thread-local") == 0) leave_destructor();
  if (strcmp(kind, "uv") == 0) open_handle(env);
  if (strcmp(kind, "free") == 0) free_twice();
  if (strcmp(kind, "mutex") == 0) lock_damaged_mutex();
  if (strcmp(kind, "fatal") == 0)
    napi_fatal_error("Error::New", NAPI_AUTO_LENGTH, "napi_get_last_error_info", NAPI_AUTO_LENGTH);
}

static napi_value crash_from_javascript(napi_env env, napi_callback_info info) {
  char kind[32] = "";
  size_t length = 0;
  MUST(env, napi_get_value_string_utf8(env, argument(env, info, 0), kind, sizeof kind, &length));
  crash(env, kind);
  return NULL;
}

NAPI_MODULE_INIT() {
  export_function(env, exports, "crash", crash_from_javascript);
  return exports;
}
