/* Implements the message line of text.h. */
#include "base/text.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

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
  for (size_t i = 0; i < length && text->length < sizeof text->bytes - 1; i++) {
    char byte = bytes[i];
    if ((unsigned char)byte < 0x20 || byte == 0x7f) byte = '?';
    /* The second byte of U+0080 to U+009F: U+009B steers terminals as ESC [ does. */
    bool after_c2 = i != 0 && (unsigned char)bytes[i - 1] == 0xc2;
    if (after_c2 && (unsigned char)byte >= 0x80 && (unsigned char)byte < 0xa0) byte = '?';
    text->bytes[text->length++] = byte;
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

/* The Unicode standard's table 3-7: the second byte's range keeps out overlong forms, surrogates and what is beyond
 * U+10FFFF, on which strict readers give up the whole text. */
size_t tg_utf8_length(const char *text) {
  const unsigned char *bytes = (const unsigned char *)text;
  unsigned char lead = bytes[0], least = 0x80, most = 0xbf;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (lead == 0xc2 || lead == 0xe0) least = 0xa0;
  if (lead == 0xed) most = 0x9f;
  if (lead == 0xf0) least = 0x90;
  if (lead == 0xf4) most = 0x8f;
  if (bytes[1] < least || bytes[1] > most) return 0;
  for (size_t i = 2; i < length; i++)
    if ((bytes[i] & 0xc0) != 0x80) return 0;
  return length;
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

/* Goes back to the last star only, so the time is at most the product of the lengths. */
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

/* Node makes a pipe that is its stderr non-blocking, and what reads it may be slow. Not for ever: a program that never
 * waits for its log must not do so here. */
static bool is_writable_soon(int file) {
  enum { PATIENCE_MS = 1000 };
  struct pollfd wanted = {.fd = file, .events = POLLOUT};
  int ready = poll(&wanted, 1, PATIENCE_MS);
  return ready > 0 ? (wanted.revents & POLLOUT) != 0 : ready < 0 && errno == EINTR;
}

bool tg_write_all(int file, const char *bytes, size_t length) {
  int saved = errno;
  while (length != 0) {
    ssize_t result = write(file, bytes, length);
    if (result < 0 && errno == EINTR) continue;
    if (result < 0 && errno == EAGAIN && is_writable_soon(file)) continue;
    if (result <= 0) break; /* nobody to tell */
    bytes += result;
    length -= (size_t)result;
  }
  errno = saved;
  return length == 0;
}

void tg_text_write(struct tg_text *text) {
  text->bytes[text->length] = '\n';
  tg_write_all(STDERR_FILENO, text->bytes, text->length + 1);
}
