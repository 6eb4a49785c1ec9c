/* Which addon has which quirks (docs/quirks.md): the table of those that are known, or the lines of
 * a user's file.
 *
 * Thread safety: tg_quirks_open once, before all else; the rest from any thread. */
#ifndef TG_OPTIONS_QUIRKS_H
#define TG_OPTIONS_QUIRKS_H

#include <stdbool.h>

#include "core/types.h"

/* `option` is the option quirks. Lines of its file that are not understood are told. */
void tg_quirks_open(const char *option);

/* Whether an addon may have quirks at all. */
bool tg_quirks_are_wanted(void);

/* The quirks of the addon that is loaded from this file: a set of enum tg_quirk. May read files
 * (package.json). */
unsigned tg_quirks_of(const char *path);

/* Those that the table of known addons has for it, wanted or not. */
unsigned tg_quirks_known_of(const char *path);

/* The table of known addons, a line each, on stderr. */
void tg_quirks_print(void);

#endif
