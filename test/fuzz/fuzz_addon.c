/* Passes arbitrary files to tsfn-guard scan. It must give an answer, read nothing outside the file,
 * and say nothing about parts that it could not read. The seeds are those of fuzz_image. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "command/common/complain.h"
#include "command/scan/scan_addon.h"

/* Replaces the function of complain.c, which is not linked here. It is called if there is no
 * memory. */
int tg_complain(int status, const char *needed, const char *found, const char *remedy) {
  fprintf(stderr, "fuzz_addon: needed %s, found %s: %s\n", needed, found, remedy);
  return status;
}

static void demand(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "fuzz_addon: %s\n", what);
  abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static int file = -1;
  struct tg_scan_addon addon;
  if (file < 0) file = memfd_create("addon", MFD_CLOEXEC);
  demand(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size, "no memory file");
  tg_scan_addon_read(file, &addon);
  demand(addon.system <= TG_SYSTEM_WINDOWS, "a system that is none");
  demand((addon.imports | addon.strings) >> TG_SCAN_FUNCTIONS == 0, "an eighth function");
  demand(addon.problem == NULL || !tg_scan_addon_uses(&addon),
         "the use of a file that was not read");
  demand(!tg_scan_addon_is_guardable(&addon) || addon.system == TG_SYSTEM_LINUX,
         "a guard for another system");
  demand(getenv("FUZZ_IMAGE_IS_WHOLE") == NULL || addon.problem == NULL,
         "a whole image was not read");
  return 0;
}
