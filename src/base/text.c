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

void tg_text_add_number(struct tg_text *text, uint64_t number) {
  char digits[20];
  size_t first = sizeof digits;
  do {
    digits[--first] = (char)('0' + number % 10);
    number /= 10;
  } while (number != 0);
  tg_text_add_bytes(text, digits + first, sizeof digits - first);
}

void tg_copy_string(char *to, size_t size, const char *from) {
  size_t length = strnlen(from, size - 1);
  memcpy(to, from, length);
  to[length] = '\0';
}

void tg_text_write(struct tg_text *text) {
  int saved = errno;
  text->bytes[text->length] = '\n';
  size_t written = 0;
  while (written < text->length + 1) {
    ssize_t result = write(STDERR_FILENO, text->bytes + written, text->length + 1 - written);
    if (result < 0 && errno == EINTR) continue;
    if (result <= 0) break; /* nobody to tell */
    written += (size_t)result;
  }
  errno = saved;
}
