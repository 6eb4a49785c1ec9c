/* The path of a file that an option names and that is opened later: absolute, with the process id
 * in it.
 *
 * No allocation. Call tg_path_open once, before main. Any thread may call the others, in a signal
 * handler too. */
#ifndef TG_DIAG_PATH_H
#define TG_DIAG_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/text.h"

enum { TG_PATH_MAX = 1024 };

/* %p is the process id and %% is %, but not in the directory part, which comes first. */
struct tg_path {
  size_t directory_length;
  char text[TG_PATH_MAX];
};

/* Makes the path absolute, because the program may change its directory. False: the current
 * directory is unknown, or the path is too long. `problem` then says so: "needed …, found …; give
 * …". */
bool tg_path_open(struct tg_path *path, const char *given, struct tg_text *problem);

/* Expands the path for this process. Always fits. */
void tg_path_expand(const struct tg_path *path, char expanded[TG_PATH_MAX]);

/* Whether it contains %p. */
bool tg_path_has_process(const struct tg_path *path);

/* Returns the process for which the path expands to `expanded`; 0: there is none. The path must
 * contain %p. */
pid_t tg_path_process_of(const struct tg_path *path, const char *expanded);

/* Adds a path to a line. A long path loses its beginning, so that there is space for what
 * follows. */
void tg_path_add(struct tg_text *line, const char *path);

#endif
