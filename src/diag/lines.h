/* Small files of lines that an option names: one statement a line, # for comments.
 *
 * Before main, or one thread at a time. No allocation, no stdio. */
#ifndef TG_DIAG_LINES_H
#define TG_DIAG_LINES_H

#include <stddef.h>
#include <stdint.h>

/* A file, and what its option is called. */
struct tg_lines {
  const char *option;
  const char *path;
  const char *without; /* what it means that the file cannot be read: "nothing is suppressed" */
};

/* Passes each line that is not empty and no comment to `on_line`, without blanks at its end. A file
 * that cannot be read, or has 16 KiB and more, is told in one line. */
void tg_lines_read(const struct tg_lines *file,
                   void (*on_line)(const struct tg_lines *file, uint64_t number, const char *line,
                                   size_t length));

/* Tells in one line what was needed and what was found. `number` 0: of the file as a whole. */
void tg_lines_complain(const struct tg_lines *file, uint64_t number, const char *needed,
                       const char *found, size_t length);

#endif
