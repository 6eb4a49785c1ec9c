/* An addon without a destructor, whose thread outlives its worker. Two addons include this and
 * register themselves in different ways.
 *
 * Exports:
 *   start(): a thread calls every millisecond until 300 ms after it got napi_closing
 *   startAndFinish(): a thread calls once, releases, and is joined, so that nothing is outstanding
 *   create(): no thread, and the count is never given back
 *   loads(): how often the addon was initialized since it was mapped. A static variable counts this
 *   once(callback): creates a function, unless a static variable already has one, and makes a call,
 *     which must be delivered
 *   linger(): a thread gives back the last count, and stays in the addon's code for 300 ms more.
 *     linger() returns when the count is back
 *   wait(): a thread holds a count, and waits for 300 ms before it uses the function
 *   neighbour(): like create(). In addition a thread sleeps in libc for ever. The memory that
 *     follows its stack is full of addresses of the addon's code, but is not part of any stack */
#ifndef TEST_MAPPED_H
#define TEST_MAPPED_H

#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

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
    wrong +=
        closing == 0 ? status != napi_ok : status != napi_closing && status != napi_invalid_arg;
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
  MUST(env, napi_create_threadsafe_function(env, NULL, NULL, make_string(env, "mapped"), 0, 1, NULL,
                                            NULL, NULL, ignore_call, &tsfn));
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

/* Sleeps in the addon's code. That code must still be mapped when the sleep ends. */
static inline void stay(void) {
  const struct timespec millisecond = {.tv_nsec = 1000000};
  for (int64_t end = mapped_clock_ms() + AFTERLIFE_MS; mapped_clock_ms() < end;)
    nanosleep(&millisecond, NULL);
}

static inline napi_value mapped_neighbour(napi_env env, napi_callback_info info) {
  enum { STACK = 64 * 1024, BEYOND = 64 * 1024 };
  char *memory = mmap(NULL, STACK + BEYOND, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) abort();
  for (uintptr_t *word = (uintptr_t *)(memory + STACK); (char *)word < memory + STACK + BEYOND;
       word++)
    *word = (uintptr_t)stay;
  pthread_attr_t attributes;
  pthread_t thread;
  void *(*run)(void *);
  /* not a function of the addon, because its code would be found on the thread's own stack */
  int (*sleep_for_ever)(void) = pause;
  memcpy(&run, &sleep_for_ever, sizeof run);
  if (pthread_attr_init(&attributes) != 0 ||
      pthread_attr_setstack(&attributes, memory, STACK) != 0 ||
      pthread_create(&thread, &attributes, run, NULL) != 0)
    abort();
  pthread_detach(thread);
  return mapped_create(env, info);
}

static void call_back(napi_env env, napi_value js_callback, void *context, void *data) {
  (void)context;
  (void)data;
  napi_value receiver;
  if (env == NULL) return;
  MUST(env, napi_get_undefined(env, &receiver));
  MUST(env, napi_call_function(env, receiver, js_callback, 0, NULL, NULL));
}

/* Uses a static variable as if there were only one environment, as some addons do. */
static inline napi_value mapped_once(napi_env env, napi_callback_info info) {
  static napi_threadsafe_function tsfn;
  if (tsfn == NULL) {
    MUST(env, napi_create_threadsafe_function(env, argument(env, info, 0), NULL,
                                              make_string(env, "once"), 0, 1, NULL, NULL, NULL,
                                              call_back, &tsfn));
  }
  return make_u32(env, napi_call_threadsafe_function(tsfn, NULL, napi_tsfn_nonblocking));
}

static unsigned loads;

static inline napi_value mapped_loads(napi_env env, napi_callback_info info) {
  (void)info;
  return make_u32(env, loads);
}

static sem_t released;

static inline void *release_and_linger(void *tsfn) {
  napi_release_threadsafe_function((napi_threadsafe_function)tsfn, napi_tsfn_release);
  sem_post(&released);
  stay();
  fprintf(stderr, "thread: back\n");
  return NULL;
}

static inline void *wait_and_use(void *tsfn) {
  sem_post(&released);
  stay();
  napi_status status =
      napi_call_threadsafe_function((napi_threadsafe_function)tsfn, NULL, napi_tsfn_nonblocking);
  fprintf(stderr, "thread: %s\n", status == napi_closing ? "closing" : "not closing");
  return NULL;
}

static inline void start_and_await(napi_env env, void *(*run)(void *)) {
  if (sem_init(&released, 0, 0) != 0) abort();
  pthread_detach(start_mapped_thread(env, run));
  while (sem_wait(&released) != 0) {
  }
}

static inline napi_value mapped_linger(napi_env env, napi_callback_info info) {
  (void)info;
  start_and_await(env, release_and_linger);
  return NULL;
}

static inline napi_value mapped_wait(napi_env env, napi_callback_info info) {
  (void)info;
  start_and_await(env, wait_and_use);
  return NULL;
}

static inline napi_value init_mapped(napi_env env, napi_value exports) {
  loads++;
  export_function(env, exports, "loads", mapped_loads);
  export_function(env, exports, "once", mapped_once);
  export_function(env, exports, "linger", mapped_linger);
  export_function(env, exports, "wait", mapped_wait);
  export_function(env, exports, "neighbour", mapped_neighbour);
  export_function(env, exports, "start", mapped_start);
  export_function(env, exports, "create", mapped_create);
  export_function(env, exports, "startAndFinish", mapped_start_and_finish);
  return exports;
}

#endif
