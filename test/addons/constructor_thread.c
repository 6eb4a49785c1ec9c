/* A constructor that joins a thread which uses a TSFN wrongly, while dlopen holds the dynamic
 * linker's lock. */
#include <node_api.h>
#include <pthread.h>

static void *misuse(void *argument) {
  napi_call_threadsafe_function(NULL, argument, napi_tsfn_nonblocking);
  return NULL;
}

__attribute__((constructor)) static void start(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, misuse, NULL) == 0) pthread_join(thread, NULL);
}

NAPI_MODULE_INIT() {
  (void)env;
  return exports;
}
