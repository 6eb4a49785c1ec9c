/* What the bench addons do and measure. It does not depend on what is between a producer and its
 * thread-safe function.
 *
 * A file that includes this must define `subject`, a value that stands for one function and is
 * cheap to copy, and its uses: subject_create, subject_call (returns when the item is accepted;
 * `blocking`: it may sleep until then), subject_acquire, subject_release, subject_unref and
 * subject_context. Its call_js_cb calls deliver(), its finalizer calls finish(). This is both C11
 * and C++20.
 *
 * Every figure is a sum over all items, in nanoseconds, of the CPU time of one thread
 * (CLOCK_THREAD_CPUTIME_ID) or of CLOCK_MONOTONIC. The driver divides it by the number of items.
 * Exports; those marked * return a promise:
 *   flood*(producers, items, limit, callsJs, pinned, callback): threads call as fast as they can
 *     -> [producers' CPU, loop thread's CPU, wall]
 *   burst*(items, callsJs, callback): the same with one thread. The loop thread waits until that
 *     thread has ended, so neither disturbs the other
 *   handOver*(items): one thread, on the loop thread's processor, calls and then waits until that
 *     item is delivered -> [its CPU, loop thread's CPU, wall, how often the two went to sleep]
 *   latency*(items, interval): one thread calls every `interval` ns -> for each item the time from
 *     call to callback
 *   cycles*(count, together): creates and releases `count` functions and waits until they are
 *     finalized, `together` at a time -> [0, loop thread's CPU]
 *   pairs(count), contexts(count): acquire + release, get_context, on the loop thread -> [CPU]
 *   hold(count): creates functions, unrefs them and never releases them -> count
 *   queueUp*(items): queues the items before the loop thread can take any -> [bytes of resident
 *     memory that this has added]
 *   resident(): bytes
 *   run(program, argument…): runs it to its end -> [wall, CPU of all its threads, its peak of
 *     resident bytes, its context switches] */
#ifndef TEST_BENCH_WORKLOAD_H
#define TEST_BENCH_WORKLOAD_H

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../addons/addon.h"

enum { PRODUCERS_MAX = 64, RESULTS_MAX = 4 };

struct run;

struct producer {
  struct run *run;
  pthread_t thread;
  uint32_t items;
  uint64_t cpu;
};

/* One measurement. It is also the context of its function. */
struct run {
  subject function;
  napi_deferred deferred;
  bool calls_js, pinned, blocking, hands_over;
  uint32_t items, delivered;
  sem_t taken; /* if hands_over: posted with each delivery */
  uint64_t sleeps;
  uint64_t interval;
  uint64_t wall_begun, loop_begun, wall, loop;
  uint64_t *times; /* latency: for each item the time of the call, later the time that it took */
  uint32_t cycles_left, cycles_alive, together;
  uint64_t first; /* not 0: the first result, in place of the producers' CPU */
  pthread_barrier_t start;
  uint32_t producer_count;
  struct producer producers[PRODUCERS_MAX];
};

