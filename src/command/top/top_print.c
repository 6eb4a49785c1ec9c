/* Implements the table and the JSON of a sample. */
#include "command/top/top_print.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "command/common/duration.h"
#include "diag/catalogue.h"
#include "diag/metrics.h"
#include "diag/report.h"

enum {
  JSON_VERSION = 1,
  JSON_FUNCTIONS_MAX = 1000,
  NAME_WIDTH = 20,
  NARROW_NAME_WIDTH = 12,
  WIDE = 100,
  CELL = TG_DURATION_SIZE
};

const char *const tg_top_order_names[TG_TOP_ORDERS] = {[TG_TOP_CALLS] = "calls/s",
                                                       [TG_TOP_QUEUE] = "queue",
                                                       [TG_TOP_THREADS] = "threads",
                                                       [TG_TOP_AGE] = "age"};

/* --- The order */

static int compare_numbers(double a, double b) {
  return (a < b) - (a > b);
}

static int by_calls(const void *a, const void *b) {
  const struct tg_watch_function *one = a, *other = b;
  int order = compare_numbers(one->calls_per_second, other->calls_per_second);
  if (order == 0) order = (one->queue < other->queue) - (one->queue > other->queue);
  return order != 0 ? order : (one->number > other->number) - (one->number < other->number);
}

static int by_queue(const void *a, const void *b) {
  const struct tg_watch_function *one = a, *other = b;
  return one->queue != other->queue ? (one->queue < other->queue ? 1 : -1) : by_calls(a, b);
}

static int by_threads(const void *a, const void *b) {
  const struct tg_watch_function *one = a, *other = b;
  return one->threads != other->threads ? (one->threads < other->threads ? 1 : -1) : by_calls(a, b);
}

static int by_age(const void *a, const void *b) {
  const struct tg_watch_function *one = a, *other = b;
  return one->age_ms != other->age_ms ? (one->age_ms < other->age_ms ? 1 : -1) : by_calls(a, b);
}

void tg_top_sort(struct tg_watch_sample *sample, enum tg_top_order order) {
  static int (*const compare[TG_TOP_ORDERS])(const void *, const void *) = {
      [TG_TOP_CALLS] = by_calls,
      [TG_TOP_QUEUE] = by_queue,
      [TG_TOP_THREADS] = by_threads,
      [TG_TOP_AGE] = by_age};
  if (sample->count != 0)
    qsort(sample->functions, sample->count, sizeof *sample->functions, compare[order]);
}

/* --- The table */

/* A line that is being written. Each character counts as one column. */
struct line {
  FILE *to;
  const struct tg_top_look *look;
  size_t columns;
  size_t most; /* the column at which it is cut off */
};

/* Writes text. Replaces invalid UTF-8, and characters that control a terminal, by '?'. */
static void put_text(struct line *line, const char *text) {
  while (*text != '\0' && line->columns < line->most) {
    size_t length = tg_shown_length(text);
    bool odd = length == 0;
    if (odd) length = 1;
    fwrite(odd ? "?" : text, 1, odd ? 1 : length, line->to);
    line->columns++;
    text += length;
  }
}

__attribute__((format(printf, 2, 3))) static void put(struct line *line, const char *format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  put_text(line, text);
}

/* Writes text into a field of this width. */
static void put_field(struct line *line, const char *text, size_t width) {
  const size_t most = line->most, end = line->columns + width;
  if (end < most) line->most = end;
  put_text(line, text);
  while (line->columns < line->most) put_text(line, " ");
  line->most = most;
}

static void put_style(struct line *line, const char *sequence) {
  if (line->look->colour) fputs(sequence, line->to);
}

static void end_line(struct line *line) {
  put_style(line, "\033[0m");
  fputs(line->look->line_end, line->to);
  line->columns = 0;
}

/* "12345", "123k", "12.3M": six characters, except for absurdly large numbers. */
static const char *short_number(double number, char cell[CELL]) {
  static const char units[] = " kMGTPE";
  unsigned unit = 0;
  bool is_whole = number == (double)(uint64_t)(number < 1e15 ? number : 0);
  if (number < 99999.5) {
    snprintf(cell, CELL, number < 99.95 && !is_whole ? "%.1f" : "%.0f", number);
    return cell;
  }
  for (; number >= 999.5 && units[unit + 1] != '\0'; unit++) number /= 1000;
  snprintf(cell, CELL, number < 99.95 ? "%.1f%c" : "%.0f%c", number, units[unit]);
  return cell;
}

static uint64_t guarded_ms(const struct tg_watch *watch) {
  uint64_t armed = watch->page->armed, time = watch->sample.time;
  return time < armed ? 0 : (time - armed) / 1000000;
}

static void put_totals(struct line *line, const struct tg_watch_sample *sample, bool rates) {
  static const char *const words[TG_WATCH_TOTALS] = {"created",   "finalized", "calls",
                                                     "delivered", "full",      "closing"};
  char cell[CELL];
  put(line, rates ? "rates/s  " : "totals   ");
  for (unsigned i = 0; i < TG_WATCH_TOTALS; i++)
    put(line, "%s%s %s", i == 0 ? "" : ", ",
        short_number(rates ? sample->rates[i] : (double)sample->totals[i], cell), words[i]);
  end_line(line);
}

