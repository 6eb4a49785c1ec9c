/* Describes the handle table for `tsfn-guard status`, which reads it from outside
 * (include/tsfn_guard/table.h).
 *
 * To be called before the process has threads that use the guard. */
#ifndef TG_DIAG_DESCRIBE_H
#define TG_DIAG_DESCRIBE_H

#include <stddef.h>

#include "core/types.h"

/* The process is a JavaScript runtime, and this is its option `mode`. */
void tg_describe_mode(const char *mode);

/* The process is guarded from now on. `addon_path` is where in the host's record of an addon the
 * pointer to its path lies. */
void tg_describe_table(const struct tg_table *table, size_t addon_path);

#endif
