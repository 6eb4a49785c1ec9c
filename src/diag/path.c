/* Implements path.h. */
#include "diag/path.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { PROCESS_DIGITS_MAX = 10 }; /* of any pid_t; a child's id may be longer than its parent's */

static bool is_process_id(const char *text) {
  return text[0] == '%' && text[1] == 'p';
}

static bool is_percent(const char *text) {
  return text[0] == '%' && text[1] == '%';
}

static size_t longest_expansion(const char *text) {
  size_t length = 0;
  while (*text != '\0') {
    length += is_process_id(text) ? PROCESS_DIGITS_MAX : 1;
    text += is_process_id(text) || is_percent(text) ? 2 : 1;
  }
  return length;
}

static void describe_length_problem(struct tg_text *problem, size_t length) {
  tg_text_add(problem, "needed a path of at most ");
  tg_text_add_number(problem, TG_PATH_MAX - 1);
  tg_text_add(problem, " bytes (absolute, with the process id in it), found one of ");
  tg_text_add_number(problem, length);
  tg_text_add(problem, "; give a shorter one");
}

static void describe_directory_problem(struct tg_text *problem, const char *given, int error) {
  tg_text_add(problem, "needed a directory from which the relative path ");
  tg_path_add(problem, given);
  tg_text_add(problem, " starts, found none: ");
  tg_text_add(problem, error == ERANGE ? "the name of this one is too long" : strerror(error));
  tg_text_add(problem, "; give an absolute path");
}

bool tg_path_open(struct tg_path *path, const char *given, struct tg_text *problem) {
  size_t directory = 0;
  problem->length = 0;
  if (given[0] != '/') {
    if (getcwd(path->text, sizeof path->text - 1) == NULL) {
      describe_directory_problem(problem, given, errno);
      return false;
    }
    directory = strlen(path->text);
    if (path->text[directory - 1] != '/') path->text[directory++] = '/';
  }
  size_t longest = directory + longest_expansion(given), length = directory + strlen(given);
  if (longest >= sizeof path->text || length >= sizeof path->text) {
    describe_length_problem(problem, longest > length ? longest : length);
    return false;
  }
  path->directory_length = directory;
  tg_copy_string(path->text + directory, sizeof path->text - directory, given);
  return true;
}

void tg_path_expand(const struct tg_path *path, char expanded[TG_PATH_MAX]) {
  size_t length = path->directory_length;
  const char *text = path->text + length;
  memcpy(expanded, path->text, length);
  while (*text != '\0') {
    if (is_process_id(text))
      length += tg_format_number((uint64_t)getpid(), expanded + length);
    else
      expanded[length++] = *text;
    text += is_process_id(text) || is_percent(text) ? 2 : 1;
  }
  expanded[length] = '\0';
}

bool tg_path_has_process(const struct tg_path *path) {
  for (const char *text = path->text + path->directory_length; *text != '\0';) {
    if (is_process_id(text)) return true;
    text += is_percent(text) ? 2 : 1;
  }
  return false;
}

/* Reads a process id in the form that tg_format_number writes, and moves *text behind it. 0: there
 * is none. */
static pid_t read_process_id(const char **text) {
  uint64_t number = 0;
  if (**text == '0') return 0;
  for (unsigned digits = 0; digits < PROCESS_DIGITS_MAX && **text >= '0' && **text <= '9'; digits++)
    number = number * 10 + (uint64_t)(*(*text)++ - '0');
  return number <= INT32_MAX ? (pid_t)number : 0;
}

pid_t tg_path_process_of(const struct tg_path *path, const char *expanded) {
  const char *text = path->text + path->directory_length;
  pid_t process = 0;
  if (strncmp(expanded, path->text, path->directory_length) != 0) return 0;
  expanded += path->directory_length;
  while (*text != '\0') {
    if (is_process_id(text)) {
      pid_t found = read_process_id(&expanded);
      if (found == 0 || (process != 0 && found != process)) return 0;
      process = found;
    } else if (*expanded++ != *text) {
      return 0;
    }
    text += is_process_id(text) || is_percent(text) ? 2 : 1;
  }
  return *expanded == '\0' ? process : 0;
}

void tg_path_add(struct tg_text *line, const char *path) {
  const size_t most = 512, length = strlen(path);
  if (length > most) tg_text_add(line, "…");
  tg_text_add(line, length > most ? path + length - most : path);
}
