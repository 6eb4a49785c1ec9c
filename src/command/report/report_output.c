/* Implements what all forms of the report share. */
#include "command/report/report_output.h"

#include <string.h>
#include <time.h>

#include "base/text.h"

static void take(void *argument, const struct tg_line *line) {
  tg_groups_add(argument, line);
}

int tg_report_read(struct tg_report *report, bool keep_moments) {
  uint64_t total = 0;
  tg_groups_open(&report->groups, keep_moments);
  int problem = tg_inputs_open(report->inputs, &report->input_count);
  for (size_t i = 0; i < report->input_count; i++) {
    bool is_known = report->inputs[i].size != 0 && (i == 0 || total != 0);
    total = is_known ? total + report->inputs[i].size : 0;
  }
  for (size_t i = 0; i < report->input_count && problem == 0; i++)
    problem = tg_input_read(&report->inputs[i], &report->counts, total, take, &report->groups);
  if (problem == 0) tg_groups_finish(&report->groups);
  return problem;
}

void tg_report_resolve(struct tg_report *report, const struct tg_group *group,
                       const struct tg_frame *frame, struct tg_resolution *resolution) {
  const char *build_id = frame->file == group->caller.file ? group->build_id : NULL;
  bool is_callback = frame == &group->caller && !group->is_call;
  tg_symbolize(&report->symbolizer, frame, build_id, group->first, !is_callback, resolution);
}

bool tg_starts_with_caller(const struct tg_group *group) {
  return group->stack.count != 0 && group->stack.frames[0].file == group->caller.file &&
         group->stack.frames[0].offset == group->caller.offset;
}

bool tg_is_runtime_file(const char *file) {
  static const char *const beginnings[] = {
      "libnode.so", "libuv.so", "libc.so",   "libc-",   "libpthread", "libstdc++.so",   "libgcc_s.",
      "ld-linux",   "ld-musl",  "libc.musl", "libm.so", "libv8",      "libtsfnguard.so"};
  static const char *const names[] = {"node", "nodejs", "bun", "deno"};
  const char *name = tg_base_name(file);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (strcmp(name, names[i]) == 0) return true;
  for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
    if (strncmp(name, beginnings[i], strlen(beginnings[i])) == 0) return true;
  return false;
}

/* Returns the caller if it is known. Otherwise returns the stack's first frame that is not the
 * runtime's, or NULL. */
static const struct tg_frame *find_culprit(const struct tg_group *group) {
  if (group->caller.file != NULL) return &group->caller;
  for (unsigned i = 0; i < group->stack.count; i++) {
    const char *file = group->stack.frames[i].file;
    if (file != NULL && !tg_is_runtime_file(file)) return &group->stack.frames[i];
  }
  return NULL;
}

const char *tg_report_where(struct tg_report *report, const struct tg_group *group,
                            char where[TG_WHERE_MAX]) {
  struct tg_resolution resolution;
  const struct tg_frame *frame = find_culprit(group);
  where[0] = '\0';
  if (frame == NULL) return where;
  tg_report_resolve(report, group, frame, &resolution);
  const struct tg_place_name *name = &resolution.names[0];
  if (resolution.count != 0 && name->source != NULL)
    snprintf(where, TG_WHERE_MAX, "%.180s (%.50s:%u)",
             name->function == NULL ? "?" : name->function, tg_base_name(name->source), name->line);
  else if (resolution.count != 0)
    snprintf(where, TG_WHERE_MAX, "%s", name->function);
  else if (group->symbol != NULL && frame == &group->caller)
    snprintf(where, TG_WHERE_MAX, "%s", group->symbol);
  else
    snprintf(where, TG_WHERE_MAX, "%.200s+0x%llx", tg_base_name(frame->file),
             (unsigned long long)frame->offset);
  return where;
}

const char *tg_format_time(int64_t time, char text[32]) {
  time_t seconds = (time_t)(time / 1000);
  struct tm tm;
  char whole[24] = "";
  if (gmtime_r(&seconds, &tm) != NULL) strftime(whole, sizeof whole, "%Y-%m-%dT%H:%M:%S", &tm);
  snprintf(text, 32, "%s.%03dZ", whole, (int)(time % 1000));
  return text;
}
