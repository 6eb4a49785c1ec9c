/* The addon of the fault tests. It has one thread-safe function at a time, and threads that pass
 * items to it. The faults come from the program itself: pthread_cancel, fork, signals, exit from a
 * thread, dlclose.
 *
 * Exports:
 *   create(queue, count)           returns the status
 *   produce(threads, items, mode)  starts threads; each of them passes that many items and then
 *                                  releases. Modes: 'blocking'; 'trying': nonblocking calls, which
 *                                  are repeated until the item is accepted; 'forever': a call every
 *                                  millisecond until the thread is rejected
 *   waitBlocked(items)             waits until that many items are accepted and, for 50 ms, all
 *                                  threads are inside a call
 *   wait()                         waits until all threads have ended
 *   release(), abort(), unref()
 *   cancel(thread), cancelled()    pthread_cancel; how many threads have ended early
 *   ended()                        how many threads have ended
 *   fork(way)                      forks a child that ends by exit or _exit, or makes a call before
 *                                  that; returns how it ended
 *   storm(), signals(), calm()     sends SIGPROF to all threads from now on; how many have arrived;
 *                                  stops that
 *   exitLater(ms)                  a thread calls exit(0) after that time
 *   plug(path)                     loads a plugin that creates the function and runs the thread,
 *                                  and unloads it in a cleanup hook
 *   tell()                         prints what happened to the items
 *
 * The addon's destructor joins threads of mode 'forever', and prints the same. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "addon.h"

enum { MAX_THREADS = 64, CHILD_PATIENCE_MS = 1500, STATUSES = 32 };

struct producer {
  pthread_t thread;
  uint32_t index;
  uint32_t items;
  uint32_t mode;
  atomic_uint accepted;
  uint32_t delivered; /* loop thread */
  bool cancelled;     /* written before `ended` */
  bool joined;
};

enum { BLOCKING, TRYING, FOREVER };
static const char *const modes[] = {"blocking", "trying", "forever"};

static napi_threadsafe_function tsfn;
static struct producer producers[MAX_THREADS];
static unsigned producer_count;
static atomic_uint inside, ended, answers[STATUSES], accepted, delivered, disordered, finalized,
    signals;
static atomic_bool storming;
static pid_t process;

static void sleep_us(long us) {
  const struct timespec time = {.tv_nsec = us * 1000};
  nanosleep(&time, NULL);
}

/* --- The threads. */

static napi_status hand_off(struct producer *producer) {
  uintptr_t item = (uintptr_t)(producer->index + 1) << 32 | atomic_load(&producer->accepted);
  atomic_fetch_add(&inside, 1);
  napi_status status = napi_call_threadsafe_function(
      tsfn, (void *)item, producer->mode == BLOCKING ? napi_tsfn_blocking : napi_tsfn_nonblocking);
  atomic_fetch_sub(&inside, 1);
  atomic_fetch_add(&answers[(unsigned)status % STATUSES], 1);
  if (status != napi_ok) return status;
  atomic_fetch_add(&producer->accepted, 1);
  atomic_fetch_add(&accepted, 1);
  return status;
}

static void record_end(void *argument) {
  struct producer *producer = argument;
  producer->cancelled =
      producer->mode == BLOCKING && atomic_load(&producer->accepted) != producer->items;
  atomic_fetch_add(&ended, 1);
}

static void produce_all(struct producer *producer) {
  while (atomic_load(&producer->accepted) < producer->items) {
    napi_status status = hand_off(producer);
    if (status == napi_closing || status == napi_invalid_arg) return;
    pthread_testcancel();
  }
  napi_release_threadsafe_function(tsfn, napi_tsfn_release);
}

static void *run_producer(void *argument) {
  struct producer *producer = argument;
  pthread_cleanup_push(record_end, producer);
  if (producer->mode != FOREVER)
    produce_all(producer);
  else
    for (napi_status status = napi_ok; status == napi_ok; sleep_us(1000))
      status = hand_off(producer);
  pthread_cleanup_pop(1);
  return NULL;
}

static void join_all(void) {
  for (unsigned i = 0; i < producer_count; i++) {
    if (!producers[i].joined) pthread_join(producers[i].thread, NULL);
    producers[i].joined = true;
  }
}

/* --- The function's callbacks. */

static void on_call(napi_env env, napi_value callback, void *context, void *data) {
  uintptr_t item = (uintptr_t)data;
  (void)env;
  (void)callback;
  (void)context;
  if (item == 0) return; /* from a forked child */
  struct producer *producer = &producers[(item >> 32) - 1];
  if (producer->delivered++ != (uint32_t)item) atomic_fetch_add(&disordered, 1);
  atomic_fetch_add(&delivered, 1);
}

