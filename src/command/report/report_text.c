/* Writes the report for people: a table, and the stacks of its first groups. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "command/common/colour.h"
#include "command/common/json.h"
#include "command/report/report_output.h"

enum {
  ROWS_MAX = 50,
  DETAILED_MAX = 10,
  CELL_MAX = 512,
  COLUMNS = 9,
  WIDTH = 120,
  NARROWEST_ADDON = 12
};

struct table {
  unsigned columns;
  size_t rows;
  char (*cells)[COLUMNS][CELL_MAX]; /* the first row is the heading */
};

/* --- Words */

/* "1,024" */
static void format_count(uint64_t count, char text[CELL_MAX]) {
  char digits[24];
  size_t length = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, count), to = 0;
  for (size_t i = 0; i < length; i++) {
    if (i != 0 && (length - i) % 3 == 0) text[to++] = ',';
    text[to++] = digits[i];
  }
  text[to] = '\0';
}

/* Returns the visible length: counts only the bytes of UTF-8 that begin a character. */
static size_t width_of(const char *text) {
  size_t width = 0;
  for (; *text != '\0'; text++) width += ((unsigned char)*text & 0xc0) != 0x80;
  return width;
}

static void cut(char *text, size_t most) {
  if (width_of(text) <= most) return;
  size_t width = 0;
  while (width < most || ((unsigned char)*text & 0xc0) == 0x80)
    width += ((unsigned char)*text++ & 0xc0) != 0x80;
  do text--;
  while (((unsigned char)*text & 0xc0) == 0x80);
  memcpy(text, "…", sizeof "…");
}

/* Leaves out the day if all events were on one day. That day is printed above the table. */
static void format_moment(const struct tg_report *report, int64_t time, char text[CELL_MAX]) {
  enum { DAY_MS = 86400000 };
  bool is_one_day = report->groups.first / DAY_MS == report->groups.last / DAY_MS;
  char whole[32];
  tg_format_time(time, whole);
  whole[10] = ' ';
  snprintf(text, CELL_MAX, "%.*s", is_one_day ? 8 : 14, whole + (is_one_day ? 11 : 5));
}

/* --- Colour */

static bool in_colour;

static const char *colour_of(enum tg_severity severity) {
  static const char *const colours[TG_SEVERITIES] = {[TG_FATAL_AVOIDED] = "\033[1;31m",
                                                     [TG_HANG_AVOIDED] = "\033[35m",
                                                     [TG_WARN] = "\033[33m",
                                                     [TG_LEAK] = "\033[36m",
                                                     [TG_INFO] = "\033[2m"};
  return in_colour ? colours[severity] : "";
}

static const char *plain(void) {
  return in_colour ? "\033[0m" : "";
}

/* Returns the value of COLUMNS, or else the width of the terminal. Piped output is not cut, because
 * people search it or open it in an editor. */
static size_t output_width(FILE *out) {
  enum { NARROWEST = 60 };
  const char *columns = getenv("COLUMNS");
  struct winsize size;
  unsigned long given = columns == NULL ? 0 : strtoul(columns, NULL, 10);
  if (given >= NARROWEST) return given;
  if (ioctl(fileno(out), TIOCGWINSZ, &size) != 0) return SIZE_MAX;
  return size.ws_col >= NARROWEST ? size.ws_col : WIDTH;
}

/* --- The table */

enum { SEVERITY, EVENT, COUNT, CHANGE, PROCESSES, FIRST, LAST, ADDON };

static void fill_row(struct tg_report *report, size_t place, char cells[COLUMNS][CELL_MAX]) {
  const struct tg_group *group = &report->groups.groups[place];
  char where[TG_WHERE_MAX];
  snprintf(cells[0], CELL_MAX, "%zu", place + 1);
  snprintf(cells[1 + SEVERITY], CELL_MAX, "%s", tg_severity_names[group->severity]);
  snprintf(cells[1 + EVENT], CELL_MAX, "%s %s", group->code,
           group->kind == NULL ? "" : group->kind);
  tg_tame(cells[1 + EVENT]); /* it may be cut within a character */
  format_count(group->count, cells[1 + COUNT]);
  if (report->difference != NULL) {
    const struct tg_group_change *change = &report->difference->of_groups[place];
    snprintf(cells[1 + CHANGE], CELL_MAX, "%s", tg_change_names[change->change]);
  }
  format_count(group->processes, cells[1 + PROCESSES]);
  format_moment(report, group->first, cells[1 + FIRST]);
  format_moment(report, group->last, cells[1 + LAST]);
  snprintf(cells[1 + ADDON], CELL_MAX, "%.180s %.300s",
           group->addon == NULL ? "(unknown)" : tg_base_name(group->addon),
           tg_report_where(report, group, where));
  tg_tame(cells[1 + ADDON]);
}

