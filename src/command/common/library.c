/* Implements library.h. */
#include "command/common/library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

#if defined(__x86_64__)
#define MULTIARCH "x86_64-linux-gnu"
#else
#define MULTIARCH "aarch64-linux-gnu"
#endif

static bool own_directory(char path[PATH_MAX]) {
  ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
  if (length <= 0) return false;
  path[length] = '\0';
  char *slash = strrchr(path, '/');
  if (slash == NULL) return false;
  slash[slash == path] = '\0'; /* the root directory keeps its slash */
  return true;
}

bool tg_own_file(const char *name, char path[PATH_MAX]) {
  static const char *const places[] = {"", "../lib/tsfn-guard/", "../lib/" MULTIARCH "/tsfn-guard/",
                                       "../lib64/tsfn-guard/"};
  char directory[PATH_MAX], place[PATH_MAX + 128];
  if (!own_directory(directory)) {
    tg_copy_string(path, PATH_MAX, "/proc, which is not mounted");
    return false;
  }
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
    snprintf(place, sizeof place, "%s/%s%s", directory, places[i], name);
    if (realpath(place, path) != NULL) return true;
  }
  tg_copy_string(path, PATH_MAX, directory);
  return false;
}

bool tg_can_preload(const char *path) {
  return strpbrk(path, " :$") == NULL;
}

static bool is_library(const char *entry, size_t length) {
  const size_t own = strlen(TG_LIBRARY_NAME);
  if (length < own || memcmp(entry + length - own, TG_LIBRARY_NAME, own) != 0) return false;
  return length == own || entry[length - own - 1] == '/';
}

bool tg_preload(const char *library) {
  const char *from = getenv("LD_PRELOAD");
  if (from == NULL) from = "";
  char *list = malloc(strlen(library) + strlen(from) + 2);
  if (list == NULL) return false;
  char *to = stpcpy(list, library);
  while (*from != '\0') {
    size_t length = strcspn(from, " :");
    if (length != 0 && !is_library(from, length)) {
      *to++ = ':';
      to = mempcpy(to, from, length);
    }
    from += length + (from[length] != '\0');
  }
  *to = '\0';
  bool done = setenv("LD_PRELOAD", list, 1) == 0;
  free(list);
  return done;
}
