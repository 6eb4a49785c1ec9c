/* The options in TSFN_GUARD_OPTIONS. */
#ifndef TG_PRELOAD_OPTIONS_H
#define TG_PRELOAD_OPTIONS_H

#include <stdbool.h>

#include "guard/guard.h"

enum tg_mode { TG_MODE_PROTECT, TG_MODE_OFF };

struct tg_options {
  enum tg_mode mode;
  enum tg_deadlock deadlock;
  bool require;
  bool verbosity;
  bool pin;
  bool help;
};

/* Reads "key=value:key=value" (NULL: nothing). A later value of a key replaces an earlier one. What is not
 * understood is told in one line on stderr each, and its default stays. */
void tg_options_parse(struct tg_options *options, const char *text);

/* The table of options, on stderr. */
void tg_options_print(void);

#endif
