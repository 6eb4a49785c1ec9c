/* Implements the reading of one line. */
#include "command/report/report_line.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command/common/json.h"
#include "diag/report.h"

enum { TOKENS_MAX = 1024 };

/* Readers of JSON lose digits of larger numbers. */
#define NUMBER_MAX (UINT64_C(1) << 53)

const char *const tg_line_type_names[TG_LINE_TYPES] = {
    [TG_LINE_EVENT] = "event",   [TG_LINE_TALLY] = "tally",       [TG_LINE_LIVE] = "live",
    [TG_LINE_LEAKED] = "leaked", [TG_LINE_FUNCTION] = "function", [TG_LINE_SUMMARY] = "summary",
    [TG_LINE_DUMP] = "dump",
};

/* The beginning of each line that the guard writes. */
static const char head[] = "{\"version\":";

/* --- Values */

static bool read_digits(const char *text, unsigned count, int *number) {
  *number = 0;
  for (unsigned i = 0; i < count; i++) {
    if (text[i] < '0' || text[i] > '9') return false;
    *number = *number * 10 + (text[i] - '0');
  }
  return true;
}

bool tg_time_parse(const char *text, int64_t *time) {
  struct tm tm = {0};
  int milliseconds;
  if (strlen(text) != TG_TIME_SIZE - 1 || text[4] != '-' || text[7] != '-' || text[10] != 'T' ||
      text[13] != ':' || text[16] != ':' || text[19] != '.' || text[23] != 'Z')
    return false;
  if (!read_digits(text, 4, &tm.tm_year) || !read_digits(text + 5, 2, &tm.tm_mon) ||
      !read_digits(text + 8, 2, &tm.tm_mday) || !read_digits(text + 11, 2, &tm.tm_hour) ||
      !read_digits(text + 14, 2, &tm.tm_min) || !read_digits(text + 17, 2, &tm.tm_sec) ||
      !read_digits(text + 20, 3, &milliseconds))
    return false;
  if (tm.tm_year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
      tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 59)
    return false;
  tm.tm_year -= 1900;
  tm.tm_mon--;
  *time = (int64_t)timegm(&tm) * 1000 + milliseconds;
  return true;
}

static bool read_hexadecimal(const char *text, uint64_t *number) {
  char *end;
  if (strncmp(text, "0x", 2) != 0 || text[2] == '\0' || strlen(text) > 18) return false;
  *number = strtoull(text + 2, &end, 16);
  return *end == '\0' && strchr("+-xX ", text[2]) == NULL;
}

bool tg_frame_parse(char *text, struct tg_frame *frame) {
  char *plus = strrchr(text, '+');
  frame->file = NULL;
  if (plus == NULL) return read_hexadecimal(text, &frame->offset);
  if (plus == text || !read_hexadecimal(plus + 1, &frame->offset)) return false;
  *plus = '\0';
  frame->file = text;
  return true;
}

/* --- Fields */

enum form { STRING, NUMBER, SEVERITY, TIME, HEXADECIMAL, FRAMES };

struct field {
  const char *name;
  size_t offset;
  enum form form;
};

#define FIELD(name, member, form) \
  { name, offsetof(struct tg_line, member), form }

static const struct field top_fields[] = {
    FIELD("time", time, TIME),
    FIELD("code", code, STRING),
    FIELD("kind", kind, STRING),
    FIELD("severity", severity, SEVERITY),
    FIELD("explanation", explanation, STRING),
    FIELD("runtime", runtime, STRING),
    FIELD("natively", natively, STRING),
    FIELD("action", action, STRING),
    FIELD("addon", addon, STRING),
    FIELD("seen", seen, NUMBER),
    FIELD("suppressed", suppressed, NUMBER),
    FIELD("pid", pid, NUMBER),
    FIELD("alike", alike, NUMBER),
    FIELD("stack", stack, FRAMES),
    FIELD("created_at", created_at, FRAMES),
    FIELD("finalized_at", finalized_at, FRAMES),
    {NULL, 0, STRING},
};

static const struct field call_fields[] = {
    FIELD("function", function, STRING),
    FIELD("mode", mode, STRING),
    FIELD("answered", answered, STRING),
    {NULL, 0, STRING},
};

static const struct field caller_fields[] = {
    FIELD("file", caller.file, STRING),
    FIELD("offset", caller.offset, HEXADECIMAL),
    FIELD("symbol", symbol, STRING),
    FIELD("build_id", build_id, STRING),
    {NULL, 0, STRING},
};

static const struct field thread_fields[] = {
    FIELD("pid", pid, NUMBER),
    FIELD("tid", tid, NUMBER),
    FIELD("name", thread, STRING),
    {NULL, 0, STRING},
};

