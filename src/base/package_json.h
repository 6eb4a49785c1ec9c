/* Reads what the package.json above a file says about the npm package that the file belongs to.
 *
 * Thread safety: any thread, with a reader of its own. No allocation, no stdio; errno is
 * preserved. */
#ifndef TG_BASE_PACKAGE_JSON_H
#define TG_BASE_PACKAGE_JSON_H

#include <stdbool.h>
#include <stddef.h>

/* The strings are as in the file. Empty: the string is missing, too long for its field, or contains
 * a backslash. */
struct tg_package_json {
  char name[96];
  char version[48];
  char bugs[160]; /* the http or https address where its bugs are reported */
};

/* Working memory. It is too large for the small stacks that some threads have. */
struct tg_package_reader {
  char path[4096];
  /* of a longer file only this much is read: the wanted members are near its beginning */
  char text[16384];
};

/* Reads the package.json files from the file's directory upwards, until `is_wanted` accepts one.
 * False: it has accepted none, or the path is relative. */
bool tg_package_json_find(struct tg_package_reader *reader, const char *path,
                          bool (*is_wanted)(const struct tg_package_json *package),
                          struct tg_package_json *package);

/* Reads the text of a package.json, which need not end with a NUL. */
void tg_package_json_parse(const char *text, size_t length, struct tg_package_json *package);

#endif
