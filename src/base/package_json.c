/* Implements package_json.h. */
#include "base/package_json.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

/* The position at which the string that begins at `at` ends: its closing quotation mark, or the end
 * of the text. */
static size_t end_of_string(const char *text, size_t length, size_t at) {
  for (at++; at < length && text[at] != '"'; at++)
    if (text[at] == '\\') at++;
  return at < length ? at : length;
}

static size_t skip_blanks(const char *text, size_t length, size_t at) {
  while (at < length &&
         (text[at] == ' ' || text[at] == '\t' || text[at] == '\r' || text[at] == '\n'))
    at++;
  return at;
}

/* A string of the text, without its quotation marks. */
struct piece {
  const char *bytes;
  size_t length;
};

static bool is(const struct piece *piece, const char *word) {
  return piece->length == strlen(word) && memcmp(piece->bytes, word, piece->length) == 0;
}

/* If two members have the same name, the first one counts. */
static void take(const struct piece *value, char *to, size_t size) {
  if (to[0] != '\0' || value->length >= size || memchr(value->bytes, '\\', value->length) != NULL)
    return;
  memcpy(to, value->bytes, value->length);
  to[value->length] = '\0';
}

static void take_address(const struct piece *value, char *to, size_t size) {
  static const char http[] = "http://", https[] = "https://";
  bool is_http = value->length > strlen(http) && memcmp(value->bytes, http, strlen(http)) == 0;
  bool is_https = value->length > strlen(https) && memcmp(value->bytes, https, strlen(https)) == 0;
  if (is_http || is_https) take(value, to, size);
}

static void take_member(const struct piece *key, const struct piece *value,
                        struct tg_package_json *package) {
  if (is(key, "name")) take(value, package->name, sizeof package->name);
  if (is(key, "version")) take(value, package->version, sizeof package->version);
  if (is(key, "bugs")) take_address(value, package->bugs, sizeof package->bugs);
}

/* Reads the string that begins at `at`. Sets *end to the position at which it ends. False: no
 * string begins there. */
static bool read_string(const char *text, size_t length, size_t at, struct piece *string,
                        size_t *end) {
  if (at >= length || text[at] != '"') return false;
  *end = end_of_string(text, length, at);
  *string = (struct piece){text + at + 1, *end - at - 1};
  return true;
}

/* A key is followed by a colon; other strings are not. `bugs` is a string, or an object with a
 * `url`. */
void tg_package_json_parse(const char *text, size_t length, struct tg_package_json *package) {
  unsigned depth = 0;
  bool in_bugs = false;
  *package = (struct tg_package_json){{0}, {0}, {0}};
  for (size_t at = 0; at < length; at++) {
    struct piece key, value;
    size_t value_end;
    if (text[at] == '{' || text[at] == '[') depth++;
    if (text[at] == '}' || text[at] == ']') depth--;
    if (!read_string(text, length, at, &key, &at)) continue;
    size_t colon = skip_blanks(text, length, at + 1);
    if (colon >= length || text[colon] != ':') continue;
    if (depth == 1) in_bugs = is(&key, "bugs");
    if (!read_string(text, length, skip_blanks(text, length, colon + 1), &value, &value_end))
      continue;
    if (depth == 1) take_member(&key, &value, package);
    if (depth == 2 && in_bugs && is(&key, "url"))
      take_address(&value, package->bugs, sizeof package->bugs);
  }
}

static bool read_file(struct tg_package_reader *reader, struct tg_package_json *package) {
  int file = open(reader->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (file < 0) return false;
  ssize_t got = read(file, reader->text, sizeof reader->text);
  close(file);
  if (got <= 0) return false;
  tg_package_json_parse(reader->text, (size_t)got, package);
  return true;
}

bool tg_package_json_find(struct tg_package_reader *reader, const char *path,
                          bool (*is_wanted)(const struct tg_package_json *package),
                          struct tg_package_json *package) {
  static const char name[] = "/package.json";
  int saved = errno;
  bool found = false;
  if (path[0] != '/' || strlen(path) + sizeof name > sizeof reader->path) return false;
  tg_copy_string(reader->path, sizeof reader->path, path);
  for (char *slash; !found && (slash = strrchr(reader->path, '/')) != NULL; *slash = '\0') {
    memcpy(slash, name, sizeof name);
    found = read_file(reader, package) && is_wanted(package);
  }
  errno = saved;
  return found;
}
