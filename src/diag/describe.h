/* Describes the handle table for `tsfn-guard status`, which reads it from outside
 * (include/tsfn_guard/table.h).
 *
 * Call these functions before the process has threads that use the guard. */
#ifndef TG_DIAG_DESCRIBE_H
#define TG_DIAG_DESCRIBE_H

#include <stddef.h>

#include "core/types.h"

/* Records that the process is a JavaScript runtime, and its option `mode`. */
void tg_describe_mode(const char *mode);

/* Records that the process is guarded from now on. `addon_path` is the offset, in the host's record
 * of an addon, of the pointer to the addon's path. */
void tg_describe_table(const struct tg_table *table, size_t addon_path);

#endif
