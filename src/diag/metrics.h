/* The metrics: a file in Prometheus' text format for node_exporter's textfile collector.
 *
 * There is no thread that writes it: whatever happens anyway (a create, a finalizer, a delivery, an event) asks whether
 * it is time, at most once a second. A write reads all handles; where that takes long the next one waits longer, so
 * that less than a hundredth of the time goes into it.
 *
 * The file is made beside its place, and renamed when it is complete. It gets mode 0644 whatever the umask says, as
 * the collector is another user; who must not read it is kept out by the directory. A child that was forked without
 * exec writes nothing.
 *
 * Thread safety: tg_metrics_open once, before main; the others by any thread with no lock of the core or the report
 * held. No allocation, no stdio, errno as it was. */
#ifndef TG_DIAG_METRICS_H
#define TG_DIAG_METRICS_H

#include "core/api.h"
#include "diag/report.h"

/* `path` may have %p and %% as that of the log; with %p, every series gets a label with the process id, as the collector
 * refuses the same series from two files. A path that cannot be written is one line on stderr. Nothing is written
 * before the first touch. */
void tg_metrics_open(struct tg_guard *guard, const struct tg_report_source *source, const char *path);

/* Writes the file if that is due, and nobody else is at it. */
void tg_metrics_touch(void);

/* The process ends: writes the file, due or not, and never again. */
void tg_metrics_write_last(void);

/* The functions that are not over, by state; leaked: finalized, with counts out; in use just now, so not looked at. */
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
  uint64_t late;  /* false answers to threads that come too late, and finalizers of functions left out */
  uint64_t leak;  /* other finalizers left out */
};

struct tg_quirk_tally tg_metrics_count_quirks(struct tg_guard *guard);

/* For the tests: appends a label's value to `to`, escaped as the format wants it, cut to `size`; the new length. */
size_t tg_metrics_escape(char *to, size_t size, size_t length, const char *value);

#endif
