/* Implements the metrics file. */
#include "diag/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h> /* for rename alone */
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/output.h"
#include "base/text.h"
#include "diag/catalogue.h"
#include "diag/log.h"
#include "diag/path.h"
#include "diag/policy.h"
#include "diag/trace.h"
#include "tsfn_guard/tsfn_guard.h"

enum {
  SECOND = 1000000000, /* nanoseconds */
  REST = 100,          /* so many times as long as a write took nothing is written */
  EXIT_WAIT_MS_MAX = 200,
  SUFFIX_MAX = sizeof "." + TG_DIGITS_MAX + sizeof ".tmp",
  /* A sample of events is a line of 180 bytes at most and the file's name, each byte of it maybe escaped. */
  LINE_MAX_SIZE = 180 + 2 * TG_SITE_FILE_MAX,
  OTHER_SIZE = 4096,
  TEXT_SIZE = TG_SITES_MAX * LINE_MAX_SIZE + OTHER_SIZE,
};

static struct tg_guard *guard;
static const struct tg_report_source *source;
static char path[TG_PATH_MAX], temporary[TG_PATH_MAX + SUFFIX_MAX];
static char pid_label[TG_DIGITS_MAX + 1]; /* empty: no such label */
static pid_t process;
static _Atomic uint64_t due = UINT64_MAX; /* by the coarse clock; UINT64_MAX: never */

/* Guards what follows. Only ever tried. */
static struct tg_lock lock;
static bool complained;
/* What is to be written. Untouched, and so no memory, where there are no metrics. */
static char text[TEXT_SIZE];
static size_t text_length;

/* --- The format */

static void put_bytes(const char *bytes, size_t length) {
  if (length > sizeof text - text_length) return; /* cannot be: TEXT_SIZE is enough for the longest */
  memcpy(text + text_length, bytes, length);
  text_length += length;
}

static void put(const char *string) {
  put_bytes(string, strlen(string));
}

static void put_number(uint64_t number) {
  char digits[TG_DIGITS_MAX];
  put_bytes(digits, tg_format_number(number, digits));
}

/* What is no UTF-8 makes a reader refuse the whole file, so it becomes '?'. So do control characters, which
 * are allowed but for the line's end: nobody wants them in a name. */
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

static void put_label(const char *name, const char *value) {
  put(text[text_length - 1] == '{' ? "" : ",");
  put(name);
  put("=\"");
  text_length = tg_metrics_escape(text, sizeof text, text_length, value);
  put("\"");
}

static void start_family(const char *name, const char *type, const char *help) {
  put("# HELP ");
  put(name);
  put(" ");
  put(help);
  put("\n# TYPE ");
  put(name);
  put(" ");
  put(type);
  put("\n");
}

static void start_sample(const char *name) {
  put(name);
  put("{");
  if (pid_label[0] != '\0') put_label("pid", pid_label);
}

static void end_sample(uint64_t value) {
  put("} ");
  put_number(value);
  put("\n");
}

static void put_single(const char *name, const char *type, const char *help, uint64_t value) {
  start_family(name, type, help);
  start_sample(name);
  end_sample(value);
}

/* --- The families */

static void put_info(void) {
  char runtime[TG_RUNTIME_MAX];
  source->runtime(runtime);
  start_family("tsfn_guard_info", "gauge", "Always 1; the versions of the guard and of the runtime.");
  start_sample("tsfn_guard_info");
  put_label("version", TSFN_GUARD_VERSION);
  put_label("runtime", runtime);
  end_sample(1);
}

static void put_event(const struct tg_tally *tally) {
  const struct tg_site *site = tally->site;
  char code[TG_CODE_SIZE];
  tg_catalogue_code(site->kind, code);
  start_sample("tsfn_guard_events_total");
  put_label("code", code);
  put_label("kind", tg_catalogue[site->kind].name);
  put_label("severity", tg_severity_names[tg_catalogue[site->kind].severity]);
  put_label("addon", site->file);
  put_label("action", tg_policy_site_action(site));
  end_sample(tally->seen);
}

