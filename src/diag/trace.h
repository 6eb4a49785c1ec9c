/* The observer of mode=diagnose: remembers of each guarded function when and where it was created and
 * finalized, how long its queue was, and which threads call it.
 *
 * One trace a slot, in a table of its own beside the handle table. Thread safety: the observer's functions are
 * called as core/ports.h says; tg_trace_read and tg_trace_env by anybody, in a signal handler too. */
#ifndef TG_DIAG_TRACE_H
#define TG_DIAG_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/event.h"
#include "core/ports.h"

struct tg_trace_options {
  bool diagnose;             /* else only what the metrics count */
  uint64_t finalize_warn_ms; /* 0: never */
  void *(*map)(size_t size); /* as tg_host's */
  void (*changed)(
      void); /* what the metrics show may have changed; any thread, no lock held; NULL: nobody asks */

  /* From the runtime; NULL: unknown. The id of the worker that an env belongs to: 0 for the main thread, -1 for
   * unknown. Loop thread. */
  int64_t (*worker_id)(napi_env env);
  /* Whether an exception is pending; whether JavaScript may not run. Loop thread. */
  bool (*has_exception)(napi_env env);
  bool (*is_javascript_forbidden)(napi_env env);
};

/* The observer for a tg_host. Once, before main. */
const struct tg_observer *tg_trace_open(const struct tg_trace_options *options);

/* A function's trace as of now; times in nanoseconds of CLOCK_MONOTONIC, 0: not yet, or unknown. */
struct tg_trace_snapshot {
  uint64_t created;
  uint64_t finalized;
  uint32_t created_at; /* stacks */
  uint32_t finalized_at;
  uint64_t queue_highest;
};

/* False: nothing is known of that generation of the slot. */
bool tg_trace_read(uint32_t index, uint32_t generation, struct tg_trace_snapshot *snapshot);

struct tg_env_snapshot {
  uint32_t number;
  int32_t loop_thread; /* its thread id */
  int64_t worker;      /* 0: the main thread; -1: unknown */
};

/* Of the last some thousand envs, and the main thread's. */
bool tg_trace_env(uint32_t number, struct tg_env_snapshot *snapshot);

/* How many functions were created and finalized so far. */
uint64_t tg_trace_created(void);
uint64_t tg_trace_finalized(void);

#endif
