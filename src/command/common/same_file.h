/* Whether two results of stat(2) are of the same file. Thread safety: any thread. */
#ifndef TG_COMMAND_SAME_FILE_H
#define TG_COMMAND_SAME_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

static inline bool tg_is_same_file(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

#endif