/* With the report's lock held. */
static void put_events(void) {
  size_t count;
  const struct tg_site *sites = tg_policy_sites(&count);
  struct tg_tally tally;
  start_family("tsfn_guard_events_total", "counter",
               "Events, reported or not; docs/misuse describes the kinds.");
  for (size_t i = 0; i < count; i++)
    if (tg_policy_sum_up(&sites[i], &tally)) put_event(&tally);
}

const char *const tg_handle_state_names[TG_HANDLE_STATES] = {[TG_HANDLES_OPEN] = "open",
                                                             [TG_HANDLES_CLOSING] = "closing",
                                                             [TG_HANDLES_CLOSED] = "closed",
                                                             [TG_HANDLES_LEAKED] = "leaked",
                                                             [TG_HANDLES_IN_USE] = "in_use"};

static enum tg_handle_state state_of(const struct tg_snapshot *snapshot) {
  if (snapshot->state == TG_OPEN) return TG_HANDLES_OPEN;
  if (snapshot->state == TG_CLOSING) return TG_HANDLES_CLOSING;
  return snapshot->finalized && snapshot->thread_count != 0 ? TG_HANDLES_LEAKED : TG_HANDLES_CLOSED;
}

static void count_handle(void *argument, const struct tg_snapshot *snapshot) {
  struct tg_handle_tally *tally = argument;
  tally->handles[snapshot == NULL ? TG_HANDLES_IN_USE : state_of(snapshot)]++;
  if (snapshot != NULL) tally->queued_items += snapshot->queue_length;
}

struct tg_handle_tally tg_metrics_count_handles(struct tg_guard *of) {
  struct tg_handle_tally tally = {{0}, 0};
  tg_guard_walk(of, count_handle, &tally);
  return tally;
}

static void put_handles(void) {
  struct tg_handle_tally tally = tg_metrics_count_handles(guard);
  start_family(
      "tsfn_guard_handles", "gauge",
      "Thread-safe functions that still exist, by state; leaked: finalized while counts are still held.");
  for (unsigned state = 0; state < TG_HANDLE_STATES; state++) {
    start_sample("tsfn_guard_handles");
    put_label("state", tg_handle_state_names[state]);
    end_sample(tally.handles[state]);
  }
  put_single("tsfn_guard_queued_items", "gauge", "Items in the queues of all thread-safe functions.",
             tally.queued_items);
}

struct tg_quirk_tally tg_metrics_count_quirks(struct tg_guard *of) {
  return (struct tg_quirk_tally){
      .dying = atomic_load_explicit(&of->by_host.answers, memory_order_relaxed),
      .late = atomic_load_explicit(&of->late.answers, memory_order_relaxed) +
              atomic_load_explicit(&of->late.finalizers, memory_order_relaxed),
      .leak = atomic_load_explicit(&of->by_host.finalizers, memory_order_relaxed),
  };
}

/* Not in a process whose addons have none. */
static void put_quirks(void) {
  struct tg_quirk_tally tally = tg_metrics_count_quirks(guard);
  const struct {
    const char *name;
    uint64_t count;
  } quirks[] = {{"dying", tally.dying}, {"late", tally.late}, {"leak", tally.leak}};
  if (tally.dying + tally.late + tally.leak == 0) return;
  start_family("tsfn_guard_quirk_total", "counter",
               "What was answered falsely, or left out, for addons with quirks (docs/quirks.md).");
  for (unsigned i = 0; i < sizeof quirks / sizeof quirks[0]; i++) {
    start_sample("tsfn_guard_quirk_total");
    put_label("quirk", quirks[i].name);
    end_sample(quirks[i].count);
  }
}

/* False: the report's lock is held by another thread. */
static bool put_all(unsigned patience_ms) {
  if (!tg_lock_try_for(&tg_report_lock, &patience_ms)) return false;
  text_length = 0;
  put_info();
  put_events();
  tg_lock_release_tried(&tg_report_lock);
  put_handles();
  put_quirks();
  put_single("tsfn_guard_created_total", "counter", "Thread-safe functions created.", tg_trace_created());
  put_single("tsfn_guard_finalized_total", "counter", "Thread-safe functions whose finalizer has returned.",
             tg_trace_finalized());
  put_single("tsfn_guard_reports_not_logged_total", "counter",
             "Reports that the log did not take; those of a file went to standard error.", tg_log_missed());
  return true;
}

