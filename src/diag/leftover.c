/* Implements leftover.h. */
#include "diag/leftover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { NAMES_MAX = 10000, NAMESPACE_MAX = 32, STAT_SIZE = 1024 };

static const char line_start[] = "# tsfn-guard metrics of process ", line_middle[] = ", started ",
                  line_end[] = ", ";

/* Constant after tg_leftover_open. */
static char own_line[TG_LEFTOVER_LINE_MAX];
static char own_namespace[NAMESPACE_MAX]; /* "pid:[4026531836]"; empty: unknown */

/* Reads the beginning of a file, as a string. False: it cannot be read. */
static bool read_start(int file, char *to, size_t size) {
  ssize_t length = file < 0 ? -1 : read(file, to, size - 1);
  if (length < 0) return false;
  to[length] = '\0';
  return true;
}

static uint64_t read_number(const char **text) {
  uint64_t number = 0;
  while (**text >= '0' && **text <= '9') number = number * 10 + (uint64_t)(*(*text)++ - '0');
  return number;
}

/* The start time of the process, in ticks after the boot: field 22 of proc(5)'s stat. 0:
 * unknown. */
static uint64_t start_of(pid_t process) {
  enum { FIELDS_AFTER_NAME = 20 };
  char path[sizeof "/proc//stat" + TG_DIGITS_MAX] = "/proc/", stat[STAT_SIZE];
  size_t length = strlen(path);
  length += tg_format_number((uint64_t)process, path + length);
  tg_copy_string(path + length, sizeof path - length, "/stat");
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  bool is_read = read_start(file, stat, sizeof stat);
  if (file >= 0) close(file);
  const char *field = is_read ? strrchr(stat, ')') : NULL; /* the name may contain anything */
  for (unsigned i = 0; field != NULL && i < FIELDS_AFTER_NAME; i++) field = strchr(field + 1, ' ');
  if (field == NULL) return 0;
  field++;
  return read_number(&field);
}

void tg_leftover_open(void) {
  struct tg_text line;
  ssize_t length = readlink("/proc/self/ns/pid", own_namespace, sizeof own_namespace - 1);
  own_namespace[length < 0 ? 0 : length] = '\0';
  line.length = 0;
  tg_text_add(&line, line_start);
  tg_text_add_number(&line, (uint64_t)getpid());
  tg_text_add(&line, line_middle);
  tg_text_add_number(&line, start_of(getpid()));
  tg_text_add(&line, line_end);
  tg_text_add(&line, own_namespace[0] == '\0' ? "pid:[unknown]" : own_namespace);
  tg_copy_string(own_line, sizeof own_line, tg_text_string(&line));
}

const char *tg_leftover_line(void) {
  return own_line;
}

/* Moves *text behind `word`. False: the text does not begin with `word`. */
static bool skip(const char **text, const char *word) {
  if (strncmp(*text, word, strlen(word)) != 0) return false;
  *text += strlen(word);
  return true;
}

/* Whether the first line says that this process has written the file, in our own namespace.
 * *started receives the start time that the line contains. */
static bool names_process(const char *line, pid_t process, uint64_t *started) {
  if (!skip(&line, line_start) || read_number(&line) != (uint64_t)process ||
      !skip(&line, line_middle))
    return false;
  *started = read_number(&line);
  return own_namespace[0] != '\0' && skip(&line, line_end) && skip(&line, own_namespace) &&
         *line == '\n';
}

/* Whether the process that started at this time is gone: no process has its id, or the process with
 * that id started at another time. */
static bool is_gone(pid_t process, uint64_t started) {
  if (kill(process, 0) != 0 && errno == ESRCH) return true;
  uint64_t start = start_of(process);
  return started != 0 && start != 0 && start != started;
}

static bool is_old(const struct stat *status) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec - status->st_mtim.tv_sec >= TG_LEFTOVER_KEPT_S;
}

/* `name` is the name of a file of `process`. The symbol fstat does not exist in glibc 2.28
 * (base/output.c). */
static bool is_leftover(int directory, const char *name, pid_t process) {
  struct stat status;
  char line[TG_LEFTOVER_LINE_MAX];
  uint64_t started;
  int file = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  if (file < 0) return false;
  bool is_ours = syscall(SYS_fstat, file, &status) == 0 && S_ISREG(status.st_mode) &&
                 status.st_uid == geteuid() && is_old(&status) &&
                 read_start(file, line, sizeof line) && names_process(line, process, &started);
  close(file);
  return is_ours && is_gone(process, started);
}

/* `directory_length` includes the slash. */
static void check_name(int directory, const struct tg_path *path, const char *own,
                       size_t directory_length, const char *name) {
  char expanded[TG_PATH_MAX];
  size_t length = strlen(name);
  if (length >= sizeof expanded - directory_length) return;
  memcpy(expanded, own, directory_length);
  memcpy(expanded + directory_length, name, length + 1);
  pid_t process = tg_path_process_of(path, expanded);
  if (process != 0 && process != getpid() && is_leftover(directory, name, process))
    unlinkat(directory, name, 0);
}

/* Uses the kernel's own call, because opendir allocates. */
static void check_directory(int directory, const struct tg_path *path, const char *own,
                            size_t directory_length) {
  _Alignas(struct dirent64) char names[4096];
  unsigned seen = 0;
  long length;
  while (seen < NAMES_MAX &&
         (length = syscall(SYS_getdents64, directory, names, sizeof names)) > 0) {
    for (long at = 0; at < length; seen++) {
      const struct dirent64 *entry = (const void *)(names + at);
      check_name(directory, path, own, directory_length, entry->d_name);
      at += entry->d_reclen;
    }
  }
}

void tg_leftover_remove(const struct tg_path *path, const char *own) {
  char name[TG_PATH_MAX];
  size_t length = (size_t)(strrchr(own, '/') + 1 - own);
  memcpy(name, own, length);
  name[length] = '\0';
  int directory = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return;
  check_directory(directory, path, own, length);
  close(directory);
}
