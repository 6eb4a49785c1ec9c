/* Implements the handle table. */
#include "guard/handle_table.h"

_Static_assert(sizeof(uintptr_t) == 8, "handles need a 64-bit address space");
_Static_assert(TG_TABLE_BITS_MAX < 47, "handles stay canonical user addresses");
_Static_assert((1 << (TG_TABLE_BITS_MIN / 2)) >= 2 * TG_FREE_SLOTS_MIN,
               "the smallest table can rest its slots");
_Static_assert((1 << (TG_TABLE_BITS_MIN / 2)) >= 2 * TG_ABANDONED_MAX,
               "the smallest table has room for the living");
_Static_assert(TG_TABLE_BITS_MAX / 2 < 32, "a slot's index is a uint32_t");

static uint32_t slot_count(const struct tg_table *table) {
  return 1U << table->index_bits;
}

bool tg_table_open(struct tg_table *table, const struct tg_host *host, unsigned bits) {
  void *base = NULL;
  for (; bits >= TG_TABLE_BITS_MIN && (base = host->reserve((size_t)1 << bits)) == NULL; bits--) {
  }
  if (base == NULL) return false;
  table->host = host;
  table->base = (uintptr_t)base;
  table->handles = (uint64_t)1 << (bits - TG_HANDLE_SHIFT);
  table->index_bits = bits / 2;
  table->generation_bits = bits - TG_HANDLE_SHIFT - table->index_bits;
  table->free_slots_min = TG_FREE_SLOTS_MIN;
  table->abandoned_max = TG_ABANDONED_MAX;
  return true;
}

struct tg_function *tg_table_slot(struct tg_table *table, uint32_t index) {
  if (index >= slot_count(table)) return NULL;
  /* Acquire pairs with the release in use_fresh: who sees the chunk sees it as the kernel gave it, zeroed. */
  struct tg_function *chunk =
      atomic_load_explicit(&table->chunks[index / TG_CHUNK_SLOTS], memory_order_acquire);
  return chunk == NULL ? NULL : &chunk[index % TG_CHUNK_SLOTS];
}

/* What follows, down to take_locked, is called with free_lock held. */

static uint32_t link_to(const struct tg_function *slot) {
  return slot->index + 1;
}

static struct tg_function *linked(struct tg_table *table, uint32_t link) {
  return tg_table_slot(table, link - 1);
}

static void append(struct tg_table *table, struct tg_slots *slots, struct tg_function *slot) {
  slot->next = 0;
  slot->previous = slots->newest;
  if (slots->newest == 0)
    slots->oldest = link_to(slot);
  else
    linked(table, slots->newest)->next = link_to(slot);
  slots->newest = link_to(slot);
  slots->count++;
}

static void remove_from(struct tg_table *table, struct tg_slots *slots, struct tg_function *slot) {
  if (slot->previous == 0)
    slots->oldest = slot->next;
  else
    linked(table, slot->previous)->next = slot->next;
  if (slot->next == 0)
    slots->newest = slot->previous;
  else
    linked(table, slot->next)->previous = slot->previous;
  slots->count--;
}

static struct tg_function *remove_oldest(struct tg_table *table, struct tg_slots *slots) {
  if (slots->oldest == 0) return NULL;
  struct tg_function *slot = linked(table, slots->oldest);
  remove_from(table, slots, slot);
  return slot;
}

static struct tg_function *use_fresh(struct tg_table *table) {
  if (table->fresh == slot_count(table)) return NULL;
  uint32_t number = table->fresh / TG_CHUNK_SLOTS;
  struct tg_function *chunk = atomic_load_explicit(&table->chunks[number], memory_order_relaxed);
  if (chunk == NULL) {
    chunk = table->host->map(sizeof *chunk * TG_CHUNK_SLOTS);
    if (chunk == NULL) return NULL;
    atomic_store_explicit(&table->chunks[number], chunk, memory_order_release);
  }
  struct tg_function *slot = &chunk[table->fresh % TG_CHUNK_SLOTS];
  slot->index = table->fresh++;
  return slot;
}

static struct tg_function *take_locked(struct tg_table *table) {
  struct tg_function *slot = NULL;
  if (table->free.count < table->free_slots_min) slot = use_fresh(table);
  if (slot == NULL) slot = remove_oldest(table, &table->free);
  return slot;
}

void tg_table_abandon(struct tg_table *table, struct tg_function *slot) {
  tg_lock_acquire(&table->free_lock, TG_RANK_FREE_SLOTS);
  slot->abandoned = true;
  append(table, &table->abandoned, slot);
  tg_lock_release(&table->free_lock, TG_RANK_FREE_SLOTS);
}

/* Takes the oldest abandoned slot out of its list when there are too many; *generation is its own of now. */
static struct tg_function *remove_oldest_abandoned(struct tg_table *table, uint32_t *generation) {
  tg_lock_acquire(&table->free_lock, TG_RANK_FREE_SLOTS);
  struct tg_function *slot = NULL;
  if (table->abandoned.count > table->abandoned_max) slot = remove_oldest(table, &table->abandoned);
  if (slot != NULL) {
    slot->abandoned = false;
    *generation = slot->generation;
  }
  tg_lock_release(&table->free_lock, TG_RANK_FREE_SLOTS);
  return slot;
}

