/* Which addon has which quirks (docs/quirks.md). The source is the table of known addons, or the
 * lines of a user's file.
 *
 * Thread safety: call tg_quirks_open once, before the others. Any thread may call the others. */
#ifndef TG_OPTIONS_QUIRKS_H
#define TG_OPTIONS_QUIRKS_H

#include <stdbool.h>

#include "core/types.h"

/* `option` is the value of the option quirks. Lines of its file that are not understood are
 * reported on stderr. */
void tg_quirks_open(const char *option);

/* Whether an addon may have quirks at all. */
bool tg_quirks_are_wanted(void);

/* The quirks of the addon that is loaded from this file: a set of enum tg_quirk. May read files
 * (package.json). */
unsigned tg_quirks_of(const char *path);

/* The quirks that the table of known addons has for an addon, even if the option quirks does not
 * ask for them. */
unsigned tg_quirks_known_of(const char *path);

/* Prints the table of known addons on stderr, one line each. */
void tg_quirks_print(void);

#endif
