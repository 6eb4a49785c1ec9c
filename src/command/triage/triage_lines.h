/* Reads lines of text, as people paste them or services log them, for `tsfn-guard triage`. Memory
 * is bounded. Removes what others have added around the lines (colours, JSON of Docker and
 * journald, syslog's #012).
 *
 * It has no state except the reader's. The output is tame: UTF-8 without control characters. */
#ifndef TG_COMMAND_TRIAGE_LINES_H
#define TG_COMMAND_TRIAGE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  /* bytes of a line; the rest of a longer one is skipped and counted */
  TG_TRIAGE_LINE_MAX = 1 << 20,
  TG_TRIAGE_TEXT_MAX = 4096, /* bytes of a line that are passed on */
};

struct tg_triage_lines {
  void (*take)(void *argument, const char *line, uint64_t number);
  void *argument;
  uint64_t bytes, lines;
  uint64_t too_long; /* lines */
  uint64_t binary;   /* bytes that are not text */
};

/* Passes all lines of an open file on. False: reading failed, with errno. */
bool tg_triage_lines_read(struct tg_triage_lines *lines, int file);

/* The same for one line in memory, which is changed. `size` is the size of the memory, at least
 * `length` + 1. */
void tg_triage_lines_take(struct tg_triage_lines *lines, char *text, size_t length);

#endif
