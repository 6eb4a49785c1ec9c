/* exit() in a signal handler that interrupts a thread in the middle of its calls, as addons'
 * SIGTERM handlers do.
 *
 * Exports: start(microseconds): a thread calls for ever. After that time it gets SIGUSR2, whose
 * handler exits. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "addon.h"

static void exit_now(int signal) {
  (void)signal;
  exit(0);
}

static void *call_for_ever(void *tsfn) {
  for (;;)
    napi_call_threadsafe_function((napi_threadsafe_function)tsfn, NULL, napi_tsfn_nonblocking);
  return NULL;
}

static napi_value start(napi_env env, napi_callback_info info) {
  napi_threadsafe_function tsfn;
  pthread_t thread;
  signal(SIGUSR2, exit_now);
  MUST(env, napi_create_threadsafe_function(env, NULL, NULL, make_string(env, "signal_exit"), 100,
                                            2, NULL, NULL, NULL, ignore_call, &tsfn));
  if (pthread_create(&thread, NULL, call_for_ever, (void *)tsfn) != 0) abort();
  usleep(argument_u32(env, info, 0, 20000));
  pthread_kill(thread, SIGUSR2);
  sleep(60); /* the exit comes from the other thread */
  return NULL;
}

NAPI_MODULE_INIT() {
  export_function(env, exports, "start", start);
  return exports;
}
