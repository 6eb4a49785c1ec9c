/* What a guarded process shows of itself with publish=1: memory that it writes in place while it runs, and that others
 * of the same user may read. `tsfn-guard top` is such a reader (docs/command.md says how the memory is found).
 *
 * Layout version 1. A later version changes `version`, and what is there stays where it is for as long as `version` is
 * 1. All numbers in the machine's byte order; times in nanoseconds of CLOCK_MONOTONIC. Every word is written at once,
 * and most of them at any time, so a reader loads each once. What it finds, it takes on trust from that process: a
 * number may be any number, and a text need not end. */
#ifndef TSFN_GUARD_PUBLISHED_H
#define TSFN_GUARD_PUBLISHED_H

#include <stdint.h>

/* The memory is a memfd of this name: "/memfd:tsfn-guard (deleted)" in /proc/PID/fd. */
#define TSFN_GUARD_PUBLISHED_NAME "tsfn-guard"
#define TSFN_GUARD_PUBLISHED_MAGIC "tsfn-guard live"

enum {
  TSFN_GUARD_PUBLISHED_VERSION = 1,
  TSFN_GUARD_PUBLISHED_RECORDS = 262144,
  TSFN_GUARD_PUBLISHED_EVENTS = 64,
  TSFN_GUARD_PUBLISHED_ADDONS = 64
};

enum { TSFN_GUARD_OPEN = 2, TSFN_GUARD_CLOSING = 3, TSFN_GUARD_CLOSED = 4 };

/* A slot of the handle table, and the function that it serves now. `mark` is written last and is 0 before anything of
 * the function is written: a reader that finds the same mark before and after has not mixed two functions. What is
 * counted is counted for the slot and never set back, so that sums over all records only grow. */
struct tsfn_guard_record {
  /* Constant for a function, but for `delivered` and `finalized`, which its loop thread writes. */
  uint64_t mark; /* the slot's generation plus 1; 0: no function */
  uint64_t created;
  uint64_t max_queue_size; /* 0: no limit */
  uint64_t delivered;      /* items taken from the queue, whatever became of them */
  uint32_t env;            /* the env's number */
  uint32_t addon;          /* who created it: its place in `addons` plus 1; 0: unknown */
  uint32_t finalized;      /* not 0: the finalizer is over */
  uint32_t reserved;
  char name[32]; /* the async resource name, with its NUL */

  /* The callers'. */
  uint64_t calls;        /* calls that were answered with napi_ok; those not delivered yet are the queue */
  uint64_t calls_before; /* what `calls` was at the create; constant for a function */
  uint64_t queue_full;   /* calls that were answered with napi_queue_full */
  uint64_t closing;      /* calls that were answered with napi_closing */
  uint64_t thread_count;
  uint32_t state; /* TSFN_GUARD_OPEN and so on */
  uint32_t reserved_too;
};

struct tsfn_guard_published_addon {
  uint32_t known; /* not 0: `path` is there, and constant */
  uint32_t reserved;
  char path[184]; /* the end of it, with its NUL */
};

struct tsfn_guard_published {
  /* Constant. */
  char magic[16]; /* written last */
  uint32_t version;
  uint32_t head_size; /* of this struct: where the records begin */
  uint32_t record_size;
  uint32_t records;    /* how many there is place for */
  int32_t process;     /* its id, in its own PID namespace */
  uint32_t index_bits; /* a handle's number, as in reports, is generation << index_bits | slot */
  uint64_t armed;      /* when */
  uint32_t diagnose;   /* 1: mode=diagnose */
  uint32_t reserved;
  char guard[16]; /* the version */

  char runtime[64];       /* "node 20.20.2" */
  uint32_t runtime_known; /* not 0: it is there, and constant */
  uint32_t reserved_too;
  uint64_t reserved_more[6];

  uint64_t used;    /* records from here on were never used */
  uint64_t created; /* functions, also those without a record */
  uint64_t finalized;
  uint64_t hidden_created; /* functions without a record: created, and over */
  uint64_t hidden_over;
  uint64_t events[TSFN_GUARD_PUBLISHED_EVENTS]; /* by kind, told or not: [1] is TSG001 */
  struct tsfn_guard_published_addon addons[TSFN_GUARD_PUBLISHED_ADDONS];
  char padding[3352];
  struct tsfn_guard_record record[TSFN_GUARD_PUBLISHED_RECORDS]; /* takes memory only where it was used */
};

#endif
