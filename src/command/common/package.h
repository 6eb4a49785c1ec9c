/* Which npm package a file belongs to: by its path, and by the package.json above it where that is here. */
#ifndef TG_COMMAND_PACKAGE_H
#define TG_COMMAND_PACKAGE_H

struct tg_package {
  char name[128];   /* "": not known */
  char version[64]; /* "": not known */
};

void tg_package_find(const char *file, struct tg_package *package);

#endif
