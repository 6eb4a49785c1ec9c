/* Implements demangle.h with libsupc++. */
#include "command/common/demangle.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { NAME_MAX_BYTES = 4096 };

#ifdef TG_HAS_DEMANGLER
char *__cxa_demangle(const char *name, char *buffer, size_t *size, int *status);

/* Removes the hash at the end of a name in Rust's older scheme. */
static void cut_hash(char *name) {
  size_t length = strlen(name);
  if (length > 19 && memcmp(name + length - 19, "::h", 3) == 0 &&
      strspn(name + length - 16, "0123456789abcdef") == 16)
    name[length - 19] = '\0';
}

char *tg_demangle(const char *name) {
  int status;
  bool is_mangled = strncmp(name, "_Z", 2) == 0 && strnlen(name, NAME_MAX_BYTES) < NAME_MAX_BYTES;
  char *demangled = is_mangled ? __cxa_demangle(name, NULL, NULL, &status) : NULL;
  if (demangled != NULL) cut_hash(demangled);
  return demangled;
}
#else
char *tg_demangle(const char *name) {
  (void)name;
  return NULL;
}
#endif
