/* The handle table: gives out handles that are unforgeable and never reused, and finds the slot of any bit
 * pattern that an addon may hand in.
 *
 * A handle is an address in a PROT_NONE reservation. There is a small one at first, and another, twice as large, whenever
 * its handles are used up: a segment has all slots, in so many generations. Slots live in chunks that are neither freed
 * nor moved, and a segment is never given back, so finding a slot is safe for ever.
 *
 * Thread safety: tg_table_open is called once, before all else; every other function may be called by any
 * thread at any time. */
#ifndef TG_GUARD_HANDLE_TABLE_H
#define TG_GUARD_HANDLE_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/lock.h"
#include "guard/guarded_function.h"
#include "guard/runtime.h"

enum {
  TG_SEGMENT_BITS_MIN = 25, /* 32 MiB, the first one: 8,192 slots of 256 generations */
  TG_SEGMENT_BITS_MAX = 43, /* 8 TiB, the largest */
  TG_SEGMENTS_MAX = 32,
  TG_HANDLE_SHIFT = 4, /* handles are 16-byte aligned */
  TG_INDEX_BITS_MIN = 13,
  TG_INDEX_BITS =
      22, /* 4 million slots at most; a handle's number is its generation and its slot's index in so many bits */
  TG_GENERATION_BITS_MIN = 2, /* of a segment */
  TG_CHUNK_SLOTS = 1024,
  TG_CHUNKS_MAX = (1 << TG_INDEX_BITS) / TG_CHUNK_SLOTS,
  TG_TAKES_BEFORE_RETRY = 1024, /* once address space was refused */

  /* So many slots lie free before the oldest of them is used again: a late caller finds the truth for longer. */
  TG_FREE_SLOTS_MIN = 4096,

  /* So many finalized functions may wait for counts that never come back (a leak that Node, which frees them
   * under their threads, does not have); then the oldest becomes stale all the same. 3 MiB. So it does where no other
   * slot is left. */
  TG_ABANDONED_MAX = 16384,
};

/* A list of slots, oldest first; linked as struct tg_function tells. */
struct tg_slots {
  uint32_t oldest;
  uint32_t newest;
  uint32_t count;
};

/* A reservation: for each slot below 2^index_bits the addresses of some generations. The one after it begins with the
 * generation after its last, and has as many slots or more. A slot that came with a later segment begins in that one. */
struct tg_segment {
  uintptr_t base;
  uint64_t handles; /* how many */
  uint32_t index_bits;
  uint32_t first_generation;
};

struct tg_table {
  const struct tg_host *host;
  uint32_t free_slots_min; /* constant, as above; tests set their own */
  uint32_t abandoned_max;
  _Atomic(const struct tg_segment *) newest; /* of the segments; written with free_lock held, as these are */
  struct tg_segment segments[TG_SEGMENTS_MAX]; /* constant, up to the newest */
  _Atomic(struct tg_function *) chunks[TG_CHUNKS_MAX];

  /* The exit handler reads these without free_lock, as it must not wait. */
  _Atomic uint32_t fresh; /* the first slot that was never used; written with the lock held */
  _Atomic uint64_t taken; /* how often a slot was asked for */

  struct tg_lock free_lock;  /* guards what follows; rank TG_RANK_FREE_SLOTS */
  uint64_t grows_at;         /* `taken` from which on address space is asked for again */
  struct tg_slots free;      /* no handle of theirs is valid */
  uint32_t spent_in_free;    /* how many of them have no generation left, and are not set aside yet */
  struct tg_slots spent;     /* free too, but without generations as long as there is no other segment */
  struct tg_slots abandoned; /* finalized, but counts are out */
};

enum tg_verdict {
  TG_NEVER_A_HANDLE,
  TG_HANDLE_VALID,        /* the slot is in this handle's generation */
  TG_HANDLE_STALE,        /* was a handle; the slot still remembers it */
  TG_HANDLE_STALE_REUSED, /* was a handle; the slot serves another by now */
};

/* Reserves the first segment. False: there is no address space for it. */
bool tg_table_open(struct tg_table *table, const struct tg_host *host);

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

/* The function is finalized, but counts are out: its slot may be taken from it when too many are like that.
 * Called with the slot's lock held. */
void tg_table_abandon(struct tg_table *table, struct tg_function *slot);

/* The slot of a handle, and the generation that it is of. NULL: never was a handle, and never will be. Takes no lock. */
struct tg_function *tg_table_locate(struct tg_table *table, napi_threadsafe_function handle,
                                    uint32_t *generation);

/* The slot of a handle, its lock held by the caller now; *slot is NULL for TG_NEVER_A_HANDLE. */
enum tg_verdict tg_table_find(struct tg_table *table, napi_threadsafe_function handle,
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
