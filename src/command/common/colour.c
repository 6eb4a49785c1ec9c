/* Implements the colours. */
#include "command/common/colour.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool tg_has_colour(FILE *out) {
  const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
  bool is_wanted = no_colour == NULL || no_colour[0] == '\0';
  return is_wanted && terminal != NULL && strcmp(terminal, "dumb") != 0 && isatty(fileno(out)) == 1;
}

const char *tg_colour(FILE *out, enum tg_colour colour) {
  static const char *const sequences[] = {[TG_COLOUR_NONE] = "\033[0m",
                                          [TG_COLOUR_HEADING] = "\033[1m",
                                          [TG_COLOUR_GOOD] = "\033[32m",
                                          [TG_COLOUR_CAUTION] = "\033[33m",
                                          [TG_COLOUR_BAD] = "\033[1;31m"};
  return tg_has_colour(out) ? sequences[colour] : "";
}
