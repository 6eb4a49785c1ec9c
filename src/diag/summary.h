/* Reports at exit and on demand: the events by kind and addon, and the guarded functions that are
 * alive.
 *
 * Thread safety: call tg_summary_open once, before main. The other functions say where they may be
 * called. None allocates, and none waits long for a lock. */
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
  bool counts; /* whether an observer counts creates and finalizers (diag/trace.h) */
  /* Whether only `count` ref'd handles and no request keep the main thread's event loop alive.
   * Async-signal-safe. */
  bool (*is_loop_kept_by)(uint64_t count);
};

void tg_summary_open(struct tg_guard *guard, const struct tg_report_source *source,
                     const struct tg_summary_options *options);

/* Records the live functions for the summary. Called by exit() before tg_reject_all, so open
 * functions are still open. Calls after the first do nothing. */
void tg_summary_record_exit(void);

/* Writes the summary to the log. Called by an exit handler. */
void tg_summary_write(void);

/* Whether there was an event that is worse than a leak, and neither suppressed nor ignored. */
bool tg_summary_has_errors(void);

/* Writes all live functions to the log. Async-signal-safe, because it only tries locks. A function
 * that is locked at that moment is only counted. */
void tg_summary_dump(void);

#endif
