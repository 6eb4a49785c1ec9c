/* Colours for what the command prints: on a terminal only, and not if NO_COLOR is set
 * (no-color.org). */
#ifndef TG_COMMAND_COLOUR_H
#define TG_COMMAND_COLOUR_H

#include <stdbool.h>
#include <stdio.h>

enum tg_colour {
  TG_COLOUR_NONE,
  TG_COLOUR_HEADING,
  TG_COLOUR_GOOD,
  TG_COLOUR_CAUTION,
  TG_COLOUR_BAD
};

/* Whether output to `out` may have colours. */
bool tg_has_colour(FILE *out);

/* The sequence that begins a colour; TG_COLOUR_NONE ends it. "" if `out` may have no colours. */
const char *tg_colour(FILE *out, enum tg_colour colour);

#endif
