/* Implements the summary and the dump. */
#include "diag/summary.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"
#include "diag/catalogue.h"
#include "diag/log.h"
#include "diag/metrics.h"
#include "diag/policy.h"
#include "diag/trace.h"
#include "tsfn_guard/tsfn_guard.h"

enum { GROUPS_MAX = 64, GROUPS_REPORTED = 16, LINE_SIZE = 4096, EXIT_WAIT_MS_MAX = 200 };

/* Constant after tg_summary_open. */
static struct tg_guard *summary_guard;
static const struct tg_report_source *summary_source;
static struct tg_summary_options options;

/* Used by the exiting thread only. A group is the functions alive at exit that were created at the
 * same place. */
static struct live_group {
  struct tg_snapshot first;
  uint64_t count;
  uint64_t referenced;
} groups[GROUPS_MAX];
static unsigned group_count;
static uint64_t live_count, leaked_count, busy_count;
static bool exit_recorded;

void tg_summary_open(struct tg_guard *the_guard, const struct tg_report_source *report_source,
                     const struct tg_summary_options *summary_options) {
  summary_guard = the_guard;
  summary_source = report_source;
  options = *summary_options;
}

/* --- Lines */

/* One report: in text form some lines under a headline, in JSON an object of that type. */
struct report_line {
  struct tg_text prefix;
  struct tg_emitter emitter;
  char bytes[LINE_SIZE];
};

static struct tg_emitter *open_report_line(struct report_line *line, const char *type) {
  struct tg_emitter *emitter = &line->emitter;
  tg_text_start(&line->prefix);
  tg_emit_open(emitter, options.format, line->bytes, LINE_SIZE, tg_text_string(&line->prefix), type);
  if (options.format != TG_FORMAT_JSON) return emitter;
  char time[TG_TIME_SIZE];
  tg_report_time(time);
  tg_emit_number(emitter, "version", TG_REPORT_VERSION);
  tg_emit_string(emitter, "type", type);
  tg_emit_string(emitter, "time", time);
  tg_emit_number(emitter, "pid", (uint64_t)getpid());
  return emitter;
}

/* The summary's buffer. Not on the stack, which may be small: exit() may run on any thread's stack
 * or in a signal handler. Only the exiting thread uses it. */
static struct report_line exit_line;

static void close_report_line(struct report_line *line) {
  size_t length = tg_emit_close(&line->emitter);
  tg_log_write(line->bytes, length);
}

static void write_function_report(struct report_line *line, const char *type,
                                  const struct tg_snapshot *snapshot, uint64_t alike) {
  struct tg_trace_snapshot trace;
  struct tg_emitter *emitter = open_report_line(line, type);
  if (alike != 0) tg_emit_number(emitter, "alike", alike);
  tg_report_emit_function(emitter, snapshot);
  if (tg_trace_read(snapshot->index, snapshot->generation, &trace))
    tg_report_emit_stack(emitter, "created_at", trace.created_at);
  close_report_line(line);
}

/* --- What is alive */

static bool is_leaked(const struct tg_snapshot *snapshot) {
  return snapshot->finalized && snapshot->thread_count != 0;
}

static uint32_t creation_stack_of(const struct tg_snapshot *snapshot) {
  struct tg_trace_snapshot trace;
  return tg_trace_read(snapshot->index, snapshot->generation, &trace) ? trace.created_at : 0;
}

static bool is_same_group(const struct tg_snapshot *a, const struct tg_snapshot *b) {
  return a->addon == b->addon && is_leaked(a) == is_leaked(b) &&
         creation_stack_of(a) == creation_stack_of(b) && strcmp(a->name, b->name) == 0;
}

static void record_live_function(void *argument, const struct tg_snapshot *snapshot) {
  (void)argument;
  if (snapshot == NULL) {
    busy_count++;
    return;
  }
  if (is_leaked(snapshot))
    leaked_count++;
  else
    live_count++;
  unsigned i = 0;
  while (i < group_count && !is_same_group(&groups[i].first, snapshot)) i++;
  if (i == GROUPS_MAX) return; /* counted, but not listed */
  if (i == group_count) groups[group_count++] = (struct live_group){.first = *snapshot};
  groups[i].count++;
  groups[i].referenced += snapshot->referenced && snapshot->state == TG_OPEN;
}

