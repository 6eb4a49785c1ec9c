/* The handle table: gives out handles that are unforgeable and never reused, and finds the slot of any bit
 * pattern that an addon may hand in.
 *
 * A handle is an address in a PROT_NONE reservation. There is a small one at first, and another, twice as large, whenever
 * its handles are used up: a segment has all slots, in so many generations. Slots live in chunks that are neither freed
 * nor moved, and a segment is never given back, so finding a slot is safe for ever.
 *
 * Thread safety: tg_table_open is called once, before all else; every other function may be called by any
 * thread at any time. */
#ifndef TG_CORE_HANDLE_TABLE_H
#define TG_CORE_HANDLE_TABLE_H

#include "core/types.h"

/* Reserves the first segment. False: there is no address space for it. */
bool tg_table_open(struct tg_table *table, const struct tg_host *host);

/* Gives all memory and address space back. No handle may be used any more. */
void tg_table_close(struct tg_table *table);

/* How many segments there are. */
unsigned tg_table_segments(const struct tg_table *table);

/* A slot in state TG_FREE and, in *handle, the handle that it has from now on. NULL: no memory, or every
 * handle is used up. */
struct tg_function *tg_table_take(struct tg_table *table, napi_threadsafe_function *handle);

/* Whether no slot is left, and none will come back but those that are in use now. */
bool tg_table_is_used_up(struct tg_table *table);

/* Whether a value is outside of all reservations, and so never was a handle. */
bool tg_table_is_outside(const struct tg_table *table, napi_threadsafe_function handle);

/* Gives a slot in state TG_CREATING back: its handle was never shown to anybody. Its lock is not held. */
void tg_table_put_back(struct tg_table *table, struct tg_function *slot);

/* Ends the slot's handle: from now on it is stale. Called with the slot's lock held, once nobody is inside. */
void tg_table_expire(struct tg_table *table, struct tg_function *slot);

/* The function is finalized, but counts are out: puts its slot into the list of those that may be taken from it.
 * Called with the slot's lock held. */
void tg_table_abandon(struct tg_table *table, struct tg_function *slot);

/* Takes the oldest abandoned slot out of its list if there are more than `most`; *generation is its own of now. NULL:
 * there are not. */
struct tg_function *tg_table_take_abandoned(struct tg_table *table, uint32_t most, uint32_t *generation);

/* The slot of a handle, and the generation that it is of. NULL: never was a handle, and never will be. Takes no lock. */
struct tg_function *tg_table_locate(struct tg_table *table, napi_threadsafe_function handle,
                                    uint32_t *generation);

/* The slot of a handle, its lock held by the caller now; *slot is NULL for TG_LOOKUP_INVALID. */
enum tg_lookup tg_table_find(struct tg_table *table, napi_threadsafe_function handle,
                             struct tg_function **slot);

/* The handle that the slot has now, and its number: unique for ever in this table. The slot's lock is held,
 * or its generation cannot change. */
__attribute__((pure)) napi_threadsafe_function tg_table_handle(const struct tg_table *table,
                                                               const struct tg_function *slot);
uint64_t tg_table_number(const struct tg_function *slot);

/* The number of a value that is or was a handle, and the generation in such a number. */
uint64_t tg_table_number_of(const struct tg_table *table, napi_threadsafe_function handle);
static inline uint32_t tg_number_generation(uint64_t number) {
  return (uint32_t)(number >> TG_INDEX_BITS);
}

/* For walks: how many slots were ever used, and the slot of an index below that. Takes no lock. */
uint32_t tg_table_used(struct tg_table *table);
struct tg_function *tg_table_slot(struct tg_table *table, uint32_t index);

#endif
