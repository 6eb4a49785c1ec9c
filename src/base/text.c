/* Implements the message line of text.h. */
#include "base/text.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/output.h"

/* The length of the UTF-8 sequence at `bytes`, of which `most` bytes are available. 0: it is not
 * well-formed. The range of the second byte (the Unicode standard's table 3-7) excludes overlong
 * forms, surrogates and code points beyond U+10FFFF. Strict readers reject a whole text that
 * contains one of these. */
static size_t utf8_length(const unsigned char *bytes, size_t most) {
  unsigned char lead = bytes[0], least = 0x80, greatest = 0xbf;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (lead == 0xe0) least = 0xa0;
  if (lead == 0xed) greatest = 0x9f;
  if (lead == 0xf0) least = 0x90;
  if (lead == 0xf4) greatest = 0x8f;
  if (length > most || bytes[1] < least || bytes[1] > greatest) return 0;
  for (size_t i = 2; i < length; i++)
    if (i >= most || (bytes[i] & 0xc0) != 0x80) return 0;
  return length;
}

static uint32_t decode_utf8(const unsigned char *bytes, size_t length) {
  static const unsigned char of_lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  uint32_t point = bytes[0] & of_lead[length];
  for (size_t i = 1; i < length; i++) point = point << 6 | (bytes[i] & 0x3f);
  return point;
}

/* Characters that control a terminal, end a line, or change the direction of the text around them
 * so that it reads differently. */
static bool is_control(uint32_t point) {
  return point < 0x20 || (point >= 0x7f && point < 0xa0) /* U+009B is ESC [ */ || point == 0x61c ||
         point == 0x200e || point == 0x200f /* direction marks */ ||
         (point >= 0x2028 && point <= 0x202e) /* line and paragraph ends; embeddings, overrides */
         || (point >= 0x2066 && point <= 0x2069) /* isolates */;
}

static size_t shown_length(const char *text, size_t most) {
  const unsigned char *bytes = (const unsigned char *)text;
  size_t length = utf8_length(bytes, most);
  return length == 0 || is_control(decode_utf8(bytes, length)) ? 0 : length;
}

size_t tg_shown_length(const char *text) {
  return shown_length(text, strnlen(text, 4));
}

void tg_text_start(struct tg_text *text) {
  text->length = 0;
  tg_text_add(text, "tsfn-guard[");
  tg_text_add_number(text, (uint64_t)getpid());
  tg_text_add(text, "]: ");
}

const char *tg_text_string(struct tg_text *text) {
  text->bytes[text->length] = '\0';
  return text->bytes;
}

void tg_text_add_bytes(struct tg_text *text, const char *bytes, size_t length) {
  while (length != 0) {
    size_t shown = shown_length(bytes, length), taken = shown == 0 ? 1 : shown;
    if (taken > sizeof text->bytes - 1 - text->length) return;
    memcpy(text->bytes + text->length, shown == 0 ? "?" : bytes, taken);
    text->length += taken;
    bytes += taken;
    length -= taken;
  }
}

void tg_text_add(struct tg_text *text, const char *string) {
  if (string != NULL) tg_text_add_bytes(text, string, strlen(string));
}

size_t tg_format_number(uint64_t number, char digits[TG_DIGITS_MAX]) {
  char backwards[TG_DIGITS_MAX];
  size_t count = 0;
  do {
    backwards[count++] = (char)('0' + number % 10);
    number /= 10;
  } while (number != 0);
  for (size_t i = 0; i < count; i++) digits[i] = backwards[count - 1 - i];
  return count;
}

void tg_text_add_number(struct tg_text *text, uint64_t number) {
  char digits[TG_DIGITS_MAX];
  size_t length = tg_format_number(number, digits);
  tg_text_add_bytes(text, digits, length);
}

void tg_copy_string(char *to, size_t size, const char *from) {
  size_t length = strnlen(from, size - 1);
  memcpy(to, from, length);
  to[length] = '\0';
}

void tg_copy_end(char *to, size_t size, const char *from) {
  size_t length = strlen(from);
  tg_copy_string(to, size, length < size ? from : from + length - (size - 1));
}

const char *tg_base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL || slash[1] == '\0' ? path : slash + 1;
}

/* Backtracks to the last star only, so the time is at most proportional to the product of the
 * lengths. */
static bool glob_fits(const char *pattern, const char *end, const char *text) {
  const char *star = NULL, *resume = NULL;
  while (*text != '\0') {
    if (pattern != end && *pattern == '*') {
      star = ++pattern;
      resume = text;
    } else if (pattern != end && (*pattern == '?' || *pattern == *text)) {
      pattern++;
      text++;
    } else if (star != NULL) {
      pattern = star;
      text = ++resume;
    } else {
      return false;
    }
  }
  while (pattern != end && *pattern == '*') pattern++;
  return pattern == end;
}

bool tg_glob_fits_path(const char *pattern, size_t length, const char *path) {
  const char *slash = strrchr(path, '/'), *end = pattern + length;
  return glob_fits(pattern, end, path) || (slash != NULL && glob_fits(pattern, end, slash + 1));
}

void tg_text_write(struct tg_text *text) {
  int saved = errno;
  text->bytes[text->length] = '\n';
  tg_output_write(&tg_stderr, text->bytes, text->length + 1);
  errno = saved;
}