static const struct field handle_fields[] = {
    FIELD("number", handle, NUMBER),
    FIELD("name", name, STRING),
    FIELD("state", state, STRING),
    FIELD("age_ms", age_ms, NUMBER),
    FIELD("finalized_ms_ago", finalized_ms_ago, NUMBER),
    FIELD("counts", counts, NUMBER),
    FIELD("queue", queue, NUMBER),
    FIELD("addon", creator, STRING),
    {NULL, 0, STRING},
};

static const struct field env_fields[] = {
    FIELD("number", env, NUMBER),
    FIELD("worker", worker, NUMBER),
    {NULL, 0, STRING},
};

static const struct field tally_fields[] = {
    FIELD("code", code, STRING),
    FIELD("kind", kind, STRING),
    FIELD("severity", severity, SEVERITY),
    FIELD("addon", addon, STRING),
    FIELD("action", action, STRING),
    FIELD("seen", seen, NUMBER),
    FIELD("suppressed", suppressed, NUMBER),
    {NULL, 0, STRING},
};

static const struct field process_fields[] = {
    FIELD("runtime", runtime, STRING), FIELD("events", events, NUMBER), FIELD("live", live, NUMBER),
    FIELD("leaked", leaked, NUMBER),   FIELD("in_use", in_use, NUMBER), {NULL, 0, STRING},
};

static const struct group {
  const char *name;
  const struct field *fields;
} groups[] = {
    {"call", call_fields},       {"caller", caller_fields}, {"thread", thread_fields},
    {"handle", handle_fields},   {"env", env_fields},       {"events", tally_fields},
    {"process", process_fields},
};

/* The tokens of the line that is being read. */
struct reading {
  char *text;
  const jsmntok_t *tokens;
  unsigned count;
  struct tg_line *line;
};

static bool read_frames(const struct reading *reading, unsigned list, struct tg_frames *frames) {
  const jsmntok_t *tokens = reading->tokens;
  unsigned end = tg_json_next(tokens, reading->count, list);
  frames->count = 0;
  if (tokens[list].type != JSMN_ARRAY) return false;
  for (unsigned i = list + 1; i < end && frames->count < TG_STACK_DEPTH_MAX; i++) {
    char *text = tg_json_string(reading->text, &tokens[i]);
    if (text == NULL || !tg_frame_parse(text, &frames->frames[frames->count])) return false;
    frames->count++;
  }
  return true;
}

static bool set_string(const struct field *field, char *to, const char *string) {
  if (field->form == TIME) return tg_time_parse(string, (int64_t *)to);
  if (field->form == HEXADECIMAL) return read_hexadecimal(string, (uint64_t *)to);
  if (field->form == SEVERITY) {
    *(enum tg_severity *)to = tg_severity_find(string, strlen(string));
    return true;
  }
  *(const char **)to = string;
  return true;
}

static bool read_field(const struct reading *reading, const struct field *field, unsigned value) {
  char *to = (char *)reading->line + field->offset;
  const jsmntok_t *token = &reading->tokens[value];
  if (field->form == FRAMES) return read_frames(reading, value, (struct tg_frames *)to);
  if (token->type == JSMN_PRIMITIVE && reading->text[token->start] == 'n') return true; /* null */
  if (field->form == NUMBER) {
    uint64_t number;
    if (!tg_json_number(reading->text, token, &number) || number > NUMBER_MAX) return false;
    *(int64_t *)to = (int64_t)number;
    return true;
  }
  const char *string = tg_json_string(reading->text, token);
  return string != NULL && set_string(field, to, string);
}

/* Ignores unknown fields: a newer guard may have added them. */
static bool read_object(const struct reading *reading, unsigned object,
                        const struct field *fields) {
  const jsmntok_t *tokens = reading->tokens;
  unsigned end = tg_json_next(tokens, reading->count, object);
  for (unsigned key = object + 1; key < end; key = tg_json_next(tokens, reading->count, key + 1)) {
    const struct field *field = fields;
    while (field->name != NULL && !tg_json_is(reading->text, &tokens[key], field->name)) field++;
    if (field->name != NULL && !read_field(reading, field, key + 1)) return false;
  }
  return true;
}

static bool read_groups(const struct reading *reading) {
  const jsmntok_t *tokens = reading->tokens;
  for (unsigned key = 1; key < reading->count;
       key = tg_json_next(tokens, reading->count, key + 1)) {
    for (unsigned i = 0;
         tokens[key + 1].type == JSMN_OBJECT && i < sizeof groups / sizeof groups[0]; i++) {
      if (!tg_json_is(reading->text, &tokens[key], groups[i].name)) continue;
      if (groups[i].fields == handle_fields) reading->line->has_handle = true;
      if (!read_object(reading, key + 1, groups[i].fields)) return false;
      break;
    }
  }
  return true;
}

/* --- The line */

