/* Implements the unwrapping. */
#include "command/report/report_wrapper.h"

#include <string.h>

#include "base/text.h"
#include "command/common/json.h"
#include "command/report/report_line.h"

enum { TOKENS_MAX = 512 };

/* Parses "2026-11-24T03:04:05.678901234Z", with any number of digits behind the seconds. */
static int64_t read_time(const char *text, size_t length) {
  enum { SECONDS = sizeof "2026-11-24T03:04:05" - 1 };
  char whole[32];
  int64_t time;
  if (length < SECONDS + 1) return TG_UNKNOWN;
  size_t fraction = SECONDS;
  if (text[fraction] == '.') fraction++;
  size_t end = fraction;
  while (end < length && text[end] >= '0' && text[end] <= '9') end++;
  if (end >= length || text[end] != 'Z') return TG_UNKNOWN;
  memcpy(whole, text, SECONDS);
  memcpy(whole + SECONDS, ".000Z", sizeof ".000Z");
  for (size_t i = 0; i < 3 && fraction + i < end; i++) whole[SECONDS + 1 + i] = text[fraction + i];
  return tg_time_parse(whole, &time) ? time : TG_UNKNOWN;
}

/* Converts microseconds since 1970, as journald has them, to milliseconds. */
static int64_t read_microseconds(const char *text) {
  uint64_t number = 0;
  if (*text == '\0') return TG_UNKNOWN;
  for (; *text != '\0'; text++) {
    if (*text < '0' || *text > '9' || number > UINT64_C(1) << 58) return TG_UNKNOWN;
    number = number * 10 + (uint64_t)(*text - '0');
  }
  return (int64_t)(number / 1000);
}

/* Docker's string contains the line end, which must not become a part of the line. */
static void drop_line_end(const char *text, jsmntok_t *token) {
  if (token->end - token->start >= 2 && memcmp(text + token->end - 2, "\\n", 2) == 0)
    token->end -= 2;
}

static bool unwrap_json(char *text, size_t length, struct tg_unwrapped *unwrapped) {
  jsmntok_t tokens[TOKENS_MAX];
  char *message = NULL, *string;
  unsigned count = tg_json_parse(text, length, tokens, TOKENS_MAX);
  for (unsigned key = 1; key < count; key = tg_json_next(tokens, count, key + 1)) {
    jsmntok_t *value = &tokens[key + 1];
    if (tg_json_is(text, &tokens[key], "log") || tg_json_is(text, &tokens[key], "MESSAGE")) {
      drop_line_end(text, value);
      message = tg_json_string(text, value);
    } else if (tg_json_is(text, &tokens[key], "time")) {
      string = tg_json_string(text, value);
      if (string != NULL) unwrapped->time = read_time(string, strlen(string));
    } else if (tg_json_is(text, &tokens[key], "__REALTIME_TIMESTAMP")) {
      string = tg_json_string(text, value);
      if (string != NULL) unwrapped->time = read_microseconds(string);
    }
  }
  if (message == NULL) return false;
  unwrapped->text = message;
  unwrapped->length = strlen(message);
  return true;
}

/* Whether this may be an object around a line of the guard, so that parsing it is worth the time.
 * In the guard's own objects the quotes around "version" are not escaped. */
static bool may_be_wrapped(const char *text, size_t length) {
  static const char log[] = "\"log\"", message[] = "\"MESSAGE\"",
                    version[] = "{\\\"version\\\":", name[] = "tsfn-guard[";
  if (length == 0 || text[0] != '{') return false;
  bool has_key = memmem(text, length, log, sizeof log - 1) != NULL ||
                 memmem(text, length, message, sizeof message - 1) != NULL;
  return has_key && (memmem(text, length, version, sizeof version - 1) != NULL ||
                     memmem(text, length, name, sizeof name - 1) != NULL);
}

struct tg_unwrapped tg_unwrap(char *text, size_t length) {
  struct tg_unwrapped unwrapped = {text, length, TG_UNKNOWN};
  while (length != 0 && (text[length - 1] == '\r' || text[length - 1] == ' ')) length--;
  if (may_be_wrapped(text, length) && unwrap_json(text, length, &unwrapped)) return unwrapped;
  size_t word = 0;
  while (word < length && text[word] != ' ') word++;
  unwrapped.time = read_time(text, word);
  return unwrapped;
}
