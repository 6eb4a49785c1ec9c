/* Implements the reports. */
#include "diag/report.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/probes.h"
#include "base/text.h"
#include "diag/catalogue.h"
#include "diag/culprit.h"
#include "diag/log.h"
#include "diag/policy.h"
#include "diag/ring.h"
#include "diag/stacks.h"
#include "diag/trace.h"

enum {
  JSON_SIZE = 4096,
  TEXT_SIZE = 8192,
  THREAD_NAME_SIZE = 16, /* the kernel's limit */
  FINALIZED_KEEP = 256,  /* bytes reserved for the finalizer's stack, which follows the create's */
  STACK_KEEP = 1280,     /* bytes reserved for both, which follow the current stack */
};

struct tg_lock tg_report_lock;

static const struct tg_report_source *source;
static struct tg_report_options options;

void tg_report_open(const struct tg_report_source *report_source,
                    const struct tg_report_options *report_options) {
  source = report_source;
  options = *report_options;
}

/* --- Formatting */

const char *tg_report_status(napi_status status) {
  static const char *const names[] = {
      [napi_ok] = "napi_ok",
      [napi_invalid_arg] = "napi_invalid_arg",
      [napi_object_expected] = "napi_object_expected",
      [napi_string_expected] = "napi_string_expected",
      [napi_name_expected] = "napi_name_expected",
      [napi_function_expected] = "napi_function_expected",
      [napi_number_expected] = "napi_number_expected",
      [napi_boolean_expected] = "napi_boolean_expected",
      [napi_array_expected] = "napi_array_expected",
      [napi_generic_failure] = "napi_generic_failure",
      [napi_pending_exception] = "napi_pending_exception",
      [napi_cancelled] = "napi_cancelled",
      [napi_queue_full] = "napi_queue_full",
      [napi_closing] = "napi_closing",
      [napi_would_deadlock] = "napi_would_deadlock",
  };
  size_t count = sizeof names / sizeof names[0];
  return (size_t)status < count && names[status] != NULL ? names[status] : "another status";
}

static const char *handle_state_name(const struct tg_snapshot *snapshot) {
  static const char *const names[] = {[TG_FREE] = "stale",
                                      [TG_CREATING] = "stale",
                                      [TG_OPEN] = "open",
                                      [TG_CLOSING] = "closing",
                                      [TG_CLOSED] = "closed"};
  return names[snapshot->state];
}

static void write_digits(char *to, unsigned width, uint64_t number) {
  while (width-- > 0) {
    to[width] = (char)('0' + number % 10);
    number /= 10;
  }
}

/* H. Hinnant's days-to-date algorithm: years begin in March, so that the leap day comes last. No
 * locale, no time zone. */
void tg_report_time(char text[TG_TIME_SIZE]) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  uint64_t seconds = (uint64_t)now.tv_sec;
  uint64_t days = seconds / 86400 + 719468;
  uint64_t era = days / 146097, day_of_era = days % 146097;
  uint64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  uint64_t month = (5 * day_of_year + 2) / 153;
  uint64_t day = day_of_year - (153 * month + 2) / 5 + 1;
  month = month < 10 ? month + 3 : month - 9;
  memcpy(text, "0000-00-00T00:00:00.000Z", TG_TIME_SIZE);
  write_digits(text, 4, year_of_era + era * 400 + (month <= 2));
  write_digits(text + 5, 2, month);
  write_digits(text + 8, 2, day);
  write_digits(text + 11, 2, seconds / 3600 % 24);
  write_digits(text + 14, 2, seconds / 60 % 60);
  write_digits(text + 17, 2, seconds % 60);
  write_digits(text + 20, 3, (uint64_t)now.tv_nsec / 1000000);
}

const char *tg_report_hex(uint64_t number, char text[TG_HEX_SIZE]) {
  char digits[16];
  size_t count = 0;
  do digits[count++] = "0123456789abcdef"[number % 16];
  while ((number /= 16) != 0);
  text[0] = '0';
  text[1] = 'x';
  for (size_t i = 0; i < count; i++) text[2 + i] = digits[count - 1 - i];
  text[2 + count] = '\0';
  return text;
}

/* --- The fields */

static void emit_age(struct tg_emitter *emitter, const char *name, uint64_t since) {
  uint64_t now = tg_nanoseconds(CLOCK_MONOTONIC);
  if (since == 0)
    tg_emit_null(emitter, name);
  else
    tg_emit_number(emitter, name, now < since ? 0 : (now - since) / 1000000);
}

