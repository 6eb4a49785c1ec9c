/* Implements the traces. */
#include "diag/trace.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/function.h"
#include "core/queue.h"
#include "diag/stacks.h"

enum { USERS_MAX = 24, ENVS_MAX = 4096 };

/* One function's trace. The generation is written last, and a reader checks it before and after
 * reading, so it never mixes two functions. */
struct trace {
  /* Relaxed, except `generation`, which publishes the others. */
  _Atomic uint64_t generation; /* plus 1; 0: being written, or none */
  _Atomic uint64_t created;
  _Atomic uint64_t finalized;
  _Atomic uint64_t finalizing;
  _Atomic uint64_t queue_highest;
  _Atomic uint32_t created_at;
  _Atomic uint32_t finalized_at;

  /* Guarded by the function's lock. */
  uint32_t user_count;
  bool excess_reported;
  int32_t users[USERS_MAX]; /* threads that called it and have not released since */
};

static struct tg_trace_options options; /* constant after tg_trace_open */
static _Atomic(struct trace *) trace_chunks[TG_CHUNKS_MAX];
static _Atomic uint64_t created_count, finalized_count; /* relaxed: plain counters */

/* The record of an env is at its number modulo ENVS_MAX. Its loop thread writes it before the first
 * handle is given out. A worker's env never displaces an env of the main thread, which lives as
 * long as the process. Relaxed, except `number`, which publishes the rest. */
static struct {
  _Atomic uint32_t number;
  _Atomic int32_t loop_thread;
  _Atomic int64_t worker;
} env_records[ENVS_MAX];

static int32_t this_thread(void) {
  static _Thread_local int32_t id;
  if (id == 0) id = (int32_t)syscall(SYS_gettid);
  return id;
}

static int64_t worker_of(napi_env env) {
  return options.worker_id == NULL ? -1 : options.worker_id(env);
}

static void trace_on_env_entered(napi_env env, uint32_t env_number) {
  unsigned place = env_number % ENVS_MAX;
  int64_t worker = worker_of(env);
  bool is_used = atomic_load_explicit(&env_records[place].number, memory_order_relaxed) != 0;
  if (is_used && worker != 0 &&
      atomic_load_explicit(&env_records[place].worker, memory_order_relaxed) == 0)
    return;
  atomic_store_explicit(&env_records[place].number, 0, memory_order_relaxed);
  atomic_thread_fence(memory_order_release);
  atomic_store_explicit(&env_records[place].loop_thread, this_thread(), memory_order_relaxed);
  atomic_store_explicit(&env_records[place].worker, worker, memory_order_relaxed);
  atomic_store_explicit(&env_records[place].number, env_number, memory_order_release);
}

bool tg_trace_env(uint32_t number, struct tg_env_snapshot *snapshot) {
  unsigned place = number % ENVS_MAX;
  if (number == 0 ||
      atomic_load_explicit(&env_records[place].number, memory_order_acquire) != number)
    return false;
  snapshot->number = number;
  snapshot->loop_thread =
      atomic_load_explicit(&env_records[place].loop_thread, memory_order_relaxed);
  snapshot->worker = atomic_load_explicit(&env_records[place].worker, memory_order_relaxed);
  atomic_thread_fence(memory_order_acquire);
  return atomic_load_explicit(&env_records[place].number, memory_order_relaxed) == number;
}

/* NULL: there is no trace, for lack of memory. */
static struct trace *find_trace(uint32_t index) {
  struct trace *chunk =
      atomic_load_explicit(&trace_chunks[index / TG_CHUNK_SLOTS], memory_order_acquire);
  return chunk == NULL ? NULL : &chunk[index % TG_CHUNK_SLOTS];
}

