/* Reads logs, line by line, in a fixed amount of memory.
 *
 * For one thread. If an input cannot be read at all, a message goes to stderr. Lines that are
 * skipped are counted. */
#ifndef TG_COMMAND_REPORT_READ_H
#define TG_COMMAND_REPORT_READ_H

#include "command/report/report_line.h"

struct tg_input {
  const char *name; /* as it was given; "-" is standard input */
  /* -1: opened only when it is read, because there may be more inputs than may be open at a time */
  int file;
  int64_t first; /* the time of its first report, to sort by; INT64_MAX: unknown */
  uint64_t size; /* 0: unknown */
};

/* What was read. */
struct tg_read_counts {
  uint64_t bytes;
  uint64_t lines;
  uint64_t ours;
  uint64_t other, newer, broken, too_long;
  uint64_t text; /* reports as text, or pieces of them, that are not understood */
  /* 1: a line of the program, before any report, is a frame of a stack; 0: none is */
  uint64_t frames;
  /* an input that is the output of tsfn-guard report --json; NULL: there is none */
  const char *report;
  /* incomplete last lines, without a line end: the writer was killed, or still writes */
  uint64_t cut;
};

/* Opens all inputs and sorts them by the time of their first report, so rotated files may come in
 * any order. A file that is named twice is read once, and `*count` shrinks. Returns 0, or the exit
 * status after a complaint. */
int tg_inputs_open(struct tg_input *inputs, size_t *count);

/* Passes each report of the guard to `take`, and closes the input. Returns 0, or the exit status
 * after a complaint. `total` is the size of all inputs, or 0 if it is unknown. It is for the
 * progress, which is shown on a terminal after a second. */
int tg_input_read(struct tg_input *input, struct tg_read_counts *counts, uint64_t total,
                  void (*take)(void *argument, const struct tg_line *line), void *argument);

/* Clears the progress on the terminal. */
void tg_progress_end(void);

#endif
