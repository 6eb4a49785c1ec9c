/* Implements the walk. */
#include "command/scan/scan_walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Limits, because somebody else may have filled the directory with as much as its disk holds. */
enum { ENTRIES_MAX = 20000000, DIRECTORIES_MAX = 1 << 22, PATHS_BYTES_MAX = 1 << 28 };

/* --- Lists */

static char *copy_of(const char *path) {
  size_t size = strlen(path) + 1;
  return memcpy(tg_resize(NULL, size, 1), path, size);
}

static bool add_path(struct tg_walk *walk, struct tg_walk_paths *list, const char *path) {
  size_t size = strlen(path) + 1;
  if (list->bytes + size > PATHS_BYTES_MAX) {
    walk->is_cut = true;
    return false;
  }
  list->paths = tg_room(list->paths, list->count, &list->allocated, sizeof *list->paths);
  list->paths[list->count++] = copy_of(path);
  list->bytes += size;
  return true;
}

/* The caller frees the path. */
static char *take_last(struct tg_walk_paths *list) {
  char *path = list->paths[--list->count];
  list->bytes -= strlen(path) + 1;
  return path;
}

static void add_file(struct tg_walk *walk, const char *path) {
  if (walk->file_count == TG_WALK_FILES_MAX) {
    walk->is_cut = true;
    return;
  }
  walk->files = tg_room(walk->files, walk->file_count, &walk->files_allocated, sizeof *walk->files);
  walk->files[walk->file_count++] = copy_of(path);
}

void tg_walk_add_problem(struct tg_walk *walk, const char *path, const char *why) {
  if (walk->problem_count == TG_WALK_PROBLEMS_MAX) {
    walk->problems_not_listed++;
    return;
  }
  walk->problems = tg_room(walk->problems, walk->problem_count, &walk->problems_allocated,
                           sizeof *walk->problems);
  walk->problems[walk->problem_count++] = (struct tg_walk_problem){copy_of(path), why};
}

/* --- Entries of a directory */

static bool is_addon_name(const char *name) {
  static const char ending[] = ".node";
  size_t length = strlen(name);
  return length >= sizeof ending && strcmp(name + length - strlen(ending), ending) == 0;
}

static bool ends_with(const char *path, size_t length, const char *ending) {
  size_t own = strlen(ending);
  return length >= own && memcmp(path + length - own, ending, own) == 0;
}

/* Whether package managers make links in this directory: it is node_modules, or a scope in it. */
static bool is_place_of_links(const char *directory) {
  static const char name[] = "/node_modules";
  const char *last = strrchr(directory, '/');
  if (ends_with(directory, strlen(directory), name)) return true;
  return last != NULL && last[1] == '@' && ends_with(directory, (size_t)(last - directory), name);
}

static unsigned char kind_of(int directory, const struct dirent *entry) {
  struct stat status;
  if (entry->d_type != DT_UNKNOWN) return entry->d_type;
  if (fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) return DT_UNKNOWN;
  return S_ISDIR(status.st_mode)   ? DT_DIR
         : S_ISREG(status.st_mode) ? DT_REG
         : S_ISLNK(status.st_mode) ? DT_LNK
                                   : DT_UNKNOWN;
}

static void take_entry(struct tg_walk *walk, const char *directory, int descriptor,
                       const struct dirent *entry) {
  char path[PATH_MAX];
  if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) return;
  walk->entries++;
  unsigned char kind = kind_of(descriptor, entry);
  bool is_addon = is_addon_name(entry->d_name);
  bool matters = kind == DT_DIR || (kind == DT_REG && is_addon) ||
                 (kind == DT_LNK && (is_addon || is_place_of_links(directory)));
  if (!matters) return;
  const char *before = strcmp(directory, "/") == 0 ? "" : directory;
  if (snprintf(path, sizeof path, "%s/%s", before, entry->d_name) >= (int)sizeof path)
    tg_walk_add_problem(walk, directory, "a path in it is too long");
  else if (kind == DT_DIR)
    add_path(walk, &walk->waiting, path);
  else if (kind == DT_REG)
    add_file(walk, path);
  else
    add_path(walk, &walk->links, path);
}

/* --- Directories */

/* False: it was seen before, or too many were seen. */
static bool is_new(struct tg_walk *walk, const struct stat *status) {
  const uint64_t identity[] = {status->st_dev, status->st_ino};
  uint64_t hash = tg_hash(TG_HASH_START, identity, sizeof identity);
  if (tg_map_get(&walk->seen, hash) != NULL) return false;
  if (tg_map_put(&walk->seen, hash, 0)) return true;
  walk->is_cut = true;
  return false;
}

/* Whether the kernel generates the directory. Such directories contain no addons, and may be
 * endless. */
