/* The version of the npm package that a file belongs to, and ranges of versions.
 *
 * Thread safety: any thread. No allocation, no stdio. */
#ifndef TG_OPTIONS_PACKAGE_VERSION_H
#define TG_OPTIONS_PACKAGE_VERSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TG_VERSION_PARTS = 3 };

/* Text after the numbers (a pre-release) is ignored. */
struct tg_version {
  uint32_t parts[TG_VERSION_PARTS];
};

/* Whether the text is a range: comparisons separated by blanks. A version is in the range if all of
 * them hold. A comparison is one of <, <=, =, >= and >, followed by a version. Numbers that are
 * missing in this version are 0. */
bool tg_version_is_range(const char *range, size_t length);

bool tg_version_is_in_range(const struct tg_version *version, const char *range, size_t length);

/* Reads the version from the nearest package.json above the file that has one. False: there is
 * none, or the path is relative. */
bool tg_version_of_package(const char *path, struct tg_version *version);

#endif
