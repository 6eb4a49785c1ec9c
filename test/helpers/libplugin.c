/* What an addon of many loads for itself: makes a function, and has its callbacks and the code of its thread. */
#include <node_api.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CALLS_AFTER_CLOSING = 200 };

static void on_call(napi_env env, napi_value callback, void *context, void *data) {
  (void)env;
  (void)callback;
  (void)context;
  (void)data;
}

/* Goes on for a while after its environment is gone. */
static void *run(void *tsfn) {
  const struct timespec millisecond = {.tv_nsec = 1000000};
  unsigned closing = 0;
  for (unsigned left = CALLS_AFTER_CLOSING; left != 0; nanosleep(&millisecond, NULL)) {
    napi_status status = napi_call_threadsafe_function(tsfn, NULL, napi_tsfn_nonblocking);
    closing += status == napi_closing;
    if (closing != 0) left--;
  }
  fprintf(stderr, "plugin: closing=%u\n", closing);
  return NULL;
}

void start_plugin(napi_env env) {
  napi_value name;
  napi_threadsafe_function tsfn;
  pthread_t thread;
  if (napi_create_string_utf8(env, "plugin", NAPI_AUTO_LENGTH, &name) != napi_ok) abort();
  if (napi_create_threadsafe_function(env, NULL, NULL, name, 0, 1, NULL, NULL, NULL, on_call, &tsfn) !=
      napi_ok)
    abort();
  if (pthread_create(&thread, NULL, run, tsfn) != 0) abort();
  pthread_detach(thread);
}
