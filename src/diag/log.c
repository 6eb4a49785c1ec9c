/* Implements the log. */
#include "diag/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

static char log_path[TG_LOG_PATH_MAX]; /* empty: no file but `descriptor` */
static int descriptor = STDERR_FILENO;
static bool complained;

void tg_expand_path(const char *path, char *expanded, size_t size) {
  size_t length = 0;
  for (; *path != '\0' && length + TG_DIGITS_MAX < size; path++) {
    if (path[0] == '%' && path[1] == 'p') {
      length += tg_format_number((uint64_t)getpid(), expanded + length);
      path++;
    } else {
      expanded[length++] = *path;
      if (path[0] == '%' && path[1] == '%') path++;
    }
  }
  expanded[length] = '\0';
}

bool tg_path_has_process(const char *path) {
  for (; *path != '\0'; path++) {
    if (path[0] != '%') continue;
    if (path[1] == 'p') return true;
    if (path[1] == '%') path++;
  }
  return false;
}

int tg_open_for_append(const char *path) {
  int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                  S_IRUSR | S_IWUSR);
  if (file < 0) return -1;
  /* Not blocking was only for the opening of a pipe without a reader. */
  fcntl(file, F_SETFL, O_APPEND);
  return file;
}

static int open_log(void) {
  char path[TG_LOG_PATH_MAX];
  tg_expand_path(log_path, path, sizeof path);
  int file = tg_open_for_append(path);
  if (file >= 0 || complained) return file;
  complained = true;
  struct tg_text line;
  int error = errno;
  tg_text_start(&line);
  tg_text_add(&line, "log_path: needed a file that can be opened for appending, found ");
  tg_text_add(&line, path);
  tg_text_add(&line, ": ");
  tg_text_add(&line, error == ELOOP ? "it is a symbolic link, which is not followed" : strerror(error));
  tg_text_add(&line, "; stderr is used instead");
  tg_text_write(&line);
  return file;
}

/* The number after "fd:"; -1: there is none, or too large a one. */
static int parse_descriptor(const char *path) {
  const char *digits = path + strlen("fd:");
  int number = 0;
  if (*digits == '\0') return -1;
  for (; *digits != '\0'; digits++) {
    if (*digits < '0' || *digits > '9' || number > 100000) return -1;
    number = number * 10 + (*digits - '0');
  }
  return number;
}

static void open_descriptor(const char *path) {
  int number = parse_descriptor(path);
  if (number >= 0 && fcntl(number, F_GETFD) >= 0) {
    descriptor = number;
    return;
  }
  struct tg_text line;
  tg_text_start(&line);
  tg_text_add(&line, "log_path: needed a descriptor that is open, found ");
  tg_text_add(&line, path);
  tg_text_add(&line, "; stderr is used instead");
  tg_text_write(&line);
}

void tg_log_open(const char *path) {
  if (strcmp(path, "stderr") == 0) return;
  if (strncmp(path, "fd:", strlen("fd:")) == 0) {
    open_descriptor(path);
    return;
  }
  tg_copy_string(log_path, sizeof log_path, path);
  int file = open_log();
  if (file >= 0)
    close(file);
  else
    log_path[0] = '\0';
}

void tg_log_write(const char *bytes, size_t length) {
  int saved = errno;
  int file = log_path[0] == '\0' ? -1 : open_log();
  if (file < 0) {
    tg_write_all(descriptor, bytes, length);
  } else {
    tg_write_all(file, bytes, length);
    close(file);
  }
  errno = saved;
}

void tg_log_place(char place[TG_LOG_PATH_MAX]) {
  struct tg_text text;
  text.length = 0;
  if (log_path[0] != '\0') {
    tg_expand_path(log_path, place, TG_LOG_PATH_MAX);
    return;
  }
  if (descriptor == STDERR_FILENO) {
    tg_copy_string(place, TG_LOG_PATH_MAX, "stderr");
    return;
  }
  tg_text_add(&text, "descriptor ");
  tg_text_add_number(&text, (uint64_t)descriptor);
  text.bytes[text.length] = '\0';
  tg_copy_string(place, TG_LOG_PATH_MAX, text.bytes);
}