/* --- What keeps the loop alive */

struct keepers {
  uint64_t count;
  struct tg_snapshot first;
};

static void record_keeper(void *argument, const struct tg_snapshot *snapshot) {
  struct keepers *keepers = argument;
  if (snapshot == NULL || !snapshot->referenced || snapshot->state != TG_OPEN) return;
  struct tg_env_snapshot env;
  if (!tg_trace_env(snapshot->env, &env) || env.worker != 0) return;
  if (keepers->count++ == 0) keepers->first = *snapshot;
}

/* All envs of a thread share its loop, so the main thread's envs are counted together. */
static bool find_keepers(struct keepers *keepers) {
  *keepers = (struct keepers){0};
  tg_guard_walk(summary_guard, record_keeper, keepers);
  return keepers->count != 0 && options.is_loop_kept_by(keepers->count);
}

static void report_keepers(void) {
  struct keepers keepers;
  unsigned patience_ms = EXIT_WAIT_MS_MAX;
  if (syscall(SYS_gettid) != getpid() || !find_keepers(&keepers)) return;
  /* A report waits for this lock. It would wait for ever if a signal handler that interrupted a
   * report called exit(). */
  if (!tg_lock_try_for(&tg_report_lock, &patience_ms)) return;
  tg_lock_release_tried(&tg_report_lock);
  const struct tg_event event = {
      .kind = TG_EVENT_KEEPS_ALIVE, .known = true, .snapshot = keepers.first, .quantity = keepers.count};
  tg_report_event(&event);
}

void tg_summary_record_exit(void) {
  if (exit_recorded) return;
  exit_recorded = true;
  tg_guard_walk(summary_guard, record_live_function, NULL);
  if (options.diagnose) report_keepers();
}

/* --- The summary */

static bool is_error_site(const struct tg_site *site) {
  return tg_catalogue[site->kind].severity < TG_LEAK && !site->suppressed &&
         tg_policy_action(site->kind) != TG_ACTION_IGNORE;
}

bool tg_summary_has_errors(void) {
  unsigned patience_ms = EXIT_WAIT_MS_MAX;
  if (!tg_lock_try_for(&tg_report_lock, &patience_ms)) return false;
  size_t count, i = 0;
  const struct tg_site *sites = tg_policy_sites(&count);
  while (i < count && !is_error_site(&sites[i])) i++;
  tg_lock_release_tried(&tg_report_lock);
  return i < count;
}

static void write_tally_json(const struct tg_tally *tally, const char *code) {
  const struct tg_site *site = tally->site;
  struct tg_emitter *emitter = open_report_line(&exit_line, "tally");
  tg_emit_group(emitter, "events");
  tg_emit_string(emitter, "code", code);
  tg_emit_string(emitter, "kind", tg_catalogue[site->kind].name);
  tg_emit_string(emitter, "severity", tg_severity_names[tg_catalogue[site->kind].severity]);
  tg_emit_string(emitter, "addon", site->file[0] == '\0' ? NULL : site->file);
  tg_emit_string(emitter, "action", tg_policy_site_action(site));
  tg_emit_number(emitter, "seen", tally->seen);
  tg_emit_number(emitter, "suppressed", tally->untold);
  close_report_line(&exit_line);
}

static void write_tally_text(const struct tg_tally *tally, const char *code) {
  const struct tg_site *site = tally->site;
  struct tg_text line;
  tg_text_start(&line);
  tg_text_add(&line, "summary: ");
  tg_text_add(&line, code);
  tg_text_add(&line, " ");
  tg_text_add(&line, tg_catalogue[site->kind].name);
  tg_text_add(&line, " (");
  tg_text_add(&line, tg_severity_names[tg_catalogue[site->kind].severity]);
  tg_text_add(&line, "): ");
  tg_text_add_number(&line, tally->seen);
  tg_text_add(&line, " seen, ");
  tg_text_add_number(&line, tally->untold);
  tg_text_add(&line, " not reported, action ");
  tg_text_add(&line, tg_policy_site_action(site));
  tg_text_add(&line, ", addon ");
  tg_text_add(&line, site->file[0] == '\0' ? "(unknown)" : site->file);
  line.bytes[line.length] = '\n';
  tg_log_write(line.bytes, line.length + 1);
}

