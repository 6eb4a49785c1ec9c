/* Finds the npm package that a file belongs to: by its path, and by the package.json above it if
 * that exists here. */
#ifndef TG_COMMAND_PACKAGE_H
#define TG_COMMAND_PACKAGE_H

struct tg_package {
  char name[128];   /* "": unknown */
  char version[64]; /* "": unknown */
};

void tg_package_find(const char *file, struct tg_package *package);

#endif
