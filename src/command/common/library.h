/* The project's files that the command works with, and how it preloads one of them. */
#ifndef TG_COMMAND_LIBRARY_H
#define TG_COMMAND_LIBRARY_H

#include <limits.h>
#include <stdbool.h>

#define TG_LIBRARY_NAME "libtsfnguard.so"

/* Looks for one of these files: beside this program, as in a build tree, or where it is installed
 * relative to the program, never anywhere else. False: there is none. `path` then receives the
 * directory of the program, or says that /proc is not mounted. */
bool tg_own_file(const char *name, char path[PATH_MAX]);

/* Whether LD_PRELOAD can hold the path. The loader ends a name at a space or a colon, and replaces
 * $ORIGIN. */
bool tg_can_preload(const char *path);

/* Puts the library first in LD_PRELOAD, keeps the other entries, and removes other copies of the
 * library. False: there is no memory. */
bool tg_preload(const char *library);

#endif
