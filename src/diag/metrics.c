/* Implements the metrics file. */
#include "diag/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h> /* for rename only */
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/output.h"
#include "base/text.h"
#include "diag/catalogue.h"
#include "diag/leftover.h"
#include "diag/log.h"
#include "diag/path.h"
#include "diag/policy.h"
#include "diag/publish.h"
#include "diag/trace.h"
#include "tsfn_guard/tsfn_guard.h"

enum {
  SECOND = 1000000000, /* nanoseconds */
  /* After a write, the next one waits at least this many times as long as that write took. */
  REST = 100,
  EXIT_WAIT_MS_MAX = 200,
  SUFFIX_MAX = sizeof "." + TG_DIGITS_MAX + sizeof ".tmp",
  /* A sample of events has at most 180 bytes plus the file's name, each byte of which may be
   * escaped. */
  LINE_MAX_SIZE = 180 + 2 * TG_SITE_FILE_MAX,
  OTHER_SIZE = 8192,
  TEXT_SIZE = TG_SITES_MAX * LINE_MAX_SIZE + OTHER_SIZE,
};

/* Constant after tg_metrics_open. */
static struct tg_guard *metrics_guard;
static const struct tg_report_source *metrics_source;
static struct tg_path metrics_pattern;
static char metrics_path[TG_PATH_MAX], temporary_path[TG_PATH_MAX + SUFFIX_MAX];
static char pid_label[TG_DIGITS_MAX + 1]; /* empty: no such label */
static pid_t metrics_process;

/* By the coarse clock; UINT64_MAX: never. Relaxed: whether a write is due is checked again under
 * metrics_lock. */
static _Atomic uint64_t next_write_at = UINT64_MAX;

/* Guarded by metrics_lock, which is only ever tried and so has no rank. */
static struct tg_lock metrics_lock;
static bool unwritable_reported;
static bool has_ended;        /* tg_metrics_write_last has been called */
static uint64_t next_look_at; /* when to look for leftover files; coarse clock */
static char text[TEXT_SIZE];  /* untouched without metrics, so it takes no memory */
static size_t text_length;

/* --- The format */

static void append_bytes(const char *bytes, size_t length) {
  if (length > sizeof text - text_length) return; /* cannot happen, see TEXT_SIZE */
  memcpy(text + text_length, bytes, length);
  text_length += length;
}

static void append_text(const char *string) {
  append_bytes(string, strlen(string));
}

static void append_number(uint64_t number) {
  char digits[TG_DIGITS_MAX];
  append_bytes(digits, tg_format_number(number, digits));
}

/* A reader rejects the whole file for one invalid UTF-8 sequence, so such bytes become '?'. So do
 * control characters. The format allows them except for the line end, but they have no use in a
 * name. */
size_t tg_metrics_escape(char *to, size_t size, size_t length, const char *value) {
  while (*value != '\0') {
    size_t sequence = tg_shown_length(value);
    bool odd = sequence == 0;
    bool escaped = *value == '"' || *value == '\\';
    if (odd) sequence = 1;
    if (sequence + escaped > size - length) break;
    if (escaped) to[length++] = '\\';
    memcpy(to + length, odd ? "?" : value, sequence);
    length += sequence;
    value += sequence;
  }
  return length;
}

static void append_label(const char *name, const char *value) {
  append_text(text[text_length - 1] == '{' ? "" : ",");
  append_text(name);
  append_text("=\"");
  text_length = tg_metrics_escape(text, sizeof text, text_length, value);
  append_text("\"");
}

static void append_family_start(const char *name, const char *type, const char *help) {
  append_text("# HELP ");
  append_text(name);
  append_text(" ");
  append_text(help);
  append_text("\n# TYPE ");
  append_text(name);
  append_text(" ");
  append_text(type);
  append_text("\n");
}

static void append_sample_start(const char *name) {
  append_text(name);
  append_text("{");
  if (pid_label[0] != '\0') append_label("pid", pid_label);
}

static void append_sample_end(uint64_t value) {
  append_text("} ");
  append_number(value);
  append_text("\n");
}

static void append_single_metric(const char *name, const char *type, const char *help,
                                 uint64_t value) {
  append_family_start(name, type, help);
  append_sample_start(name);
  append_sample_end(value);
}