static struct trace *find_or_map_trace(uint32_t index) {
  struct trace *trace = find_trace(index);
  if (trace != NULL) return trace;
  struct trace *chunk = options.map(sizeof *chunk * TG_CHUNK_SLOTS), *none = NULL;
  if (chunk == NULL) return NULL;
  /* If two threads race, the pages of the later one stay mapped. They are never touched, so they
   * take no memory. */
  atomic_compare_exchange_strong_explicit(&trace_chunks[index / TG_CHUNK_SLOTS], &none, chunk,
                                          memory_order_release, memory_order_acquire);
  return find_trace(index);
}

/* Counts a create or a finalizer. */
static void count_and_notify(_Atomic uint64_t *counter) {
  atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
  if (options.changed != NULL) options.changed();
}

static uint64_t own_mark(uint32_t generation) {
  return (uint64_t)generation + 1;
}

static void trace_on_created(const struct tg_function *function, const void *caller) {
  count_and_notify(&created_count);
  if (!options.diagnose) return;
  struct trace *trace = find_or_map_trace(function->index);
  if (trace == NULL) return;
  atomic_store_explicit(&trace->generation, 0, memory_order_relaxed);
  atomic_thread_fence(memory_order_release);
  atomic_store_explicit(&trace->created, tg_nanoseconds(CLOCK_MONOTONIC), memory_order_relaxed);
  atomic_store_explicit(&trace->created_at, tg_stack_take_and_keep(caller), memory_order_relaxed);
  atomic_store_explicit(&trace->finalized, 0, memory_order_relaxed);
  atomic_store_explicit(&trace->finalized_at, 0, memory_order_relaxed);
  atomic_store_explicit(&trace->queue_highest, 0, memory_order_relaxed);
  trace->user_count = 0;
  trace->excess_reported = false;
  atomic_store_explicit(&trace->generation, own_mark(function->generation), memory_order_release);
}

/* NULL: the function has no trace. Relaxed is enough, because the function's lock is held or its
 * generation cannot change. */
static struct trace *find_own_trace(const struct tg_function *function) {
  struct trace *trace = options.diagnose ? find_trace(function->index) : NULL;
  if (trace == NULL) return NULL;
  return atomic_load_explicit(&trace->generation, memory_order_relaxed) ==
                 own_mark(function->generation)
             ? trace
             : NULL;
}

static bool is_thread_alive(int32_t thread) {
  return syscall(SYS_tgkill, getpid(), thread, 0) == 0;
}

static void remove_user(struct trace *trace, int32_t user) {
  for (uint32_t i = 0; i < trace->user_count; i++) {
    if (trace->users[i] != user) continue;
    trace->users[i] = trace->users[--trace->user_count];
    return;
  }
}

/* Removes threads that have ended: such a thread has passed its count on to another thread. */
static void prune_dead_threads(struct trace *trace) {
  for (uint32_t i = trace->user_count; i-- > 0;)
    if (!is_thread_alive(trace->users[i])) trace->users[i] = trace->users[--trace->user_count];
}

static enum tg_event_kind record_user(struct trace *trace, size_t thread_count,
                                      uint64_t *quantity) {
  int32_t user = this_thread();
  for (uint32_t i = 0; i < trace->user_count; i++)
    if (trace->users[i] == user) return TG_EVENT_NONE;
  if (trace->user_count == USERS_MAX) return TG_EVENT_NONE;
  trace->users[trace->user_count++] = user;
  if (trace->excess_reported || trace->user_count <= thread_count) return TG_EVENT_NONE;
  prune_dead_threads(trace);
  if (trace->user_count <= thread_count) return TG_EVENT_NONE;
  trace->excess_reported = true;
  *quantity = trace->user_count;
  return TG_EVENT_MORE_THREADS_THAN_COUNTS;
}

/* The loop thread needs no count, because no finalizer runs while it makes a call. */
static enum tg_event_kind trace_on_called(const struct tg_function *function, uint64_t *quantity) {
  struct trace *trace = find_own_trace(function);
  if (trace == NULL) return TG_EVENT_NONE;
  size_t length = tg_queue_length(&function->queue);
  if (length > atomic_load_explicit(&trace->queue_highest, memory_order_relaxed))
    atomic_store_explicit(&trace->queue_highest, length, memory_order_relaxed);
  if (tg_function_is_loop_thread(function)) return TG_EVENT_NONE;
  return record_user(trace, function->thread_count, quantity);
}

