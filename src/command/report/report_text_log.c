/* Implements the reading of reports as text. */
#include "command/report/report_text_log.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "command/common/complain.h"
#include "command/common/json.h"
#include "command/common/tables.h"

enum {
  OPEN_MAX = 64, /* processes whose report is not complete */
  /* bytes of a report; the guard writes at most 8192, without the prefixes of lines */
  REPORT_MAX = 16384,
  SITES_MAX = 4096, /* call sites that are remembered, for later lines without a caller */
};

static const char name[] = "tsfn-guard[", seen_mark[] = "; seen ", times_mark[] = " times from ";

/* The lines of a report, without their prefixes, but with their line ends. */
struct open_report {
  int64_t pid; /* 0: none */
  uint64_t age;
  size_t length;
  char text[REPORT_MAX];
};

/* The last full report of a call site. Later lines only give its kind, its file and the number of
 * events. */
struct site {
  int64_t pid, seen;
  uint64_t kind; /* hash of code and addon */
  uint64_t key;  /* hash of kind, caller and creator */
  size_t length;
  char *text;
};

struct tg_text_log {
  void (*take)(void *argument, const struct tg_line *line);
  void *argument;
  int64_t time; /* the last known time */
  uint64_t reports, odd;
  struct open_report open[OPEN_MAX];
  struct site sites[SITES_MAX];
  size_t site_count; /* how many were ever added */
};

/* --- Parts of a line */

static bool begins(const char *text, const char *word) {
  return strncmp(text, word, strlen(word)) == 0;
}

/* Reads digits. Returns their length, or 0 if there are none or the number is too large. */
static size_t read_number(const char *text, int64_t *number) {
  size_t length = 0;
  *number = 0;
  for (; text[length] >= '0' && text[length] <= '9'; length++) {
    if (*number > (INT64_C(1) << 53) / 10) return 0;
    *number = *number * 10 + (text[length] - '0');
  }
  return length;
}

/* The groups of a report and their keys, in the order in which the guard writes them. */
static const struct group {
  const char *name;
  const char *keys[16];
} groups[] = {
    {"call", {"function", "func", "mode", "answered"}},
    {"caller", {"file", "offset", "symbol", "build_id"}},
    {"thread", {"pid", "tid", "name"}},
    {"handle",
     {"number", "name", "state", "finalized", "age_ms", "finalized_ms_ago", "counts", "credit",
      "queue", "queue_highest", "queue_limit", "blocked_callers", "referenced", "addon"}},
    {"env", {"number", "worker", "loop_thread"}},
    {"process",
     {"guard", "runtime", "events", "live", "leaked", "in_use", "created", "finalized",
      "quirk_dying", "quirk_late", "quirk_leak", "not_logged", "log", "read_with"}},
};

/* The words for the fields outside the groups, and their names in JSON. "without the guard it" is
 * an older word. */
static const struct {
  const char *word, *field;
} words[] = {
    {"what", "explanation"},
    {"the guard", "action"},
    {"without the guard", "natively"},
    {"without the guard it", "natively"},
    {"addon", "addon"},
    {"seen", "seen"},
    {"suppressed", "suppressed"},
    {"runtime", "runtime"},
    {"time", "time"},
    {"alike", "alike"},
};

/* Finds the end of a key's value. It is where ", " and a later key of the group follow, or the end
 * of the text. */
static char *end_of_value(char *value, const struct group *group, unsigned key) {
  char *end = value + strlen(value);
  for (char *comma = strstr(value, ", "); comma != NULL; comma = strstr(comma + 1, ", "))
    for (unsigned i = key + 1; group->keys[i] != NULL; i++) {
      size_t length = strlen(group->keys[i]);
      if (begins(comma + 2, group->keys[i]) && comma[2 + length] == ' ') return comma;
    }
  return end;
}

/* "function napi_call_threadsafe_function, func 0x1, answered napi_ok" */
static bool read_group(struct tg_line *line, const struct group *group, char *text) {
  for (unsigned key = 0; group->keys[key] != NULL && *text != '\0'; key++) {
    size_t length = strlen(group->keys[key]);
    if (!begins(text, group->keys[key]) || text[length] != ' ') continue;
    char *value = text + length + 1, *end = end_of_value(value, group, key);
    text = *end == '\0' ? end : end + 2;
    *end = '\0';
    if (!tg_line_set(line, group->name, group->keys[key], value)) return false;
  }
  return true;
}

/* --- A whole report */

/* Parses "TSG001 call-after-finalize (fatal-avoided): ". Returns the text after it, or NULL if the
 * text does not begin like this. */