static void emit_env(struct tg_emitter *emitter, uint32_t number) {
  struct tg_env_snapshot env;
  tg_emit_group(emitter, "env");
  tg_emit_number(emitter, "number", number);
  if (!tg_trace_env(number, &env)) return;
  if (env.worker < 0)
    tg_emit_null(emitter, "worker");
  else
    tg_emit_number(emitter, "worker", (uint64_t)env.worker);
  tg_emit_number(emitter, "loop_thread", (uint64_t)env.loop_thread);
}

void tg_report_emit_function(struct tg_emitter *emitter, const struct tg_snapshot *snapshot) {
  struct tg_trace_snapshot trace = {0};
  bool traced = tg_trace_read(snapshot->index, snapshot->generation, &trace);
  tg_emit_group(emitter, "handle");
  tg_emit_number(emitter, "number", snapshot->number);
  tg_emit_string(emitter, "name", snapshot->name[0] == '\0' ? NULL : snapshot->name);
  tg_emit_string(emitter, "state", handle_state_name(snapshot));
  tg_emit_bool(emitter, "finalized", snapshot->finalized);
  emit_age(emitter, "age_ms", trace.created);
  emit_age(emitter, "finalized_ms_ago", trace.finalized);
  tg_emit_number(emitter, "counts", snapshot->thread_count);
  tg_emit_number(emitter, "credit", snapshot->release_credit);
  tg_emit_number(emitter, "queue", snapshot->queue_length);
  if (traced)
    tg_emit_number(emitter, "queue_highest", trace.queue_highest);
  else
    tg_emit_null(emitter, "queue_highest");
  tg_emit_number(emitter, "queue_limit", snapshot->max_queue_size);
  tg_emit_number(emitter, "blocked_callers", snapshot->waiters);
  tg_emit_bool(emitter, "referenced", snapshot->referenced);
  tg_emit_string(emitter, "addon",
                 snapshot->addon == NULL ? NULL : source->addon_path(snapshot->addon));
  emit_env(emitter, snapshot->env);
}

/* A frame is "file+0xoffset", or a bare address if no file contains it (compiled JavaScript). */
static void emit_frame(struct tg_emitter *emitter, const char *file, uint64_t offset) {
  char hex[TG_HEX_SIZE], frame[TG_FILE_MAX + 1 + TG_HEX_SIZE];
  size_t length = 0;
  if (file != NULL) {
    length = strlen(file);
    memcpy(frame, file, length);
    frame[length++] = '+';
  }
  tg_report_hex(offset, hex);
  memcpy(frame + length, hex, strlen(hex) + 1);
  tg_emit_item(emitter, frame);
}

/* The current stack. */
static void emit_stack_here(struct tg_emitter *emitter, const struct tg_stack *stack) {
  struct tg_place place;
  if (stack->depth == 0) return;
  tg_emit_list(emitter, "stack", STACK_KEEP);
  for (unsigned i = 0; i < stack->depth; i++) {
    bool located = source->locate(stack->frames[i], &place);
    emit_frame(emitter, located ? place.file : NULL,
               located ? place.offset : (uint64_t)(uintptr_t)stack->frames[i]);
  }
}

void tg_report_emit_stack(struct tg_emitter *emitter, const char *name, uint32_t stack) {
  unsigned depth = tg_stack_depth(stack);
  if (depth == 0) return;
  tg_emit_list(emitter, name, strcmp(name, "created_at") == 0 ? FINALIZED_KEEP : 0);
  for (unsigned i = 0; i < depth; i++) {
    uint64_t offset = 0;
    const char *file = tg_stack_frame(stack, i, &offset);
    emit_frame(emitter, file, offset);
  }
}

static void emit_call(struct tg_emitter *emitter, const struct tg_event *event) {
  char hex[TG_HEX_SIZE];
  if (event->function == NULL) return;
  tg_emit_group(emitter, "call");
  tg_emit_string(emitter, "function", event->function);
  tg_emit_string(emitter, "func", tg_report_hex((uint64_t)(uintptr_t)event->handle, hex));
  tg_emit_string(emitter, "mode", event->mode);
  tg_emit_string(emitter, "answered", event->answered ? tg_report_status(event->answer) : NULL);
}

static void emit_caller(struct tg_emitter *emitter, const struct tg_event *event,
                        const char *symbol) {
  struct tg_place place;
  char hex[TG_HEX_SIZE];
  if (event->caller == NULL || !source->locate(event->caller, &place)) return;
  tg_emit_group(emitter, "caller");
  tg_emit_string(emitter, "file", place.file);
  tg_emit_string(emitter, "offset", tg_report_hex(place.offset, hex));
  tg_emit_string(emitter, "symbol", symbol[0] == '\0' ? NULL : symbol);
  tg_emit_string(emitter, "build_id", place.build_id[0] == '\0' ? NULL : place.build_id);
}