/* Returns the token of the value of a key at the top level, or 0 if there is no such key. */
static unsigned find_value(const struct reading *reading, const char *name) {
  const jsmntok_t *tokens = reading->tokens;
  for (unsigned key = 1; key < reading->count; key = tg_json_next(tokens, reading->count, key + 1))
    if (tg_json_is(reading->text, &tokens[key], name)) return key + 1;
  return 0;
}

bool tg_line_set_type(struct tg_line *line, const char *name) {
  unsigned type = 0;
  while (type < TG_LINE_TYPES && strcmp(name, tg_line_type_names[type]) != 0) type++;
  line->type = (enum tg_line_type)type;
  return type < TG_LINE_TYPES;
}

bool tg_line_is_complete(const struct tg_line *line) {
  if (line->time == TG_UNKNOWN) return false;
  if (line->type == TG_LINE_EVENT || line->type == TG_LINE_TALLY)
    return line->code != NULL && line->kind != NULL && line->severity != TG_SEVERITIES &&
           line->seen > 0;
  return line->pid != TG_UNKNOWN;
}

static enum tg_line_verdict judge_other(const char *text, size_t length) {
  static const char prefix[] = "tsfn-guard[";
  const char *found = memmem(text, length, prefix, sizeof prefix - 1);
  const char *report =
      found == NULL ? NULL : memmem(found, length - (size_t)(found - text), "]: TSG", 6);
  return report == NULL ? TG_LINE_OTHER : TG_LINE_TEXT;
}

void tg_line_begin(struct tg_line *line) {
  *line = (struct tg_line){.time = TG_UNKNOWN,
                           .severity = TG_SEVERITIES,
                           .seen = TG_UNKNOWN,
                           .suppressed = TG_UNKNOWN,
                           .pid = TG_UNKNOWN,
                           .tid = TG_UNKNOWN,
                           .handle = TG_UNKNOWN,
                           .age_ms = TG_UNKNOWN,
                           .finalized_ms_ago = TG_UNKNOWN,
                           .counts = TG_UNKNOWN,
                           .queue = TG_UNKNOWN,
                           .env = TG_UNKNOWN,
                           .worker = TG_UNKNOWN};
}

static const struct field *find_field(const char *group, const char *name) {
  const struct field *field = group == NULL ? top_fields : NULL;
  for (unsigned i = 0; field == NULL && i < sizeof groups / sizeof groups[0]; i++)
    if (strcmp(groups[i].name, group) == 0) field = groups[i].fields;
  while (field != NULL && field->name != NULL && strcmp(field->name, name) != 0) field++;
  return field;
}

bool tg_line_set(struct tg_line *line, const char *group, const char *name, char *value) {
  const struct field *field = find_field(group, name);
  if (group != NULL && strcmp(group, "handle") == 0) line->has_handle = true;
  if (field == NULL || field->name == NULL) return true;
  char *to = (char *)line + field->offset;
  if (field->form != NUMBER) return set_string(field, to, value);
  const jsmntok_t token = {.type = JSMN_PRIMITIVE, .start = 0, .end = (int)strlen(value)};
  uint64_t number;
  if (!tg_json_number(value, &token, &number) || number > NUMBER_MAX) return false;
  *(int64_t *)to = (int64_t)number;
  return true;
}

bool tg_line_is_report(const char *text, size_t length) {
  static const char one_line[] = "{\"version\":1,\"type\":\"report\",",
                    laid_out[] = "  \"type\": \"report\",";
  if (length >= sizeof one_line - 1 && memcmp(text, one_line, sizeof one_line - 1) == 0)
    return true;
  return length == sizeof laid_out - 1 && memcmp(text, laid_out, sizeof laid_out - 1) == 0;
}

enum tg_line_verdict tg_line_parse(char *text, size_t length, struct tg_line *line) {
  jsmntok_t tokens[TOKENS_MAX];
  char *start = memmem(text, length, head, sizeof head - 1);
  if (start == NULL) return judge_other(text, length);
  length -= (size_t)(start - text);
  while (length != 0 && start[length - 1] != '}') length--;
  const struct reading reading = {start, tokens, tg_json_parse(start, length, tokens, TOKENS_MAX),
                                  line};
  if (reading.count == 0) return TG_LINE_BROKEN;
  uint64_t version;
  unsigned value = find_value(&reading, "version");
  if (!tg_json_number(start, &tokens[value], &version)) return TG_LINE_OTHER;
  unsigned type = find_value(&reading, "type");
  if (type == 0 || find_value(&reading, "time") == 0) return TG_LINE_OTHER;
  if (version != TG_REPORT_VERSION) return TG_LINE_NEWER;
  tg_line_begin(line);
  const char *name = tg_json_string(start, &tokens[type]);
  if (name == NULL || !tg_line_set_type(line, name)) return TG_LINE_NEWER;
  if (!read_object(&reading, 0, top_fields) || !read_groups(&reading)) return TG_LINE_BROKEN;
  return tg_line_is_complete(line) ? TG_LINE_OURS : TG_LINE_BROKEN;
}
