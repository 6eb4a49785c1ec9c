/* Implements the reading and writing of JSON. */
#define JSMN_PARENT_LINKS
#define JSMN_STRICT
#define JSMN_STATIC
#include <jsmn.h>

#include "base/text.h"
#include "command/common/json.h"

#include <string.h>

/* jsmn accepts keys without a value, and values without a key. */
static bool is_sound(const jsmntok_t *tokens, unsigned count) {
  for (unsigned i = 1; i < count; i++) {
    const jsmntok_t *parent = &tokens[tokens[i].parent];
    bool is_key = parent->type == JSMN_OBJECT;
    if (is_key && (tokens[i].type != JSMN_STRING || tokens[i].size != 1)) return false;
    if (!is_key && tokens[i].type == JSMN_STRING && tokens[i].size != 0) return false;
  }
  return true;
}

unsigned tg_json_parse(const char *text, size_t length, jsmntok_t *tokens, unsigned most) {
  jsmn_parser parser;
  jsmn_init(&parser);
  int count = jsmn_parse(&parser, text, length, tokens, most);
  if (count <= 0) return 0;
  if (tokens == NULL) return (unsigned)count;
  bool is_one =
      tokens[0].type == JSMN_OBJECT && tg_json_next(tokens, (unsigned)count, 0) == (unsigned)count;
  return is_one && is_sound(tokens, (unsigned)count) ? (unsigned)count : 0;
}

unsigned tg_json_next(const jsmntok_t *tokens, unsigned count, unsigned token) {
  int end = tokens[token].end;
  do token++;
  while (token < count && tokens[token].start < end);
  return token;
}

bool tg_json_is(const char *text, const jsmntok_t *token, const char *string) {
  size_t length = (size_t)(token->end - token->start);
  return token->type == JSMN_STRING && strlen(string) == length &&
         memcmp(text + token->start, string, length) == 0;
}

/* --- Strings */

static unsigned read_hex4(const char *digits) {
  unsigned number = 0;
  for (unsigned i = 0; i < 4; i++) {
    char digit = digits[i];
    number = number * 16 + (unsigned)(digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
  }
  return number;
}

static char *put_utf8(char *to, unsigned point) {
  if (point < 0x80) {
    *to++ = (char)point;
  } else if (point < 0x800) {
    *to++ = (char)(0xc0 | point >> 6);
    *to++ = (char)(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    *to++ = (char)(0xe0 | point >> 12);
    *to++ = (char)(0x80 | (point >> 6 & 0x3f));
    *to++ = (char)(0x80 | (point & 0x3f));
  } else {
    *to++ = (char)(0xf0 | point >> 18);
    *to++ = (char)(0x80 | (point >> 12 & 0x3f));
    *to++ = (char)(0x80 | (point >> 6 & 0x3f));
    *to++ = (char)(0x80 | (point & 0x3f));
  }
  return to;
}

/* Decodes what follows \u. jsmn has checked the four digits. */
static const char *decode_point(const char *from, const char *end, char **to) {
  unsigned point = read_hex4(from);
  from += 4;
  if (point >= 0xd800 && point < 0xdc00 && end - from >= 6 && from[0] == '\\' && from[1] == 'u') {
    unsigned low = read_hex4(from + 2);
    if (low >= 0xdc00 && low < 0xe000) {
      point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
      from += 6;
    }
  }
  *to = put_utf8(*to, point == 0 ? '?' : point);
  return from;
}

size_t tg_tame(char *string) {
  size_t replaced = 0;
  while (*string != '\0') {
    size_t length = tg_shown_length(string);
    if (length == 0) {
      *string = '?';
      replaced++;
      length = 1;
    }
    string += length;
  }
  return replaced;
}

char *tg_json_string(char *text, const jsmntok_t *token) {
  if (token->type != JSMN_STRING) return NULL;
  char *start = text + token->start, *to = start;
  const char *end = text + token->end;
  for (const char *from = start; from < end;) {
    if (*from != '\\') {
      *to++ = (char)(*from == '\0' ? '?' : *from);
      from++;
    } else if (from[1] == 'u') {
      from = decode_point(from + 2, end, &to);
    } else {
      /* An escaped control character becomes '?', like one that is not escaped. */
      *to++ = (char)(strchr("\"\\/", from[1]) != NULL ? from[1] : '?');
      from += 2;
    }
  }
  *to = '\0';
  tg_tame(start);
  return start;
}

bool tg_json_number(const char *text, const jsmntok_t *token, uint64_t *number) {
  uint64_t value = 0;
  if (token->type != JSMN_PRIMITIVE) return false;
  for (int i = token->start; i < token->end; i++) {
    if (text[i] < '0' || text[i] > '9') return false;
    if (__builtin_mul_overflow(value, 10, &value)) return false;
    if (__builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value)) return false;
  }
  *number = value;
  return true;
}

void tg_json_write(FILE *out, const char *string) {
  if (string == NULL) {
    fputs("null", out);
    return;
  }
  putc('"', out);
  while (*string != '\0') {
    size_t length = tg_shown_length(string);
    bool tame = length != 0;
    if (!tame)
      putc('?', out);
    else if (strchr("\"\\<>&", *string) != NULL)
      fprintf(out, "\\u%04x", (unsigned)*string);
    else
      fwrite(string, 1, length, out);
    string += tame ? length : 1;
  }
  putc('"', out);
}