static char *read_kind(struct tg_line *line, char *text) {
  char *kind = strchr(text, ' '), *severity = strstr(text, " ("), *end = strstr(text, "): ");
  if (!begins(text, "TSG") || kind == NULL || severity == NULL || end == NULL || end < severity ||
      severity <= kind)
    return NULL;
  *kind = *severity = *end = '\0';
  line->code = text;
  line->kind = kind + 1;
  line->severity = tg_severity_find(severity + 2, strlen(severity + 2));
  return end + strlen("): ");
}

/* "3 seen, 1 not reported, action log, addon /x.node" */
static bool read_tally(struct tg_line *line, char *text) {
  static const char seen[] = " seen, ", not_reported[] = " not reported, action ",
                    addon[] = ", addon ", remark[] = ", all of them were released later";
  size_t length = read_number(text, &line->seen);
  if (length == 0 || !begins(text + length, seen)) return false;
  text += length + strlen(seen);
  length = read_number(text, &line->suppressed);
  if (length == 0 || !begins(text + length, not_reported)) return false;
  text += length + strlen(not_reported);
  char *file = strstr(text, addon);
  if (file == NULL) return false;
  *file = '\0';
  file += strlen(addon);
  length = strlen(file);
  if (length > strlen(remark) && strcmp(file + length - strlen(remark), remark) == 0)
    file[length - strlen(remark)] = '\0';
  line->action = text;
  line->addon = strcmp(file, "(unknown)") == 0 ? NULL : file;
  return true;
}

/* "  addon: /x.node", "  call: …", "  stack:" */
static bool read_field(struct tg_line *line, char *text, struct tg_frames **list) {
  char *colon = strchr(text, ':');
  *list = NULL;
  if (colon == NULL) return true;
  *colon = '\0';
  char *value = colon[1] == ' ' ? colon + 2 : colon + 1;
  if (strcmp(text, "stack") == 0) *list = &line->stack;
  if (strcmp(text, "created_at") == 0) *list = &line->created_at;
  if (strcmp(text, "finalized_at") == 0) *list = &line->finalized_at;
  for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
    if (strcmp(text, groups[i].name) == 0) return read_group(line, &groups[i], value);
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (strcmp(text, words[i].word) == 0) return tg_line_set(line, NULL, words[i].field, value);
  return true;
}

/* "#0 /x.node+0x12" */
static bool read_frame(char *text, struct tg_frames *list) {
  char *frame = strchr(text, ' ');
  if (list == NULL || frame == NULL || list->count == TG_STACK_DEPTH_MAX) return true;
  return tg_frame_parse(frame + 1, &list->frames[list->count++]);
}

static bool read_first_line(struct tg_line *line, char *text) {
  static const char tally[] = "summary: ";
  if (begins(text, tally)) {
    line->type = TG_LINE_TALLY;
    char *rest = read_kind(line, text + strlen(tally));
    return rest != NULL && read_tally(line, rest);
  }
  char *rest = read_kind(line, text);
  if (rest == NULL) return tg_line_set_type(line, text);
  line->type = TG_LINE_EVENT;
  line->explanation = rest; /* of older libraries; for others a later line replaces it */
  return true;
}

/* Changes `text`. The strings of the line point into it. */
static bool read_report(char *text, int64_t pid, struct tg_line *line) {
  struct tg_frames *list = NULL;
  char *rest = NULL;
  bool sound = true;
  tg_line_begin(line);
  line->pid = pid;
  for (char *part = strtok_r(text, "\n", &rest); part != NULL && sound;
       part = strtok_r(NULL, "\n", &rest)) {
    if (begins(part, "    "))
      sound = read_frame(part + 4, list);
    else if (begins(part, "  "))
      sound = read_field(line, part + 2, &list);
    else
      sound = read_first_line(line, part);
  }
  line->pid = pid;
  return sound;
}

/* --- Call sites */

static uint64_t hash_string(uint64_t hash, const char *string) {
  return string == NULL ? tg_hash(hash, "\0", 2) : tg_hash(hash, string, strlen(string) + 1);
}

static uint64_t kind_of(const char *code, const char *addon) {
  return hash_string(hash_string(TG_HASH_START, code), addon);
}

static struct site *site_at(struct tg_text_log *log, size_t place) {
  return &log->sites[place % SITES_MAX];
}

static size_t first_site(const struct tg_text_log *log) {
  return log->site_count > SITES_MAX ? log->site_count - SITES_MAX : 0;
}

static struct site *find_site(struct tg_text_log *log, int64_t pid, uint64_t key) {
  for (size_t i = first_site(log); i < log->site_count; i++)
    if (site_at(log, i)->pid == pid && site_at(log, i)->key == key) return site_at(log, i);
  return NULL;
}

