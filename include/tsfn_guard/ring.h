/* The last events of a guarded process, for debuggers: lies in the exported symbol tsfn_guard_ring, so that it can
 * be read from a core dump (ring.gdb does it).
 *
 * Layout version 1. A later version changes `version`, and what is there stays where it is for as long as
 * `version` is 1. All numbers in the machine's byte order. The process writes it with a lock held and never reads
 * it; a core may have caught one record half written: its `sequence` is 0 then. */
#ifndef TSFN_GUARD_RING_H
#define TSFN_GUARD_RING_H

#include <stdint.h>

enum { TSFN_GUARD_RING_VERSION = 1, TSFN_GUARD_RING_RECORDS = 64 };

struct tsfn_guard_ring_record {
  uint64_t sequence; /* 1 for the process's first event; 0: empty, or half written */
  uint64_t time;     /* nanoseconds since 1970 */
  uint32_t kind;     /* 1 is TSG001 */
  int32_t thread;    /* its kernel id */
  uint64_t handle;   /* the value that the addon gave; 0: none */
  uint64_t caller;   /* code address in the addon; 0: unknown */
  uint64_t number;   /* the handle's, as in reports */
  uint64_t quantity; /* what it counts depends on the kind; 0: nothing */
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
  uint32_t reserved;
  uint64_t next; /* the sequence that the next event will get; its record is at (next - 1) % records */
  struct tsfn_guard_ring_record record[TSFN_GUARD_RING_RECORDS];
};

#endif