static void write_tally(const struct tg_tally *tally) {
  char code[TG_CODE_SIZE];
  tg_catalogue_code(tally->site->kind, code);
  if (options.format == TG_FORMAT_JSON)
    write_tally_json(tally, code);
  else
    write_tally_text(tally, code);
}

static uint64_t write_tallies(void) {
  size_t count;
  const struct tg_site *sites = tg_policy_sites(&count);
  uint64_t total = 0;
  struct tg_tally tally;
  for (size_t i = 0; i < count; i++) {
    total += sites[i].seen;
    if (tg_policy_sum_up(&sites[i], &tally)) write_tally(&tally);
  }
  return total;
}

static void write_total(uint64_t events) {
  char place[TG_LOG_PATH_MAX], runtime[TG_RUNTIME_MAX];
  tg_log_place(place);
  struct tg_emitter *emitter = open_report_line(&exit_line, "summary");
  tg_emit_group(emitter, "process");
  tg_emit_string(emitter, "guard", TSFN_GUARD_VERSION);
  tg_emit_string(emitter, "runtime", summary_source->runtime(runtime) ? runtime : NULL);
  tg_emit_number(emitter, "events", events);
  tg_emit_number(emitter, "live", live_count);
  tg_emit_number(emitter, "leaked", leaked_count);
  tg_emit_number(emitter, "in_use", busy_count);
  if (options.counts) {
    tg_emit_number(emitter, "created", tg_trace_created());
    tg_emit_number(emitter, "finalized", tg_trace_finalized());
  }
  struct tg_quirk_tally quirks = tg_metrics_count_quirks(summary_guard);
  if (quirks.dying != 0) tg_emit_number(emitter, "quirk_dying", quirks.dying);
  if (quirks.late != 0) tg_emit_number(emitter, "quirk_late", quirks.late);
  if (quirks.leak != 0) tg_emit_number(emitter, "quirk_leak", quirks.leak);
  if (tg_log_missed() != 0) tg_emit_number(emitter, "not_logged", tg_log_missed());
  tg_emit_string(emitter, "log", place);
  if (place[0] == '/')
    tg_emit_string(emitter, "read_with", options.format == TG_FORMAT_JSON ? "jq ." : "less");
  close_report_line(&exit_line);
}

void tg_summary_write(void) {
  unsigned patience_ms = EXIT_WAIT_MS_MAX;
  bool locked = tg_lock_try_for(&tg_report_lock, &patience_ms);
  int saved = errno;
  uint64_t events = locked ? write_tallies() : 0;
  for (unsigned i = 0; i < group_count && i < GROUPS_REPORTED; i++)
    write_function_report(&exit_line, is_leaked(&groups[i].first) ? "leaked" : "live", &groups[i].first,
                          groups[i].count);
  write_total(events);
  if (locked) tg_lock_release_tried(&tg_report_lock);
  errno = saved;
}

/* --- The dump */

/* Guards dump_line. It works like a lock that is only tried, hence acquire and release. */
static atomic_flag dumping = ATOMIC_FLAG_INIT;

/* Not on the stack: a thread's alternate signal stack may have little more than a page. */
static struct report_line dump_line;

static void dump_function(void *argument, const struct tg_snapshot *snapshot) {
  uint64_t *counts = argument;
  counts[snapshot == NULL]++;
  if (snapshot != NULL) write_function_report(&dump_line, "function", snapshot, 0);
}

static void dump_functions(void) {
  uint64_t counts[2] = {0, 0};
  struct keepers keepers;
  tg_guard_walk(summary_guard, dump_function, counts);
  bool kept = find_keepers(&keepers);
  struct tg_emitter *emitter = open_report_line(&dump_line, "dump");
  tg_emit_group(emitter, "process");
  tg_emit_number(emitter, "functions", counts[0]);
  tg_emit_number(emitter, "in_use", counts[1]);
  tg_emit_number(emitter, "keep_alive", kept ? keepers.count : 0);
  close_report_line(&dump_line);
}

void tg_summary_dump(void) {
  int saved = errno;
  if (!atomic_flag_test_and_set_explicit(&dumping, memory_order_acquire)) {
    dump_functions();
    atomic_flag_clear_explicit(&dumping, memory_order_release);
  }
  errno = saved;
}