/* --- The families */

static void append_info(void) {
  char runtime[TG_RUNTIME_MAX];
  metrics_source->runtime(runtime);
  append_family_start("tsfn_guard_info", "gauge",
                      "Always 1; the versions of the guard and of the runtime.");
  append_sample_start("tsfn_guard_info");
  append_label("version", TSFN_GUARD_VERSION);
  append_label("runtime", runtime);
  append_sample_end(1);
}

/* A reader sees an increase only in a series that it has seen before. So each severity has a series
 * from the start, and the first crash avoided is an increase. Called with the report's lock
 * held. */
static void append_severity_metrics(void) {
  uint64_t sums[TG_SEVERITIES] = {0};
  for (unsigned kind = 1; kind < TG_EVENT_KINDS; kind++)
    sums[tg_catalogue[kind].severity] += tg_policy_seen((enum tg_event_kind)kind);
  append_family_start("tsfn_guard_events_by_severity_total", "counter",
                      "Events of each severity, reported or not; 0 from the start.");
  for (unsigned severity = 0; severity < TG_SEVERITIES; severity++) {
    append_sample_start("tsfn_guard_events_by_severity_total");
    append_label("severity", tg_severity_names[severity]);
    append_sample_end(sums[severity]);
  }
}

static void append_event_metric(const struct tg_tally *tally) {
  const struct tg_site *site = tally->site;
  char code[TG_CODE_SIZE];
  tg_catalogue_code(site->kind, code);
  append_sample_start("tsfn_guard_events_total");
  append_label("code", code);
  append_label("kind", tg_catalogue[site->kind].name);
  append_label("severity", tg_severity_names[tg_catalogue[site->kind].severity]);
  append_label("addon", site->file);
  append_label("action", tg_policy_site_action(site));
  append_sample_end(tally->seen);
}

/* Called with the report's lock held. */
static void append_event_metrics(void) {
  size_t count;
  const struct tg_site *sites = tg_policy_sites(&count);
  struct tg_tally tally;
  append_family_start("tsfn_guard_events_total", "counter",
                      "Events, reported or not; docs/misuse describes the kinds.");
  for (size_t i = 0; i < count; i++)
    if (tg_policy_sum_up(&sites[i], &tally)) append_event_metric(&tally);
}

const char *const tg_handle_state_names[TG_HANDLE_STATES] = {[TG_HANDLES_OPEN] = "open",
                                                             [TG_HANDLES_CLOSING] = "closing",
                                                             [TG_HANDLES_CLOSED] = "closed",
                                                             [TG_HANDLES_LEAKED] = "leaked",
                                                             [TG_HANDLES_IN_USE] = "in_use"};

static enum tg_handle_state handle_state_of(const struct tg_snapshot *snapshot) {
  if (snapshot->state == TG_OPEN) return TG_HANDLES_OPEN;
  if (snapshot->state == TG_CLOSING) return TG_HANDLES_CLOSING;
  return snapshot->finalized && snapshot->thread_count != 0 ? TG_HANDLES_LEAKED : TG_HANDLES_CLOSED;
}

static void count_handle_state(void *argument, const struct tg_snapshot *snapshot) {
  struct tg_handle_tally *tally = argument;
  tally->handles[snapshot == NULL ? TG_HANDLES_IN_USE : handle_state_of(snapshot)]++;
  if (snapshot != NULL) tally->queued_items += snapshot->queue_length;
}

struct tg_handle_tally tg_metrics_count_handles(struct tg_guard *of) {
  struct tg_handle_tally tally = {{0}, 0};
  tg_guard_walk(of, count_handle_state, &tally);
  return tally;
}

static void append_handle_metrics(void) {
  struct tg_handle_tally tally = tg_metrics_count_handles(metrics_guard);
  append_family_start("tsfn_guard_handles", "gauge",
                      "Thread-safe functions that still exist, by state; leaked: finalized while "
                      "counts are still held.");
  for (unsigned state = 0; state < TG_HANDLE_STATES; state++) {
    append_sample_start("tsfn_guard_handles");
    append_label("state", tg_handle_state_names[state]);
    append_sample_end(tally.handles[state]);
  }
  append_single_metric("tsfn_guard_queued_items", "gauge",
                       "Items in the queues of all thread-safe functions.", tally.queued_items);
}

