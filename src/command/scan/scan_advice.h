/* What docs/real-addons.md and docs/quirks.md know of packages, in one line for each. */
#ifndef TG_COMMAND_SCAN_ADVICE_H
#define TG_COMMAND_SCAN_ADVICE_H

enum { TG_ADVICE_OPTIONS_MAX = 3 };

struct tg_scan_advice {
  const char *package;                        /* a pattern of fnmatch(3), where '*' matches no '/' */
  const char *options[TG_ADVICE_OPTIONS_MAX]; /* of TSFN_GUARD_OPTIONS, "quirks=known"; NULL: no more */
  const char *text;
};

/* NULL: nobody has tried the package. */
const struct tg_scan_advice *tg_scan_advice_find(const char *package);

/* The row of a number, counted from 0; NULL: there are no more. */
const struct tg_scan_advice *tg_scan_advice_row(unsigned number);

#endif
