/* Implements the description of the handle table. */
#include "diag/describe.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "diag/policy.h"
#include "diag/ring.h"

_Static_assert(TG_OPEN == (int)TSFN_GUARD_TABLE_OPEN &&
                   TG_CLOSING == (int)TSFN_GUARD_TABLE_CLOSING &&
                   TG_CLOSED == (int)TSFN_GUARD_TABLE_CLOSED,
               "states are described as they are");

static struct tsfn_guard_table_field whole(size_t offset, size_t size) {
  return (struct tsfn_guard_table_field){.offset = (uint16_t)offset, .size = (uint16_t)size};
}

/* C has no offsetof for a bit field: only the compiler knows where it is. So this function searches
 * for the bits that are set in a function in which everything else is 0. */
static struct tsfn_guard_table_field find_bits(const struct tg_function *function) {
  unsigned char bytes[sizeof *function];
  uint16_t offset = 0;
  memcpy(bytes, function, sizeof bytes);
  while (offset < sizeof bytes - 1 && bytes[offset] == 0) offset++;
  return (struct tsfn_guard_table_field){.offset = offset, .size = 1, .mask = bytes[offset]};
}

static void describe_bits(struct tsfn_guard_table *table, struct tg_function *function) {
  memset(function, 0, sizeof *function);
  function->state = 7; /* all of its bits */
  table->state = find_bits(function);
  function->state = 0;
  function->referenced = true;
  table->referenced = find_bits(function);
  function->referenced = false;
  function->finalized = true;
  table->finalized = find_bits(function);
}

static void describe_fields(struct tsfn_guard_table *table, const struct tg_function *function) {
  table->generation = whole(offsetof(struct tg_function, generation), sizeof function->generation);
  table->waiters = whole(offsetof(struct tg_function, waiters), sizeof function->waiters);
  table->thread_count =
      whole(offsetof(struct tg_function, thread_count), sizeof function->thread_count);
  table->max_queue_size =
      whole(offsetof(struct tg_function, max_queue_size), sizeof function->max_queue_size);
  table->pushed = whole(offsetof(struct tg_function, queue.pushed), sizeof function->queue.pushed);
  table->popped = whole(offsetof(struct tg_function, queue.popped), sizeof function->queue.popped);
  table->env = whole(offsetof(struct tg_function, env_number), sizeof function->env_number);
  table->addon = whole(offsetof(struct tg_function, addon), sizeof(void *));
  table->name = whole(offsetof(struct tg_function, name), sizeof function->name);
}

void tg_describe_mode(const char *mode) {
  tg_copy_string(tsfn_guard_ring.table.mode, sizeof tsfn_guard_ring.table.mode, mode);
}

void tg_describe_table(const struct tg_table *table, size_t addon_path) {
  struct tsfn_guard_table *to = &tsfn_guard_ring.table;
  struct tg_function function;
  describe_bits(to, &function);
  describe_fields(to, &function);
  to->seen = (uint64_t)(uintptr_t)tg_policy_seen_counts();
  to->kinds = TG_EVENT_KINDS;
  to->chunks = (uint64_t)(uintptr_t)table->chunks;
  to->chunk_count = TG_CHUNKS_MAX;
  to->chunk_slots = TG_CHUNK_SLOTS;
  to->used = (uint64_t)(uintptr_t)&table->fresh;
  to->slot_size = sizeof(struct tg_function);
  to->index_bits = TG_INDEX_BITS;
  to->addon_path = (uint32_t)addon_path;
  to->process = getpid();
  to->armed = tg_nanoseconds(CLOCK_REALTIME);
}