static void trace_on_released(const struct tg_function *function) {
  struct trace *trace = find_own_trace(function);
  if (trace != NULL) remove_user(trace, this_thread());
}

static void trace_on_taken(const struct tg_function *function) {
  (void)function;
  options.changed();
}

static enum tg_event_kind trace_on_delivering(napi_env env) {
  if (options.is_javascript_forbidden == NULL || !options.is_javascript_forbidden(env))
    return TG_EVENT_NONE;
  return TG_EVENT_JAVASCRIPT_FORBIDDEN;
}

static enum tg_event_kind trace_on_delivered(napi_env env) {
  if (options.has_exception == NULL || !options.has_exception(env)) return TG_EVENT_NONE;
  return TG_EVENT_PENDING_EXCEPTION;
}

static void trace_on_finalizing(const struct tg_function *function) {
  struct trace *trace = find_own_trace(function);
  if (trace != NULL)
    atomic_store_explicit(&trace->finalizing, tg_nanoseconds(CLOCK_MONOTONIC),
                          memory_order_relaxed);
}

static enum tg_event_kind trace_on_finalized(const struct tg_function *function,
                                             uint64_t *quantity) {
  count_and_notify(&finalized_count);
  struct trace *trace = find_own_trace(function);
  if (trace == NULL) return TG_EVENT_NONE;
  uint64_t time = tg_nanoseconds(CLOCK_MONOTONIC);
  atomic_store_explicit(&trace->finalized, time, memory_order_relaxed);
  atomic_store_explicit(&trace->finalized_at, tg_stack_take_and_keep(NULL), memory_order_relaxed);
  uint64_t took_ms =
      (time - atomic_load_explicit(&trace->finalizing, memory_order_relaxed)) / 1000000;
  if (options.finalize_warn_ms == 0 || took_ms <= options.finalize_warn_ms) return TG_EVENT_NONE;
  *quantity = took_ms;
  return TG_EVENT_SLOW_FINALIZER;
}

bool tg_trace_read(uint32_t index, uint32_t generation, struct tg_trace_snapshot *snapshot) {
  uint64_t mark = own_mark(generation);
  struct trace *trace = find_trace(index);
  if (trace == NULL || atomic_load_explicit(&trace->generation, memory_order_acquire) != mark)
    return false;
  snapshot->created = atomic_load_explicit(&trace->created, memory_order_relaxed);
  snapshot->finalized = atomic_load_explicit(&trace->finalized, memory_order_relaxed);
  snapshot->created_at = atomic_load_explicit(&trace->created_at, memory_order_relaxed);
  snapshot->finalized_at = atomic_load_explicit(&trace->finalized_at, memory_order_relaxed);
  snapshot->queue_highest = atomic_load_explicit(&trace->queue_highest, memory_order_relaxed);
  atomic_thread_fence(memory_order_acquire);
  return atomic_load_explicit(&trace->generation, memory_order_relaxed) == mark;
}

uint64_t tg_trace_created(void) {
  return atomic_load_explicit(&created_count, memory_order_relaxed);
}

uint64_t tg_trace_finalized(void) {
  return atomic_load_explicit(&finalized_count, memory_order_relaxed);
}

const struct tg_observer *tg_trace_open(const struct tg_trace_options *trace_options) {
  static struct tg_observer observer = {.created = trace_on_created,
                                        .finalized = trace_on_finalized};
  options = *trace_options;
  if (options.changed != NULL) observer.taken = trace_on_taken;
  if (options.diagnose) {
    observer.env_entered = trace_on_env_entered;
    observer.called = trace_on_called;
    observer.released = trace_on_released;
    observer.delivering = trace_on_delivering;
    observer.delivered = trace_on_delivered;
    observer.finalizing = trace_on_finalizing;
  }
  return &observer;
}
