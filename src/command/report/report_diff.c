/* Compares a report with an older one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "command/common/complain.h"
#include "command/common/json.h"
#include "command/report/report_output.h"

const char *const tg_change_names[TG_CHANGES] = {
    [TG_CHANGE_NONE] = "same",   [TG_CHANGE_NEW] = "new",   [TG_CHANGE_MORE] = "more",
    [TG_CHANGE_FEWER] = "fewer", [TG_CHANGE_GONE] = "gone",
};

enum { KEY_MAX = 8192, OLD_SIZE_MAX = 256 << 20 };

/* --- Keys */

static void append(char key[KEY_MAX], const char *text, size_t length) {
  size_t used = strlen(key);
  if (length > KEY_MAX - 1 - used) length = KEY_MAX - 1 - used;
  memcpy(key + used, text, length);
  key[used + length] = '\0';
}

static void append_string(char key[KEY_MAX], const char *text) {
  append(key, text, strlen(text));
}

/* Removes the offset from "name+0x12" and "name+18". */
static size_t name_length(const char *function) {
  const char *plus = strrchr(function, '+');
  return plus != NULL && plus[1] >= '0' && plus[1] <= '9' ? (size_t)(plus - function)
                                                          : strlen(function);
}

/* Appends the file of a frame, and its function, or its offset if no function is known. For a file
 * of the runtime, the name of the file is enough. */
static void append_frame(struct tg_report *report, const struct tg_group *group,
                         const struct tg_frame *frame, char key[KEY_MAX]) {
  struct tg_resolution resolution;
  append_string(key, "|");
  if (frame->file == NULL) {
    append_string(key, "js");
    return;
  }
  append_string(key, tg_base_name(frame->file));
  if (tg_is_runtime_file(frame->file)) return;
  tg_report_resolve(report, group, frame, &resolution);
  const char *function = resolution.count == 0 ? NULL : resolution.names[0].function;
  if (function == NULL && frame->file == group->caller.file &&
      frame->offset == group->caller.offset)
    function = group->symbol;
  if (function != NULL) {
    append_string(key, ":");
    append(key, function, name_length(function));
    return;
  }
  char offset[32];
  snprintf(offset, sizeof offset, "+0x%llx", (unsigned long long)frame->offset);
  append_string(key, offset);
}

/* Successive frames of a runtime count as one, because their number differs between versions. So do
 * successive frames of JavaScript. */
static bool says_nothing_new(const struct tg_trail *stack, unsigned i) {
  const char *file = stack->frames[i].file, *before = i == 0 ? NULL : stack->frames[i - 1].file;
  if (i == 0) return false;
  return file == before && (file == NULL || tg_is_runtime_file(file));
}

const char *tg_report_key(struct tg_report *report, const struct tg_group *group) {
  char key[KEY_MAX] = "";
  append_string(key, group->code);
  append_string(key, "|");
  append_string(key, group->addon == NULL ? "" : group->addon);
  if (group->caller.file != NULL && !tg_starts_with_caller(group))
    append_frame(report, group, &group->caller, key);
  for (unsigned i = 0; i < group->stack.count; i++)
    if (!says_nothing_new(&group->stack, i))
      append_frame(report, group, &group->stack.frames[i], key);
  return tg_pool_keep(&report->symbolizer.pool, key);
}

/* --- The older report */

/* The groups of the older report. Groups with the same key are merged. */
struct old_groups {
  struct tg_map by_key;
  struct tg_old_group *old;
  size_t count, allocated;
};

static struct tg_old_group *find_old(const struct old_groups *groups, const char *key) {
  uint32_t *found =
      key == NULL ? NULL : tg_map_get(&groups->by_key, tg_hash(TG_HASH_START, key, strlen(key)));
  return found == NULL ? NULL : &groups->old[*found];
}

static void add_old(struct old_groups *groups, const struct tg_old_group *old) {
  struct tg_old_group *known = find_old(groups, old->key);
  if (known != NULL) {
    known->count += old->count;
    if (old->severity < known->severity) known->severity = old->severity;
    return;
  }
  if (old->key == NULL ||
      !tg_map_put(&groups->by_key, tg_hash(TG_HASH_START, old->key, strlen(old->key)),
                  (uint32_t)groups->count))
    return;
  groups->old = tg_room(groups->old, groups->count, &groups->allocated, sizeof *groups->old);
  groups->old[groups->count++] = *old;
}

static bool read_old_group(char *text, const jsmntok_t *tokens, unsigned count, unsigned object,
                           struct tg_old_group *old) {
  unsigned end = tg_json_next(tokens, count, object);
  *old = (struct tg_old_group){.severity = TG_SEVERITIES};
  if (tokens[object].type != JSMN_OBJECT) return false;
  for (unsigned key = object + 1; key < end; key = tg_json_next(tokens, count, key + 1)) {
    const jsmntok_t *value = &tokens[key + 1];
    if (tg_json_is(text, &tokens[key], "key"))
      old->key = tg_json_string(text, value);
    else if (tg_json_is(text, &tokens[key], "code"))
      old->code = tg_json_string(text, value);
    else if (tg_json_is(text, &tokens[key], "kind"))
      old->kind = tg_json_string(text, value);
    else if (tg_json_is(text, &tokens[key], "addon"))
      old->addon = tg_json_string(text, value);
    else if (tg_json_is(text, &tokens[key], "count"))
      tg_json_number(text, value, &old->count);
    else if (tg_json_is(text, &tokens[key], "severity")) {
      const char *severity = tg_json_string(text, value);
      if (severity != NULL) old->severity = tg_severity_find(severity, strlen(severity));
    }
  }
  return old->key != NULL && old->code != NULL && old->kind != NULL &&
         old->severity != TG_SEVERITIES && old->count != 0;
}

