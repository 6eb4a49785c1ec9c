/* The bench addon, written with trust in Node-API. It runs without and with the guard. */
#include <node_api.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>

typedef napi_threadsafe_function subject;
struct run;
static subject subject_create(napi_env env, napi_value callback, size_t limit, size_t counts,
                              struct run *run);

static void check(napi_status status) {
  if (status != napi_ok) abort();
}

static inline void subject_call(subject function, void *item, bool blocking) {
  napi_threadsafe_function_call_mode mode = blocking ? napi_tsfn_blocking : napi_tsfn_nonblocking;
  napi_status status;
  while ((status = napi_call_threadsafe_function(function, item, mode)) == napi_queue_full)
    sched_yield();
  check(status);
}

static inline void subject_acquire(subject function) {
  check(napi_acquire_threadsafe_function(function));
}

static inline void subject_release(subject function) {
  check(napi_release_threadsafe_function(function, napi_tsfn_release));
}

static inline void subject_unref(napi_env env, subject function) {
  check(napi_unref_threadsafe_function(env, function));
}

static inline void *subject_context(subject function) {
  void *context;
  check(napi_get_threadsafe_function_context(function, &context));
  return context;
}

#include "workload.h"

static void call_js(napi_env env, napi_value js_callback, void *context, void *item) {
  deliver(env, js_callback, context, item);
}

static void finalize(napi_env env, void *data, void *context) {
  (void)data;
  finish(env, context);
}

static subject subject_create(napi_env env, napi_value callback, size_t limit, size_t counts,
                              struct run *run) {
  napi_value resource, name;
  subject function;
  MUST(env, napi_get_global(env, &resource));
  MUST(env, napi_create_string_utf8(env, "bench", NAPI_AUTO_LENGTH, &name));
  MUST(env, napi_create_threadsafe_function(env, callback, resource, name, limit, counts, NULL,
                                            finalize, run, call_js, &function));
  return function;
}

NAPI_MODULE_INIT() {
  export_workload(env, exports);
  return exports;
}
