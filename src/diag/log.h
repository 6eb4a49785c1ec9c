/* Where reports are written: stderr, a descriptor that the program was given, or a file.
 *
 * A file is opened for each report and closed again: the program may close any descriptor or use its number for
 * something else, and files get rotated. Each report is one write(2) to a file opened with O_APPEND, so several
 * processes may share one. Stderr and a descriptor are written to only while they are what they were at the start
 * (base/output.h).
 *
 * No allocation, no stdio; safe in a signal handler, but for tg_log_open. Guarded by the report's lock, but for the
 * signal handler. */
#ifndef TG_DIAG_LOG_H
#define TG_DIAG_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diag/path.h"

enum { TG_LOG_PATH_MAX = TG_PATH_MAX };

/* `path`: "stderr", "fd:N", or a file's, in which %p is the process's number and %% is %. Tries it at once. One that
 * cannot be used, now or later, is one line on stderr, and stderr is used instead. */
void tg_log_open(const char *path);

void tg_log_write(const char *bytes, size_t length);

/* How many reports the log did not take. */
uint64_t tg_log_missed(void);

/* Where the log is, for people: "stderr", or the file's path with the number in it. */
void tg_log_place(char place[TG_LOG_PATH_MAX]);

/* Opens a file for appending, or makes it, for its owner only; follows no symbolic link, waits for no reader of
 * a pipe. -1, and errno. */
int tg_open_for_append(const char *path);

#endif
