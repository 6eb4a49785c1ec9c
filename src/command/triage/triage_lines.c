/* Implements the reading and unwrapping of lines. */
#include "command/triage/triage_lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/common/json.h"
#include "command/common/tables.h"

enum { DEPTH_MAX = 4 }; /* JSON within strings of JSON */

static void unwrap(struct tg_triage_lines *lines, char *text, size_t length, unsigned depth);

/* --- Cleaning */

/* The byte after the escape sequence that begins at `at`. */
static size_t skip_escape(const char *text, size_t length, size_t at) {
  at++;
  if (at >= length) return at;
  if (text[at] == '[') {
    at++;
    while (at < length && ((unsigned char)text[at] < 0x40 || (unsigned char)text[at] > 0x7e)) at++;
    return at < length ? at + 1 : at;
  }
  if (text[at] != ']') return at + 1;
  while (at < length && text[at] != '\a' && text[at] != '\033') at++;
  return at < length ? at + 1 : at;
}

/* Removes colours and the spaces at the end, in place. A tab or carriage return becomes a space,
 * and NUL becomes '?'. Returns the new length. */
static size_t clean(struct tg_triage_lines *lines, char *text, size_t length) {
  size_t kept = 0;
  for (size_t i = 0; i < length;) {
    unsigned char byte = (unsigned char)text[i];
    if (byte == '\033') {
      i = skip_escape(text, length, i);
      continue;
    }
    if (byte == '\0') lines->binary++;
    text[kept++] = (char)(byte == '\0' ? '?' : byte == '\t' || byte == '\r' ? ' ' : byte);
    i++;
  }
  while (kept != 0 && text[kept - 1] == ' ') kept--;
  text[kept] = '\0';
  return kept;
}

/* A line of which more than a quarter cannot be shown is no text. Random bytes may look like a
 * frame. */
static void hand_on(struct tg_triage_lines *lines, char *text, size_t length) {
  if (length >= TG_TRIAGE_TEXT_MAX) length = TG_TRIAGE_TEXT_MAX - 1;
  text[length] = '\0';
  size_t replaced = tg_tame(text);
  lines->binary += replaced;
  if (length != 0 && replaced <= length / 4) lines->take(lines->argument, text, lines->lines);
}

/* --- JSON, complete or cut off. Each string in it is a separate piece of text. */

static int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  digit |= 0x20;
  return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* The byte that \uXXXX stands for. '?' if it is not ASCII: no signature contains such
 * characters. */
static char decode_hex4(const char *digits, size_t left) {
  unsigned value = 0;
  for (size_t i = 0; i < 4; i++) {
    int digit = i < left ? hex_digit(digits[i]) : -1;
    if (digit < 0) return '?';
    value = value * 16 + (unsigned)digit;
  }
  return (char)(value != 0 && value < 0x80 ? value : '?');
}

/* Decodes in place the string whose first byte, after the quote, is at `*at`. Moves `*at` past its
 * end. Returns the decoded length. */
static size_t decode_string(char *text, size_t length, size_t *at) {
  size_t from = *at, to = from;
  while (from < length && text[from] != '"') {
    if (text[from] != '\\' || from + 1 >= length) {
      text[to++] = text[from++];
      continue;
    }
    char letter = text[from + 1];
    from += 2;
    if (letter == 'u') {
      text[to++] = decode_hex4(text + from, length - from);
      from += length - from < 4 ? length - from : 4;
    } else {
      text[to++] = (char)(letter == 'n'   ? '\n'
                          : letter == 't' ? ' '
                          : letter == 'r' ? ' '
                                          : letter);
    }
  }
  size_t decoded = to - *at;
  *at = from < length ? from + 1 : from;
  return decoded;
}

/* If a text is not plain, journald writes an array of the numbers of its bytes. Decodes the array
 * at `*at` in place, and moves `*at` past the numbers. Returns the decoded length. */
static size_t decode_numbers(char *text, size_t length, size_t *at) {
  size_t from = *at + 1, to = *at;
  while (from < length && strchr("0123456789, ", text[from]) != NULL) {
    unsigned value = 0, digits = 0;
    while (from < length && text[from] >= '0' && text[from] <= '9' && digits < 4)
      value = value * 10 + (unsigned)(text[from++] - '0'), digits++;
    if (digits != 0) text[to++] = (char)(value == 0 || value > 255 ? '?' : value);
    if (digits == 0) from++;
  }
  size_t decoded = to - *at;
  *at = from;
  return decoded;
}