static void emit_thread(struct tg_emitter *emitter) {
  char name[THREAD_NAME_SIZE + 1] = "";
  prctl(PR_GET_NAME, name);
  tg_emit_group(emitter, "thread");
  tg_emit_number(emitter, "pid", (uint64_t)getpid());
  tg_emit_number(emitter, "tid", (uint64_t)syscall(SYS_gettid));
  tg_emit_string(emitter, "name", name);
}

/* Describes what happens to the process next, and how to continue it. False: nothing happens to
 * it. */
static bool describe_then(const struct tg_site *site, struct tg_text *text) {
  text->length = 0;
  if (!tg_policy_site_ends(site)) return false;
  if (tg_policy_action(site->kind) == TG_ACTION_ABORT) {
    tg_text_add(
        text,
        "on.EVENT=abort ends the process (SIGABRT); its core has all stacks: gdb PROGRAM CORE");
    return true;
  }
  tg_text_add(text, "on.EVENT=stop stops the process (SIGSTOP); inspect it: gdb -p ");
  tg_text_add_number(text, (uint64_t)getpid());
  tg_text_add(text, "; continue it: kill -CONT ");
  tg_text_add_number(text, (uint64_t)getpid());
  return true;
}

static void emit_then(struct tg_emitter *emitter, const struct tg_site *site) {
  struct tg_text then;
  if (describe_then(site, &then)) tg_emit_string(emitter, "then", tg_text_string(&then));
}

/* Adds the same text to a report of one line. It must come last in that line. */
static void add_then(const struct tg_site *site, struct tg_text *line) {
  struct tg_text then;
  if (!describe_then(site, &then)) return;
  tg_text_add(line, "; ");
  tg_text_add(line, tg_text_string(&then));
}

/* The facts about an event that are collected before the lock is taken. */
struct facts {
  const struct tg_event *event;
  const char *detail;
  struct tg_stack stack;
  char symbol[TG_SYMBOL_MAX];
};

static void emit_remedy(struct tg_emitter *emitter, enum tg_event_kind kind,
                        const struct tg_site *site) {
  struct tg_text remedy = {.length = 0};
  tg_culprit_add_remedy(&remedy, kind, site->file);
  tg_emit_string(emitter, emitter->format == TG_FORMAT_JSON ? "remedy" : "do",
                 tg_text_string(&remedy));
}

/* Emits the page about the kind. The text form also names the command that shows the page, because
 * the reader may not have the docs. */
static void emit_page(struct tg_emitter *emitter, enum tg_event_kind kind) {
  struct tg_text page = {.length = 0};
  char code[TG_CODE_SIZE];
  bool is_json = emitter->format == TG_FORMAT_JSON;
  tg_catalogue_code(kind, code);
  tg_text_add(&page, "docs/misuse/");
  tg_text_add(&page, code);
  tg_text_add(&page, ".md");
  if (!is_json) {
    tg_text_add(&page, ", or run: tsfn-guard explain ");
    tg_text_add(&page, code);
  }
  tg_emit_string(emitter, is_json ? "page" : "see", tg_text_string(&page));
}

static void emit_addon(struct tg_emitter *emitter, const struct tg_site *site) {
  tg_emit_string(emitter, "addon", site->file[0] == '\0' ? NULL : site->file);
  tg_emit_number(emitter, "seen", site->seen);
  if (emitter->format == TG_FORMAT_JSON || site->seen != site->logged)
    tg_emit_number(emitter, "suppressed", site->seen - site->logged);
}

static void emit_runtime(struct tg_emitter *emitter) {
  char runtime[TG_RUNTIME_MAX] = "";
  bool known = source->runtime(runtime);
  tg_emit_string(emitter, "runtime", known ? runtime : NULL);
}

/* The fields that readers need most come first: what happened, what the guard did, what to do. */
static void emit_head_text(struct tg_emitter *emitter, enum tg_event_kind kind,
                           const struct tg_site *site, const char *time) {
  const struct tg_catalogue_entry *entry = &tg_catalogue[kind];
  tg_emit_string(emitter, "what", entry->explanation);
  tg_emit_string(emitter, "the guard", entry->action);
  emit_remedy(emitter, kind, site);
  emit_page(emitter, kind);
  emit_then(emitter, site);
  tg_emit_string(emitter, "without the guard", entry->natively);
  emit_addon(emitter, site);
  emit_runtime(emitter);
  tg_emit_string(emitter, "time", time);
}

