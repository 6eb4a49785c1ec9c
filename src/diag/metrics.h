/* The metrics: a file in Prometheus' text format for node_exporter's textfile collector.
 *
 * No thread of its own writes the file. Events that happen anyway (a create, a finalizer, a
 * delivery, a report) check whether a write is due, at most once a second. A write reads all
 * handles. If that takes long, the next write waits longer, so that writing takes less than a
 * hundredth of the time.
 *
 * A temporary file is written in the same directory, and renamed when it is complete. The file gets
 * mode 0644 whatever the umask is, because the collector runs as another user; restrict access with
 * the directory's mode. A child that was forked without exec writes nothing.
 *
 * With %p, files of processes that are gone are removed at the first write and every five minutes
 * (leftover.h).
 *
 * Thread safety: call tg_metrics_open once, before main. Any thread may call the others if it holds
 * no lock of the core or the report. No allocation, no stdio; errno is preserved. */
#ifndef TG_DIAG_METRICS_H
#define TG_DIAG_METRICS_H

#include "core/api.h"
#include "diag/report.h"

/* `path` may contain %p and %%, as log_path may. With %p, every series gets a label with the
 * process id, because the collector refuses the same series from two files. A path that cannot be
 * used is reported in one line on stderr. Nothing is written before the first touch. */
void tg_metrics_open(struct tg_guard *guard, const struct tg_report_source *source,
                     const char *path);

/* Writes the file if a write is due and no other thread is writing. */
void tg_metrics_touch(void);

/* Call it at the end of the process: it writes the file even if no write is due. Later calls write
 * nothing. */
void tg_metrics_write_last(void);

/* The functions that still exist, by state. Leaked: finalized, but counts are still held. In use:
 * locked at that moment, so its state is unknown. */
enum tg_handle_state {
  TG_HANDLES_OPEN,
  TG_HANDLES_CLOSING,
  TG_HANDLES_CLOSED,
  TG_HANDLES_LEAKED,
  TG_HANDLES_IN_USE,
  TG_HANDLE_STATES
};

extern const char *const tg_handle_state_names[TG_HANDLE_STATES];

struct tg_handle_tally {
  uint64_t handles[TG_HANDLE_STATES];
  uint64_t queued_items;
};

struct tg_handle_tally tg_metrics_count_handles(struct tg_guard *guard);

/* What the quirks of named addons have done (docs/quirks.md). */
struct tg_quirk_tally {
  uint64_t dying; /* false answers to functions that need JavaScript */
  /* false answers to threads that come too late, and skipped finalizers of functions */
  uint64_t late;
  uint64_t leak; /* other skipped finalizers */
};

struct tg_quirk_tally tg_metrics_count_quirks(struct tg_guard *guard);

/* For the tests: appends a label's value to `to`, escaped as the format requires and truncated to
 * `size`. Returns the new length. */
size_t tg_metrics_escape(char *to, size_t size, size_t length, const char *value);

#endif
