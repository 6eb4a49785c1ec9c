/* Implements package_version.h. */
#include "options/package_version.h"

#include <string.h>

#include "base/package_json.h"

enum { PART_MAX = 100000000 };

static bool is_one_of(char byte, const char *bytes) {
  return byte != '\0' && strchr(bytes, byte) != NULL;
}

/* --- Versions */

/* Reads "1.2.3" and returns its length; 0: it is not a version. */
static size_t read_version(const char *text, size_t length, struct tg_version *version) {
  size_t at = 0;
  *version = (struct tg_version){{0}};
  for (unsigned part = 0; part < TG_VERSION_PARTS; part++) {
    size_t start = at;
    while (at < length && text[at] >= '0' && text[at] <= '9' && version->parts[part] < PART_MAX)
      version->parts[part] = version->parts[part] * 10 + (uint32_t)(text[at++] - '0');
    if (at == start) return 0;
    if (at == length || text[at] != '.') break;
    if (part + 1 < TG_VERSION_PARTS) at++;
  }
  return at;
}

static int compare(const struct tg_version *a, const struct tg_version *b) {
  for (unsigned part = 0; part < TG_VERSION_PARTS; part++)
    if (a->parts[part] != b->parts[part]) return a->parts[part] < b->parts[part] ? -1 : 1;
  return 0;
}

/* Whether a comparison holds. `order` is the order of the two versions; `length` is the length of
 * the operator. */
static bool holds(const char *operator, size_t length, int order) {
  if (order == 0) return operator[length - 1] == '=';
  return order < 0 ? operator[0] == '<' : operator[0] == '>';
}

/* Whether the text is a range. If it is, *is_in says whether the version is in it. */
static bool read_range(const char *range, size_t length, const struct tg_version *version,
                       bool *is_in) {
  size_t at = 0;
  *is_in = true;
  while (at < length) {
    struct tg_version limit;
    const char *operator= range + at;
    while (at < length && is_one_of(range[at], "<>=")) at++;
    size_t operator_length = (size_t)(range + at - operator);
    size_t version_length = read_version(range + at, length - at, &limit);
    bool is_operator =
        operator_length == 1 || (operator_length == 2 && operator[0] != '=' && operator[1] == '=');
    if (!is_operator || version_length == 0) return false;
    at += version_length;
    if (at < length && range[at] != ' ') return false;
    while (at < length && range[at] == ' ') at++;
    if (!holds(operator, operator_length, compare(version, &limit))) *is_in = false;
  }
  return length != 0;
}

bool tg_version_is_range(const char *range, size_t length) {
  const struct tg_version any = {{0}};
  bool is_in;
  return read_range(range, length, &any, &is_in);
}

bool tg_version_is_in_range(const struct tg_version *version, const char *range, size_t length) {
  bool is_in;
  return read_range(range, length, version, &is_in) && is_in;
}

/* --- package.json */

static bool has_version(const struct tg_package_json *package) {
  struct tg_version version;
  return read_version(package->version, strlen(package->version), &version) != 0;
}

bool tg_version_of_package(const char *path, struct tg_version *version) {
  struct tg_package_reader reader;
  struct tg_package_json package;
  if (!tg_package_json_find(&reader, path, has_version, &package)) return false;
  return read_version(package.version, strlen(package.version), version) != 0;
}
