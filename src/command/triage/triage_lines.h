/* Reads lines of text, as people paste them or services log them, for `tsfn-guard triage`. Removes
 * what terminals and loggers have added to the lines (colours, JSON of Docker and journald,
 * syslog's #012). Memory is bounded.
 *
 * All state is in the caller's struct. The lines that are passed on are UTF-8 without control
 * characters. */
#ifndef TG_COMMAND_TRIAGE_LINES_H
#define TG_COMMAND_TRIAGE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  /* bytes of a line; the rest of a longer line is skipped, and the line is counted */
  TG_TRIAGE_LINE_MAX = 1 << 20,
  TG_TRIAGE_TEXT_MAX = 4096, /* bytes of a line that are passed on */
};

struct tg_triage_lines {
  void (*take)(void *argument, const char *line, uint64_t number);
  void *argument;
  uint64_t bytes, lines;
  uint64_t too_long; /* lines that were cut */
  uint64_t binary;   /* bytes that are not text */
};

/* Passes on all lines of an open file. False: reading failed, and errno says why. */
bool tg_triage_lines_read(struct tg_triage_lines *lines, int file);

/* The same for one line in memory. `text` has space for `length` + 1 bytes, and is overwritten. */
void tg_triage_lines_take(struct tg_triage_lines *lines, char *text, size_t length);

#endif