static void print_row(const struct table *table, size_t row, const size_t widths[COLUMNS],
                      FILE *out) {
  for (unsigned i = 0; i < COLUMNS; i++) {
    if (widths[i] == 0) continue;
    const char *text = table->cells[row][i];
    int padding = (int)(widths[i] - width_of(text));
    bool is_right = i == 0 || i == 1 + COUNT || i == 1 + PROCESSES;
    if (is_right) fprintf(out, "%*s", padding, "");
    fputs(text, out);
    if (i == COLUMNS - 1) break;
    fprintf(out, "%*s", is_right ? 2 : padding + 2, "");
  }
  putc('\n', out);
}

static void measure(const struct table *table, size_t most, size_t widths[COLUMNS]) {
  size_t all = 0;
  memset(widths, 0, COLUMNS * sizeof *widths);
  for (size_t row = 0; row < table->rows; row++)
    for (unsigned i = 0; i < COLUMNS; i++) {
      size_t width = width_of(table->cells[row][i]);
      if (width > widths[i]) widths[i] = width;
    }
  for (unsigned i = 0; i < COLUMNS - 1; i++) all += widths[i] + (widths[i] != 0 ? 2 : 0);
  size_t left = most > all + NARROWEST_ADDON ? most - all : NARROWEST_ADDON;
  if (widths[COLUMNS - 1] <= left) return;
  widths[COLUMNS - 1] = left;
  for (size_t row = 0; row < table->rows; row++) cut(table->cells[row][COLUMNS - 1], left);
}

static void print_table(struct tg_report *report, FILE *out) {
  static const char *const headings[COLUMNS] = {"#",          "SEVERITY",  "EVENT",
                                                "COUNT",      NULL,        "PROCS",
                                                "FIRST SEEN", "LAST SEEN", "ADDON, FUNCTION"};
  size_t shown = report->groups.count < ROWS_MAX ? report->groups.count : ROWS_MAX;
  struct table table = {.rows = shown + 1,
                        .cells = tg_resize(NULL, shown + 1, sizeof *table.cells)};
  memset(table.cells, 0, table.rows * sizeof *table.cells);
  for (unsigned i = 0; i < COLUMNS; i++)
    if (headings[i] != NULL) snprintf(table.cells[0][i], CELL_MAX, "%s", headings[i]);
  if (report->difference != NULL) snprintf(table.cells[0][1 + CHANGE], CELL_MAX, "CHANGE");
  for (size_t i = 0; i < shown; i++) fill_row(report, i, table.cells[i + 1]);
  size_t widths[COLUMNS];
  measure(&table, output_width(out), widths);
  print_row(&table, 0, widths, out);
  for (size_t i = 0; i < shown; i++) {
    fputs(colour_of(report->groups.groups[i].severity), out);
    print_row(&table, i + 1, widths, out);
    fputs(plain(), out);
  }
  free(table.cells);
  if (shown < report->groups.count)
    fprintf(out, "… and %zu more groups: use --json to see all\n", report->groups.count - shown);
}

/* --- Stacks */

/* Prints "perform (/src/script.c:120)", or "perform in script.node" if the source line is unknown.
 * " ?" follows if the log has no build-id by which the file could be checked. */
static void print_name(const struct tg_frame *frame, const struct tg_place_name *name, bool checked,
                       FILE *out) {
  if (name->function != NULL) fputs(name->function, out);
  if (name->source != NULL)
    fprintf(out, "%s(%s:%u)", name->function == NULL ? "" : " ", name->source, name->line);
  else
    fprintf(out, " in %s", tg_base_name(frame->file));
  fputs(checked ? "\n" : " ?\n", out);
}

