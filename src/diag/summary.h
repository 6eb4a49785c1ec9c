/* What is told at exit and on demand: events by kind and addon, and which guarded functions are alive.
 *
 * Thread safety: tg_summary_open once, before main. The others say where they may be called; none allocates, and none
 * waits for a lock for long. */
#ifndef TG_DIAG_SUMMARY_H
#define TG_DIAG_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/api.h"
#include "diag/emitter.h"
#include "diag/report.h"

struct tg_summary_options {
  enum tg_format format;
  bool diagnose;
  bool counts; /* whether there is an observer (diag/trace.h) */
  /* Whether nothing but `count` ref'd handles and no request keep the main thread's event loop alive. Async-signal-safe. */
  bool (*is_loop_kept_by)(uint64_t count);
};

void tg_summary_open(struct tg_guard *guard, const struct tg_report_source *source,
                     const struct tg_summary_options *options);

/* The process has begun to exit, and functions that are open are still so: notes them for the summary. Called by
 * exit() before tg_reject_all, once or more. */
void tg_summary_record_exit(void);

/* Writes the summary to the log. From an exit handler. */
void tg_summary_write(void);

/* Whether something worse than a leak was told, that is not suppressed or ignored. */
bool tg_summary_has_errors(void);

/* Writes all live functions to the log. Async-signal-safe: takes no lock that is held, so a function that is in use
 * just then is only counted. */
void tg_summary_dump(void);

#endif
