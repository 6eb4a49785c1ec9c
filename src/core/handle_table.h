/* The handle table: gives out handles that cannot be forged and are never reused, and finds the
 * slot of any bit pattern that an addon may pass.
 *
 * A handle is an address in a reservation of inaccessible address space, called a segment. The
 * first segment is small. When its handles are used up, another one is added that is twice as
 * large. Each segment covers all slots, for a number of generations. Slots live in chunks that are
 * never freed or moved, and segments are never given back, so it is always safe to look up a slot.
 *
 * Thread safety: tg_table_open is called once, before all others, and tg_table_close after all
 * others. Any thread may call the rest at any time. */
#ifndef TG_CORE_HANDLE_TABLE_H
#define TG_CORE_HANDLE_TABLE_H

#include "core/types.h"

/* Reserves the first segment. False: there is no address space for it. */
bool tg_table_open(struct tg_table *table, const struct tg_host *host);

/* Gives all memory and address space back. */
void tg_table_close(struct tg_table *table);

/* The number of segments. */
unsigned tg_table_segments(const struct tg_table *table);

/* Takes a free slot. *handle is its handle from now on. NULL: there is no memory, or all handles
 * are used up. */
struct tg_function *tg_table_take(struct tg_table *table, napi_threadsafe_function *handle);

/* Whether no slot is left: each one is in use, or has no generation left. */
bool tg_table_is_used_up(struct tg_table *table);

/* Whether a value is outside all segments, and so never was a handle. */
bool tg_table_is_outside(const struct tg_table *table, napi_threadsafe_function handle);

/* Gives back a slot whose handle nobody has seen. The slot's lock is not held. */
void tg_table_put_back(struct tg_table *table, struct tg_function *slot);

/* Makes the slot's handle stale and frees the slot. The slot's lock is held, and no caller waits
 * inside. */
void tg_table_expire(struct tg_table *table, struct tg_function *slot);

/* Puts a finalized function that has counts out into the list of abandoned slots. The slot's lock
 * is held. */
void tg_table_abandon(struct tg_table *table, struct tg_function *slot);

/* Takes the oldest slot out of the list of abandoned slots if there are more than `most`, and sets
 * *generation to the slot's generation. NULL: there are no more than `most`. No lock is held. */
struct tg_function *tg_table_take_abandoned(struct tg_table *table, uint32_t most,
                                            uint32_t *generation);

/* Finds the slot and the generation of a handle without a lock. NULL: the value was never a
 * handle. */
struct tg_function *tg_table_locate(struct tg_table *table, napi_threadsafe_function handle,
                                    uint32_t *generation);

/* Locks a slot that tg_table_locate has found, and compares the generation. `slot` may be NULL. If
 * the answer is TG_LOOKUP_INVALID, *found is NULL, and the slot is not locked. */
enum tg_lookup tg_table_lock(struct tg_function *slot, uint32_t generation,
                             struct tg_function **found);

/* tg_table_locate and tg_table_lock in one call, for tests. */
enum tg_lookup tg_table_find(struct tg_table *table, napi_threadsafe_function handle,
                             struct tg_function **found);

/* The slot's present handle, and its number, which no other handle of the table ever has. The
 * slot's lock is held, or its generation cannot change. */
__attribute__((pure)) napi_threadsafe_function tg_table_handle(const struct tg_table *table,
                                                               const struct tg_function *slot);
uint64_t tg_table_number(const struct tg_function *slot);

/* The number of a value that is or was a handle, and the generation in a number. */
uint64_t tg_table_number_of(const struct tg_table *table, napi_threadsafe_function handle);
static inline uint32_t tg_number_generation(uint64_t number) {
  return (uint32_t)(number >> TG_INDEX_BITS);
}

/* For walks: how many slots were ever used, and the slot of an index below that. No lock is
 * taken. */
uint32_t tg_table_used(struct tg_table *table);
struct tg_function *tg_table_slot(struct tg_table *table, uint32_t index);

#endif
