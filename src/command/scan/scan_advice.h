/* One line for each package that docs/real-addons.md or docs/quirks.md describes. */
#ifndef TG_COMMAND_SCAN_ADVICE_H
#define TG_COMMAND_SCAN_ADVICE_H

enum { TG_ADVICE_OPTIONS_MAX = 3 };

struct tg_scan_advice {
  const char *package; /* a pattern for fnmatch(3); '*' matches no '/' */
  /* for TSFN_GUARD_OPTIONS, like "quirks=known"; NULL: no more */
  const char *options[TG_ADVICE_OPTIONS_MAX];
  const char *text;
};

/* NULL: nobody has tried the package with the guard. */
const struct tg_scan_advice *tg_scan_advice_find(const char *package);

/* The row with this number, counted from 0. NULL: there are no more. */
const struct tg_scan_advice *tg_scan_advice_row(unsigned number);

#endif
