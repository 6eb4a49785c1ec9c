/* Describes where a guarded process keeps its thread-safe functions. `tsfn-guard status` reads them
 * from outside. The description is the field `table` of the exported symbol tsfn_guard_ring
 * (ring.h); ring.h says how to find it there.
 *
 * Layout version 1. A later layout has another `version`; fields stay where they are as long as
 * `version` is 1, and `size` grows if fields are added at the end. The offsets in it are those of
 * this build of the library and differ from build to build. All numbers are in the machine's byte
 * order.
 *
 * The process continues to run while it is read, and a reader takes no lock. So what a reader finds
 * in a slot may mix two moments. A reader reads the slot's generation before and after, and must
 * not trust the rest either. */
#ifndef TSFN_GUARD_TABLE_H
#define TSFN_GUARD_TABLE_H

#include <stdint.h>

enum { TSFN_GUARD_TABLE_VERSION = 1 };

/* Values of the field `state`. Smaller values: there is no function. */
enum { TSFN_GUARD_TABLE_OPEN = 2, TSFN_GUARD_TABLE_CLOSING = 3, TSFN_GUARD_TABLE_CLOSED = 4 };

/* A number in a slot: the bits `mask` of the `size` bytes at `offset`, shifted down by the position
 * of the mask's lowest bit. Size 0: this library has no such field. */
struct tsfn_guard_table_field {
  uint16_t offset;
  uint16_t size; /* 1, 2, 4 or 8 */
  uint32_t mask; /* 0: all of it */
};

struct tsfn_guard_table {
  uint32_t version;
  uint32_t size;  /* of this struct */
  char guard[16]; /* the library's version */
  /* The option `mode`; empty: the process is no JavaScript runtime, and the library does
   * nothing. */
  char mode[16];
  uint64_t armed;  /* when the process was guarded, nanoseconds since 1970; 0: it is not guarded */
  int32_t process; /* the id, in its own PID namespace, of the process that was guarded */
  uint32_t kinds;  /* the number of counts at `seen` */
  uint64_t seen;   /* address of 64-bit counts of events, reported or not: [1] is TSG001 */

  uint64_t chunks;      /* address of an array of chunk addresses; an address of 0: not yet used */
  uint32_t chunk_count; /* the length of that array */
  uint32_t chunk_slots; /* slots in a chunk */
  uint64_t used;        /* address of a 32-bit number: slots from this one on were never used */
  uint32_t slot_size;
  uint32_t index_bits; /* a handle's number in reports is generation << index_bits | slot */

  struct tsfn_guard_table_field generation;
  struct tsfn_guard_table_field state;
  struct tsfn_guard_table_field referenced; /* 1: it keeps its event loop alive while it is open */
  struct tsfn_guard_table_field finalized;  /* 1: the finalizer has returned */
  struct tsfn_guard_table_field waiters;    /* threads that are blocked in a call */
  struct tsfn_guard_table_field thread_count;
  struct tsfn_guard_table_field max_queue_size; /* 0: no limit */
  struct tsfn_guard_table_field pushed;         /* `pushed` - `popped` items wait */
  struct tsfn_guard_table_field popped;
  struct tsfn_guard_table_field env;   /* the env's number, as in reports */
  struct tsfn_guard_table_field addon; /* address of the creator's record; 0: unknown */
  struct tsfn_guard_table_field name;  /* a text of `size` bytes with its NUL */
  /* offset in the creator's record of a pointer to the addon's path, a text with its NUL */
  uint32_t addon_path;
  uint32_t reserved;
};

#endif
