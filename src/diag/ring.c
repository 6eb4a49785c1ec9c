/* Implements the ring. */
#include "diag/ring.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "tsfn_guard/tsfn_guard.h"

_Static_assert(sizeof(struct tsfn_guard_ring_record) == 160, "layout version 1");
_Static_assert(offsetof(struct tsfn_guard_ring, record) == 40, "layout version 1");
_Static_assert(offsetof(struct tsfn_guard_table, armed) == 40, "layout version 1 of the table");
_Static_assert(offsetof(struct tsfn_guard_table, chunks) == 64, "layout version 1 of the table");
_Static_assert(offsetof(struct tsfn_guard_table, generation) == 96,
               "layout version 1 of the table");
_Static_assert(offsetof(struct tsfn_guard_table, addon_path) == 192,
               "layout version 1 of the table");
_Static_assert(sizeof(struct tsfn_guard_table) == 200, "layout version 1 of the table");

__attribute__((visibility("default"))) struct tsfn_guard_ring tsfn_guard_ring = {
    .magic = "tsfn-guard ring",
    .version = TSFN_GUARD_RING_VERSION,
    .record_size = sizeof(struct tsfn_guard_ring_record),
    .records = TSFN_GUARD_RING_RECORDS,
    .table_offset = offsetof(struct tsfn_guard_ring, table),
    .next = 1,
    .table = {.version = TSFN_GUARD_TABLE_VERSION,
              .size = sizeof(struct tsfn_guard_table),
              .guard = TSFN_GUARD_VERSION},
};

void tg_ring_push(const struct tg_event *event, const char *file) {
  uint64_t sequence = tsfn_guard_ring.next++;
  struct tsfn_guard_ring_record *record =
      &tsfn_guard_ring.record[(sequence - 1) % TSFN_GUARD_RING_RECORDS];
  record->sequence = 0;
  atomic_signal_fence(memory_order_seq_cst);
  record->time = tg_nanoseconds(CLOCK_REALTIME);
  record->kind = event->kind;
  record->thread = (int32_t)syscall(SYS_gettid);
  record->handle = (uint64_t)(uintptr_t)event->handle;
  record->caller = (uint64_t)(uintptr_t)event->caller;
  record->number = event->snapshot.number;
  record->quantity = event->quantity;
  record->env = event->snapshot.env;
  record->answer = event->answered ? (int32_t)event->answer : -1;
  tg_copy_string(record->name, sizeof record->name, event->snapshot.name);
  tg_copy_end(record->file, sizeof record->file, file);
  atomic_signal_fence(memory_order_seq_cst);
  record->sequence = sequence;
}