struct tg_quirk_tally tg_metrics_count_quirks(struct tg_guard *of) {
  return (struct tg_quirk_tally){
      .dying = atomic_load_explicit(&of->by_host.answers, memory_order_relaxed),
      .late = atomic_load_explicit(&of->late.answers, memory_order_relaxed) +
              atomic_load_explicit(&of->late.finalizers, memory_order_relaxed),
      .leak = atomic_load_explicit(&of->by_host.finalizers, memory_order_relaxed),
  };
}

/* Left out in a process whose addons have no quirks. */
static void append_quirk_metrics(void) {
  struct tg_quirk_tally tally = tg_metrics_count_quirks(metrics_guard);
  const struct {
    const char *name;
    uint64_t count;
  } quirks[] = {{"dying", tally.dying}, {"late", tally.late}, {"leak", tally.leak}};
  if (tally.dying + tally.late + tally.leak == 0) return;
  append_family_start(
      "tsfn_guard_quirk_total", "counter",
      "False answers, and skipped finalizers, for addons with quirks (docs/quirks.md).");
  for (unsigned i = 0; i < sizeof quirks / sizeof quirks[0]; i++) {
    append_sample_start("tsfn_guard_quirk_total");
    append_label("quirk", quirks[i].name);
    append_sample_end(quirks[i].count);
  }
}

static void append_call_metric(const char *answer, uint64_t count) {
  append_sample_start("tsfn_guard_calls_total");
  append_label("answer", answer);
  append_sample_end(count);
}

/* Only publish=1 counts calls. */
static void append_call_metrics(void) {
  struct tg_published_calls calls;
  if (!tg_publish_count_calls(&calls)) return;
  append_family_start("tsfn_guard_calls_total", "counter",
                      "Calls of thread-safe functions, by answer (with publish=1).");
  append_call_metric("napi_ok", calls.ok);
  append_call_metric("napi_queue_full", calls.queue_full);
  append_call_metric("napi_closing", calls.closing);
}

/* False: another thread holds the report's lock. */
static bool render_metrics(unsigned patience_ms) {
  if (!tg_lock_try_for(&tg_report_lock, &patience_ms)) return false;
  text_length = 0;
  append_text(tg_leftover_line());
  append_text("\n");
  append_info();
  append_single_metric("tsfn_guard_running", "gauge",
                       "1 while the process runs; 0 in its last write.", !has_ended);
  append_severity_metrics();
  append_event_metrics();
  tg_lock_release_tried(&tg_report_lock);
  append_handle_metrics();
  append_quirk_metrics();
  append_call_metrics();
  append_single_metric("tsfn_guard_created_total", "counter", "Thread-safe functions created.",
                       tg_trace_created());
  append_single_metric("tsfn_guard_finalized_total", "counter",
                       "Thread-safe functions whose finalizer has returned.", tg_trace_finalized());
  append_single_metric(
      "tsfn_guard_reports_not_logged_total", "counter",
      "Reports that the log did not accept; if the log is a file, they went to standard error.",
      tg_log_missed());
  return true;
}

/* --- The file */

static int open_temporary_file(void) {
  return open(temporary_path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY,
              S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH);
}

/* On failure returns false and sets errno. */
static bool replace_metrics_file(void) {
  int file = open_temporary_file();
  /* The file was left by a killed process that had the same process id. */
  if (file < 0 && errno == EEXIST && unlink(temporary_path) == 0) file = open_temporary_file();
  if (file < 0) return false;
  bool written = fchmod(file, S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH) == 0 &&
                 tg_write_all(file, text, text_length) == text_length;
  int error = errno;
  close(file);
  errno = error;
  if (written && rename(temporary_path, metrics_path) == 0) return true;
  error = errno;
  unlink(temporary_path);
  errno = error;
  return false;
}

