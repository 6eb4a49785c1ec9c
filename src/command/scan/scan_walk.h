/* Finds the .node files below a directory.
 *
 * Links to directories are followed only where package managers make them: in node_modules, and in
 * a scope (@name) in it. Each directory is read only once, however it is reached, so there is no
 * loop. What cannot be read is listed. Nothing blocks. Only one thread may use a walk. */
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
  char *root;   /* the real path of the directory; all other paths begin with it */
  char **files; /* sorted by name */
  size_t file_count;
  struct tg_walk_problem *problems;
  size_t problem_count;
  uint64_t problems_not_listed;
  uint64_t entries, directories; /* how many were examined */
  bool is_cut;                   /* a limit was reached, so there is more below the directory */

  /* Private. */
  struct tg_map seen;
  struct tg_walk_paths {
    char **paths;
    size_t count, allocated;
    uint64_t bytes;
  } waiting, links;
  size_t files_allocated, problems_allocated;
};

/* `directory` may also be a file. Returns 0, or the errno with which reading it failed. */
int tg_walk_open(struct tg_walk *walk, const char *directory);
void tg_walk_close(struct tg_walk *walk);

/* Records why a path that was found cannot be read. */
void tg_walk_add_problem(struct tg_walk *walk, const char *path, const char *why);

#endif
