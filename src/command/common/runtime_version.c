/* Implements the search for a runtime's version. */
#include "command/common/runtime_version.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The official binaries and those of distributions contain such a string. */
static bool search(const char *bytes, size_t size, struct tg_runtime_version *found) {
  static const struct {
    const char *before, *runtime;
  } marks[] = {
      {"/download/release/v", "node"}, {"\nBun v", "bun"}, {"Bun v", "bun"}, {"Deno/", "deno"}};
  for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
    const char *at = memmem(bytes, size, marks[i].before, strlen(marks[i].before));
    if (at == NULL) continue;
    at += strlen(marks[i].before);
    size_t length = 0;
    while (at + length < bytes + size && length < sizeof found->version - 1 && at[length] != '\0' &&
           strchr("0123456789.", at[length]) != NULL)
      length++;
    if (length < 5) continue;
    found->runtime = marks[i].runtime;
    memcpy(found->version, at, length);
    found->version[length] = '\0';
    return true;
  }
  return false;
}

bool tg_runtime_version_find(const char *path, struct tg_runtime_version *found) {
  enum { SIZE_MAX_READ = 1 << 30 };
  struct stat status;
  *found = (struct tg_runtime_version){0};
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) return false;
  bool fits = fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 &&
              status.st_size <= SIZE_MAX_READ;
  size_t size = fits ? (size_t)status.st_size : 0;
  char *bytes = fits ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0) : MAP_FAILED;
  close(file);
  if (bytes == MAP_FAILED) return false;
  bool is_found = search(bytes, size, found);
  munmap(bytes, size);
  return is_found;
}
