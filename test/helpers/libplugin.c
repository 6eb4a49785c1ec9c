/* Stands for a library that an addon loads by itself. It creates a function, and contains the
 * function's callbacks and the code of its thread. */
#include <node_api.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { AFTERLIFE_MS = 200 };

static void on_call(napi_env env, napi_value callback, void *context, void *data) {
  (void)env;
  (void)callback;
  (void)context;
  (void)data;
}

static int64_t now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Calls until some time after the function's environment has ended. */
static void *run(void *tsfn) {
  const struct timespec millisecond = {.tv_nsec = 1000000};
  unsigned closing = 0;
  for (int64_t end = INT64_MAX; now_ms() < end; nanosleep(&millisecond, NULL)) {
    napi_status status = napi_call_threadsafe_function(tsfn, NULL, napi_tsfn_nonblocking);
    if (status == napi_closing && closing++ == 0) end = now_ms() + AFTERLIFE_MS;
  }
  fprintf(stderr, "plugin: closing=%u\n", closing);
  return NULL;
}

void start_plugin(napi_env env) {
  napi_value name;
  napi_threadsafe_function tsfn;
  pthread_t thread;
  if (napi_create_string_utf8(env, "plugin", NAPI_AUTO_LENGTH, &name) != napi_ok) abort();
  if (napi_create_threadsafe_function(env, NULL, NULL, name, 0, 1, NULL, NULL, NULL, on_call,
                                      &tsfn) != napi_ok)
    abort();
  if (pthread_create(&thread, NULL, run, tsfn) != 0) abort();
  pthread_detach(thread);
}
