/* The observer of mode=diagnose. For each guarded function it records when and where it was created
 * and finalized, the greatest length of its queue, and which threads call it.
 *
 * There is one trace per slot, in a table beside the handle table. Thread safety: the core calls
 * the observer's functions as core/ports.h says. Any thread may call tg_trace_read and
 * tg_trace_env, in a signal handler too. */
#ifndef TG_DIAG_TRACE_H
#define TG_DIAG_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/event.h"
#include "core/ports.h"

struct tg_trace_options {
  bool diagnose;             /* false: only count for the metrics */
  uint64_t finalize_warn_ms; /* 0: never */
  void *(*map)(size_t size); /* as in tg_host */
  /* Called when a metric may have changed. Any thread, no lock held. NULL: not needed. */
  void (*changed)(void);

  /* Provided by the runtime; NULL: unknown. The id of the worker that an env belongs to: 0 for the
   * main thread, -1 for unknown. Called on the loop thread. */
  int64_t (*worker_id)(napi_env env);
  /* Whether an exception is pending; whether JavaScript must not run. Called on the loop thread. */
  bool (*has_exception)(napi_env env);
  bool (*is_javascript_forbidden)(napi_env env);
};

/* Returns the observer for a tg_host. Call it once, before main. */
const struct tg_observer *tg_trace_open(const struct tg_trace_options *options);

/* A snapshot of a function's trace. Times are in nanoseconds of CLOCK_MONOTONIC; 0: not yet, or
 * unknown. */
struct tg_trace_snapshot {
  uint64_t created;
  uint64_t finalized;
  uint32_t created_at; /* numbers of stacks */
  uint32_t finalized_at;
  uint64_t queue_highest;
};

/* False: nothing is recorded for that generation of the slot. */
bool tg_trace_read(uint32_t index, uint32_t generation, struct tg_trace_snapshot *snapshot);

struct tg_env_snapshot {
  uint32_t number;
  int32_t loop_thread; /* its thread id */
  int64_t worker;      /* 0: the main thread; -1: unknown */
};

/* Finds an env by its number. Only the most recent envs, some thousands, and those of the main
 * thread are recorded. */
bool tg_trace_env(uint32_t number, struct tg_env_snapshot *snapshot);

/* The number of functions created and finalized so far. */
uint64_t tg_trace_created(void);
uint64_t tg_trace_finalized(void);

#endif