/* Prints the frame's functions, several if some are inlined, each on its own line. If none is
 * known, prints file+offset. `label` stands before the first line. */
static void print_frame(struct tg_report *report, const struct tg_group *group,
                        const struct tg_frame *frame, const char *label, FILE *out) {
  struct tg_resolution resolution;
  tg_report_resolve(report, group, frame, &resolution);
  for (unsigned i = 0; i < resolution.count; i++) {
    fprintf(out, "      %-10s ", i == 0 ? label : "");
    print_name(frame, &resolution.names[i], resolution.is_checked, out);
  }
  if (resolution.count != 0) return;
  fprintf(out, "      %-10s %s+0x%" PRIx64, label, frame->file, frame->offset);
  if (resolution.problem != NULL) fprintf(out, " (%s)", resolution.problem);
  putc('\n', out);
}

static bool is_folded(const struct tg_frame *frame) {
  return frame->file == NULL || tg_is_runtime_file(frame->file);
}

static void print_trail(struct tg_report *report, const struct tg_group *group,
                        const struct tg_trail *trail, const char *label, FILE *out) {
  for (unsigned i = 0; i < trail->count;) {
    unsigned folded = 0;
    const char *file = NULL;
    for (; i + folded < trail->count && is_folded(&trail->frames[i + folded]); folded++)
      if (file == NULL) file = trail->frames[i + folded].file;
    if (folded != 0)
      fprintf(out, "      %-10s … %u frame%s of %s\n", i == 0 ? label : "", folded,
              folded == 1 ? "" : "s", file == NULL ? "JavaScript" : tg_base_name(file));
    else
      print_frame(report, group, &trail->frames[i], i == 0 ? label : "", out);
    i += folded == 0 ? 1 : folded;
  }
}

static void print_call(const struct tg_group *group, FILE *out) {
  if (group->function == NULL) return;
  fprintf(out, "      %-10s %s", "call", group->function);
  if (group->mode != NULL) fprintf(out, ", %s", group->mode);
  if (group->answered != NULL) fprintf(out, ", answered %s", group->answered);
  if (group->thread != NULL && group->thread[0] != '\0')
    fprintf(out, ", thread \"%s\"", group->thread);
  putc('\n', out);
}

static void print_group(struct tg_report *report, size_t place, FILE *out) {
  const struct tg_group *group = &report->groups.groups[place];
  /* An event that only a summary has counted has no explanation. */
  fprintf(out, "\n%s#%zu %s %s%s%s%s\n", colour_of(group->severity), place + 1, group->code,
          group->kind == NULL ? "" : group->kind, plain(), group->explanation == NULL ? "" : ": ",
          group->explanation == NULL ? "" : group->explanation);
  if (group->addon != NULL) fprintf(out, "      %-10s %s\n", "addon", group->addon);
  if (group->natively != NULL && group->action != NULL)
    fprintf(out, "      %-10s %s %s; the guard %s\n", "unguarded",
            group->runtime == NULL ? "the runtime" : group->runtime, group->natively,
            group->action);
  print_call(group, out);
  if (group->caller.file != NULL && !tg_starts_with_caller(group))
    print_frame(report, group, &group->caller, group->is_call ? "at" : "callback", out);
  print_trail(report, group, &group->stack, "at", out);
  print_trail(report, group, &group->created_at, "created at", out);
}

/* --- The whole report */

static void print_head(const struct tg_report *report, FILE *out) {
  const struct tg_groups *groups = &report->groups;
  char lines[CELL_MAX], first[32], last[32];
  format_count(report->counts.lines, lines);
  fprintf(out, "%zu log%s, %s line%s, %zu process%s", report->input_count,
          report->input_count == 1 ? "" : "s", lines, report->counts.lines == 1 ? "" : "s",
          groups->process_count, groups->process_count == 1 ? "" : "es");
  if (groups->last != TG_UNKNOWN)
    fprintf(out, ", %.19sZ to %.19sZ", tg_format_time(groups->first, first),
            tg_format_time(groups->last, last));
  putc('\n', out);
}

