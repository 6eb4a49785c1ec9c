/* Writes the report as JSON: for --json, and for the page's script. */
#include <inttypes.h>
#include <time.h>

#include "command/common/json.h"
#include "command/report/report_output.h"
#include "tsfn_guard/tsfn_guard.h"

enum { REPORT_VERSION = 1, PAGE_GROUPS_MAX = 5000 };

static void write_name(FILE *out, const char *name) {
  fputs(",\"", out);
  fputs(name, out);
  fputs("\":", out);
}

static void write_string(FILE *out, const char *name, const char *value) {
  write_name(out, name);
  tg_json_write(out, value);
}

static void write_number(FILE *out, const char *name, uint64_t value) {
  write_name(out, name);
  fprintf(out, "%" PRIu64, value);
}

static void write_known(FILE *out, const char *name, int64_t value) {
  if (value != TG_UNKNOWN) write_number(out, name, (uint64_t)value);
}

static void write_time(FILE *out, const char *name, int64_t time) {
  char text[32];
  write_string(out, name, tg_format_time(time, text));
}

/* --- Frames */

static void write_names(FILE *out, const struct tg_resolution *resolution) {
  fputs(",\"names\":[", out);
  for (unsigned i = 0; i < resolution->count; i++) {
    const struct tg_place_name *name = &resolution->names[i];
    fputs(i == 0 ? "{\"function\":" : ",{\"function\":", out);
    tg_json_write(out, name->function);
    if (name->source != NULL) {
      write_string(out, "source", name->source);
      write_number(out, "line", name->line);
    }
    putc('}', out);
  }
  putc(']', out);
}

static void write_frame(struct tg_report *report, const struct tg_group *group,
                        const struct tg_frame *frame, FILE *out) {
  struct tg_resolution resolution;
  fputs("{\"file\":", out);
  tg_json_write(out, frame->file);
  if (frame->file != NULL) {
    char offset[24];
    snprintf(offset, sizeof offset, "0x%" PRIx64, frame->offset);
    write_string(out, "offset", offset);
    tg_report_resolve(report, group, frame, &resolution);
    if (resolution.count != 0) write_names(out, &resolution);
    if (resolution.count != 0)
      fprintf(out, ",\"checked\":%s", resolution.is_checked ? "true" : "false");
    if (resolution.problem != NULL) write_string(out, "problem", resolution.problem);
    if (tg_is_runtime_file(frame->file)) fputs(",\"runtime\":true", out);
  }
  putc('}', out);
}

static void write_trail(struct tg_report *report, const struct tg_group *group, const char *name,
                        const struct tg_trail *trail, FILE *out) {
  if (trail->count == 0) return;
  write_name(out, name);
  for (unsigned i = 0; i < trail->count; i++) {
    putc(i == 0 ? '[' : ',', out);
    write_frame(report, group, &trail->frames[i], out);
  }
  putc(']', out);
}

/* --- Groups */

static void write_call(const struct tg_group *group, FILE *out) {
  if (group->function == NULL) return;
  write_name(out, "call");
  fputs("{\"function\":", out);
  tg_json_write(out, group->function);
  write_string(out, "mode", group->mode);
  write_string(out, "answered", group->answered);
  putc('}', out);
}

static void write_change(const struct tg_report *report, size_t place, FILE *out) {
  if (report->difference == NULL) return;
  const struct tg_group_change *change = &report->difference->of_groups[place];
  write_string(out, "change", tg_change_names[change->change]);
  write_number(out, "before", change->before);
}

static void write_group(struct tg_report *report, size_t place, FILE *out) {
  const struct tg_group *group = &report->groups.groups[place];
  char where[TG_WHERE_MAX];
  fputs("{\"code\":", out);
  tg_json_write(out, group->code);
  write_string(out, "kind", group->kind);
  write_string(out, "severity", tg_severity_names[group->severity]);
  write_string(out, "addon", group->addon);
  write_string(out, "where", tg_report_where(report, group, where));
  write_number(out, "count", group->count);
  write_change(report, place, out);
  write_number(out, "processes", group->processes);
  write_number(out, "told", group->told);
  write_time(out, "first", group->first);
  write_time(out, "last", group->last);
  write_string(out, "explanation", group->explanation);
  write_string(out, "runtime", group->runtime);
  write_string(out, "natively", group->natively);
  write_string(out, "action", group->action);
  write_string(out, "build_id", group->build_id);
  write_string(out, "thread", group->thread);
  write_call(group, out);
  write_string(out, "symbol", group->symbol);
  if (group->caller.file != NULL) {
    write_name(out, "caller");
    write_frame(report, group, &group->caller, out);
  }
  write_trail(report, group, "stack", &group->stack, out);
  write_trail(report, group, "created_at", &group->created_at, out);
  write_trail(report, group, "finalized_at", &group->finalized_at, out);
  write_string(out, "key", tg_report_key(report, group));
  putc('}', out);
}

static void write_groups(struct tg_report *report, size_t most, FILE *out) {
  fputs(",\"groups\":[", out);
  for (size_t i = 0; i < report->groups.count && i < most; i++) {
    fputs(i == 0 ? "\n" : ",\n", out);
    write_group(report, i, out);
  }
  fputs("\n]", out);
}