static void emit_head_json(struct tg_emitter *emitter, enum tg_event_kind kind,
                           const struct tg_site *site, const char *time) {
  const struct tg_catalogue_entry *entry = &tg_catalogue[kind];
  char code[TG_CODE_SIZE];
  tg_catalogue_code(kind, code);
  tg_emit_number(emitter, "version", TG_REPORT_VERSION);
  tg_emit_string(emitter, "type", "event");
  tg_emit_string(emitter, "time", time);
  tg_emit_string(emitter, "code", code);
  tg_emit_string(emitter, "kind", entry->name);
  tg_emit_string(emitter, "severity", tg_severity_names[entry->severity]);
  tg_emit_string(emitter, "explanation", entry->explanation);
  emit_runtime(emitter);
  tg_emit_string(emitter, "natively", entry->natively);
  tg_emit_string(emitter, "action", entry->action);
  emit_then(emitter, site);
  emit_addon(emitter, site);
  tg_culprit_emit_package(emitter, site->file);
  emit_remedy(emitter, kind, site);
  emit_page(emitter, kind);
}

static void emit_event(struct tg_emitter *emitter, const struct facts *facts,
                       const struct tg_site *site) {
  const struct tg_event *event = facts->event;
  const char *quantity = tg_catalogue[event->kind].quantity;
  char time[TG_TIME_SIZE];
  tg_report_time(time);
  if (emitter->format == TG_FORMAT_JSON)
    emit_head_json(emitter, event->kind, site, time);
  else
    emit_head_text(emitter, event->kind, site, time);
  if (facts->detail != NULL) tg_emit_string(emitter, "detail", facts->detail);
  if (quantity != NULL) {
    tg_emit_group(emitter, "quantity");
    tg_emit_number(emitter, quantity, event->quantity);
  }
  emit_call(emitter, event);
  emit_caller(emitter, event, facts->symbol);
  emit_thread(emitter);
  if (event->known) tg_report_emit_function(emitter, &event->snapshot);
  emit_stack_here(emitter, &facts->stack);
  struct tg_trace_snapshot trace;
  if (!event->known || !tg_trace_read(event->snapshot.index, event->snapshot.generation, &trace))
    return;
  tg_report_emit_stack(emitter, "created_at", trace.created_at);
  tg_report_emit_stack(emitter, "finalized_at", trace.finalized_at);
}

/* --- Writing. All of this is called with the report's lock held. */

/* Adds "TSG001 call-after-finalize (fatal-avoided): ". */
static void add_kind(enum tg_event_kind kind, struct tg_text *line) {
  char code[TG_CODE_SIZE];
  tg_catalogue_code(kind, code);
  tg_text_add(line, code);
  tg_text_add(line, " ");
  tg_text_add(line, tg_catalogue[kind].name);
  tg_text_add(line, " (");
  tg_text_add(line, tg_severity_names[tg_catalogue[kind].severity]);
  tg_text_add(line, "): ");
}

/* Adds "perform+12", or "sensor.node+0x12c9" if there is no symbol. */
static void add_caller(const struct facts *facts, struct tg_text *line) {
  struct tg_place place;
  char hex[TG_HEX_SIZE];
  if (facts->symbol[0] != '\0') {
    tg_text_add(line, facts->symbol);
  } else if (source->locate(facts->event->caller, &place)) {
    tg_text_add(line, tg_base_name(place.file));
    tg_text_add(line, "+");
    tg_text_add(line, tg_report_hex(place.offset, hex));
  } else {
    tg_text_add(line, "code that no file contains");
  }
}

/* Adds the whole first line: "TSG001 call-after-finalize (fatal-avoided): acme-sensor@2.1.0
 * sensor.node: napi_call_threadsafe_function, called in perform+12". */
static void add_headline(const struct facts *facts, const struct tg_site *site,
                         struct tg_text *line) {
  const struct tg_event *event = facts->event;
  add_kind(event->kind, line);
  tg_culprit_add_name(line, site->file);
  if (event->function == NULL && event->caller == NULL) return;
  tg_text_add(line, ": ");
  tg_text_add(line, event->function == NULL ? "callback" : event->function);
  if (event->caller == NULL) return;
  tg_text_add(line, event->function == NULL ? " " : ", called in ");
  add_caller(facts, line);
}

/* Reports only the number of events so far. Used if the site was reported with all fields
 * before. */
