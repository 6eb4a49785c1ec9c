/* Finds out which JavaScript runtime a program or library is, from strings in the file. Nothing is
 * run. */
#ifndef TG_COMMAND_RUNTIME_VERSION_H
#define TG_COMMAND_RUNTIME_VERSION_H

#include <stdbool.h>

struct tg_runtime_version {
  const char *runtime; /* "node", "bun", "deno" */
  char version[24];
};

/* False: it is no known runtime, or the file cannot be read. */
bool tg_runtime_version_find(const char *path, struct tg_runtime_version *found);

#endif