/* Reads the output of --json, even if another program has reformatted it. */
static bool read_old_json(char *text, size_t length, struct old_groups *groups) {
  unsigned count = tg_json_parse(text, length, NULL, 0);
  if (count == 0) return false;
  jsmntok_t *tokens = tg_resize(NULL, count, sizeof *tokens);
  bool is_report = false, sound = tg_json_parse(text, length, tokens, count) == count;
  for (unsigned key = 1; sound && key < count; key = tg_json_next(tokens, count, key + 1)) {
    if (tg_json_is(text, &tokens[key], "type"))
      is_report = tg_json_is(text, &tokens[key + 1], "report");
    if (!tg_json_is(text, &tokens[key], "groups") || tokens[key + 1].type != JSMN_ARRAY) continue;
    unsigned end = tg_json_next(tokens, count, key + 1);
    for (unsigned group = key + 2; group < end && sound;
         group = tg_json_next(tokens, count, group)) {
      struct tg_old_group old;
      sound = read_old_group(text, tokens, count, group, &old);
      if (sound) add_old(groups, &old);
    }
  }
  free(tokens);
  return sound && is_report;
}

/* The text is never freed, because the strings of the groups point into it. */
static bool read_old_file(const char *name, struct old_groups *groups) {
  struct stat status;
  FILE *file = fopen(name, "re");
  if (file == NULL) return false;
  char *text = NULL;
  size_t length = 0;
  if (fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode) &&
      status.st_size <= OLD_SIZE_MAX) {
    text = tg_resize(NULL, (size_t)status.st_size + 1, 1);
    length = fread(text, 1, (size_t)status.st_size, file);
  }
  fclose(file);
  return text != NULL && read_old_json(text, length, groups);
}

/* The groups of the older log use the symbolizer of the new report, so both get their names from
 * the same files. */
static void read_old_groups(struct tg_report *report, struct tg_report *older,
                            struct old_groups *groups) {
  older->symbolizer = report->symbolizer;
  for (size_t i = 0; i < older->groups.count; i++) {
    const struct tg_group *group = &older->groups.groups[i];
    const struct tg_old_group old = {.key = tg_report_key(older, group),
                                     .code = group->code,
                                     .kind = group->kind,
                                     .addon = group->addon,
                                     .severity = group->severity,
                                     .count = group->count};
    add_old(groups, &old);
  }
  report->symbolizer = older->symbolizer;
}

static int complain_old(const char *name) {
  return tg_complain(TG_EXIT_USAGE, "--diff with an older log, or what report --json wrote", name,
                     "give one of these; keep it with: tsfn-guard report --json LOG >OLD");
}

static int read_older(struct tg_report *report, const char *name, struct old_groups *groups) {
  struct tg_input *input = tg_resize(NULL, 1, sizeof *input);
  *input = (struct tg_input){.name = name};
  struct tg_report *older = tg_resize(NULL, 1, sizeof *older);
  *older = (struct tg_report){.inputs = input, .input_count = 1};
  int problem = tg_report_read(older, false);
  if (problem != 0) return problem;
  if (older->counts.ours != 0 || older->counts.lines == 0) {
    read_old_groups(report, older, groups);
    return 0;
  }
  return read_old_file(name, groups) ? 0 : complain_old(name);
}

/* --- The comparison */

static void judge(struct tg_report *report, const struct old_groups *older, uint64_t *now) {
  const struct tg_groups *groups = &report->groups;
  struct tg_difference *difference = report->difference;
  for (size_t i = 0; i < groups->count; i++) {
    struct tg_old_group *old = find_old(older, tg_report_key(report, &groups->groups[i]));
    if (old == NULL) continue;
    old->is_found = true;
    now[old - older->old] += groups->groups[i].count;
  }
  for (size_t i = 0; i < groups->count; i++) {
    struct tg_group_change *change = &difference->of_groups[i];
    const struct tg_old_group *old = find_old(older, tg_report_key(report, &groups->groups[i]));
    *change = (struct tg_group_change){TG_CHANGE_NEW, 0};
    if (old == NULL) continue;
    uint64_t count = now[old - older->old];
    change->before = old->count;
    change->change = count > old->count   ? TG_CHANGE_MORE
                     : count < old->count ? TG_CHANGE_FEWER
                                          : TG_CHANGE_NONE;
  }
}

int tg_report_compare(struct tg_report *report, const char *name) {
  struct old_groups older = {.by_key.most = (size_t)4 * TG_GROUPS_MAX};
  int problem = read_older(report, name, &older);
  if (problem != 0) return problem;
  struct tg_difference *difference = tg_resize(NULL, 1, sizeof *difference);
  *difference = (struct tg_difference){
      .name = name,
      .old = older.old,
      .old_count = older.count,
      .of_groups = tg_resize(NULL, report->groups.count + 1, sizeof *difference->of_groups)};
  report->difference = difference;
  uint64_t *now = tg_resize(NULL, older.count + 1, sizeof *now);
  memset(now, 0, (older.count + 1) * sizeof *now);
  judge(report, &older, now);
  free(now);
  return 0;
}
