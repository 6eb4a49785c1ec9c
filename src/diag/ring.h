/* Keeps the last events in the exported ring of include/tsfn_guard/ring.h. Guarded by the report's
 * lock. */
#ifndef TG_DIAG_RING_H
#define TG_DIAG_RING_H

#include "core/event.h"
#include "tsfn_guard/ring.h"

extern struct tsfn_guard_ring tsfn_guard_ring;

void tg_ring_push(const struct tg_event *event, const char *file);

#endif
