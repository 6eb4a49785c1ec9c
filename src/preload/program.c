/* Implements program.h with /proc. */
#include "preload/program.h"

#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/text.h"

static char program_path[4096];

const char *tg_program_path(void) {
  return program_path;
}

/* The main program is the first object in the list. */
static int match_main_program(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size;
  *(uintptr_t *)argument = (uintptr_t)info->dlpi_phdr;
  return 1;
}

/* Replaces strtoul, whose symbol in newer headers does not exist in glibc 2.28. Returns the rest of
 * the text. */
static const char *read_hexadecimal(const char *text, uintptr_t *number) {
  static const char digits[] = "0123456789abcdef";
  *number = 0;
  for (const char *digit; *text != '\0' && (digit = strchr(digits, *text)) != NULL; text++)
    *number = *number << 4 | (uintptr_t)(digit - digits);
  return text;
}

/* Parses a line of /proc/self/maps: "start-end rwxp offset device inode   /path". Returns whether
 * the mapping contains the address. If so, and if it has a path, stores that as the program's. */
static bool parse_mapping(const char *line, uintptr_t address) {
  uintptr_t start, end;
  const char *rest = read_hexadecimal(line, &start);
  if (*rest != '-') return false;
  rest = read_hexadecimal(rest + 1, &end);
  if (address < start || address >= end) return false;
  const char *path = strchr(rest, '/');
  if (path != NULL) tg_copy_string(program_path, sizeof program_path, path);
  return true;
}

/* Parses the complete lines and moves the rest to the front. Returns the length of the rest. */
static size_t parse_lines(char *text, size_t length, uintptr_t address, bool *found) {
  char *line = text;
  for (char *end; !*found && (end = memchr(line, '\n', length - (size_t)(line - text))) != NULL;) {
    *end = '\0';
    *found = parse_mapping(line, address);
    line = end + 1;
  }
  size_t rest = length - (size_t)(line - text);
  memmove(text, line, rest);
  return rest;
}

static void find_path_in_maps(uintptr_t address) {
  static char text[2 * sizeof program_path]; /* fits the longest line */
  size_t length = 0;
  bool found = false;
  int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  for (ssize_t got = 1; file >= 0 && got > 0 && !found && length < sizeof text;) {
    got = read(file, text + length, sizeof text - length);
    if (got > 0) length = parse_lines(text, length + (size_t)got, address, &found);
  }
  if (file >= 0) close(file);
}

/* Whether the dynamic linker is the program that the kernel has started ("ld.so node app.js"). The
 * kernel then provides no base address of a dynamic linker, and /proc/self/exe is the linker. */
static bool is_started_by_linker(void) {
  return getauxval(AT_BASE) == 0;
}

void tg_program_learn(void) {
  uintptr_t headers = 0;
  program_path[0] = '\0';
  if (is_started_by_linker() && dl_iterate_phdr(match_main_program, &headers) != 0)
    find_path_in_maps(headers);
  if (program_path[0] != '\0') return;
  ssize_t length = readlink("/proc/self/exe", program_path, sizeof program_path - 1);
  program_path[length < 0 ? 0 : length] = '\0';
}