static void write_gone(const struct tg_report *report, FILE *out) {
  const struct tg_difference *difference = report->difference;
  bool first = true;
  if (difference == NULL) return;
  write_string(out, "compared_with", difference->name);
  fputs(",\"gone\":[", out);
  for (size_t i = 0; i < difference->old_count; i++) {
    const struct tg_old_group *old = &difference->old[i];
    if (old->is_found) continue;
    fputs(first ? "\n{\"code\":" : ",\n{\"code\":", out);
    first = false;
    tg_json_write(out, old->code);
    write_string(out, "kind", old->kind);
    write_string(out, "severity", tg_severity_names[old->severity]);
    write_string(out, "addon", old->addon);
    write_number(out, "before", old->count);
    write_string(out, "key", old->key);
    putc('}', out);
  }
  fputs("\n]", out);
}

/* --- The whole report */

static void write_counts(const struct tg_report *report, FILE *out) {
  const struct tg_read_counts *counts = &report->counts;
  const struct tg_groups *groups = &report->groups;
  fputs(",\"lines\":{\"all\":", out);
  fprintf(out, "%" PRIu64, counts->lines);
  for (unsigned type = 0; type < TG_LINE_TYPES; type++)
    write_number(out, tg_line_type_names[type], groups->lines[type]);
  fputs("},\"skipped\":{\"other\":", out);
  fprintf(out, "%" PRIu64, counts->other);
  write_number(out, "text_reports", counts->text);
  write_number(out, "newer_version", counts->newer);
  write_number(out, "broken", counts->broken);
  write_number(out, "too_long", counts->too_long);
  write_number(out, "cut_off", counts->cut);
  putc('}', out);
  write_number(out, "bytes", counts->bytes);
  write_number(out, "processes", groups->process_count);
  write_number(out, "unfinished", groups->unfinished);
  write_number(out, "untracked", groups->untracked);
  write_number(out, "live", groups->live);
  write_number(out, "leaked", groups->leaked);
  if (groups->last == TG_UNKNOWN) return;
  write_time(out, "first", groups->first);
  write_time(out, "last", groups->last);
}

static void write_head(const struct tg_report *report, FILE *out) {
  char now[32];
  fprintf(out, "{\"version\":%d,\"type\":\"report\"", REPORT_VERSION);
  write_string(out, "guard", TSFN_GUARD_VERSION);
  write_string(out, "written", tg_format_time((int64_t)time(NULL) * 1000, now));
  fprintf(out, ",\"source_lines\":%s", tg_symbolizer_has_lines() ? "true" : "false");
  fputs(",\"inputs\":[", out);
  for (size_t i = 0; i < report->input_count; i++) {
    if (i != 0) putc(',', out);
    tg_json_write(out, report->inputs[i].name);
  }
  putc(']', out);
  write_counts(report, out);
}

void tg_report_write_json(struct tg_report *report, FILE *out) {
  write_head(report, out);
  write_groups(report, SIZE_MAX, out);
  write_gone(report, out);
  fputs("}\n", out);
}

/* --- The page's data */

/* There may be many moments, so names are short, and unknown values are left out. */
static void write_moment(const struct tg_moment *moment, FILE *out) {
  fprintf(out, "{\"t\":%" PRId64 ",\"p\":%" PRIu32, moment->time, moment->process);
  if (moment->type == TG_LINE_EVENT)
    write_number(out, "g", moment->group);
  else
    write_string(out, "type", tg_line_type_names[moment->type]);
  write_known(out, "h", moment->handle);
  write_known(out, "age", moment->age_ms);
  write_known(out, "fin", moment->finalized_ms_ago);
  write_known(out, "tid", moment->tid);
  write_known(out, "seen", moment->seen);
  write_known(out, "w", moment->worker);
  if (moment->name != NULL) write_string(out, "name", moment->name);
  if (moment->state != NULL) write_string(out, "state", moment->state);
  if (moment->creator != NULL) write_string(out, "creator", moment->creator);
  if (moment->thread != NULL) write_string(out, "thread", moment->thread);
  if (moment->answered != NULL) write_string(out, "answered", moment->answered);
  putc('}', out);
}

static void write_processes(const struct tg_groups *groups, FILE *out) {
  bool first = true;
  unsigned char *used = tg_resize(NULL, groups->process_count + 1, 1);
  for (size_t i = 0; i < groups->process_count; i++) used[i] = 0;
  for (size_t i = 0; i < groups->moment_count; i++) used[groups->moments[i].process] = 1;
  fputs(",\"by_process\":{", out);
  for (size_t i = 0; i < groups->process_count; i++) {
    const struct tg_process *process = &groups->processes[i];
    if (!used[i]) continue;
    fprintf(out, "%s\"%zu\":{\"pid\":%" PRId64 ",\"first\":%" PRId64 "}", first ? "" : ",", i,
            process->pid, process->first);
    first = false;
  }
  putc('}', out);
}

void tg_report_write_page_data(struct tg_report *report, FILE *out) {
  const struct tg_groups *groups = &report->groups;
  size_t shown = groups->count < PAGE_GROUPS_MAX ? groups->count : PAGE_GROUPS_MAX;
  write_head(report, out);
  write_number(out, "group_count", groups->count);
  write_number(out, "moments_dropped", groups->moments_dropped);
  write_groups(report, shown, out);
  write_gone(report, out);
  write_processes(groups, out);
  fputs(",\"moments\":[", out);
  bool first = true;
  for (size_t i = 0; i < groups->moment_count; i++) {
    const struct tg_moment *moment = &groups->moments[i];
    if (moment->type == TG_LINE_EVENT && moment->group >= shown) continue;
    fputs(first ? "\n" : ",\n", out);
    write_moment(moment, out);
    first = false;
  }
  fputs("\n]}", out);
}
