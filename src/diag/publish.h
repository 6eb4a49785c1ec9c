/* publish=1: keeps the memory of include/tsfn_guard/published.h up to date, which `tsfn-guard top`
 * reads.
 *
 * It is an observer that writes each change in place. It needs no thread and no lock, and makes a
 * system call only when a part of the memory is first used. Each word has one writer at a time: the
 * function's loop thread, or the thread that holds the function's lock.
 *
 * The memory is a sealed memfd with mode 0400, mapped and held open. It is not a file in /dev/shm,
 * for four reasons: a memfd leaves nothing behind however the process ends, nobody can occupy its
 * name, only those who may inspect /proc/PID can find it, and a full /dev/shm cannot turn a write
 * into SIGBUS. A child that was forked without exec, by whatever system call, writes nothing. */
#ifndef TG_DIAG_PUBLISH_H
#define TG_DIAG_PUBLISH_H

#include "core/api.h"
#include "diag/report.h"
#include "tsfn_guard/published.h"

/* Returns an observer that publishes and then calls `next`, which may be NULL. Without the memory,
 * prints one line on stderr and returns `next` itself. Call it once, before the first handle. */
const struct tg_observer *tg_publish_open(const struct tg_report_source *source, bool diagnose,
                                          const struct tg_observer *next);

/* How many calls got each answer, summed up over all functions that have a record. */
struct tg_published_calls {
  uint64_t ok;
  uint64_t queue_full;
  uint64_t closing;
};

/* Any thread. False: this process publishes nothing. */
bool tg_publish_count_calls(struct tg_published_calls *calls);

/* Publishes the count of a kind (diag/policy.h) after it has changed. Called with the report's lock
 * held. */
void tg_publish_event(enum tg_event_kind kind);

#endif