static void write_repeated(enum tg_event_kind kind, const struct tg_site *site) {
  struct tg_text line;
  tg_text_start(&line);
  add_kind(kind, &line);
  tg_text_add(&line, tg_catalogue[kind].explanation);
  tg_text_add(&line, "; seen ");
  tg_text_add_number(&line, site->seen);
  tg_text_add(&line, " times from ");
  tg_text_add(&line, site->file[0] == '\0' ? "unknown code" : site->file);
  add_then(site, &line);
  line.bytes[line.length] = '\n';
  tg_log_write(line.bytes, line.length + 1);
}

static void write_full_report(struct facts *facts, const struct tg_site *site) {
  static char bytes[TEXT_SIZE];
  struct tg_text prefix, headline = {.length = 0};
  struct tg_emitter emitter;
  bool is_json = options.format == TG_FORMAT_JSON;
  if (!is_json && !tg_policy_in_full(site)) {
    write_repeated(facts->event->kind, site);
    return;
  }
  /* mode=protect looks the symbol up only here: searching a symbol table is too slow for events
   * that are not reported. */
  if (facts->symbol[0] == '\0' && facts->event->caller != NULL)
    source->name_symbol(facts->event->caller, facts->symbol);
  tg_text_start(&prefix);
  if (!is_json) add_headline(facts, site, &headline);
  tg_emit_open(&emitter, options.format, bytes, is_json ? JSON_SIZE : TEXT_SIZE,
               tg_text_string(&prefix), tg_text_string(&headline));
  emit_event(&emitter, facts, site);
  size_t length = tg_emit_close(&emitter);
  tg_log_write(bytes, length);
}

static void write_detail(const char *detail, const struct tg_site *site) {
  struct tg_text line;
  tg_text_start(&line);
  tg_text_add(&line, detail);
  add_then(site, &line);
  line.bytes[line.length] = '\n';
  tg_log_write(line.bytes, line.length + 1);
}

/* The file that caused the event: the caller's, or else the creator's. Keeps the end of a long
 * path. */
static void find_culprit_file(const void *caller, const void *creator, char *path, size_t size) {
  struct tg_place place;
  const char *found = "";
  if (caller != NULL && source->locate(caller, &place))
    found = place.file;
  else if (creator != NULL)
    found = source->addon_path(creator);
  tg_copy_end(path, size, found);
}

static void abort_or_stop(enum tg_action action) {
  if (action == TG_ACTION_STOP) raise(SIGSTOP);
  if (action != TG_ACTION_ABORT) return;
  if (options.aborting != NULL) options.aborting();
  abort();
}

static void report_facts(struct facts *facts) {
  const struct tg_event *event = facts->event;
  tg_probe_misuse(event->handle, (int)event->kind, event->answered ? (int)event->answer : -1,
                  event->caller);
  enum tg_action action =
      event->matters ? tg_policy_action_if_it_matters(event->kind) : tg_policy_action(event->kind);
  int saved = errno, cancellation;
  /* write(2) is a cancellation point, and the lock is held. */
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellation);
  /* Collected before the lock is taken, so that other threads do not wait for it. */
  facts->stack.depth = 0;
  facts->symbol[0] = '\0';
  if (options.diagnose && action != TG_ACTION_IGNORE) {
    tg_stack_take(&facts->stack, event->function == NULL ? NULL : event->caller);
    if (event->caller != NULL) source->name_symbol(event->caller, facts->symbol);
  }
  tg_lock_acquire(&tg_report_lock, TG_RANK_REPORT);
  struct tg_site *site =
      tg_policy_find_site(event->kind, event->caller, event->snapshot.addon, find_culprit_file);
  bool is_logged = tg_policy_count(site);
  if (options.counted != NULL) options.counted(event->kind);
  if (is_logged) tg_ring_push(event, site->file);
  if (is_logged && action != TG_ACTION_IGNORE) {
    if (facts->detail != NULL && options.format == TG_FORMAT_TEXT)
      write_detail(facts->detail, site);
    else
      write_full_report(facts, site);
  }
  bool suppressed = site->suppressed;
  tg_lock_release(&tg_report_lock, TG_RANK_REPORT);
  pthread_setcancelstate(cancellation, NULL);
  if (options.reported != NULL) options.reported();
  errno = saved;
  if (!suppressed) abort_or_stop(action);
}

void tg_report_event(const struct tg_event *event) {
  struct facts facts = {.event = event};
  report_facts(&facts);
}

void tg_report_detail(const struct tg_event *event, const char *detail) {
  struct facts facts = {.event = event, .detail = detail};
  report_facts(&facts);
}

void tg_report_process(enum tg_event_kind kind, const char *detail) {
  const struct tg_event event = {.kind = kind};
  tg_report_detail(&event, detail);
}
