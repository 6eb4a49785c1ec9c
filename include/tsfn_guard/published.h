/* The figures that a guarded process publishes with publish=1: memory that it updates in place
 * while it runs, and that other processes of the same user may read. `tsfn-guard top` is such a
 * reader (docs/command.md says how to find the memory).
 *
 * Layout version 1. A later layout has another `version`; fields stay where they are as long as
 * `version` is 1. All numbers are in the machine's byte order; times are nanoseconds of
 * CLOCK_MONOTONIC. Every word is written atomically, most of them at any time, so a reader loads
 * each word once. A reader must not trust the content: a number may have any value, and a text may
 * lack its NUL. */
#ifndef TSFN_GUARD_PUBLISHED_H
#define TSFN_GUARD_PUBLISHED_H

#include <stdint.h>

/* The memory is a memfd with this name: "/memfd:tsfn-guard (deleted)" in /proc/PID/fd. */
#define TSFN_GUARD_PUBLISHED_NAME "tsfn-guard"
#define TSFN_GUARD_PUBLISHED_MAGIC "tsfn-guard live"

enum {
  TSFN_GUARD_PUBLISHED_VERSION = 1,
  TSFN_GUARD_PUBLISHED_RECORDS = 262144,
  TSFN_GUARD_PUBLISHED_EVENTS = 64,
  TSFN_GUARD_PUBLISHED_ADDONS = 64
};

enum { TSFN_GUARD_OPEN = 2, TSFN_GUARD_CLOSING = 3, TSFN_GUARD_CLOSED = 4 };

/* A slot of the handle table and the function that it currently serves. The process sets `mark` to
 * 0 before it writes anything about a function, and to its value last. So a reader that finds the
 * same mark before and after has not mixed two functions. Counters belong to the slot and are never
 * reset, so sums over all records only grow. */
struct tsfn_guard_record {
  /* Constant for a function, except `delivered` and `finalized`, which its loop thread writes. */
  uint64_t mark; /* the slot's generation plus 1; 0: no function */
  uint64_t created;
  uint64_t max_queue_size; /* 0: no limit */
  uint64_t delivered;      /* items taken from the queue, whether or not their callback succeeded */
  uint32_t env;            /* the env's number */
  uint32_t addon;          /* the creator's index in `addons` plus 1; 0: unknown */
  uint32_t finalized;      /* not 0: the finalizer has returned */
  uint32_t reserved;
  char name[32]; /* the async resource name, with its NUL */

  /* Written by callers. */
  uint64_t calls;        /* answered with napi_ok; `calls` - `delivered` is the queue length */
  uint64_t calls_before; /* what `calls` was at the create; constant for a function */
  uint64_t queue_full;   /* calls answered with napi_queue_full */
  uint64_t closing;      /* calls answered with napi_closing */
  uint64_t thread_count;
  uint32_t state; /* TSFN_GUARD_OPEN, … */
  uint32_t reserved_too;
};

struct tsfn_guard_published_addon {
  uint32_t known; /* not 0: `path` is set and constant */
  uint32_t reserved;
  char path[184]; /* the end of the path, with its NUL */
};

struct tsfn_guard_published {
  /* Constant. */
  char magic[16]; /* written last */
  uint32_t version;
  uint32_t head_size; /* the size of this struct up to the first record */
  uint32_t record_size;
  uint32_t records;    /* the capacity of `record` */
  int32_t process;     /* the process id in its own PID namespace */
  uint32_t index_bits; /* a handle's number in reports is generation << index_bits | slot */
  uint64_t armed;      /* the time at which the guard was armed */
  uint32_t diagnose;   /* 1: mode=diagnose */
  uint32_t reserved;
  char guard[16]; /* the guard's version */

  char runtime[64];       /* "node 20.20.2" */
  uint32_t runtime_known; /* not 0: `runtime` is set and constant */
  uint32_t reserved_too;
  uint64_t reserved_more[6];

  uint64_t used;    /* records from this index on were never used */
  uint64_t created; /* functions, including those without a record */
  uint64_t finalized;
  uint64_t hidden_created; /* functions without a record: created, and expired */
  uint64_t hidden_over;
  uint64_t events[TSFN_GUARD_PUBLISHED_EVENTS]; /* events by kind, reported or not: [1] is TSG001 */
  struct tsfn_guard_published_addon addons[TSFN_GUARD_PUBLISHED_ADDONS];
  char padding[3352];
  struct tsfn_guard_record record[TSFN_GUARD_PUBLISHED_RECORDS]; /* only used pages take memory */
};

#endif
