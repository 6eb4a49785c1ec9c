/* Writes a sample of a watched process as a table for people, or as one line of JSON
 * (docs/command.md lists its fields). Names that the process has chosen are cleaned first. */
#ifndef TG_COMMAND_TOP_PRINT_H
#define TG_COMMAND_TOP_PRINT_H

#include <stdbool.h>
#include <stdio.h>

#include "command/top/watch.h"

/* How functions are sorted. Each order puts larger values first. */
enum tg_top_order { TG_TOP_CALLS, TG_TOP_QUEUE, TG_TOP_THREADS, TG_TOP_AGE, TG_TOP_ORDERS };

extern const char *const tg_top_order_names[TG_TOP_ORDERS];

/* Sorts the sample's functions. */
void tg_top_sort(struct tg_watch_sample *sample, enum tg_top_order order);

struct tg_top_look {
  size_t columns; /* longer lines are cut off */
  size_t rows;    /* at most this many functions */
  bool colour;
  const char *line_end; /* what ends a line */
  const char *note;     /* printed at the end of the first line */
};

void tg_top_print(FILE *to, const struct tg_watch *watch, const struct tg_top_look *look);

void tg_top_print_json(FILE *to, const struct tg_watch *watch, bool ended);

#endif
