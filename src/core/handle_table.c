/* Implements handle_table.h: segments of address space, chunks of slots, and the lists of unused
 * slots. */
#include "core/handle_table.h"

_Static_assert(sizeof(uintptr_t) == 8, "handles need a 64-bit address space");
_Static_assert(TG_SEGMENT_BITS_MAX < 47, "handles stay canonical user addresses");
_Static_assert((1 << TG_INDEX_BITS_MIN) >= 2 * TG_FREE_SLOTS_MIN,
               "the smallest table can rest its slots");
_Static_assert(TG_SEGMENTS_MAX > TG_SEGMENT_BITS_MAX - TG_SEGMENT_BITS_MIN,
               "one of each size, and some more");

/* Acquire pairs with the release in add_segment: whoever sees the newest segment sees all of
 * them. */
static const struct tg_segment *newest(const struct tg_table *table) {
  return atomic_load_explicit(&table->newest, memory_order_acquire);
}

unsigned tg_table_segments(const struct tg_table *table) {
  const struct tg_segment *last = newest(table);
  return last == NULL ? 0 : (unsigned)(last - table->segments) + 1;
}

static uint32_t slot_count(const struct tg_table *table) {
  return 1U << newest(table)->index_bits;
}

/* The generation after the segment's last one. */
static uint32_t generations_end(const struct tg_segment *segment) {
  return segment->first_generation + (uint32_t)(segment->handles >> segment->index_bits);
}

/* Adds a segment of 2^bits bytes. */
static bool add_segment(struct tg_table *table, unsigned bits, unsigned index_bits,
                        uint32_t first_generation) {
  unsigned count = tg_table_segments(table);
  void *base = count == TG_SEGMENTS_MAX ? NULL : table->host->reserve((size_t)1 << bits);
  if (base == NULL) return false;
  struct tg_segment *segment = &table->segments[count];
  *segment = (struct tg_segment){.base = (uintptr_t)base,
                                 .handles = (uint64_t)1 << (bits - TG_HANDLE_SHIFT),
                                 .index_bits = index_bits,
                                 .first_generation = first_generation};
  atomic_store_explicit(&table->newest, segment, memory_order_release);
  return true;
}

bool tg_table_open(struct tg_table *table, const struct tg_host *host) {
  table->host = host;
  table->free_slots_min = TG_FREE_SLOTS_MIN;
  table->abandoned_max = TG_ABANDONED_MAX;
  return add_segment(table, TG_SEGMENT_BITS_MIN, TG_INDEX_BITS_MIN, 0);
}

void tg_table_close(struct tg_table *table) {
  for (uint32_t i = 0; i < TG_CHUNKS_MAX; i++) {
    struct tg_function *chunk = atomic_load_explicit(&table->chunks[i], memory_order_acquire);
    if (chunk != NULL) table->host->unmap(chunk, sizeof *chunk * TG_CHUNK_SLOTS);
  }
  for (unsigned i = 0; i < tg_table_segments(table); i++) {
    const struct tg_segment *segment = &table->segments[i];
    table->host->unmap((void *)segment->base, (size_t)segment->handles << TG_HANDLE_SHIFT);
  }
}

/* The number of a handle within its segment. For any other value the result is at least `handles`:
 * if a value is not aligned, its low bits become the highest bits here. */
static inline uint64_t ordinal(const struct tg_segment *segment, napi_threadsafe_function handle) {
  uint64_t offset = (uintptr_t)handle - segment->base;
  return offset >> TG_HANDLE_SHIFT | offset << (64 - TG_HANDLE_SHIFT);
}

static inline bool is_in(const struct tg_segment *segment, napi_threadsafe_function handle) {
  return ordinal(segment, handle) < segment->handles;
}

__attribute__((cold, noinline)) static const struct tg_segment *find_older_segment(
    const struct tg_table *table, napi_threadsafe_function handle) {
  for (const struct tg_segment *segment = newest(table); segment-- != table->segments;)
    if (is_in(segment, handle)) return segment;
  return NULL;
}

/* The segment of a handle; NULL: the value never was a handle. The newest segment is tried first,
 * because it has half of all handles. */
static inline const struct tg_segment *segment_of(const struct tg_table *table,
                                                  napi_threadsafe_function handle) {
  const struct tg_segment *last = newest(table);
  return is_in(last, handle) ? last : find_older_segment(table, handle);
}

