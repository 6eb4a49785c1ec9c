/* An addon without a destructor, whose thread outlives its worker: two addons include this and register
 * themselves in different ways.
 *
 * Exports: start(): a thread calls every millisecond until some time after it was told closing;
 * startAndFinish(): a thread calls once, releases, and is joined, so that nothing is outstanding;
 * create(): no thread, and the count is never given back. */
#ifndef TEST_MAPPED_H
#define TEST_MAPPED_H

#include <pthread.h>
#include <time.h>

#include "addon.h"

enum { AFTERLIFE_MS = 300 };

static inline int64_t mapped_clock_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline void *outlive_worker(void *tsfn) {
  const struct timespec millisecond = {.tv_nsec = 1000000};
  unsigned closing = 0, wrong = 0;
  for (int64_t end = INT64_MAX; mapped_clock_ms() < end; nanosleep(&millisecond, NULL)) {
    napi_status status =
        napi_call_threadsafe_function((napi_threadsafe_function)tsfn, NULL, napi_tsfn_nonblocking);
    closing += status == napi_closing;
    wrong += closing == 0 ? status != napi_ok : status != napi_closing && status != napi_invalid_arg;
    if (closing != 0 && end == INT64_MAX) end = mapped_clock_ms() + AFTERLIFE_MS;
  }
  fprintf(stderr, "thread: closing=%u wrong=%u\n", closing, wrong);
  return NULL;
}

static inline void *call_and_release(void *tsfn) {
  napi_call_threadsafe_function((napi_threadsafe_function)tsfn, NULL, napi_tsfn_blocking);
  napi_release_threadsafe_function((napi_threadsafe_function)tsfn, napi_tsfn_release);
  return NULL;
}

static inline napi_threadsafe_function create_mapped(napi_env env) {
  napi_threadsafe_function tsfn;
  MUST(env, napi_create_threadsafe_function(env, NULL, NULL, make_string(env, "mapped"), 0, 1, NULL, NULL,
                                            NULL, ignore_call, &tsfn));
  return tsfn;
}

static inline pthread_t start_mapped_thread(napi_env env, void *(*run)(void *)) {
  napi_threadsafe_function tsfn = create_mapped(env);
  pthread_t thread;
  if (pthread_create(&thread, NULL, run, (void *)tsfn) != 0) abort();
  return thread;
}

static inline napi_value mapped_start(napi_env env, napi_callback_info info) {
  (void)info;
  pthread_detach(start_mapped_thread(env, outlive_worker));
  return NULL;
}

static inline napi_value mapped_start_and_finish(napi_env env, napi_callback_info info) {
  (void)info;
  pthread_join(start_mapped_thread(env, call_and_release), NULL);
  return NULL;
}

static inline napi_value mapped_create(napi_env env, napi_callback_info info) {
  (void)info;
  MUST(env, napi_unref_threadsafe_function(env, create_mapped(env)));
  return NULL;
}

static inline napi_value init_mapped(napi_env env, napi_value exports) {
  export_function(env, exports, "start", mapped_start);
  export_function(env, exports, "create", mapped_create);
  export_function(env, exports, "startAndFinish", mapped_start_and_finish);
  return exports;
}

#endif