static bool is_made_up(int directory) {
  struct statfs system;
  if (fstatfs(directory, &system) != 0) return false;
  return system.f_type == PROC_SUPER_MAGIC || system.f_type == SYSFS_MAGIC ||
         system.f_type == CGROUP2_SUPER_MAGIC || system.f_type == DEBUGFS_MAGIC ||
         system.f_type == TRACEFS_MAGIC;
}

static void read_directory(struct tg_walk *walk, const char *path, DIR *entries) {
  walk->directories++;
  for (;;) {
    errno = 0;
    const struct dirent *entry = readdir(entries);
    if (entry == NULL) break;
    if (walk->entries == ENTRIES_MAX) {
      walk->is_cut = true;
      return;
    }
    take_entry(walk, path, dirfd(entries), entry);
  }
  if (errno != 0) tg_walk_add_problem(walk, path, strerror(errno));
}

static void walk_directory(struct tg_walk *walk, const char *path) {
  struct stat status;
  int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (directory < 0) {
    /* It was removed meanwhile, so it contains nothing. */
    if (errno != ENOENT) tg_walk_add_problem(walk, path, strerror(errno));
    return;
  }
  bool matters = fstat(directory, &status) == 0 && is_new(walk, &status) && !is_made_up(directory);
  DIR *entries = matters ? fdopendir(directory) : NULL;
  if (entries == NULL) {
    close(directory);
    return;
  }
  read_directory(walk, path, entries);
  closedir(entries);
}

static void walk_waiting(struct tg_walk *walk) {
  while (walk->waiting.count != 0) {
    char *path = take_last(&walk->waiting);
    walk_directory(walk, path);
    free(path);
  }
}

/* --- Links */

/* Whether a link leads to a directory that contains the root. Such a link would make the whole disk
 * a part of the project. */
static bool leads_above(const struct tg_walk *walk, const char *link) {
  char *real = realpath(link, NULL);
  if (real == NULL) return false;
  size_t length = strlen(real);
  bool above = strcmp(real, "/") == 0 ||
               (strncmp(walk->root, real, length) == 0 && walk->root[length] == '/');
  free(real);
  return above;
}

/* A link to a file that does not exist is common, so it is not reported. */
static void follow_link(struct tg_walk *walk, const char *link) {
  struct stat status;
  if (stat(link, &status) != 0) {
    if (errno != ENOENT) tg_walk_add_problem(walk, link, strerror(errno));
  } else if (S_ISDIR(status.st_mode)) {
    if (!leads_above(walk, link)) walk_directory(walk, link);
  } else if (S_ISREG(status.st_mode) && is_addon_name(link) && is_new(walk, &status)) {
    add_file(walk, link);
  }
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort(char **paths, size_t count) {
  if (count != 0) qsort(paths, count, sizeof *paths, by_name);
}

/* Marks the files that were found, so that a link to one of them does not count as another file. */
static void mark_files(struct tg_walk *walk, size_t from) {
  struct stat status;
  for (size_t i = from; i < walk->file_count; i++)
    if (lstat(walk->files[i], &status) == 0) is_new(walk, &status);
}

/* Links are followed last, so that a file below the directory is listed with its own path. A linked
 * directory may contain more links. */
static void follow_links(struct tg_walk *walk) {
  for (size_t marked = 0; walk->links.count != 0;) {
    struct tg_walk_paths links = walk->links;
    walk->links = (struct tg_walk_paths){0};
    mark_files(walk, marked);
    marked = walk->file_count;
    sort(links.paths, links.count);
    for (size_t i = 0; i < links.count; i++) {
      follow_link(walk, links.paths[i]);
      walk_waiting(walk);
      free(links.paths[i]);
    }
    free(links.paths);
  }
}

/* --- The whole walk */

int tg_walk_open(struct tg_walk *walk, const char *directory) {
  struct stat status;
  *walk = (struct tg_walk){.seen.most = DIRECTORIES_MAX};
  walk->root = realpath(directory, NULL);
  if (walk->root == NULL || stat(walk->root, &status) != 0 || access(walk->root, R_OK) != 0)
    return errno;
  if (S_ISREG(status.st_mode)) {
    add_file(walk, walk->root);
    return 0;
  }
  if (!S_ISDIR(status.st_mode)) return ENOTDIR;
  walk_directory(walk, walk->root);
  walk_waiting(walk);
  follow_links(walk);
  sort(walk->files, walk->file_count);
  return 0;
}

void tg_walk_close(struct tg_walk *walk) {
  for (size_t i = 0; i < walk->file_count; i++) free(walk->files[i]);
  for (size_t i = 0; i < walk->problem_count; i++) free(walk->problems[i].path);
  free(walk->files);
  free(walk->problems);
  free(walk->waiting.paths);
  free(walk->links.paths);
  free(walk->seen.entries);
  free(walk->root);
  *walk = (struct tg_walk){0};
}
