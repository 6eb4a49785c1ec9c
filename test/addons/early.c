/* An addon that is loaded before the guard. Its functions are bound lazily, except for one whose
 * address it takes: that one is bound when the addon is loaded.
 *
 * Exports: create(); use(): a thread uses the function that was created, and use() returns the
 * answers as text. */
#include <pthread.h>

#include "addon.h"

static napi_status (*volatile release_function)(napi_threadsafe_function,
                                                napi_threadsafe_function_release_mode) =
    napi_release_threadsafe_function;

static napi_threadsafe_function tsfn;
static char answers[128];
static int context;

static napi_value create(napi_env env, napi_callback_info info) {
  (void)info;
  MUST(env, napi_create_threadsafe_function(env, NULL, NULL, make_string(env, "early"), 0, 1, NULL,
                                            NULL, &context, ignore_call, &tsfn));
  return NULL;
}

static void *run(void *argument) {
  (void)argument;
  void *found = NULL;
  int got = napi_get_threadsafe_function_context(tsfn, &found);
  int called = napi_call_threadsafe_function(tsfn, NULL, napi_tsfn_blocking);
  int acquired = napi_acquire_threadsafe_function(tsfn);
  int released = release_function(tsfn, napi_tsfn_release);
  int released_again = release_function(tsfn, napi_tsfn_release);
  snprintf(answers, sizeof answers, "context=%d,%d call=%d acquire=%d release=%d,%d", got,
           found == &context, called, acquired, released, released_again);
  return NULL;
}

static napi_value use(napi_env env, napi_callback_info info) {
  (void)info;
  pthread_t thread;
  MUST(env, napi_unref_threadsafe_function(env, tsfn));
  MUST(env, napi_ref_threadsafe_function(env, tsfn));
  if (pthread_create(&thread, NULL, run, NULL) != 0) abort();
  pthread_join(thread, NULL);
  return make_string(env, answers);
}

NAPI_MODULE_INIT() {
  export_function(env, exports, "create", create);
  export_function(env, exports, "use", use);
  return exports;
}