static void remember_site(struct tg_text_log *log, const struct tg_line *line, const char *text,
                          size_t length) {
  uint64_t kind = kind_of(line->code, line->addon), key = hash_string(kind, line->caller.file);
  key = hash_string(tg_hash(key, &line->caller.offset, sizeof line->caller.offset), line->creator);
  struct site *site = find_site(log, line->pid, key);
  if (site == NULL) site = site_at(log, log->site_count++);
  free(site->text);
  *site = (struct site){line->pid, line->seen, kind, key, length, tg_resize(NULL, length + 1, 1)};
  memcpy(site->text, text, length);
}

/* Finds the site whose count the line continues: the one with the largest count below `seen`. */
static struct site *find_continued(struct tg_text_log *log, int64_t pid, uint64_t kind,
                                   int64_t seen) {
  struct site *best = NULL;
  for (size_t i = first_site(log); i < log->site_count; i++) {
    struct site *site = site_at(log, i);
    if (site->pid != pid || site->kind != kind || site->seen >= seen) continue;
    if (best == NULL || site->seen > best->seen) best = site;
  }
  return best;
}

/* --- Handing over */

static void hand_over(struct tg_text_log *log, struct tg_line *line) {
  if (line->time == TG_UNKNOWN) line->time = log->time;
  if (tg_line_is_complete(line))
    log->take(log->argument, line);
  else
    log->odd++;
}

static void finish(struct tg_text_log *log, struct open_report *report) {
  char text[REPORT_MAX];
  struct tg_line line;
  if (report->pid == 0) return;
  memcpy(text, report->text, report->length);
  text[report->length] = '\0';
  bool sound = read_report(text, report->pid, &line);
  if (sound && line.time != TG_UNKNOWN) log->time = line.time;
  if (sound && line.type == TG_LINE_EVENT && line.seen != TG_UNKNOWN)
    remember_site(log, &line, report->text, report->length);
  if (sound)
    hand_over(log, &line);
  else
    log->odd++;
  report->pid = 0;
}

/* Takes "TSG001 … ; seen 4 times from /x.node", whose full report came earlier. Returns false for
 * other lines. */
static bool take_repeated(struct tg_text_log *log, int64_t pid, const char *text) {
  char copy[REPORT_MAX], full[REPORT_MAX];
  struct tg_line line;
  int64_t seen;
  tg_copy_string(copy, sizeof copy, text);
  tg_line_begin(&line);
  char *rest = read_kind(&line, copy), *mark = rest == NULL ? NULL : strstr(rest, seen_mark);
  if (mark == NULL) return false;
  size_t length = read_number(mark + strlen(seen_mark), &seen);
  char *file = mark + strlen(seen_mark) + length;
  if (length == 0 || !begins(file, times_mark)) return false;
  *mark = '\0';
  file += strlen(times_mark);
  char *then = strstr(file, "; on.EVENT=");
  if (then != NULL) *then = '\0';
  line.addon = strcmp(file, "unknown code") == 0 ? NULL : file;
  line.type = TG_LINE_EVENT;
  line.explanation = rest;
  struct site *site = find_continued(log, pid, kind_of(line.code, line.addon), seen);
  if (site != NULL) {
    site->seen = seen;
    memcpy(full, site->text, site->length);
    full[site->length] = '\0';
    read_report(full, pid, &line);
    line.time = TG_UNKNOWN;
  }
  line.pid = pid;
  line.seen = seen;
  hand_over(log, &line);
  return true;
}

/* --- Lines */

static struct open_report *find_open(struct tg_text_log *log, int64_t pid) {
  for (unsigned i = 0; i < OPEN_MAX; i++)
    if (log->open[i].pid == pid) return &log->open[i];
  return NULL;
}

static void add_text(struct open_report *report, const char *text) {
  static const char remark[] = " (more did not fit)";
  size_t length = strlen(text);
  if (length > strlen(remark) && strcmp(text + length - strlen(remark), remark) == 0)
    length -= strlen(remark);
  if (length + 2 > REPORT_MAX - report->length) return;
  memcpy(report->text + report->length, text, length);
  report->text[report->length + length] = '\n';
  report->length += length + 1;
}

/* Returns a free place, or the place of the oldest report. */
static struct open_report *find_place(struct tg_text_log *log) {
  struct open_report *oldest = &log->open[0];
  for (unsigned i = 0; i < OPEN_MAX; i++) {
    if (log->open[i].pid == 0) return &log->open[i];
    if (log->open[i].age < oldest->age) oldest = &log->open[i];
  }
  return oldest;
}

static void begin_report(struct tg_text_log *log, int64_t pid, const char *text) {
  struct open_report *report = find_place(log);
  finish(log, report);
  report->pid = pid;
  report->age = ++log->reports;
  report->length = 0;
  add_text(report, text);
}

