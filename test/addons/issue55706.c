/* The case of nodejs/node#55706, rebuilt in C: 32 threads share one unref'd TSFN and call it every
 * millisecond until the answer is not napi_ok. Meanwhile the environment ends.
 *
 * Exports: start(threads = 32): starts the threads.
 *
 * The addon's own destructor joins the threads, which are in a static array, like the std::jthreads
 * of the original. So the process ends only when every thread has been rejected. The destructor
 * also prints how many threads got which status. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "addon.h"

enum { MAX_THREADS = 256 };

static pthread_t threads[MAX_THREADS];
static atomic_uint started;
static atomic_uint ended_with[32];
static atomic_uint finalized;

static void *call_until_turned_away(void *tsfn) {
  const struct timespec millisecond = {.tv_nsec = 1000000};
  napi_status status;
  while ((status = napi_call_threadsafe_function(tsfn, NULL, napi_tsfn_blocking)) == napi_ok)
    nanosleep(&millisecond, NULL);
  atomic_fetch_add(&ended_with[(unsigned)status % 32], 1);
  return NULL;
}

static void on_finalize(napi_env env, void *data, void *hint) {
  (void)env;
  (void)data;
  (void)hint;
  atomic_fetch_add(&finalized, 1);
}

static napi_value start(napi_env env, napi_callback_info info) {
  uint32_t count = argument_u32(env, info, 0, 32);
  napi_value resource, name;
  napi_threadsafe_function tsfn;
  MUST(env, napi_get_global(env, &resource));
  MUST(env, napi_create_string_utf8(env, "issue55706", NAPI_AUTO_LENGTH, &name));
  MUST(env, napi_create_threadsafe_function(env, NULL, resource, name, 0, count, NULL, on_finalize,
                                            NULL, ignore_call, &tsfn));
  for (uint32_t i = 0; i < count; i++)
    if (pthread_create(&threads[atomic_fetch_add(&started, 1) % MAX_THREADS], NULL,
                       call_until_turned_away, tsfn) != 0)
      abort();
  MUST(env, napi_unref_threadsafe_function(env, tsfn));
  return NULL;
}

__attribute__((destructor)) static void join_and_tell(void) {
  for (unsigned i = 0; i < started && i < MAX_THREADS; i++) pthread_join(threads[i], NULL);
  fprintf(stderr, "threads=%u closing=%u invalid_arg=%u finalized=%u\n", atomic_load(&started),
          atomic_load(&ended_with[napi_closing]), atomic_load(&ended_with[napi_invalid_arg]),
          atomic_load(&finalized));
}

NAPI_MODULE_INIT() {
  export_function(env, exports, "start", start);
  return exports;
}
