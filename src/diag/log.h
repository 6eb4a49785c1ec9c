/* The destination of reports: stderr, a descriptor that was passed to the program, or a file.
 *
 * A file is opened for each report and closed again, because the program may close any descriptor
 * or reuse its number, and because files get rotated. Each report is one write(2) to a file opened
 * with O_APPEND, so several processes may share a file. Stderr and a descriptor are used only while
 * they refer to the same file as at the start (base/output.h).
 *
 * No allocation, no stdio; safe in a signal handler, except tg_log_open. Guarded by the report's
 * lock, except in the signal handler. */
#ifndef TG_DIAG_LOG_H
#define TG_DIAG_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diag/path.h"

enum { TG_LOG_PATH_MAX = TG_PATH_MAX };

/* `path` is "stderr", "fd:N", or the path of a file, in which %p is the process id and %% is %. The
 * log is tried at once. If it cannot be used, now or later, one line on stderr says so and stderr
 * is used instead. */
void tg_log_open(const char *path);

void tg_log_write(const char *bytes, size_t length);

/* The number of reports that the log did not accept. */
uint64_t tg_log_missed(void);

/* The destination, for people: "stderr", a descriptor, or the file's path with the process id in
 * it. */
void tg_log_place(char place[TG_LOG_PATH_MAX]);

/* Opens a file for appending. Creates it with access for its owner only, follows no symbolic link,
 * and does not wait for the reader of a pipe. Returns -1 and sets errno on failure. */
int tg_open_for_append(const char *path);

#endif
