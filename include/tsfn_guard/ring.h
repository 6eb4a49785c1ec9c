/* The last events of a guarded process, for debuggers. The ring is the exported symbol
 * tsfn_guard_ring, so it can be read from a core dump (ring.gdb does so).
 *
 * Layout version 1. A later layout has another `version`; fields stay where they are as long as
 * `version` is 1. All numbers are in the machine's byte order. The process writes the ring with a
 * lock held. A core dump may contain one half-written record, whose `sequence` is 0. */
#ifndef TSFN_GUARD_RING_H
#define TSFN_GUARD_RING_H

#include <stdint.h>

#include "tsfn_guard/table.h"

enum { TSFN_GUARD_RING_VERSION = 1, TSFN_GUARD_RING_RECORDS = 64 };

struct tsfn_guard_ring_record {
  uint64_t sequence; /* 1 for the process's first event; 0: empty, or half written */
  uint64_t time;     /* nanoseconds since 1970 */
  uint32_t kind;     /* 1 is TSG001 */
  int32_t thread;    /* the kernel's thread id */
  uint64_t handle;   /* the value that the addon passed; 0: none */
  uint64_t caller;   /* code address in the addon; 0: unknown */
  uint64_t number;   /* the handle's number, as in reports */
  uint64_t quantity; /* its meaning depends on the kind; 0: nothing */
  uint32_t env;      /* the env's number; 0: unknown */
  int32_t answer;    /* the napi_status returned; -1: none */
  char name[32];     /* the async resource name, with its NUL */
  char file[64];     /* the end of the addon's path, with its NUL */
};

struct tsfn_guard_ring {
  char magic[16]; /* "tsfn-guard ring" */
  uint32_t version;
  uint32_t record_size;
  uint32_t records;
  uint32_t table_offset; /* of `table` in this struct; 0: this library has none */
  uint64_t next;         /* the sequence of the next event; its record is at (next - 1) % records */
  struct tsfn_guard_ring_record record[TSFN_GUARD_RING_RECORDS];
  /* where the functions are (table.h); constant once it is guarded */
  struct tsfn_guard_table table;
};

#endif