static void on_finalize(napi_env env, void *data, void *context) {
  (void)env;
  (void)data;
  (void)context;
  atomic_fetch_add(&finalized, 1);
}

static void print_totals(void) {
  fprintf(stderr,
          "accepted=%u delivered=%u disordered=%u finalized=%u refused=%u full=%u closing=%u\n",
          atomic_load(&accepted), atomic_load(&delivered), atomic_load(&disordered),
          atomic_load(&finalized), atomic_load(&answers[napi_generic_failure]),
          atomic_load(&answers[napi_queue_full]), atomic_load(&answers[napi_closing]));
}

__attribute__((destructor)) static void join_at_exit(void) {
  if (process != getpid() || producer_count == 0 || producers[0].mode != FOREVER) return;
  join_all();
  print_totals();
}

/* --- What JavaScript calls. */

static napi_value create(napi_env env, napi_callback_info info) {
  process = getpid();
  return make_u32(env, napi_create_threadsafe_function(env, NULL, NULL, make_string(env, "faults"),
                                                       argument_u32(env, info, 0, 0),
                                                       argument_u32(env, info, 1, 1), NULL,
                                                       on_finalize, NULL, on_call, &tsfn));
}

static uint32_t find_word(napi_env env, napi_value value, const char *const words[],
                          uint32_t count) {
  char word[16];
  MUST(env, napi_get_value_string_utf8(env, value, word, sizeof word, NULL));
  for (uint32_t i = 0; i < count; i++)
    if (strcmp(words[i], word) == 0) return i;
  abort();
}

static napi_value produce(napi_env env, napi_callback_info info) {
  producer_count = argument_u32(env, info, 0, 1);
  uint32_t mode = find_word(env, argument(env, info, 2), modes, 3);
  if (producer_count > MAX_THREADS) abort();
  for (uint32_t i = 0; i < producer_count; i++) {
    producers[i].index = i;
    producers[i].items = argument_u32(env, info, 1, 0);
    producers[i].mode = mode;
    if (pthread_create(&producers[i].thread, NULL, run_producer, &producers[i]) != 0) abort();
  }
  return NULL;
}

static napi_value wait_blocked(napi_env env, napi_callback_info info) {
  uint32_t items = argument_u32(env, info, 0, 0);
  for (unsigned steady = 0; steady < 50; sleep_us(1000))
    steady =
        atomic_load(&accepted) == items && atomic_load(&inside) == producer_count ? steady + 1 : 0;
  return NULL;
}

static napi_value wait_ended(napi_env env, napi_callback_info info) {
  (void)env;
  (void)info;
  join_all();
  return NULL;
}

static napi_value release(napi_env env, napi_callback_info info) {
  (void)info;
  return make_u32(env, napi_release_threadsafe_function(tsfn, napi_tsfn_release));
}

static napi_value release_abort(napi_env env, napi_callback_info info) {
  (void)info;
  return make_u32(env, napi_release_threadsafe_function(tsfn, napi_tsfn_abort));
}

static napi_value unref(napi_env env, napi_callback_info info) {
  (void)info;
  MUST(env, napi_unref_threadsafe_function(env, tsfn));
  return NULL;
}

static napi_value get_ended(napi_env env, napi_callback_info info) {
  (void)info;
  return make_u32(env, atomic_load(&ended));
}

static napi_value tell(napi_env env, napi_callback_info info) {
  (void)env;
  (void)info;
  print_totals();
  return NULL;
}

/* --- pthread_cancel. */

static napi_value cancel(napi_env env, napi_callback_info info) {
  pthread_cancel(producers[argument_u32(env, info, 0, 0)].thread);
  return NULL;
}

static napi_value get_cancelled(napi_env env, napi_callback_info info) {
  unsigned cancelled = 0;
  (void)info;
  for (unsigned i = 0; i < producer_count; i++) cancelled += producers[i].cancelled;
  return make_u32(env, cancelled);
}

/* --- fork. */

