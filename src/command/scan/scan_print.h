/* Prints the table and the JSON of a scan. */
#ifndef TG_COMMAND_SCAN_PRINT_H
#define TG_COMMAND_SCAN_PRINT_H

#include "command/common/package.h"
#include "command/scan/scan_addon.h"
#include "command/scan/scan_advice.h"
#include "command/scan/scan_walk.h"

struct tg_scan_found {
  const char *path; /* absolute */
  struct tg_package package;
  struct tg_scan_addon addon;
  const struct tg_scan_advice *advice; /* NULL: none */
};

struct tg_scan {
  const char *directory; /* as it was given */
  struct tg_walk walk;
  struct tg_scan_found *found;
  size_t count;
};

void tg_scan_print(const struct tg_scan *scan);
void tg_scan_print_json(const struct tg_scan *scan);

#endif