static void report_unwritable_file(int error) {
  struct tg_text line;
  if (unwritable_reported) return;
  unwritable_reported = true;
  tg_text_start(&line);
  tg_text_add(&line, "metrics_path: needed a file that can be written and replaced, found ");
  tg_path_add(&line, metrics_path);
  tg_text_add(&line, ": ");
  tg_text_add(&line, strerror(error));
  tg_text_add(&line,
              "; no metrics are written until that changes; name a file in a directory that this "
              "user can write to");
  tg_text_write(&line);
}

/* Called with metrics_lock held. */
static void write_metrics_file(unsigned patience_ms) {
  int cancellation;
  /* The calls below are cancellation points, and the lock is held. */
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellation);
  uint64_t start = tg_nanoseconds(CLOCK_MONOTONIC);
  if (render_metrics(patience_ms)) {
    if (!replace_metrics_file()) report_unwritable_file(errno);
    uint64_t rest = (tg_nanoseconds(CLOCK_MONOTONIC) - start) * REST;
    atomic_store_explicit(&next_write_at,
                          tg_nanoseconds(CLOCK_MONOTONIC_COARSE) + (rest < SECOND ? SECOND : rest),
                          memory_order_relaxed);
  }
  pthread_setcancelstate(cancellation, NULL);
}

static void remove_leftover_files(void) {
  uint64_t time = tg_nanoseconds(CLOCK_MONOTONIC_COARSE);
  if (pid_label[0] == '\0' || time < next_look_at) return;
  next_look_at = time + (uint64_t)TG_LEFTOVER_KEPT_S * SECOND;
  tg_leftover_remove(&metrics_pattern, metrics_path);
}

static bool is_write_due(void) {
  uint64_t time = atomic_load_explicit(&next_write_at, memory_order_relaxed);
  return time != UINT64_MAX && tg_nanoseconds(CLOCK_MONOTONIC_COARSE) >= time;
}

void tg_metrics_touch(void) {
  if (!is_write_due() || !tg_lock_try(&metrics_lock)) return;
  int saved = errno;
  if (is_write_due() && getpid() == metrics_process) {
    write_metrics_file(0);
    remove_leftover_files();
  }
  tg_lock_release_tried(&metrics_lock);
  errno = saved;
}

/* Keeps the lock, so that no other write begins. The exit would interrupt it, and its temporary
 * file would stay behind. */
void tg_metrics_write_last(void) {
  unsigned patience_ms = EXIT_WAIT_MS_MAX;
  if (atomic_load_explicit(&next_write_at, memory_order_relaxed) == UINT64_MAX ||
      getpid() != metrics_process)
    return;
  if (!tg_lock_try_for(&metrics_lock, &patience_ms)) return;
  int saved = errno;
  has_ended = true;
  write_metrics_file(patience_ms);
  atomic_store_explicit(&next_write_at, UINT64_MAX, memory_order_relaxed);
  errno = saved;
}

/* Reports a path that cannot be used. */
static void refuse_metrics_path(const struct tg_text *problem) {
  struct tg_text line;
  tg_text_start(&line);
  tg_text_add(&line, "metrics_path: ");
  tg_text_add_bytes(&line, problem->bytes, problem->length);
  tg_text_add(&line, "; no metrics are written");
  tg_text_write(&line);
}

static void name_temporary_file(void) {
  size_t length = strlen(metrics_path);
  tg_copy_string(temporary_path, sizeof temporary_path, metrics_path);
  temporary_path[length++] = '.';
  length += tg_format_number((uint64_t)metrics_process, temporary_path + length);
  tg_copy_string(temporary_path + length, sizeof temporary_path - length, ".tmp");
}

void tg_metrics_open(struct tg_guard *the_guard, const struct tg_report_source *report_source,
                     const char *the_path) {
  struct tg_text problem;
  metrics_guard = the_guard;
  metrics_source = report_source;
  metrics_process = getpid();
  next_look_at = 0;
  if (!tg_path_open(&metrics_pattern, the_path, &problem)) {
    refuse_metrics_path(&problem);
    return;
  }
  tg_path_expand(&metrics_pattern, metrics_path);
  name_temporary_file();
  tg_leftover_open();
  if (tg_path_has_process(&metrics_pattern))
    pid_label[tg_format_number((uint64_t)metrics_process, pid_label)] = '\0';
  atomic_store_explicit(&next_write_at, 0, memory_order_relaxed);
}