/* A child that hangs must not outlive the test. */
static const char *describe_end(pid_t child, char text[32]) {
  int status = 0;
  for (unsigned waited = 0; waitpid(child, &status, WNOHANG) == 0; waited++) {
    if (waited == CHILD_PATIENCE_MS) {
      kill(child, SIGKILL);
      waitpid(child, NULL, 0);
      return "hung";
    }
    sleep_us(1000);
  }
  snprintf(text, 32, WIFEXITED(status) ? "status %d" : "signal %d",
           WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
  return text;
}

static void be_child(uint32_t way) {
  if (way == 0) exit(3);
  if (way == 1) _exit(4);
  void *context;
  napi_status status = napi_call_threadsafe_function(tsfn, NULL, napi_tsfn_nonblocking);
  if (napi_get_threadsafe_function_context(tsfn, &context) != napi_ok) _exit(100);
  if (way == 2) _exit(50 + (int)status);
  exit(50 + (int)status);
}

static napi_value do_fork(napi_env env, napi_callback_info info) {
  static const char *const ways[] = {"exit", "_exit", "call", "callAndExit"};
  uint32_t way = find_word(env, argument(env, info, 0), ways, 4);
  char text[32];
  pid_t child = fork();
  if (child == 0) be_child(way);
  return make_string(env, describe_end(child, text));
}

/* --- Signals. */

static void on_signal(int number) {
  (void)number;
  atomic_fetch_add(&signals, 1);
}

static pthread_t storm_thread, loop_thread;

/* The timer's signals go to threads that use the processor. Ours also go to threads that sleep. */
static void *run_storm(void *argument) {
  while (atomic_load(&storming)) {
    pthread_kill(loop_thread, SIGPROF);
    for (unsigned i = 0; i < producer_count && atomic_load(&ended) == 0; i++)
      pthread_kill(producers[i].thread, SIGPROF);
    sleep_us(1000);
  }
  return argument;
}

static void set_timer(long us) {
  const struct itimerval timer = {.it_interval.tv_usec = us, .it_value.tv_usec = us};
  setitimer(ITIMER_PROF, &timer, NULL);
}

static napi_value storm(napi_env env, napi_callback_info info) {
  struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART */
  (void)env;
  (void)info;
  sigaction(SIGPROF, &action, NULL);
  atomic_store(&storming, true);
  loop_thread = pthread_self();
  if (pthread_create(&storm_thread, NULL, run_storm, NULL) != 0) abort();
  set_timer(1000);
  return NULL;
}

static napi_value count_signals(napi_env env, napi_callback_info info) {
  (void)info;
  return make_u32(env, atomic_load(&signals));
}

static napi_value calm(napi_env env, napi_callback_info info) {
  (void)info;
  set_timer(0);
  atomic_store(&storming, false);
  pthread_join(storm_thread, NULL);
  return make_u32(env, atomic_load(&signals));
}

/* --- exit from a thread. */

static void *run_exit(void *ms) {
  sleep_us((long)(uintptr_t)ms * 1000);
  exit(0);
}

static napi_value exit_later(napi_env env, napi_callback_info info) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, run_exit, (void *)(uintptr_t)argument_u32(env, info, 0, 0)) !=
      0)
    abort();
  return NULL;
}

/* --- dlclose. */

static void unplug(void *plugin) {
  dlclose(plugin);
}

/* The hook is added before the create, so it runs after the function's own hook. */
static napi_value plug(napi_env env, napi_callback_info info) {
  char path[1024];
  MUST(env, napi_get_value_string_utf8(env, argument(env, info, 0), path, sizeof path, NULL));
  void *plugin = dlopen(path, RTLD_NOW);
  if (plugin == NULL) abort();
  MUST(env, napi_add_env_cleanup_hook(env, unplug, plugin));
  void (*start)(napi_env);
  *(void **)&start = dlsym(plugin, "start_plugin");
  start(env);
  return NULL;
}

NAPI_MODULE_INIT() {
  export_function(env, exports, "create", create);
  export_function(env, exports, "produce", produce);
  export_function(env, exports, "waitBlocked", wait_blocked);
  export_function(env, exports, "wait", wait_ended);
  export_function(env, exports, "release", release);
  export_function(env, exports, "abort", release_abort);
  export_function(env, exports, "unref", unref);
  export_function(env, exports, "ended", get_ended);
  export_function(env, exports, "tell", tell);
  export_function(env, exports, "cancel", cancel);
  export_function(env, exports, "cancelled", get_cancelled);
  export_function(env, exports, "fork", do_fork);
  export_function(env, exports, "storm", storm);
  export_function(env, exports, "calm", calm);
  export_function(env, exports, "signals", count_signals);
  export_function(env, exports, "exitLater", exit_later);
  export_function(env, exports, "plug", plug);
  return exports;
}
