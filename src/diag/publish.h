/* publish=1: keeps the memory of include/tsfn_guard/published.h up to date, which `tsfn-guard top` reads.
 *
 * An observer that writes down what happens anyway, in place: no thread, no lock, and no system call but where a part of
 * the memory is used for the first time. Each word has one writer at a time: the function's loop thread, or whoever
 * holds the function's lock.
 *
 * The memory is a memfd, sealed and with mode 0400, mapped and held open. Not a file in /dev/shm: nothing is left behind
 * whatever ends the process, nobody can have taken its name, only who may look into /proc/PID can find it, and a full
 * /dev/shm cannot make a write fail, which would be SIGBUS. A child that was forked without exec, in whatever way,
 * writes nothing. */
#ifndef TG_DIAG_PUBLISH_H
#define TG_DIAG_PUBLISH_H

#include "core/api.h"
#include "diag/report.h"
#include "tsfn_guard/published.h"

/* An observer for the tg_host that publishes and hands on to `next`, which may be NULL. `next` itself, and one line on
 * stderr, where there is no such memory. Once, before the first handle. */
const struct tg_observer *tg_publish_open(const struct tg_report_source *source, bool diagnose,
                                          const struct tg_observer *next);

/* One more event of this kind was counted (diag/policy.h). With the report's lock held. */
void tg_publish_event(enum tg_event_kind kind);

#endif