/* `things` is a word in the singular, which gets an "s" if there are several: "line". */
static void print_note(uint64_t count, const char *things, const char *text, FILE *out) {
  char number[CELL_MAX];
  if (count == 0) return;
  format_count(count, number);
  fprintf(out, "%s %s%s %s\n", number, things, count == 1 ? "" : "s", text);
}

/* A process leaves no summary after SIGKILL, a crash, abort or _exit. */
static void print_unfinished(const struct tg_groups *groups, FILE *out) {
  enum { SHOWN_MAX = 8 };
  unsigned shown = 0;
  if (groups->unfinished == 0) return;
  fprintf(out, "%" PRIu64 " process%s with events and without a summary:", groups->unfinished,
          groups->unfinished == 1 ? "" : "es");
  for (size_t i = 0; i < groups->process_count && shown < SHOWN_MAX; i++) {
    const struct tg_process *process = &groups->processes[i];
    if (!process->has_errors || process->ended != TG_UNKNOWN) continue;
    fprintf(out, "%s %" PRId64, shown == 0 ? "" : ",", process->pid);
    shown++;
  }
  fprintf(out, "%s; killed, crashed, or still running (or started with summary=never)\n",
          groups->unfinished > SHOWN_MAX ? ", …" : "");
}

static void print_notes(const struct tg_report *report, FILE *out) {
  const struct tg_read_counts *counts = &report->counts;
  putc('\n', out);
  if (!tg_symbolizer_has_lines())
    fputs(
        "this build has no libbacktrace: function names come from symbol tables, without source "
        "lines\n",
        out);
  print_unfinished(&report->groups, out);
  print_note(report->groups.leaked, "function", "leaked: finalized, with counts still held at exit",
             out);
  print_note(report->groups.live, "function", "alive at exit", out);
  print_note(counts->other, "line", "skipped: not written by the guard", out);
  print_note(counts->text, "line", "skipped: parts of text reports that cannot be parsed", out);
  print_note(counts->newer, "line",
             "skipped: written by a newer guard; use the tsfn-guard command of that version", out);
  print_note(counts->broken, "line", "skipped: damaged", out);
  print_note(counts->too_long, "line", "skipped: longer than 64 KiB", out);
  print_note(counts->cut, "last line", "skipped: cut off", out);
  print_note(report->groups.untracked, "event",
             "counted only by their lines, because there are too many call sites", out);
}

static void print_gone(const struct tg_report *report, FILE *out) {
  const struct tg_difference *difference = report->difference;
  size_t gone = 0;
  if (difference == NULL) return;
  for (size_t i = 0; i < difference->old_count; i++) {
    const struct tg_old_group *old = &difference->old[i];
    char count[CELL_MAX];
    if (old->is_found) continue;
    if (gone++ == 0) fprintf(out, "\nGone since %s:\n", difference->name);
    if (gone > ROWS_MAX) continue;
    format_count(old->count, count);
    fprintf(out, "  %s %s %s, %s times, %s\n", tg_severity_names[old->severity], old->code,
            old->kind, count, old->addon == NULL ? "(unknown)" : old->addon);
  }
  if (gone > ROWS_MAX) fprintf(out, "  … and %zu more: use --json to see all\n", gone - ROWS_MAX);
}

void tg_report_write_text(struct tg_report *report, FILE *out) {
  const struct tg_groups *groups = &report->groups;
  in_colour = tg_has_colour(out);
  print_head(report, out);
  putc('\n', out);
  bool all_foreign = report->counts.lines != 0 && report->counts.other == report->counts.lines;
  if (groups->count == 0)
    fputs(all_foreign ? "No events, and no line that the guard wrote.\n" : "No events.\n", out);
  if (groups->count != 0) print_table(report, out);
  for (size_t i = 0; i < groups->count && i < DETAILED_MAX; i++) print_group(report, i, out);
  if (groups->count > DETAILED_MAX)
    fprintf(out, "\n… the stacks of %zu more groups: use --html or --json\n",
            groups->count - DETAILED_MAX);
  print_gone(report, out);
  print_notes(report, out);
}