static void put_severities(struct line *line, const struct tg_watch_sample *sample) {
  uint64_t seen[TG_SEVERITIES] = {0}, others = 0;
  for (unsigned kind = 1; kind < TSFN_GUARD_PUBLISHED_EVENTS; kind++)
    *(kind < TG_EVENT_KINDS ? &seen[tg_catalogue[kind].severity] : &others) += sample->events[kind];
  put(line, "events   ");
  if (seen[TG_FATAL_AVOIDED] + seen[TG_HANG_AVOIDED] != 0) put_style(line, "\033[1;31m");
  for (unsigned i = 0; i < TG_SEVERITIES; i++)
    put(line, "%s%" PRIu64 " %s", i == 0 ? "" : ", ", seen[i], tg_severity_names[i]);
  if (others != 0) put(line, ", %" PRIu64 " of kinds that only a newer tsfn-guard knows", others);
  end_line(line);
}

/* The most frequent kinds come first, because the line is cut off at its end. */
static void put_kinds(struct line *line, const struct tg_watch_sample *sample) {
  char code[TG_CODE_SIZE], total[CELL], rate[CELL];
  bool printed[TG_EVENT_KINDS] = {false};
  for (bool first = true;; first = false) {
    unsigned most = 0;
    for (unsigned kind = 1; kind < TG_EVENT_KINDS; kind++)
      if (!printed[kind] && sample->events[kind] > (most == 0 ? 0 : sample->events[most]))
        most = kind;
    if (most == 0) break;
    printed[most] = true;
    tg_catalogue_code((enum tg_event_kind)most, code);
    put(line, "%s%s %s %s (%s/s)", first ? "         " : ", ", code, tg_catalogue[most].name,
        short_number((double)sample->events[most], total),
        short_number(sample->event_rates[most], rate));
  }
  if (line->columns != 0) end_line(line);
}

static void put_head(struct line *line, const struct tg_watch *watch, const char *note) {
  const struct tg_watch_sample *sample = &watch->sample;
  char cell[CELL];
  put(line, "tsfn-guard %s  process %d, %s, guarded for %s%s%s", watch->guard, (int)watch->process,
      watch->runtime[0] == '\0' ? "runtime of unknown version" : watch->runtime,
      tg_format_duration(guarded_ms(watch) / 1000, cell),
      watch->page->diagnose == 1 ? ", mode=diagnose" : "", note);
  end_line(line);
  put(line, "handles  ");
  for (unsigned i = 0; i < TG_WATCH_STATES; i++)
    put(line, "%s%" PRIu64 " %s", i == 0 ? "" : ", ", sample->states[i], tg_watch_state_names[i]);
  put(line, "; %s items queued", short_number((double)sample->queued, cell));
  if (sample->hidden != 0) put(line, "; not shown: %" PRIu64, sample->hidden);
  end_line(line);
  put_totals(line, sample, true);
  put_totals(line, sample, false);
  put_severities(line, sample);
  put_kinds(line, sample);
}

/* On a narrow terminal the limit and the environment are left out, because the addon matters
 * more. */
static bool is_wide(const struct line *line) {
  return line->most >= WIDE;
}

static size_t name_width(const struct line *line) {
  return is_wide(line) ? NAME_WIDTH : NARROW_NAME_WIDTH;
}

static void put_function(struct line *line, const struct tg_watch *watch,
                         const struct tg_watch_function *function) {
  char rate[CELL], queue[CELL], most[CELL], threads[CELL], age[CELL];
  const char *addon = tg_watch_addon(watch, function);
  put(line, "%10" PRIu64 " %7s %6s ", function->number,
      short_number(function->calls_per_second, rate), short_number((double)function->queue, queue));
  if (is_wide(line))
    put(line, "%6s ",
        function->max_queue_size == 0 ? "-" : short_number((double)function->max_queue_size, most));
  put(line, "%7s %-7s %6s ", short_number((double)function->threads, threads),
      tg_watch_state_names[function->state], tg_format_duration(function->age_ms / 1000, age));
  if (is_wide(line)) put(line, "%4" PRIu32 " ", function->env);
  put_field(line, function->name[0] == '\0' ? "-" : function->name, name_width(line));
  put(line, " ");
  put_text(line, addon == NULL ? "-" : tg_base_name(addon));
  end_line(line);
}

static void put_heading(struct line *line) {
  put(line, "%10s %7s %6s ", "HANDLE", "CALLS/S", "QUEUE");
  if (is_wide(line)) put(line, "%6s ", "MAX");
  put(line, "%7s %-7s %6s ", "THREADS", "STATE", "AGE");
  if (is_wide(line)) put(line, "%4s ", "ENV");
  put(line, "%-*s ADDON", (int)name_width(line), "NAME");
  end_line(line);
}