static inline struct tg_function *slot_of(const struct tg_table *table, uint32_t index) {
  /* Acquire pairs with the release in use_fresh: whoever sees the chunk sees its first
   * generations. */
  struct tg_function *chunk =
      atomic_load_explicit(&table->chunks[index / TG_CHUNK_SLOTS], memory_order_acquire);
  return chunk == NULL ? NULL : &chunk[index % TG_CHUNK_SLOTS];
}

struct tg_function *tg_table_slot(struct tg_table *table, uint32_t index) {
  return index >= 1U << TG_INDEX_BITS ? NULL : slot_of(table, index);
}

/* All functions from here to take_slot_locked are called with free_lock held. */

static uint32_t link_to(const struct tg_function *slot) {
  return slot->index + 1;
}

static struct tg_function *linked(struct tg_table *table, uint32_t link) {
  return tg_table_slot(table, link - 1);
}

static void append_slot(struct tg_table *table, struct tg_slots *slots, struct tg_function *slot) {
  slot->next = 0;
  slot->previous = slots->newest;
  if (slots->newest == 0)
    slots->oldest = link_to(slot);
  else
    linked(table, slots->newest)->next = link_to(slot);
  slots->newest = link_to(slot);
  slots->count++;
}

static void remove_slot(struct tg_table *table, struct tg_slots *slots, struct tg_function *slot) {
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

static struct tg_function *remove_oldest_slot(struct tg_table *table, struct tg_slots *slots) {
  if (slots->oldest == 0) return NULL;
  struct tg_function *slot = linked(table, slots->oldest);
  remove_slot(table, slots, slot);
  return slot;
}

/* The number of free slots that have generations left. */
static uint32_t count_usable(const struct tg_table *table) {
  return table->free.count - table->spent_in_free;
}

static bool is_spent(const struct tg_table *table, const struct tg_function *slot) {
  return slot->generation >= generations_end(newest(table));
}

/* A segment was added, so all free slots have generations again. The slots that were set aside are
 * the oldest. */
static void return_spent(struct tg_table *table) {
  table->spent_in_free = 0;
  struct tg_slots younger = table->free;
  table->free = table->spent;
  table->spent = (struct tg_slots){0};
  if (younger.count == 0) return;
  if (table->free.count == 0) {
    table->free = younger;
    return;
  }
  linked(table, table->free.newest)->next = younger.oldest;
  linked(table, younger.oldest)->previous = table->free.newest;
  table->free.newest = younger.newest;
  table->free.count += younger.count;
}

/* Adds a segment for 2^index_bits slots. It is twice as large as the last one, or smaller if the
 * host refuses so much. */
static bool grow(struct tg_table *table, unsigned index_bits) {
  const struct tg_segment *last = newest(table);
  uint64_t taken = atomic_load_explicit(&table->taken, memory_order_relaxed);
  if (index_bits > TG_INDEX_BITS || taken < table->grows_at) return false;
  unsigned bits = TG_SEGMENT_BITS_MIN,
           least = index_bits + TG_HANDLE_SHIFT + TG_GENERATION_BITS_MIN;
  if (least < TG_SEGMENT_BITS_MIN) least = TG_SEGMENT_BITS_MIN;
  while (bits < TG_SEGMENT_BITS_MAX && (uint64_t)1 << (bits - TG_HANDLE_SHIFT) <= last->handles)
    bits++;
  while (bits >= least && !add_segment(table, bits, index_bits, generations_end(last))) bits--;
  if (bits < least) {
    table->grows_at = taken + TG_TAKES_BEFORE_RETRY;
    return false;
  }
  return_spent(table);
  return true;
}

/* Makes the chunk whose first slot has this index. Its slots start with the first generation of the
 * first segment that contains them. */
static struct tg_function *make_chunk(struct tg_table *table, uint32_t index) {
  struct tg_function *chunk = table->host->map(sizeof *chunk * TG_CHUNK_SLOTS);
  if (chunk == NULL) return NULL;
  const struct tg_segment *first = table->segments;
  while (index >> first->index_bits != 0) first++;
  if (first->first_generation == 0)
    return chunk; /* all zeroes; its pages stay untouched until they are used */
  for (uint32_t i = 0; i < TG_CHUNK_SLOTS; i++) chunk[i].generation = first->first_generation;
  return chunk;
}

/* Relaxed: the lock, which guards the writes, is held. */
static uint32_t fresh_index(const struct tg_table *table) {
  return atomic_load_explicit(&table->fresh, memory_order_relaxed);
}

/* Takes a slot that was never used; NULL: there is none, or no memory. */
static struct tg_function *use_fresh(struct tg_table *table) {
  uint32_t index = fresh_index(table);
  if (index == slot_count(table)) return NULL;
  uint32_t number = index / TG_CHUNK_SLOTS;
  struct tg_function *chunk = atomic_load_explicit(&table->chunks[number], memory_order_relaxed);
  if (chunk == NULL) {
    chunk = make_chunk(table, index);
    if (chunk == NULL) return NULL;
    atomic_store_explicit(&table->chunks[number], chunk, memory_order_release);
  }
  struct tg_function *slot = &chunk[index % TG_CHUNK_SLOTS];
  slot->index = index;
  /* Release: whoever sees the slot's index below `fresh` sees the slot's chunk. */
  atomic_store_explicit(&table->fresh, index + 1, memory_order_release);
  return slot;
}

/* Adds a segment if there is no fresh slot. The new segment has more slots than the last one only
 * if too few slots are free. */
static void add_segment_if_needed(struct tg_table *table) {
  if (fresh_index(table) != slot_count(table)) return;
  bool enough = table->free.count + table->spent.count >= table->free_slots_min;
  grow(table, newest(table)->index_bits + !enough);
}

/* Sets slots without generations aside until the oldest free slot can be used. The others keep
 * their order. */
static void set_spent_aside(struct tg_table *table) {
  struct tg_function *slot;
  while ((slot = linked(table, table->free.oldest)) != NULL && is_spent(table, slot)) {
    append_slot(table, &table->spent, remove_oldest_slot(table, &table->free));
    table->spent_in_free--;
  }
}

/* The oldest slot has rested so long that it is in no cache any more. The next create will use
 * it. */
static void prefetch_oldest(const struct tg_table *table) {
  if (table->free.oldest == 0) return;
  const char *slot = (const char *)slot_of(table, table->free.oldest - 1);
  for (size_t offset = 0; offset < sizeof(struct tg_function); offset += 64)
    __builtin_prefetch(slot + offset, 1);
}

static struct tg_function *take_slot_locked(struct tg_table *table) {
  struct tg_function *slot = NULL;
  set_spent_aside(table);
  if (count_usable(table) < table->free_slots_min) {
    add_segment_if_needed(table);
    if (count_usable(table) < table->free_slots_min) slot = use_fresh(table);
  }
  if (slot == NULL) slot = remove_oldest_slot(table, &table->free);
  prefetch_oldest(table);
  return slot;
}

/* To be called after each change of the list. Relaxed: a thread that reads a stale number only
 * reclaims a slot one create later. */
static void publish_abandoned(struct tg_table *table) {
  atomic_store_explicit(&table->abandoned_count, table->abandoned.count, memory_order_relaxed);
}

void tg_table_abandon(struct tg_table *table, struct tg_function *slot) {
  tg_lock_acquire(&table->free_lock, TG_RANK_FREE_SLOTS);
  slot->abandoned = true;
  append_slot(table, &table->abandoned, slot);
  publish_abandoned(table);
  tg_lock_release(&table->free_lock, TG_RANK_FREE_SLOTS);
}

struct tg_function *tg_table_take_abandoned(struct tg_table *table, uint32_t most,
                                            uint32_t *generation) {
  if (atomic_load_explicit(&table->abandoned_count, memory_order_relaxed) <= most) return NULL;
  tg_lock_acquire(&table->free_lock, TG_RANK_FREE_SLOTS);
  struct tg_function *slot = NULL;
  if (table->abandoned.count > most) slot = remove_oldest_slot(table, &table->abandoned);
  if (slot != NULL) {
    slot->abandoned = false;
    *generation = slot->generation;
    publish_abandoned(table);
  }
  tg_lock_release(&table->free_lock, TG_RANK_FREE_SLOTS);
  return slot;
}

static uint64_t make_number(uint32_t generation, uint32_t index) {
  return (uint64_t)generation << TG_INDEX_BITS | index;
}

uint64_t tg_table_number(const struct tg_function *slot) {
  return make_number(slot->generation, slot->index);
}

static inline uint32_t index_of(const struct tg_segment *segment, uint64_t number) {
  return (uint32_t)number & ((1U << segment->index_bits) - 1);
}

static inline uint32_t generation_of(const struct tg_segment *segment, uint64_t number) {
  return segment->first_generation + (uint32_t)(number >> segment->index_bits);
}

uint64_t tg_table_number_of(const struct tg_table *table, napi_threadsafe_function handle) {
  const struct tg_segment *segment = segment_of(table, handle);
  if (segment == NULL) return 0;
  uint64_t number = ordinal(segment, handle);
  return make_number(generation_of(segment, number), index_of(segment, number));
}

napi_threadsafe_function tg_table_handle(const struct tg_table *table,
                                         const struct tg_function *slot) {
  const struct tg_segment *segment = newest(table);
  while (segment->first_generation > slot->generation) segment--;
  uint64_t number =
      (uint64_t)(slot->generation - segment->first_generation) << segment->index_bits | slot->index;
  return (napi_threadsafe_function)(segment->base + (number << TG_HANDLE_SHIFT));
}

struct tg_function *tg_table_take(struct tg_table *table, napi_threadsafe_function *handle) {
  tg_lock_acquire(&table->free_lock, TG_RANK_FREE_SLOTS);
  /* Relaxed: the counter orders nothing, and is written only with the lock held. */
  uint64_t taken = atomic_load_explicit(&table->taken, memory_order_relaxed);
  atomic_store_explicit(&table->taken, taken + 1, memory_order_relaxed);
  struct tg_function *slot = take_slot_locked(table);
  tg_lock_release(&table->free_lock, TG_RANK_FREE_SLOTS);
  /* The slot's lock is not needed: a late caller with an older handle may hold it, but does not
   * change the generation of a free slot. */
  if (slot != NULL) *handle = tg_table_handle(table, slot);
  return slot;
}

void tg_table_put_back(struct tg_table *table, struct tg_function *slot) {
  tg_lock_acquire(&table->free_lock, TG_RANK_FREE_SLOTS);
  append_slot(table, &table->free, slot);
  tg_lock_release(&table->free_lock, TG_RANK_FREE_SLOTS);
}

void tg_table_expire(struct tg_table *table, struct tg_function *slot) {
  slot->state = TG_FREE;
  tg_lock_acquire(&table->free_lock, TG_RANK_FREE_SLOTS);
  if (slot->abandoned) {
    remove_slot(table, &table->abandoned, slot);
    publish_abandoned(table);
  }
  slot->abandoned = false;
  slot->generation++;
  append_slot(table, &table->free, slot);
  if (is_spent(table, slot)) table->spent_in_free++;
  tg_lock_release(&table->free_lock, TG_RANK_FREE_SLOTS);
}

uint32_t tg_table_used(struct tg_table *table) {
  return atomic_load_explicit(&table->fresh, memory_order_acquire);
}

bool tg_table_is_used_up(struct tg_table *table) {
  tg_lock_acquire(&table->free_lock, TG_RANK_FREE_SLOTS);
  set_spent_aside(table);
  bool used_up = fresh_index(table) == slot_count(table) && table->free.count == 0;
  tg_lock_release(&table->free_lock, TG_RANK_FREE_SLOTS);
  return used_up;
}

bool tg_table_is_outside(const struct tg_table *table, napi_threadsafe_function handle) {
  return segment_of(table, (napi_threadsafe_function)((uintptr_t)handle & ~(uintptr_t)15)) == NULL;
}

static inline struct tg_function *locate(const struct tg_table *table,
                                         napi_threadsafe_function handle, uint32_t *generation) {
  const struct tg_segment *segment = segment_of(table, handle);
  if (segment == NULL) return NULL;
  uint64_t number = ordinal(segment, handle);
  *generation = generation_of(segment, number);
  return slot_of(table, index_of(segment, number));
}

struct tg_function *tg_table_locate(struct tg_table *table, napi_threadsafe_function handle,
                                    uint32_t *generation) {
  return locate(table, handle, generation);
}

/* `inline` is a hint to the link-time optimizer: inlining saves twenty instructions. */
inline enum tg_lookup tg_table_lock(struct tg_function *slot, uint32_t generation,
                                    struct tg_function **found) {
  *found = NULL;
  if (slot == NULL) return TG_LOOKUP_INVALID;

  tg_lock_acquire(&slot->lock, TG_RANK_FUNCTION);
  enum tg_lookup lookup = TG_LOOKUP_REUSED;
  if (generation == slot->generation && slot->state > TG_CREATING)
    lookup = TG_LOOKUP_VALID;
  else if (generation >= slot->generation)
    lookup = TG_LOOKUP_INVALID;
  else if (generation + 1 == slot->generation && slot->state == TG_FREE)
    lookup = TG_LOOKUP_STALE;
  if (lookup == TG_LOOKUP_INVALID)
    tg_lock_release(&slot->lock, TG_RANK_FUNCTION);
  else
    *found = slot;
  return lookup;
}

enum tg_lookup tg_table_find(struct tg_table *table, napi_threadsafe_function handle,
                             struct tg_function **found) {
  uint32_t generation = 0;
  struct tg_function *slot = locate(table, handle, &generation);
  return tg_table_lock(slot, generation, found);
}
