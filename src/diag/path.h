/* The path of a file that an option names and that is opened later on: absolute, with the process's number in it.
 *
 * No allocation. tg_path_open once, before main; the others by any thread, and in a signal handler. */
#ifndef TG_DIAG_PATH_H
#define TG_DIAG_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

enum { TG_PATH_MAX = 1024 };

/* %p is the process's number and %% is %, but not in the directory, which is first. */
struct tg_path {
  size_t directory_length;
  char text[TG_PATH_MAX];
};

/* Makes the path absolute, as the program may change its directory. False: there is no directory, or the path is too
 * long for that; `problem` says so, "needed …, found …; give …". */
bool tg_path_open(struct tg_path *path, const char *given, struct tg_text *problem);

/* The path of this process. Always fits. */
void tg_path_expand(const struct tg_path *path, char expanded[TG_PATH_MAX]);

/* Whether it has a %p. */
bool tg_path_has_process(const struct tg_path *path);

/* Adds a path to a line and leaves room for what follows: of a long path it adds the end. */
void tg_path_add(struct tg_text *line, const char *path);

#endif
