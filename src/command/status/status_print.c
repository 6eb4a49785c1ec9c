/* Implements the printing. All text that comes from a process is tamed. */
#include "command/status/status_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "command/common/affected.h"
#include "command/common/colour.h"
#include "command/common/duration.h"
#include "command/common/json.h"
#include "diag/catalogue.h"
#include "diag/report.h"

enum {
  ROWS_MAX = 50,
  JSON_FUNCTIONS_MAX = TG_REMOTE_FUNCTIONS_MAX,
  TEXT_MAX = 4096,
  TIME_SIZE = 32,
  NAME_WIDTH = 24
};

static const char *const guarded_names[] = {
    [TG_GUARDED_NO] = "no", [TG_GUARDED_YES] = "yes", [TG_GUARDED_UNKNOWN] = "unknown"};

/* --- Pieces */

static const char *tame(const char *string, char text[TEXT_MAX]) {
  tg_copy_string(text, TEXT_MAX, string);
  tg_tame(text);
  return text;
}

/* "2026-11-25T07:37:51Z" */
static const char *format_time(uint64_t nanoseconds, char text[TIME_SIZE]) {
  time_t seconds = (time_t)(nanoseconds / 1000000000);
  struct tm parts;
  if (gmtime_r(&seconds, &parts) == NULL ||
      strftime(text, TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
    tg_copy_string(text, TIME_SIZE, "an unknown time");
  return text;
}

/* How long ago this was. */
static const char *format_age(uint64_t nanoseconds, char text[TG_DURATION_SIZE]) {
  uint64_t now = tg_nanoseconds(CLOCK_REALTIME);
  return tg_format_duration(now > nanoseconds ? (now - nanoseconds) / 1000000000 : 0, text);
}

static bool has_table(const struct tg_look *look) {
  return look->library[0] != '\0' && look->remote.problem == NULL &&
         look->remote.table_problem == NULL && look->remote.ring.table.armed != 0;
}

/* The time since which the process has been guarded. If it is not guarded: the time at which it
 * started. */
static uint64_t since(const struct tg_look *look) {
  return has_table(look) ? look->remote.ring.table.armed : look->started;
}

/* The last event that was reported. NULL: there is none, or its record is half-written. */
static const struct tsfn_guard_ring_record *last_event(const struct tg_look *look) {
  const struct tsfn_guard_ring *ring = &look->remote.ring;
  if (look->library[0] == '\0' || look->remote.problem != NULL || ring->next < 2) return NULL;
  const struct tsfn_guard_ring_record *record =
      &ring->record[(ring->next - 2) % TSFN_GUARD_RING_RECORDS];
  return record->sequence != 0 && record->kind != TG_EVENT_NONE ? record : NULL;
}

/* "" for a kind that only newer libraries know. */
static const char *kind_name(uint32_t kind) {
  return kind < TG_EVENT_KINDS ? tg_catalogue[kind].name : "";
}

/* The names of the runtime's faults without the guard. False: nobody has examined this version. */
static bool name_faults(const struct tg_look *look, char text[TEXT_MAX]) {
  size_t length = 0;
  text[0] = '\0';
  if (look->runtime.runtime == NULL) return false;
  for (unsigned i = 0; tg_fault(i) != NULL; i++) {
    enum tg_finding finding =
        tg_fault_find(tg_fault(i), look->runtime.runtime, look->runtime.version);
    if (finding == TG_NOT_KNOWN) return false;
    if (finding == TG_AFFECTED && length < TEXT_MAX)
      length += (size_t)snprintf(text + length, TEXT_MAX - length, "%s%s", length == 0 ? "" : ", ",
                                 tg_fault(i)->name);
  }
  return true;
}

static void name_runtime(const struct tg_look *look, char *text, size_t size) {
  if (!look->is_runtime)
    tg_copy_string(text, size, "-");
  else if (look->runtime.runtime == NULL)
    tg_copy_string(text, size, "unknown");
  else
    snprintf(text, size, "%s %s", look->runtime.runtime, look->runtime.version);
}

/* --- One process */

static void print_guard(const struct tg_look *look) {
  const struct tsfn_guard_table *table = &look->remote.ring.table;
  char text[TEXT_MAX], time[TIME_SIZE], age[TG_DURATION_SIZE];
  if (look->guarded == TG_GUARDED_YES)
    printf("guarded    %syes%s, since %s (%s)\n", tg_colour(stdout, TG_COLOUR_GOOD),
           tg_colour(stdout, TG_COLOUR_NONE), format_time(table->armed, time),
           format_age(table->armed, age));
  else
    printf("guarded    %s%s%s: %s\n", tg_colour(stdout, TG_COLOUR_CAUTION),
           guarded_names[look->guarded], tg_colour(stdout, TG_COLOUR_NONE), look->why);
  if (look->remedy != NULL) printf("do         %s\n", look->remedy);
  if (look->library[0] == '\0') return;
  printf("library    %s", tame(look->library, text));
  if (look->remote.problem == NULL && table->guard[0] != '\0')
    printf(", version %s", tame(table->guard, text));
  printf("\noptions    %s",
         look->options == NULL || look->options[0] == '\0' ? "none" : tame(look->options, text));
  if (look->remote.problem == NULL && table->mode[0] != '\0')
    printf(" (mode=%s)", tame(table->mode, text));
  putchar('\n');
}

static void print_runtime(const struct tg_look *look) {
  char text[TEXT_MAX], runtime[64];
  name_runtime(look, runtime, sizeof runtime);
  printf("runtime    %s", look->is_runtime ? runtime : "none that is known");
  printf(", %s\n",
         look->program[0] == '\0' ? "a program that cannot be named" : tame(look->program, text));
  if (!look->is_runtime || look->guarded == TG_GUARDED_YES) return;
  if (name_faults(look, text))
    printf("affected   without the guard it has: %s\n", text[0] == '\0' ? "no known fault" : text);
  else
    printf("affected   unknown; to find out, run: tsfn-guard doctor PROGRAM\n");
}

static void print_events(const struct tg_look *look) {
  const struct tsfn_guard_ring_record *last = last_event(look);
  char code[TG_CODE_SIZE], age[TG_DURATION_SIZE], text[TEXT_MAX];
  const char *comma = "";
  printf("events     ");
  for (unsigned kind = 1; kind < TG_EVENT_KINDS; kind++) {
    if (look->remote.seen[kind] == 0) continue;
    tg_catalogue_code((enum tg_event_kind)kind, code);
    printf("%s%" PRIu64 " %s %s", comma, look->remote.seen[kind], code, kind_name(kind));
    comma = ", ";
  }
  printf("%s\n", comma[0] == '\0' ? "none" : "");
  if (last == NULL || last->kind >= TG_EVENT_KINDS) return;
  char file[sizeof last->file + 1] = "";
  memcpy(file, last->file, sizeof last->file);
  tg_catalogue_code((enum tg_event_kind)last->kind, code);
  printf("reported   %" PRIu64 ", the last %s ago: %s %s, %s\n", look->remote.ring.next - 1,
         format_age(last->time, age), code, kind_name(last->kind),
         file[0] == '\0' ? "unknown code" : tame(file, text));
}

static void print_function(const struct tg_remote_function *function) {
  char name[TEXT_MAX], addon[TEXT_MAX];
  tame(function->name, name);
  printf("%10" PRIu64 " %-7s %-5s %7" PRIu64 " %6" PRIu64 " %4" PRIu64 " %-*s %s\n",
         function->number, tg_remote_state_names[function->state],
         function->keeps_alive ? "yes" : "no", function->threads, function->queue, function->env,
         NAME_WIDTH, name[0] == '\0' ? "-" : name,
         function->addon == NULL ? "unknown" : tame(tg_base_name(function->addon), addon));
}

static void print_functions(const struct tg_look *look) {
  const struct tg_remote *remote = &look->remote;
  printf("functions  ");
  for (unsigned i = 0; i < TG_REMOTE_STATES; i++)
    printf("%s%" PRIu64 " %s", i == 0 ? "" : ", ", remote->states[i], tg_remote_state_names[i]);
  printf("; %" PRIu64 " items queued; %" PRIu64 " keep%s an event loop alive\n", remote->queued,
         remote->keepers, remote->keepers == 1 ? "s" : "");
  if (remote->count == 0) return;
  printf("\n%10s %-7s %-5s %7s %6s %4s %-*s %s\n", "FUNCTION", "STATE", "ALIVE", "THREADS", "QUEUE",
         "ENV", NAME_WIDTH, "NAME", "ADDON");
  for (size_t i = 0; i < remote->count && i < ROWS_MAX; i++) print_function(&remote->functions[i]);
  uint64_t more = remote->not_listed + (remote->count > ROWS_MAX ? remote->count - ROWS_MAX : 0);
  if (more != 0) printf("and %" PRIu64 " more\n", more);
}

void tg_status_print(const struct tg_look *look) {
  char text[TEXT_MAX];
  printf("process    %d, %s\n", (int)look->process, tame(look->command, text));
  print_guard(look);
  print_runtime(look);
  if (look->remote.table_problem != NULL && look->guarded == TG_GUARDED_YES)
    printf("functions  unknown: %s\n", look->remote.table_problem);
  if (!has_table(look)) return;
  print_events(look);
  print_functions(look);
}

/* --- The list */

void tg_status_print_head(void) {
  printf("%7s %-7s %-13s %6s %6s %6s %s\n", "PID", "GUARDED", "RUNTIME", "SINCE", "EVENTS", "ALIVE",
         "COMMAND");
}

void tg_status_print_line(const struct tg_look *look, size_t columns) {
  char runtime[64], age[TG_DURATION_SIZE] = "-", events[24] = "-", alive[24] = "-", text[TEXT_MAX];
  uint64_t seen = 0;
  name_runtime(look, runtime, sizeof runtime);
  for (unsigned kind = 1; kind < TG_REMOTE_KINDS; kind++) seen += look->remote.seen[kind];
  if (has_table(look)) snprintf(events, sizeof events, "%" PRIu64, seen);
  if (has_table(look)) snprintf(alive, sizeof alive, "%" PRIu64, look->remote.keepers);
  if (since(look) != 0) format_age(since(look), age);
  int before = printf("%7d %-7s %-13s %6s %6s %6s ", (int)look->process,
                      guarded_names[look->guarded], runtime, age, events, alive);
  size_t columns_left = before > 0 && columns > (size_t)before ? columns - (size_t)before : 0;
  tame(look->command, text);
  for (const char *at = text; *at != '\0' && columns_left != 0; columns_left--) {
    size_t length = tg_shown_length(at);
    if (length == 0) length = 1;
    fwrite(at, 1, length, stdout);
    at += length;
  }
  putchar('\n');
}

/* --- JSON */

static void write_member(const char *name, const char *value) {
  printf(",\"%s\":", name);
  tg_json_write(stdout, value != NULL && value[0] == '\0' ? NULL : value);
}

static void write_time(const char *name, uint64_t nanoseconds) {
  char text[TIME_SIZE];
  write_member(name, nanoseconds == 0 ? NULL : format_time(nanoseconds, text));
}

static void write_bool(const char *name, bool value) {
  printf(",\"%s\":%s", name, value ? "true" : "false");
}

static void write_kind(uint32_t kind) {
  char code[TG_CODE_SIZE];
  bool is_known = kind < TG_EVENT_KINDS;
  snprintf(code, sizeof code, "TSG%03u", kind % 1000);
  printf("\"code\":\"%s\"", code);
  write_member("kind", is_known ? tg_catalogue[kind].name : NULL);
  write_member("severity", is_known ? tg_severity_names[tg_catalogue[kind].severity] : NULL);
}

static void write_events(const struct tg_look *look) {
  const char *comma = "";
  printf(",\"events\":");
  if (!has_table(look)) {
    printf("null");
    return;
  }
  putchar('[');
  for (uint32_t kind = 1; kind < TG_REMOTE_KINDS; kind++) {
    if (look->remote.seen[kind] == 0) continue;
    printf("%s{", comma);
    write_kind(kind);
    printf(",\"seen\":%" PRIu64 "}", look->remote.seen[kind]);
    comma = ",";
  }
  putchar(']');
}

static void write_last_event(const struct tg_look *look) {
  const struct tsfn_guard_ring_record *last = last_event(look);
  printf(",\"last_event\":");
  if (last == NULL) {
    printf("null");
    return;
  }
  char file[sizeof last->file + 1] = "", name[sizeof last->name + 1] = "";
  memcpy(file, last->file, sizeof last->file);
  memcpy(name, last->name, sizeof last->name);
  putchar('{');
  write_kind(last->kind);
  write_time("time", last->time);
  write_member("addon", file);
  write_member("name", name);
  printf(",\"reported\":%" PRIu64 "}", look->remote.ring.next - 1);
}

static void write_function(const struct tg_remote_function *function) {
  printf("{\"number\":%" PRIu64, function->number);
  write_member("name", function->name);
  write_member("addon", function->addon);
  write_member("state", tg_remote_state_names[function->state]);
  write_bool("keeps_alive", function->keeps_alive);
  printf(",\"env\":%" PRIu64 ",\"counts\":%" PRIu64 ",\"queue\":%" PRIu64
         ",\"queue_limit\":%" PRIu64 ",\"blocked\":%" PRIu64 "}",
         function->env, function->threads, function->queue, function->max_queue_size,
         function->waiters);
}

static void write_functions(const struct tg_look *look) {
  const struct tg_remote *remote = &look->remote;
  if (!has_table(look)) {
    printf(
        ",\"handles\":null,\"queued_items\":null,\"keepers\":null,\"functions\":null,\"functions_"
        "not_"
        "listed\":null");
    return;
  }
  size_t listed = remote->count < JSON_FUNCTIONS_MAX ? remote->count : JSON_FUNCTIONS_MAX;
  printf(",\"handles\":{");
  for (unsigned i = 0; i < TG_REMOTE_STATES; i++)
    printf("%s\"%s\":%" PRIu64, i == 0 ? "" : ",", tg_remote_state_names[i], remote->states[i]);
  printf("},\"queued_items\":%" PRIu64 ",\"keepers\":%" PRIu64 ",\"functions\":[", remote->queued,
         remote->keepers);
  for (size_t i = 0; i < listed; i++) {
    if (i != 0) putchar(',');
    write_function(&remote->functions[i]);
  }
  printf("],\"functions_not_listed\":%" PRIu64, remote->not_listed + (remote->count - listed));
}

static void write_faults(const struct tg_look *look) {
  char text[TEXT_MAX];
  const char *comma = "";
  printf(",\"affected\":");
  if (!look->is_runtime || !name_faults(look, text)) {
    printf("null");
    return;
  }
  putchar('[');
  for (unsigned i = 0; tg_fault(i) != NULL; i++) {
    if (tg_fault_find(tg_fault(i), look->runtime.runtime, look->runtime.version) != TG_AFFECTED)
      continue;
    printf("%s\"%s\"", comma, tg_fault(i)->name);
    comma = ",";
  }
  putchar(']');
}

void tg_status_print_json(const struct tg_look *look) {
  const struct tsfn_guard_table *table = &look->remote.ring.table;
  bool has_ring = look->library[0] != '\0' && look->remote.problem == NULL;
  printf("{\"process\":%d,\"user\":%u", (int)look->process, (unsigned)look->user);
  write_member("command", look->command);
  write_member("program", look->program);
  write_time("started", look->started);
  write_member("guarded", guarded_names[look->guarded]);
  write_member("why", look->why);
  write_member("do", look->remedy);
  write_bool("is_runtime", look->is_runtime);
  write_member("runtime", look->runtime.runtime);
  write_member("runtime_version", look->runtime.version);
  write_faults(look);
  write_member("library", look->library);
  write_member("library_version", has_ring ? table->guard : NULL);
  write_member("mode", has_ring ? table->mode : NULL);
  write_member("options", look->options);
  write_time("guarded_since", has_table(look) ? table->armed : 0);
  write_bool("preload_set", look->is_preload_set);
  write_bool("pm2_cluster", look->is_pm2_worker);
  write_events(look);
  write_last_event(look);
  write_functions(look);
  putchar('}');
}