static inline uint64_t read_clock(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static inline uint64_t wall_now(void) {
  return read_clock(CLOCK_MONOTONIC);
}

static inline uint64_t cpu_now(void) {
  return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

/* How often the calling thread has gone to sleep. Preemptions do not count. */
static inline uint64_t sleeps_of_thread(void) {
  struct rusage usage;
  if (getrusage(RUSAGE_THREAD, &usage) != 0) abort();
  return (uint64_t)usage.ru_nvcsw;
}

static inline uint64_t resident_bytes(void) {
  unsigned long size = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%lu %lu", &size, &resident) != 2) abort();
  fclose(file);
  return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* The processors on which this process was allowed to run when the addon was loaded. */
static cpu_set_t processors;

/* Puts the calling thread on the first (0) or last (1) of them, or on all (-1). */
static inline void pin(int end) {
  cpu_set_t set = processors;
  if (end >= 0) {
    int chosen = -1;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
      if (!CPU_ISSET(cpu, &processors)) continue;
      chosen = cpu;
      if (end == 0) break;
    }
    CPU_ZERO(&set);
    CPU_SET(chosen, &set);
  }
  if (sched_setaffinity(0, sizeof set, &set) != 0) abort();
}

static inline napi_value make_numbers(napi_env env, const uint64_t *numbers, uint32_t count) {
  napi_value array, number;
  MUST(env, napi_create_array_with_length(env, count, &array));
  for (uint32_t i = 0; i < count; i++) {
    MUST(env, napi_create_double(env, (double)numbers[i], &number));
    MUST(env, napi_set_element(env, array, i, number));
  }
  return array;
}

/* An item has come to the loop thread. */
static inline void deliver(napi_env env, napi_value js_callback, struct run *run, void *item) {
  if (env == NULL) return;
  if (run->times != NULL) {
    uint64_t *time = (uint64_t *)item;
    *time = wall_now() - *time;
  }
  if (run->calls_js) {
    napi_value undefined;
    MUST(env, napi_get_undefined(env, &undefined));
    MUST(env, napi_call_function(env, undefined, js_callback, 0, NULL, NULL));
  }
  bool is_last = ++run->delivered == run->items;
  if (is_last) {
    run->loop = cpu_now() - run->loop_begun;
    run->wall = wall_now() - run->wall_begun;
    run->sleeps += sleeps_of_thread();
  }
  if (run->hands_over) sem_post(&run->taken);
}

static struct run *open_run(napi_env env, napi_value *promise) {
  struct run *run = (struct run *)calloc(1, sizeof *run);
  if (run == NULL) abort();
  MUST(env, napi_create_promise(env, &run->deferred, promise));
  return run;
}

static void cycle(napi_env env, struct run *run);

/* The function is finalized. */
static inline void finish(napi_env env, struct run *run) {
  if (run->cycles_alive != 0) {
    if (--run->cycles_alive == 0 && run->cycles_left != 0) cycle(env, run);
    if (run->cycles_alive != 0) return;
    run->loop = cpu_now() - run->loop_begun;
  }
  uint64_t results[RESULTS_MAX] = {0, run->loop, run->wall, 0};
  uint32_t count = run->times != NULL ? run->items : (uint32_t)RESULTS_MAX;
  for (uint32_t i = 0; i < run->producer_count; i++) {
    pthread_join(run->producers[i].thread, NULL);
    results[0] += run->producers[i].cpu;
  }
  results[3] = run->sleeps; /* the producers have added theirs */
  if (run->first != 0) results[0] = run->first;
  napi_value answer = make_numbers(env, run->times != NULL ? run->times : results, count);
  MUST(env, napi_resolve_deferred(env, run->deferred, answer));
  if (run->producer_count != 0) pthread_barrier_destroy(&run->start);
  free(run->times);
  free(run);
}

static void *produce(void *argument) {
  struct producer *producer = (struct producer *)argument;
  struct run *run = producer->run;
  if (run->pinned) pin(1);
  pthread_barrier_wait(&run->start);
  uint64_t begun = cpu_now();
  for (uint32_t i = 0; i < producer->items; i++)
    subject_call(run->function, producer, run->blocking);
  producer->cpu = cpu_now() - begun;
  subject_release(run->function);
  return NULL;
}

static void *produce_one_by_one(void *argument) {
  struct producer *producer = (struct producer *)argument;
  struct run *run = producer->run;
  pin(0);
  pthread_barrier_wait(&run->start);
  uint64_t begun = cpu_now(), slept = sleeps_of_thread();
  for (uint32_t i = 0; i < producer->items; i++) {
    subject_call(run->function, producer, false);
    while (sem_wait(&run->taken) != 0) {
    }
  }
  producer->cpu = cpu_now() - begun;
  run->sleeps += sleeps_of_thread() - slept; /* the loop thread has already added its own */
  subject_release(run->function);
  return NULL;
}

static void *produce_now_and_then(void *argument) {
  struct producer *producer = (struct producer *)argument;
  struct run *run = producer->run;
  pin(1);
  pthread_barrier_wait(&run->start);
  uint64_t next = wall_now();
  for (uint32_t i = 0; i < producer->items; i++) {
    next += run->interval;
    const struct timespec until = {(time_t)(next / 1000000000U), (long)(next % 1000000000U)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    run->times[i] = wall_now();
    subject_call(run->function, &run->times[i], false);
  }
  subject_release(run->function);
  return NULL;
}

/* Starts the producers. All of them begin when the clocks are started. */
static void start_producers(struct run *run, uint32_t count, void *(*body)(void *)) {
  if (count == 0 || count > PRODUCERS_MAX) abort();
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 * 1024);
  pthread_barrier_init(&run->start, NULL, count + 1);
  pin(run->pinned ? 0 : -1);
  run->producer_count = count;
  for (uint32_t i = 0; i < count; i++) {
    struct producer *producer = &run->producers[i];
    producer->run = run;
    producer->items = run->items / count + (i < run->items % count);
    if (pthread_create(&producer->thread, &attributes, body, producer) != 0) abort();
  }
  pthread_attr_destroy(&attributes);
  run->wall_begun = wall_now();
  run->loop_begun = cpu_now();
  pthread_barrier_wait(&run->start);
}

static napi_value flood(napi_env env, napi_callback_info info) {
  napi_value promise;
  struct run *run = open_run(env, &promise);
  uint32_t producers = argument_u32(env, info, 0, 1);
  run->items = argument_u32(env, info, 1, 1000);
  run->calls_js = argument_u32(env, info, 3, 0) != 0;
  run->pinned = argument_u32(env, info, 4, 0) != 0;
  /* Without the guard several blocking callers of one bounded queue hang (nodejs/node#58723). */
  run->blocking = producers == 1;
  run->function =
      subject_create(env, argument(env, info, 5), argument_u32(env, info, 2, 0), producers, run);
  start_producers(run, producers, produce);
  return promise;
}

static napi_value burst(napi_env env, napi_callback_info info) {
  napi_value promise;
  struct run *run = open_run(env, &promise);
  run->items = argument_u32(env, info, 0, 1000);
  run->calls_js = argument_u32(env, info, 1, 0) != 0;
  run->pinned = true;
  run->function = subject_create(env, argument(env, info, 2), 0, 1, run);
  start_producers(run, 1, produce);
  pthread_join(run->producers[0].thread, NULL);
  run->first = run->producers[0].cpu;
  run->producer_count = 0; /* joined */
  pthread_barrier_destroy(&run->start);
  run->wall_begun = wall_now();
  run->loop_begun = cpu_now();
  return promise;
}

static napi_value hand_off(napi_env env, napi_callback_info info) {
  napi_value promise;
  struct run *run = open_run(env, &promise);
  run->items = argument_u32(env, info, 0, 1000);
  run->hands_over = run->pinned = true;
  run->sleeps = 0 - sleeps_of_thread();
  if (sem_init(&run->taken, 0, 0) != 0) abort();
  run->function = subject_create(env, NULL, 0, 1, run);
  start_producers(run, 1, produce_one_by_one);
  return promise;
}

static napi_value latency(napi_env env, napi_callback_info info) {
  napi_value promise;
  struct run *run = open_run(env, &promise);
  run->items = argument_u32(env, info, 0, 100);
  run->interval = argument_u32(env, info, 1, 1000000);
  run->pinned = true;
  run->times = (uint64_t *)calloc(run->items, sizeof *run->times);
  if (run->times == NULL) abort();
  run->function = subject_create(env, NULL, 0, 1, run);
  start_producers(run, 1, produce_now_and_then);
  return promise;
}

static void cycle(napi_env env, struct run *run) {
  uint32_t count = run->together < run->cycles_left ? run->together : run->cycles_left;
  run->cycles_left -= count;
  run->cycles_alive = count;
  subject *functions = (subject *)calloc(count, sizeof *functions);
  if (functions == NULL) abort();
  for (uint32_t i = 0; i < count; i++) functions[i] = subject_create(env, NULL, 0, 1, run);
  for (uint32_t i = 0; i < count; i++) subject_release(functions[i]);
  free(functions);
}

static napi_value cycles(napi_env env, napi_callback_info info) {
  napi_value promise;
  struct run *run = open_run(env, &promise);
  run->cycles_left = argument_u32(env, info, 0, 1);
  run->together = argument_u32(env, info, 1, 1);
  pin(0);
  run->loop_begun = cpu_now();
  cycle(env, run);
  return promise;
}

static napi_value repeat(napi_env env, napi_callback_info info, void (*step)(subject)) {
  napi_value promise; /* is never returned */
  struct run *run = open_run(env, &promise);
  uint32_t count = argument_u32(env, info, 0, 1);
  subject function = subject_create(env, NULL, 0, 1, run);
  pin(0);
  uint64_t begun = cpu_now();
  for (uint32_t i = 0; i < count; i++) step(function);
  uint64_t took = cpu_now() - begun;
  subject_release(function);
  return make_numbers(env, &took, 1);
}

static void pair_step(subject function) {
  subject_acquire(function);
  subject_release(function);
}

static void context_step(subject function) {
  if (subject_context(function) == NULL) abort();
}

static napi_value pairs(napi_env env, napi_callback_info info) {
  return repeat(env, info, pair_step);
}

static napi_value contexts(napi_env env, napi_callback_info info) {
  return repeat(env, info, context_step);
}

static napi_value hold(napi_env env, napi_callback_info info) {
  static struct run nothing;
  uint32_t count = argument_u32(env, info, 0, 0);
  for (uint32_t i = 0; i < count; i++) {
    napi_handle_scope scope;
    MUST(env, napi_open_handle_scope(env, &scope));
    subject_unref(env, subject_create(env, NULL, 0, 1, &nothing));
    MUST(env, napi_close_handle_scope(env, scope));
  }
  return make_u32(env, count);
}

static napi_value queue_up(napi_env env, napi_callback_info info) {
  napi_value promise;
  struct run *run = open_run(env, &promise);
  run->items = argument_u32(env, info, 0, 1000);
  run->function = subject_create(env, NULL, 0, 1, run);
  uint64_t before = resident_bytes();
  for (uint32_t i = 0; i < run->items; i++) subject_call(run->function, run, false);
  run->first = resident_bytes() - before;
  subject_release(run->function);
  return promise;
}

static napi_value resident(napi_env env, napi_callback_info info) {
  (void)info;
  uint64_t bytes = resident_bytes();
  return make_numbers(env, &bytes, 1);
}

static uint64_t nanoseconds(struct timeval time) {
  return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_usec * 1000U;
}

static napi_value run_program(napi_env env, napi_callback_info info) {
  static char texts[MAX_ARGUMENTS][1024];
  char *arguments[MAX_ARGUMENTS + 1] = {NULL};
  for (size_t i = 0; i < MAX_ARGUMENTS; i++) {
    napi_value text = argument(env, info, i);
    size_t length;
    if (text == NULL ||
        napi_get_value_string_utf8(env, text, texts[i], sizeof texts[i], &length) != napi_ok)
      break;
    arguments[i] = texts[i];
  }
  extern char **environ;
  struct rusage usage;
  pid_t child;
  int status;
  pin(-1);
  uint64_t begun = wall_now();
  if (posix_spawnp(&child, arguments[0], NULL, NULL, arguments, environ) != 0) abort();
  if (wait4(child, &status, 0, &usage) != child) abort();
  uint64_t results[] = {
      wall_now() - begun, nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime),
      (uint64_t)usage.ru_maxrss * 1024, (uint64_t)(usage.ru_nvcsw + usage.ru_nivcsw)};
  if (status != 0) {
    fprintf(stderr,
            "bench: needed: %s to end with 0\n  found: wait status %d\n  do: run it by hand\n",
            arguments[0], status);
    exit(1);
  }
  return make_numbers(env, results, RESULTS_MAX);
}

static inline void export_workload(napi_env env, napi_value exports) {
  sched_getaffinity(0, sizeof processors, &processors);
  export_function(env, exports, "flood", flood);
  export_function(env, exports, "burst", burst);
  export_function(env, exports, "handOver", hand_off);
  export_function(env, exports, "latency", latency);
  export_function(env, exports, "cycles", cycles);
  export_function(env, exports, "pairs", pairs);
  export_function(env, exports, "contexts", contexts);
  export_function(env, exports, "hold", hold);
  export_function(env, exports, "queueUp", queue_up);
  export_function(env, exports, "resident", resident);
  export_function(env, exports, "run", run_program);
}

#endif
