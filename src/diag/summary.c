/* Implements the summary and the dump. */
#include "diag/summary.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"
#include "diag/catalogue.h"
#include "diag/culprit.h"
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

/* Used by the exiting thread only. A group contains the functions alive at exit that were created
 * at the same place. */
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

/* One report. In text form it is some lines under a headline, in JSON an object whose type is the
 * headline. */
struct report_line {
  struct tg_text prefix;
  struct tg_emitter emitter;
  char bytes[LINE_SIZE];
};

static struct tg_emitter *open_report_line(struct report_line *line, const char *type) {
  struct tg_emitter *emitter = &line->emitter;
  tg_text_start(&line->prefix);
  tg_emit_open(emitter, options.format, line->bytes, LINE_SIZE, tg_text_string(&line->prefix),
               type);
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
  /* tg_report_event waits for this lock. It would wait for ever if exit() was called by a signal
   * handler that has interrupted a report. */
  if (!tg_lock_try_for(&tg_report_lock, &patience_ms)) return;
  tg_lock_release_tried(&tg_report_lock);
  const struct tg_event event = {.kind = TG_EVENT_KEEPS_ALIVE,
                                 .known = true,
                                 .snapshot = keepers.first,
                                 .quantity = keepers.count};
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
  tg_culprit_emit_package(emitter, site->file);
  tg_emit_string(emitter, "action", tg_policy_site_action(site));
  tg_emit_number(emitter, "seen", tally->seen);
  tg_emit_number(emitter, "suppressed", tally->unreported);
  close_report_line(&exit_line);
}

static void count_held(void *argument, const struct tg_snapshot *snapshot) {
  uint64_t *held = argument;
  if (snapshot == NULL || is_leaked(snapshot)) ++*held;
}

/* Threads may give counts back after the end of an environment. Without this addition, "3 seen"
 * would contradict "leaked 0" of the same summary. */
static void add_held(const struct tg_tally *tally, struct tg_text *line) {
  uint64_t held = 0;
  /* Beyond that number the oldest functions are forgotten. */
  if (tally->site->kind != TG_EVENT_NEVER_RELEASED || tally->seen > TG_ABANDONED_MAX) return;
  tg_guard_walk(summary_guard, count_held, &held);
  if (held == 0) tg_text_add(line, ", all of them were released later");
}

static void write_line(struct tg_text *line) {
  line->bytes[line->length] = '\n';
  tg_log_write(line->bytes, line->length + 1);
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
  tg_text_add_number(&line, tally->unreported);
  tg_text_add(&line, " not reported, action ");
  tg_text_add(&line, tg_policy_site_action(site));
  tg_text_add(&line, ", addon ");
  tg_text_add(&line, site->file[0] == '\0' ? "(unknown)" : site->file);
  add_held(tally, &line);
  write_line(&line);
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

/* --- The verdicts */

/* The number of events that an addon is to blame for, by severity. */
struct guilt {
  uint64_t seen[TG_LEAK];
};

/* Whether the addon misuses the functions at this site. If so, the catalogue has no other advice
 * than to update the addon. */
static bool is_guilty_site(const struct tg_site *site) {
  return is_error_site(site) && site->file[0] != '\0' && tg_catalogue[site->kind].remedy == NULL;
}

/* Sums up all such sites with the file of this one. False: this is not the first of them. */
static bool sum_up_guilt(const struct tg_site *sites, size_t count, const struct tg_site *site,
                         struct guilt *guilt) {
  *guilt = (struct guilt){{0}};
  for (const struct tg_site *other = sites; other < sites + count; other++) {
    if (!is_guilty_site(other) || strcmp(other->file, site->file) != 0) continue;
    if (other < site) return false;
    guilt->seen[tg_catalogue[other->kind].severity] += other->seen;
  }
  return true;
}

static void add_guilt(const struct guilt *guilt, struct tg_text *line) {
  static const struct {
    const char *one, *many;
  } words[TG_LEAK] = {[TG_FATAL_AVOIDED] = {" crash avoided", " crashes avoided"},
                      [TG_HANG_AVOIDED] = {" hang avoided", " hangs avoided"},
                      [TG_WARN] = {" warning", " warnings"}};
  const char *separator = "";
  for (unsigned severity = 0; severity < TG_LEAK; severity++) {
    if (guilt->seen[severity] == 0) continue;
    tg_text_add(line, separator);
    tg_text_add_number(line, guilt->seen[severity]);
    tg_text_add(line, guilt->seen[severity] == 1 ? words[severity].one : words[severity].many);
    separator = ", ";
  }
}

/* "summary: sensor.node (acme-sensor@2.1.0): 219 crashes avoided; update it or report it:
 * https://…" */
static void write_verdict(const char *file, const struct guilt *guilt) {
  struct tg_text line, package = {.length = 0};
  tg_text_start(&line);
  tg_text_add(&line, "summary: ");
  tg_culprit_add_package(&package, file);
  tg_text_add(&line, package.length == 0 ? file : tg_base_name(file));
  if (package.length != 0) {
    tg_text_add(&line, " (");
    tg_text_add(&line, tg_text_string(&package));
    tg_text_add(&line, ")");
  }
  tg_text_add(&line, ": ");
  add_guilt(guilt, &line);
  tg_text_add(&line, "; update it or report it");
  const char *bugs = tg_culprit_package(file)->bugs;
  if (bugs[0] != '\0') tg_text_add(&line, ": ");
  tg_text_add(&line, bugs);
  write_line(&line);
}

/* Only in text form: in JSON, the tallies contain all of this. */
static void write_verdicts(void) {
  size_t count;
  const struct tg_site *sites = tg_policy_sites(&count);
  struct guilt guilt;
  for (const struct tg_site *site = sites; site < sites + count; site++)
    if (is_guilty_site(site) && sum_up_guilt(sites, count, site, &guilt))
      write_verdict(site->file, &guilt);
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
    write_function_report(&exit_line, is_leaked(&groups[i].first) ? "leaked" : "live",
                          &groups[i].first, groups[i].count);
  write_total(events);
  if (locked && options.format == TG_FORMAT_TEXT) write_verdicts();
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
