/* A typical addon, for the examples of docs/javascript.md. It works until its env ends while its
 * threads still run.
 *
 * Exports:
 *   subscribe(callback): threads call it until unsubscribe. They ignore napi_closing, and use
 *     memory that a static destructor gives back
 *   unsubscribe(): stops these threads and waits for them
 *   compute(ms, callback): calls back after that time, from a thread that never ends and serves all
 *     envs of the process. The loop thread releases the function after the callback, when that
 *     thread has made its last call of it. An exception that the callback throws is fatal */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <time.h>

#include "addon.h"

enum { THREADS = 4, JOBS = 16, MILLISECOND = 1000000, MOMENT = 20000 /* in nanoseconds */ };

struct feed {
  napi_threadsafe_function function;
  pthread_t threads[THREADS];
  atomic_bool stopped;
};

struct job {
  napi_threadsafe_function function;
  uint32_t milliseconds;
  atomic_bool waits; /* published last */
};

static struct job jobs[JOBS];
static atomic_uint job_count;
static pthread_once_t pool_once = PTHREAD_ONCE_INIT;

static atomic_uint *published; /* number of calls; unmapped by the static destructor */

static void rest(long nanoseconds) {
  const struct timespec time = {.tv_nsec = nanoseconds};
  nanosleep(&time, NULL);
}

static void call_back(napi_env env, napi_value callback, void *context, void *data) {
  (void)context;
  const struct job *job = data;
  napi_value undefined;
  if (env == NULL) return;
  MUST(env, napi_get_undefined(env, &undefined));
  MUST(env, napi_call_function(env, undefined, callback, 0, NULL, NULL));
  if (job != NULL) MUST(env, napi_release_threadsafe_function(job->function, napi_tsfn_release));
}

static napi_threadsafe_function create(napi_env env, napi_value callback, size_t threads) {
  napi_threadsafe_function function;
  MUST(env, napi_create_threadsafe_function(env, callback, NULL, make_string(env, "feed"), 100,
                                            threads, NULL, NULL, NULL, call_back, &function));
  return function;
}

static void *publish(void *data) {
  struct feed *feed = data;
  while (!atomic_load(&feed->stopped)) {
    napi_call_threadsafe_function(feed->function, NULL, napi_tsfn_nonblocking);
    atomic_fetch_add(published, 1);
    rest(MOMENT);
  }
  return NULL;
}

enum { PAGE = 4096 };

__attribute__((constructor)) static void make_counter(void) {
  void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) abort();
  published = page;
}

__attribute__((destructor)) static void destroy_counter(void) {
  munmap(published, PAGE);
  rest(MILLISECOND);
}

static napi_value subscribe(napi_env env, napi_callback_info info) {
  struct feed *feed = calloc(1, sizeof *feed);
  feed->function = create(env, argument(env, info, 0), 1);
  MUST(env, napi_set_instance_data(env, feed, NULL, NULL));
  for (unsigned i = 0; i < THREADS; i++)
    if (pthread_create(&feed->threads[i], NULL, publish, feed) != 0) abort();
  return NULL;
}

static napi_value unsubscribe(napi_env env, napi_callback_info info) {
  (void)info;
  struct feed *feed;
  MUST(env, napi_get_instance_data(env, (void **)&feed));
  atomic_store(&feed->stopped, true);
  for (unsigned i = 0; i < THREADS; i++) pthread_join(feed->threads[i], NULL);
  MUST(env, napi_release_threadsafe_function(feed->function, napi_tsfn_abort));
  return NULL;
}

static void *serve_jobs(void *unused) {
  for (;; rest(MILLISECOND)) {
    for (unsigned i = 0; i < JOBS; i++) {
      if (!atomic_load(&jobs[i].waits) || jobs[i].milliseconds-- > 0) continue;
      atomic_store(&jobs[i].waits, false);
      napi_call_threadsafe_function(jobs[i].function, &jobs[i], napi_tsfn_nonblocking);
    }
  }
  return unused;
}

static void start_pool(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, serve_jobs, NULL) != 0) abort();
}

static napi_value compute(napi_env env, napi_callback_info info) {
  unsigned number = atomic_fetch_add(&job_count, 1);
  if (number >= JOBS) abort();
  struct job *job = &jobs[number];
  job->milliseconds = argument_u32(env, info, 0, 0);
  job->function = create(env, argument(env, info, 1), 1);
  atomic_store(&job->waits, true);
  pthread_once(&pool_once, start_pool);
  return NULL;
}

NAPI_MODULE_INIT() {
  export_function(env, exports, "subscribe", subscribe);
  export_function(env, exports, "unsubscribe", unsubscribe);
  export_function(env, exports, "compute", compute);
  return exports;
}