void tg_top_print(FILE *to, const struct tg_watch *watch, const struct tg_top_look *look) {
  const struct tg_watch_sample *sample = &watch->sample;
  struct line line = {.to = to, .look = look, .most = look->columns};
  put_head(&line, watch, look->note);
  end_line(&line);
  put_style(&line, "\033[7m");
  put_heading(&line);
  for (size_t i = 0; i < sample->count && i < look->rows; i++)
    put_function(&line, watch, &sample->functions[i]);
  if (sample->count <= look->rows) return;
  put(&line, "%10s and %zu more", "", sample->count - look->rows);
  end_line(&line);
}

/* --- JSON */

static void put_json_text(FILE *to, const char *name, const char *value) {
  char escaped[1024]; /* the longest text has 184 bytes, and each byte may be escaped */
  if (value == NULL || value[0] == '\0') {
    fprintf(to, "\"%s\":null", name);
    return;
  }
  escaped[tg_metrics_escape(escaped, sizeof escaped - 1, 0, value)] = '\0';
  fprintf(to, "\"%s\":\"%s\"", name, escaped);
}

static void put_json_events(FILE *to, const struct tg_watch_sample *sample) {
  char code[TG_CODE_SIZE];
  bool first = true;
  fputs("\"events\":[", to);
  for (unsigned kind = 1; kind < TSFN_GUARD_PUBLISHED_EVENTS; kind++) {
    if (sample->events[kind] == 0) continue;
    bool known = kind < TG_EVENT_KINDS;
    tg_catalogue_code((enum tg_event_kind)kind, code);
    fprintf(to, "%s{\"code\":\"%s\",", first ? "" : ",", code);
    put_json_text(to, "kind", known ? tg_catalogue[kind].name : NULL);
    fputc(',', to);
    put_json_text(to, "severity", known ? tg_severity_names[tg_catalogue[kind].severity] : NULL);
    fprintf(to, ",\"seen\":%" PRIu64 ",\"per_second\":%.1f}", sample->events[kind],
            sample->event_rates[kind]);
    first = false;
  }
  fputc(']', to);
}

static void put_json_totals(FILE *to, const struct tg_watch_sample *sample) {
  fputs(",\"totals\":{", to);
  for (unsigned i = 0; i < TG_WATCH_TOTALS; i++)
    fprintf(to, "%s\"%s\":%" PRIu64, i == 0 ? "" : ",", tg_watch_total_names[i], sample->totals[i]);
  fputs("},\"per_second\":{", to);
  for (unsigned i = 0; i < TG_WATCH_TOTALS; i++)
    fprintf(to, "%s\"%s\":%.1f", i == 0 ? "" : ",", tg_watch_total_names[i], sample->rates[i]);
  fputs("},", to);
}

static void put_json_function(FILE *to, const struct tg_watch *watch,
                              const struct tg_watch_function *function) {
  fprintf(to, "{\"number\":%" PRIu64 ",", function->number);
  put_json_text(to, "name", function->name);
  fputc(',', to);
  put_json_text(to, "addon", tg_watch_addon(watch, function));
  fprintf(to,
          ",\"env\":%" PRIu32 ",\"state\":\"%s\",\"counts\":%" PRIu64 ",\"queue\":%" PRIu64
          ",\"queue_limit\":%" PRIu64 ",\"calls\":%" PRIu64
          ",\"calls_per_second\":%.1f,\"age_ms\":%" PRIu64 "}",
          function->env, tg_watch_state_names[function->state], function->threads, function->queue,
          function->max_queue_size, function->calls, function->calls_per_second, function->age_ms);
}

void tg_top_print_json(FILE *to, const struct tg_watch *watch, bool ended) {
  const struct tg_watch_sample *sample = &watch->sample;
  size_t listed = sample->count < JSON_FUNCTIONS_MAX ? sample->count : JSON_FUNCTIONS_MAX;
  char time[TG_TIME_SIZE];
  tg_report_time(time);
  fprintf(to, "{\"version\":%d,\"type\":\"top\",\"time\":\"%s\",\"process\":%d,", JSON_VERSION,
          time, (int)watch->process);
  put_json_text(to, "guard", watch->guard);
  fputc(',', to);
  put_json_text(to, "runtime", watch->runtime);
  fprintf(to,
          ",\"mode\":\"%s\",\"guarded_ms\":%" PRIu64
          ",\"interval_ms\":%.0f,\"ended\":%s,\"handles\":{",
          watch->page->diagnose == 1 ? "diagnose" : "protect", guarded_ms(watch),
          sample->seconds * 1000, ended ? "true" : "false");
  for (unsigned i = 0; i < TG_WATCH_STATES; i++)
    fprintf(to, "\"%s\":%" PRIu64 ",", tg_watch_state_names[i], sample->states[i]);
  fprintf(to, "\"not_shown\":%" PRIu64 "},\"queued_items\":%" PRIu64, sample->hidden,
          sample->queued);
  put_json_totals(to, sample);
  put_json_events(to, sample);
  fputs(",\"functions\":[", to);
  for (size_t i = 0; i < listed; i++) {
    if (i != 0) fputc(',', to);
    put_json_function(to, watch, &sample->functions[i]);
  }
  fprintf(to, "],\"functions_not_listed\":%zu}\n", sample->count - listed);
}
