/* Finds the .node files below a directory.
 *
 * Links to directories are followed where package managers make them: in node_modules, and in a scope there. No directory
 * is walked twice, whatever leads to it, so there is no loop. What cannot be read is listed, and nothing is waited for.
 * One thread. */
#ifndef TG_COMMAND_SCAN_WALK_H
#define TG_COMMAND_SCAN_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "command/common/tables.h"

enum { TG_WALK_FILES_MAX = 1 << 16, TG_WALK_PROBLEMS_MAX = 1000 };

struct tg_walk_problem {
  char *path;
  const char *why;
};

struct tg_walk {
  char *root;   /* the real path of the directory, with which all others begin */
  char **files; /* in the order of their names */
  size_t file_count;
  struct tg_walk_problem *problems;
  size_t problem_count;
  uint64_t problems_not_listed;
  uint64_t entries, directories; /* that were looked at */
  bool is_cut;                   /* there is more below than is looked at */

  /* Its own. */
  struct tg_map seen;
  struct tg_walk_paths {
    char **paths;
    size_t count, allocated;
    uint64_t bytes;
  } waiting, links;
  size_t files_allocated, problems_allocated;
};

/* `directory` may be one file too. 0, or errno: it cannot be read. */
int tg_walk_open(struct tg_walk *walk, const char *directory);
void tg_walk_close(struct tg_walk *walk);

/* Takes down that a file that was found cannot be read. */
void tg_walk_add_problem(struct tg_walk *walk, const char *path, const char *why);

#endif