/* The message of a process that is not guarded has only one line. */
static bool take_not_armed(struct tg_text_log *log, int64_t pid, const char *text) {
  struct tg_line line;
  if (!begins(text, "not armed in ")) return false;
  tg_line_begin(&line);
  line.type = TG_LINE_EVENT;
  line.code = "TSG026";
  line.kind = "not-armed";
  line.severity = TG_WARN;
  line.explanation = text;
  line.pid = pid;
  line.seen = 1;
  hand_over(log, &line);
  return true;
}

static enum tg_text_verdict take_first_line(struct tg_text_log *log, int64_t pid,
                                            const char *text) {
  char copy[REPORT_MAX];
  struct tg_line line;
  struct open_report *report = find_open(log, pid);
  if (report != NULL) finish(log, report);
  if (take_repeated(log, pid, text) || take_not_armed(log, pid, text)) return TG_TEXT_TAKEN;
  tg_copy_string(copy, sizeof copy, text);
  tg_line_begin(&line);
  if (!read_first_line(&line, copy)) {
    bool is_event = begins(text, "TSG") && strstr(text, " (") != NULL;
    if (is_event || begins(text, "summary: TSG")) return TG_TEXT_ODD;
    /* A verdict of the summary says nothing that the tallies do not say. */
    bool is_verdict = begins(text, "summary: ");
    return is_verdict ? TG_TEXT_TAKEN : TG_TEXT_OTHER;
  }
  if (line.severity == TG_SEVERITIES && line.code != NULL) return TG_TEXT_ODD;
  begin_report(log, pid, text);
  return TG_TEXT_TAKEN;
}

/* Returns the text after "tsfn-guard[12]: ", or NULL if the line has no such prefix. */
static const char *after_name(const char *text, size_t length, int64_t *pid) {
  const char *found = memmem(text, length, name, sizeof name - 1), *end = text + length;
  if (found == NULL) return NULL;
  found += sizeof name - 1;
  for (*pid = 0; found < end && *found >= '0' && *found <= '9' && *pid < INT32_MAX; found++)
    *pid = *pid * 10 + (*found - '0');
  return *pid != 0 && end - found > 3 && memcmp(found, "]: ", 3) == 0 ? found + 3 : NULL;
}

enum tg_text_verdict tg_text_log_add(struct tg_text_log *log, const char *text, size_t length,
                                     int64_t time) {
  char part[REPORT_MAX];
  int64_t pid;
  const char *rest = after_name(text, length, &pid);
  if (rest == NULL) return TG_TEXT_OTHER;
  length -= (size_t)(rest - text);
  if (length >= sizeof part) return TG_TEXT_ODD;
  memcpy(part, rest, length);
  while (length != 0 && part[length - 1] == '\r') length--;
  part[length] = '\0';
  tg_tame(part);
  if (time != TG_UNKNOWN) log->time = time;
  if (!begins(part, "  ")) return take_first_line(log, pid, part);
  struct open_report *report = find_open(log, pid);
  if (report == NULL) return TG_TEXT_ODD;
  add_text(report, part);
  return TG_TEXT_TAKEN;
}

int64_t tg_text_log_time(const char *text, size_t length) {
  static const char mark[] = "  time: ";
  char time_text[sizeof "2026-11-24T03:04:05.678Z"];
  int64_t pid, time;
  const char *rest = after_name(text, length, &pid);
  if (rest == NULL || length - (size_t)(rest - text) < sizeof mark - 1 + sizeof time_text - 1)
    return TG_UNKNOWN;
  if (memcmp(rest, mark, sizeof mark - 1) != 0) return TG_UNKNOWN;
  memcpy(time_text, rest + sizeof mark - 1, sizeof time_text - 1);
  time_text[sizeof time_text - 1] = '\0';
  return tg_time_parse(time_text, &time) ? time : TG_UNKNOWN;
}

struct tg_text_log *tg_text_log_open(int64_t time,
                                     void (*take)(void *argument, const struct tg_line *line),
                                     void *argument) {
  struct tg_text_log *log = calloc(1, sizeof *log);
  if (log == NULL) exit(tg_complain(TG_EXIT_FAILED, "more memory", "none", "free some memory"));
  log->take = take;
  log->argument = argument;
  log->time = time;
  return log;
}

uint64_t tg_text_log_close(struct tg_text_log *log) {
  for (unsigned i = 0; i < OPEN_MAX; i++) finish(log, &log->open[i]);
  for (size_t i = 0; i < SITES_MAX && i < log->site_count; i++) free(log->sites[i].text);
  uint64_t odd = log->odd;
  free(log);
  return odd;
}