static size_t skip_spaces(const char *text, size_t length, size_t at) {
  while (at < length && text[at] == ' ') at++;
  return at;
}

static bool is_key(const char *key, size_t length, const char *name) {
  return strlen(name) == length && memcmp(key, name, length) == 0;
}

/* In diagnostic reports, the values of these keys say little without the key, so the key is passed
 * on with the value. A frame of "nativeStack" has two lines, "pc" and "symbol". */
static bool hand_on_known(struct tg_triage_lines *lines, const char *key, size_t key_length,
                          char *value, size_t length) {
  static const char *const known[] = {"symbol", "nodejsVersion", "event", "trigger",
                                      "pc",     "signal"};
  char text[TG_TRIAGE_TEXT_MAX];
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (!is_key(key, key_length, known[i]) || length + 64 >= sizeof text) continue;
    int name = snprintf(text, sizeof text, "%s: %.*s", known[i], (int)length, value);
    size_t cleaned = clean(lines, text, (size_t)name);
    hand_on(lines, text, cleaned);
    return true;
  }
  return false;
}

/* Whether this is an environment variable, other than LD_PRELOAD, that names the guard's library.
 * Tests or scripts may have such a variable, but only LD_PRELOAD loads the library. */
static bool only_names_guard(const char *key, size_t key_length, const char *value, size_t length) {
  const char library[] = "/libtsfnguard.so";
  size_t library_length = sizeof library - 1;
  if (length < library_length ||
      memcmp(value + length - library_length, library, library_length) != 0)
    return false;
  for (size_t i = 0; i < key_length; i++)
    if ((key[i] < 'A' || key[i] > 'Z') && (key[i] < '0' || key[i] > '9') && key[i] != '_')
      return false;
  return key_length != 0 && !is_key(key, key_length, "LD_PRELOAD") &&
         !is_key(key, key_length, "MESSAGE");
}

/* Takes a string that is not a key. */
static void take_string(struct tg_triage_lines *lines, const char *key, size_t key_length,
                        char *value, size_t length, unsigned depth) {
  if (hand_on_known(lines, key, key_length, value, length)) return;
  if (only_names_guard(key, key_length, value, length)) return;
  char behind = value[length];
  value[length] = '\0';
  for (size_t start = 0; start < length;) {
    char *newline = memchr(value + start, '\n', length - start);
    size_t end = newline == NULL ? length : (size_t)(newline - value);
    unwrap(lines, value + start, end - start, depth);
    start = end + 1;
  }
  value[length] = behind;
}

/* Reads all JSON in the text, even if it is cut off or damaged. Strings are decoded in place, so
 * the text is read only once. */
static void take_json(struct tg_triage_lines *lines, char *text, size_t length, unsigned depth) {
  const char *key = "";
  size_t key_length = 0;
  for (size_t at = 0; at < length;) {
    if (text[at] == '[' && at + 1 < length && hex_digit(text[at + 1]) >= 0 &&
        is_key(key, key_length, "MESSAGE")) {
      size_t start = at, decoded = decode_numbers(text, length, &at);
      take_string(lines, key, key_length, text + start, decoded, depth);
      continue;
    }
    if (text[at++] != '"') continue;
    size_t start = at, decoded = decode_string(text, length, &at),
           next = skip_spaces(text, length, at);
    if (next < length && text[next] == ':') {
      key = text + start;
      key_length = decoded;
      at = next + 1;
      if (is_key(key, key_length, "nativeStack")) {
        char mark[] = "----- Native stack trace -----";
        hand_on(lines, mark, strlen(mark));
      }
      continue;
    }
    take_string(lines, key, key_length, text + start, decoded, depth);
  }
}

/* Where JSON begins in the line; the length of the line if there is none. The line may contain an
 * object, perhaps after text that a log shipper has added. Or it is one member of an object that a
 * program has printed in several lines. */
