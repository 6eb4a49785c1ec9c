/* Implements the look-up of packages. The path may come from untrusted text. So a package.json is
 * only read if it is a small regular file. */
#include "command/common/package.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "command/common/json.h"
#include "command/common/tables.h"

enum { PACKAGE_JSON_MAX = 1 << 18, TOKENS_MAX = 1 << 14 };

/* --- By the path */

static const char *find_last(const char *text, const char *piece) {
  const char *found = NULL, *at = text;
  while ((at = strstr(at, piece)) != NULL) found = at++;
  return found;
}

static void copy_piece(char *to, size_t size, const char *from, size_t length) {
  if (length >= size) length = size - 1;
  memcpy(to, from, length);
  to[length] = '\0';
}

/* ".pnpm/NAME@VERSION/node_modules/NAME/…" also contains the version. A slash in NAME is written
 * '+' there. */
static void read_pnpm(const char *file, struct tg_package *package) {
  const char *store = find_last(file, "/.pnpm/");
  if (store == NULL) return;
  const char *name = store + strlen("/.pnpm/"), *at = strchr(name + 1, '@');
  if (at == NULL || strcspn(name, "/") < (size_t)(at - name)) return;
  copy_piece(package->version, sizeof package->version, at + 1, strcspn(at + 1, "/_("));
}

static void read_path(const char *file, struct tg_package *package) {
  const char *last = find_last(file, "node_modules/");
  if (last == NULL) return;
  const char *name = last + strlen("node_modules/");
  size_t length = strcspn(name, "/");
  if (name[0] == '@' && name[length] == '/') length += 1 + strcspn(name + length + 1, "/");
  if (name[length] != '/' || name[0] == '.') return;
  copy_piece(package->name, sizeof package->name, name, length);
  read_pnpm(file, package);
}

/* --- By package.json */

static bool read_small_file(const char *path, char *bytes, size_t *length) {
  struct stat status;
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) return false;
  bool fits = fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 &&
              status.st_size < PACKAGE_JSON_MAX;
  ssize_t got = fits ? read(file, bytes, PACKAGE_JSON_MAX - 1) : -1;
  close(file);
  if (got <= 0) return false;
  *length = (size_t)got;
  return true;
}

static void take_member(char *bytes, const jsmntok_t *key, char *to, size_t size,
                        const char *name) {
  if (!tg_json_is(bytes, key, name)) return;
  const char *value = tg_json_string(bytes, key + 1);
  if (value != NULL) tg_copy_string(to, size, value);
}

static bool parse_package(char *bytes, size_t length, struct tg_package *package) {
  struct tg_package found = {0};
  jsmntok_t *tokens = tg_resize(NULL, TOKENS_MAX, sizeof *tokens);
  unsigned count = tg_json_parse(bytes, length, tokens, TOKENS_MAX);
  for (unsigned key = 1; key + 1 < count; key = tg_json_next(tokens, count, key)) {
    take_member(bytes, &tokens[key], found.name, sizeof found.name, "name");
    take_member(bytes, &tokens[key], found.version, sizeof found.version, "version");
  }
  free(tokens);
  if (found.name[0] == '\0') return false;
  *package = found;
  return true;
}

/* Finds the nearest package.json that has a name. Packages contain some without a name, which only
 * set the module type. */
static void read_above(const char *file, struct tg_package *package) {
  char path[PATH_MAX];
  size_t length = strlen(file);
  if (file[0] != '/' || length + sizeof "/package.json" > sizeof path) return;
  memcpy(path, file, length + 1);
  char *bytes = tg_resize(NULL, PACKAGE_JSON_MAX, 1);
  for (unsigned levels = 0; levels < 12; levels++) {
    char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path) break;
    tg_copy_string(slash, sizeof path - (size_t)(slash - path), "/package.json");
    if (read_small_file(path, bytes, &length) && parse_package(bytes, length, package)) break;
    *slash = '\0';
  }
  free(bytes);
}

void tg_package_find(const char *file, struct tg_package *package) {
  *package = (struct tg_package){0};
  read_path(file, package);
  read_above(file, package);
}
