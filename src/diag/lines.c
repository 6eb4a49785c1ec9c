/* Implements lines.h. */
#include "diag/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "diag/path.h"

enum { FILE_MAX = 16384 };

void tg_lines_complain(const struct tg_lines *file, uint64_t number, const char *needed,
                       const char *found, size_t length) {
  struct tg_text line;
  tg_text_start(&line);
  tg_text_add(&line, file->option);
  tg_text_add(&line, ": ");
  tg_path_add(&line, file->path);
  if (number != 0) {
    tg_text_add(&line, ":");
    tg_text_add_number(&line, number);
  }
  tg_text_add(&line, ": needed ");
  tg_text_add(&line, needed);
  tg_text_add(&line, ", found ");
  tg_text_add_bytes(&line, found, length);
  tg_text_add(&line, "; ");
  tg_text_add(&line, number == 0 ? file->without : "the line is ignored: correct or remove it");
  tg_text_write(&line);
}

/* Returns the number of bytes read. On failure returns -1 and sets errno. */
static ssize_t read_file(const char *path, char *text, size_t size) {
  size_t length = 0;
  ssize_t got = 1;
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (file < 0) return -1;
  while (got > 0 && length < size) {
    got = read(file, text + length, size - length);
    if (got > 0) length += (size_t)got;
  }
  int error = errno;
  close(file);
  errno = error;
  return got < 0 ? -1 : (ssize_t)length;
}

void tg_lines_read(const struct tg_lines *file,
                   void (*on_line)(const struct tg_lines *file, uint64_t number, const char *line,
                                   size_t length)) {
  static char text[FILE_MAX];
  ssize_t got = read_file(file->path, text, sizeof text);
  if (got < 0) {
    const char *found = strerror(errno);
    tg_lines_complain(file, 0, "a file that can be read", found, strlen(found));
    return;
  }
  size_t size = (size_t)got;
  if (size == sizeof text) {
    tg_lines_complain(file, 0, "a file of less than 16 KiB", "a larger one",
                      strlen("a larger one"));
    return;
  }
  uint64_t number = 1;
  for (size_t start = 0; start < size; number++) {
    const char *line = text + start, *end = memchr(line, '\n', size - start);
    size_t length = end == NULL ? size - start : (size_t)(end - line);
    start += length + 1;
    while (length != 0 && (line[length - 1] == ' ' || line[length - 1] == '\r')) length--;
    if (length != 0 && line[0] != '#') on_line(file, number, line, length);
  }
}