static size_t find_json(const char *text, size_t length) {
  size_t start = skip_spaces(text, length, 0);
  if (start < length && text[start] == '"') {
    const char *colon = memchr(text + start + 1, '"', length - start - 1);
    size_t behind = colon == NULL ? length : skip_spaces(text, length, (size_t)(colon - text) + 1);
    return behind < length && text[behind] == ':' ? start : length;
  }
  for (size_t at = start; at + 1 < length && at < start + 256; at++)
    if (text[at] == '{' && text[at + 1] == '"') return at;
  return length;
}

/* --- syslog */

/* syslog writes a newline in a message as #012, for example in the stack of a coredump. */
static bool has_octal_newlines(const char *text) {
  const char *first = strstr(text, "#012");
  return first != NULL && strstr(first + 4, "#012") != NULL;
}

static void take_octal(struct tg_triage_lines *lines, char *text, size_t length, unsigned depth) {
  char *end = text + length;
  while (text < end) {
    char *next = strstr(text, "#012");
    size_t piece = (size_t)((next == NULL ? end : next) - text);
    text[piece] = '\0';
    unwrap(lines, text, piece, depth);
    if (next == NULL) return;
    text = next + 4;
  }
}

static void take_before(struct tg_triage_lines *lines, const char *text, size_t length) {
  char before[257];
  if (skip_spaces(text, length, 0) == length || length >= sizeof before) return;
  memcpy(before, text, length);
  before[length] = '\0';
  hand_on(lines, before, length);
}

static void unwrap(struct tg_triage_lines *lines, char *text, size_t length, unsigned depth) {
  length = clean(lines, text, length);
  if (depth < DEPTH_MAX) {
    size_t json = find_json(text, length);
    if (json < length) {
      take_before(lines, text, json);
      take_json(lines, text + json, length - json, depth + 1);
      return;
    }
    if (has_octal_newlines(text)) {
      take_octal(lines, text, length, depth + 1);
      return;
    }
  }
  hand_on(lines, text, length);
}

void tg_triage_lines_take(struct tg_triage_lines *lines, char *text, size_t length) {
  lines->lines++;
  unwrap(lines, text, length, 0);
}

/* --- Reading */

struct buffer {
  char *bytes; /* TG_TRIAGE_LINE_MAX + 1 of them */
  size_t length;
  bool skipping; /* skipping the rest of a line that is too long */
};

static void end_line(struct tg_triage_lines *lines, struct buffer *buffer) {
  if (!buffer->skipping) tg_triage_lines_take(lines, buffer->bytes, buffer->length);
  buffer->length = 0;
  buffer->skipping = false;
}

static void add_piece(struct tg_triage_lines *lines, struct buffer *buffer, const char *piece,
                      size_t length) {
  if (buffer->skipping) return;
  size_t space = TG_TRIAGE_LINE_MAX - buffer->length, fits = length < space ? length : space;
  memcpy(buffer->bytes + buffer->length, piece, fits);
  buffer->length += fits;
  if (fits == length) return;
  lines->too_long++;
  end_line(lines, buffer);
  buffer->skipping = true;
}

static void add_block(struct tg_triage_lines *lines, struct buffer *buffer, const char *block,
                      size_t length) {
  const char *end = block + length, *newline;
  while ((newline = memchr(block, '\n', (size_t)(end - block))) != NULL) {
    add_piece(lines, buffer, block, (size_t)(newline - block));
    end_line(lines, buffer);
    block = newline + 1;
  }
  add_piece(lines, buffer, block, (size_t)(end - block));
}

bool tg_triage_lines_read(struct tg_triage_lines *lines, int file) {
  enum { BLOCK = 1 << 16 };
  struct buffer buffer = {.bytes = tg_resize(NULL, TG_TRIAGE_LINE_MAX + 1, 1)};
  char *block = tg_resize(NULL, BLOCK, 1);
  ssize_t got;
  do {
    got = read(file, block, BLOCK);
    if (got <= 0) continue;
    lines->bytes += (uint64_t)got;
    add_block(lines, &buffer, block, (size_t)got);
  } while (got > 0 || (got < 0 && errno == EINTR));
  int error = errno;
  if (buffer.length != 0) end_line(lines, &buffer);
  free(buffer.bytes);
  free(block);
  errno = error;
  return got == 0;
}
