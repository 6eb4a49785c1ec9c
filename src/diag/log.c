/* Implements the log. */
#include "diag/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/output.h"
#include "base/text.h"

/* Constant after tg_log_open. */
static bool has_file;
static struct tg_path file_path;
static const struct tg_output *output = &tg_stderr; /* used if there is no file */

/* Atomic, because the dump's signal handler writes without the report's lock. Relaxed everywhere:
 * they publish no other data. */
static _Atomic uint64_t missed_reports;
static atomic_bool bad_log_reported;
static atomic_bool is_torn; /* the file ends within a report, without a line end */

int tg_open_for_append(const char *path) {
  int file =
      open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
           S_IRUSR | S_IWUSR);
  if (file < 0) return -1;
  /* O_NONBLOCK was needed only to open a pipe that has no reader. */
  fcntl(file, F_SETFL, O_APPEND);
  return file;
}

/* Prints "log_path: needed …, found …: …; stderr is used instead: correct log_path", but only
 * once. */
static void report_bad_log(const char *needed, const char *found, const char *reason) {
  struct tg_text line;
  if (atomic_exchange_explicit(&bad_log_reported, true, memory_order_relaxed)) return;
  tg_text_start(&line);
  tg_text_add(&line, "log_path: needed ");
  tg_text_add(&line, needed);
  tg_text_add(&line, ", found ");
  tg_path_add(&line, found);
  tg_text_add(&line, reason[0] == '\0' ? "" : ": ");
  tg_text_add(&line, reason);
  tg_text_add(&line, "; stderr is used instead: correct log_path");
  tg_text_write(&line);
}

/* --- A descriptor */

/* The number after "fd:"; -1: there is none, or it is too large. */
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

static void open_log_descriptor(const char *path) {
  static struct tg_output given;
  int number = parse_descriptor(path);
  if (number < 0 || fcntl(number, F_GETFD) < 0) {
    report_bad_log("a descriptor that is open", path, "");
    return;
  }
  tg_output_record(&given, number);
  output = &given;
}

/* False: it did not accept all bytes. */
static bool write_to_descriptor(const char *bytes, size_t length) {
  if (tg_output_write(output, bytes, length) == length) return true;
  int error = errno;
  if (output == &tg_stderr) return false;
  char place[TG_LOG_PATH_MAX];
  tg_log_place(place);
  report_bad_log(
      "a descriptor that accepts reports", place,
      tg_output_is_same(output) ? strerror(error) : "it is closed, or has become another file");
  tg_output_write(&tg_stderr, bytes, length);
  return false;
}

/* --- A file */

static int open_log_file(const char *path) {
  int file = tg_open_for_append(path);
  if (file >= 0) return file;
  int error = errno;
  report_bad_log("a file that can be opened for appending", path,
                 error == ELOOP ? "it is a symbolic link, which is not followed" : strerror(error));
  return -1;
}

/* Readers read line by line, so the report after a torn one must begin a new line. */
static bool append_report(int file, const char *bytes, size_t length) {
  if (atomic_load_explicit(&is_torn, memory_order_relaxed) && tg_write_all(file, "\n", 1) != 1)
    return false;
  size_t written = tg_write_all(file, bytes, length);
  atomic_store_explicit(&is_torn, written != 0 && written != length, memory_order_relaxed);
  return written == length;
}

/* False: it did not accept all bytes. */
static bool write_to_file(const char *bytes, size_t length) {
  char path[TG_PATH_MAX];
  tg_path_expand(&file_path, path);
  int file = open_log_file(path);
  if (file >= 0) {
    bool taken = append_report(file, bytes, length);
    int error = errno;
    close(file);
    if (taken) return true;
    report_bad_log("a file that accepts reports", path, strerror(error));
  }
  tg_output_write(&tg_stderr, bytes, length);
  return false;
}

/* --- Both */

static void probe_file(void) {
  char path[TG_PATH_MAX];
  tg_path_expand(&file_path, path);
  int file = open_log_file(path);
  has_file = file >= 0;
  if (has_file) close(file);
}

static void open_log_path(const char *path) {
  struct tg_text problem, line;
  if (tg_path_open(&file_path, path, &problem)) {
    probe_file();
    return;
  }
  tg_text_start(&line);
  tg_text_add(&line, "log_path: ");
  tg_text_add_bytes(&line, problem.bytes, problem.length);
  tg_text_add(&line, "; stderr is used instead");
  tg_text_write(&line);
}

void tg_log_open(const char *path) {
  if (strcmp(path, "stderr") == 0) return;
  if (strncmp(path, "fd:", strlen("fd:")) == 0)
    open_log_descriptor(path);
  else
    open_log_path(path);
}

void tg_log_write(const char *bytes, size_t length) {
  int saved = errno;
  bool taken = has_file ? write_to_file(bytes, length) : write_to_descriptor(bytes, length);
  if (!taken) atomic_fetch_add_explicit(&missed_reports, 1, memory_order_relaxed);
  errno = saved;
}

uint64_t tg_log_missed(void) {
  return atomic_load_explicit(&missed_reports, memory_order_relaxed);
}

void tg_log_place(char place[TG_LOG_PATH_MAX]) {
  struct tg_text text = {.length = 0};
  if (has_file) {
    tg_path_expand(&file_path, place);
    return;
  }
  if (output == &tg_stderr) {
    tg_copy_string(place, TG_LOG_PATH_MAX, "stderr");
    return;
  }
  tg_text_add(&text, "descriptor ");
  tg_text_add_number(&text, (uint64_t)output->descriptor);
  tg_copy_string(place, TG_LOG_PATH_MAX, tg_text_string(&text));
}