/* --- The file */

static int open_temporary(void) {
  return open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY,
              S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH);
}

/* False, and errno. */
static bool replace_file(void) {
  int file = open_temporary();
  /* Left by a process of the same number that was killed. */
  if (file < 0 && errno == EEXIST && unlink(temporary) == 0) file = open_temporary();
  if (file < 0) return false;
  bool written = fchmod(file, S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH) == 0 &&
                 tg_write_all(file, text, text_length) == text_length;
  int error = errno;
  close(file);
  errno = error;
  if (written && rename(temporary, path) == 0) return true;
  error = errno;
  unlink(temporary);
  errno = error;
  return false;
}

static void complain(int error) {
  struct tg_text line;
  if (complained) return;
  complained = true;
  tg_text_start(&line);
  tg_text_add(&line, "metrics_path: needed a file that can be written and replaced, found ");
  tg_path_add(&line, path);
  tg_text_add(&line, ": ");
  tg_text_add(&line, strerror(error));
  tg_text_add(
      &line,
      "; no metrics are written until that changes; name a file in a directory that this user can write to");
  tg_text_write(&line);
}

/* With the lock held. */
static void write_file(unsigned patience_ms) {
  int cancellation;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellation); /* the lock is held at cancellation points */
  uint64_t start = tg_nanoseconds(CLOCK_MONOTONIC);
  if (put_all(patience_ms)) {
    if (!replace_file()) complain(errno);
    uint64_t rest = (tg_nanoseconds(CLOCK_MONOTONIC) - start) * REST;
    atomic_store_explicit(&due, tg_nanoseconds(CLOCK_MONOTONIC_COARSE) + (rest < SECOND ? SECOND : rest),
                          memory_order_relaxed);
  }
  pthread_setcancelstate(cancellation, NULL);
}

static bool is_due(void) {
  uint64_t time = atomic_load_explicit(&due, memory_order_relaxed);
  return time != UINT64_MAX && tg_nanoseconds(CLOCK_MONOTONIC_COARSE) >= time;
}

void tg_metrics_touch(void) {
  if (!is_due() || !tg_lock_try(&lock)) return;
  int saved = errno;
  if (is_due() && getpid() == process) write_file(0);
  tg_lock_release_tried(&lock);
  errno = saved;
}

/* Keeps the lock: a write that began now would be cut off, and leave its temporary file behind. */
void tg_metrics_write_last(void) {
  unsigned patience_ms = EXIT_WAIT_MS_MAX;
  if (atomic_load_explicit(&due, memory_order_relaxed) == UINT64_MAX || getpid() != process) return;
  if (!tg_lock_try_for(&lock, &patience_ms)) return;
  int saved = errno;
  write_file(patience_ms);
  atomic_store_explicit(&due, UINT64_MAX, memory_order_relaxed);
  errno = saved;
}

/* A place that the file cannot have. */
static void refuse(const struct tg_text *problem) {
  struct tg_text line;
  tg_text_start(&line);
  tg_text_add(&line, "metrics_path: ");
  tg_text_add_bytes(&line, problem->bytes, problem->length);
  tg_text_add(&line, "; no metrics are written");
  tg_text_write(&line);
}

static void name_temporary(void) {
  size_t length = strlen(path);
  tg_copy_string(temporary, sizeof temporary, path);
  temporary[length++] = '.';
  length += tg_format_number((uint64_t)process, temporary + length);
  tg_copy_string(temporary + length, sizeof temporary - length, ".tmp");
}

void tg_metrics_open(struct tg_guard *the_guard, const struct tg_report_source *report_source,
                     const char *the_path) {
  struct tg_path place;
  struct tg_text problem;
  guard = the_guard;
  source = report_source;
  process = getpid();
  if (!tg_path_open(&place, the_path, &problem)) {
    refuse(&problem);
    return;
  }
  tg_path_expand(&place, path);
  name_temporary();
  if (tg_path_has_process(&place)) pid_label[tg_format_number((uint64_t)process, pid_label)] = '\0';
  atomic_store_explicit(&due, 0, memory_order_relaxed);
}
