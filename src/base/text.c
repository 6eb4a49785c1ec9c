/* Implements the message line of text.h. */
#include "base/text.h"

#include <errno.h>
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

void tg_copy_string(char *to, size_t size, const char *from) {
  size_t length = strnlen(from, size - 1);
  memcpy(to, from, length);
  to[length] = '\0';
}

bool tg_write_all(int file, const char *bytes, size_t length) {
  int saved = errno;
  while (length != 0) {
    ssize_t result = write(file, bytes, length);
    if (result < 0 && errno == EINTR) continue;
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
