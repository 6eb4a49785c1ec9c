/* Small files of lines that an option names: one statement a line, # for comments.
 *
 * Before main, or one thread at a time. No allocation, no stdio. */
#ifndef TG_DIAG_LINES_H
#define TG_DIAG_LINES_H

#include <stddef.h>
#include <stdint.h>

/* A file, and the name of its option. */
struct tg_lines {
  const char *option;
  const char *path;
  const char *without; /* the consequence if the file cannot be read: "nothing is suppressed" */
};

/* Passes each line to `on_line`, without blanks at its end. Skips empty lines and comments. A file
 * that cannot be read, or has 16 KiB or more, is reported in one line on stderr. */
void tg_lines_read(const struct tg_lines *file,
                   void (*on_line)(const struct tg_lines *file, uint64_t number, const char *line,
                                   size_t length));

/* Reports in one line on stderr what was needed and what was found. `number` is the number of the
 * line; 0: the problem is the file as a whole. */
void tg_lines_complain(const struct tg_lines *file, uint64_t number, const char *needed,
                       const char *found, size_t length);

#endif
