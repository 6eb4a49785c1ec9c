/* Implements dl.h. */
#include "preload/dl.h"

#include <stddef.h>
#include <string.h>

#include "base/glibc_floor.h"

struct tg_dl tg_dl;

/* RTLD_NEXT searches the objects after this one, so it skips the program. */
bool tg_dl_open(void) {
  void *functions[] = {NULL, NULL};
  if (dlsym == NULL) return false;
  functions[0] = dlsym(RTLD_NEXT, "dlopen");
  functions[1] = dlsym(RTLD_NEXT, "dlclose");
  if (functions[0] == NULL || functions[1] == NULL) return false;
  memcpy(&tg_dl.open, &functions[0], sizeof(void *));
  memcpy(&tg_dl.close, &functions[1], sizeof(void *));
  return true;
}