/* Makes the oldest abandoned function stale when there are too many. Its counts become release credit. */
static void reclaim_abandoned(struct tg_table *table) {
  uint32_t generation;
  struct tg_function *slot = remove_oldest_abandoned(table, &generation);
  if (slot == NULL) return;
  tg_lock_acquire(&slot->lock, TG_RANK_FUNCTION);
  if (slot->generation != generation) {
    /* its last count came back in the meantime */
  } else if (slot->sleepers != 0) {
    tg_table_abandon(table, slot);
  } else {
    tg_function_forget_counts(slot);
    tg_table_expire(table, slot);
  }
  tg_lock_release(&slot->lock, TG_RANK_FUNCTION);
}

uint64_t tg_table_number(const struct tg_table *table, const struct tg_function *slot) {
  return (uint64_t)slot->generation << table->index_bits | slot->index;
}

uint64_t tg_table_number_of(const struct tg_table *table, napi_threadsafe_function handle) {
  return ((uintptr_t)handle - table->base) >> TG_HANDLE_SHIFT;
}

napi_threadsafe_function tg_table_handle(const struct tg_table *table, const struct tg_function *slot) {
  return (napi_threadsafe_function)(table->base + (tg_table_number(table, slot) << TG_HANDLE_SHIFT));
}

struct tg_function *tg_table_take(struct tg_table *table, napi_threadsafe_function *handle) {
  reclaim_abandoned(table);
  tg_lock_acquire(&table->free_lock, TG_RANK_FREE_SLOTS);
  struct tg_function *slot = take_locked(table);
  table->taken++;
  tg_lock_release(&table->free_lock, TG_RANK_FREE_SLOTS);
  if (slot == NULL) return NULL;
  /* A late caller of an older generation may hold the lock, but never writes a free slot's generation. */
  *handle = tg_table_handle(table, slot);
  return slot;
}

void tg_table_put_back(struct tg_table *table, struct tg_function *slot) {
  tg_lock_acquire(&table->free_lock, TG_RANK_FREE_SLOTS);
  append(table, &table->free, slot);
  tg_lock_release(&table->free_lock, TG_RANK_FREE_SLOTS);
}

void tg_table_expire(struct tg_table *table, struct tg_function *slot) {
  const struct tg_observer *observer = table->host->observer;
  if (observer != NULL && observer->expired != NULL) observer->expired(slot);
  slot->state = TG_FREE;
  tg_lock_acquire(&table->free_lock, TG_RANK_FREE_SLOTS);
  if (slot->abandoned) remove_from(table, &table->abandoned, slot);
  slot->abandoned = false;
  slot->generation++;
  if (slot->generation < 1U << table->generation_bits)
    append(table, &table->free, slot);
  else
    table->retired++; /* and never used again */
  tg_lock_release(&table->free_lock, TG_RANK_FREE_SLOTS);
}

uint32_t tg_table_used(struct tg_table *table) {
  return table->fresh;
}

bool tg_table_is_used_up(struct tg_table *table) {
  tg_lock_acquire(&table->free_lock, TG_RANK_FREE_SLOTS);
  bool used_up = table->fresh == slot_count(table) && table->free.count == 0;
  tg_lock_release(&table->free_lock, TG_RANK_FREE_SLOTS);
  return used_up;
}

bool tg_table_is_outside(const struct tg_table *table, napi_threadsafe_function handle) {
  return ((uintptr_t)handle - table->base) >> TG_HANDLE_SHIFT >= table->handles;
}

enum tg_verdict tg_table_find(struct tg_table *table, napi_threadsafe_function handle,
                              struct tg_function **found) {
  *found = NULL;
  uint64_t offset = (uintptr_t)handle - table->base;
  if ((offset & ((1U << TG_HANDLE_SHIFT) - 1)) != 0) return TG_NEVER_A_HANDLE;
  uint64_t number = offset >> TG_HANDLE_SHIFT; /* huge for an address below the reservation */
  if (number >= table->handles) return TG_NEVER_A_HANDLE;
  struct tg_function *slot = tg_table_slot(table, (uint32_t)(number & (slot_count(table) - 1)));
  if (slot == NULL) return TG_NEVER_A_HANDLE;
  uint32_t generation = (uint32_t)(number >> table->index_bits);

  tg_lock_acquire(&slot->lock, TG_RANK_FUNCTION);
  enum tg_verdict verdict = TG_HANDLE_STALE_REUSED;
  if (generation == slot->generation && slot->state > TG_CREATING)
    verdict = TG_HANDLE_VALID;
  else if (generation >= slot->generation)
    verdict = TG_NEVER_A_HANDLE;
  else if (generation + 1 == slot->generation && slot->state == TG_FREE)
    verdict = TG_HANDLE_STALE;
  if (verdict == TG_NEVER_A_HANDLE)
    tg_lock_release(&slot->lock, TG_RANK_FUNCTION);
  else
    *found = slot;
  return verdict;
}
