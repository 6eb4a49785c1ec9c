/* Tells people what the guard absorbed: one line on stderr for the first fault of each kind in a process.
 *
 * The place where more diagnostics belong: every fault comes by here. Any thread, no lock held. */
#ifndef TG_DIAG_REPORT_H
#define TG_DIAG_REPORT_H

#include <stdbool.h>

#include "base/text.h"
#include "guard/fault.h"

struct tg_report_source {
  const char *(*addon_path)(const struct tg_addon *addon);
  bool (*find_path)(const void *code, char *path,
                    size_t size);            /* of the file with that code; false: unknown */
  bool (*add_runtime)(struct tg_text *line); /* "node 20.20.2"; false: nothing added */
};

void tg_report_open(const struct tg_report_source *source);

void tg_report_fault(const struct tg_fault *fault);

#endif
