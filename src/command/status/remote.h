/* Reads the guard's memory in another process: the ring (include/tsfn_guard/ring.h) and the
 * functions (table.h).
 *
 * The process needs no preparation, and continues to run meanwhile. Nothing that is read is
 * trusted: it may be damaged, it may be of another version, and its parts may be from different
 * moments. Texts must be tamed before they are shown. */
#ifndef TG_COMMAND_REMOTE_H
#define TG_COMMAND_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "command/common/tables.h"
#include "tsfn_guard/ring.h"

enum tg_remote_state {
  TG_REMOTE_OPEN,
  TG_REMOTE_CLOSING,
  TG_REMOTE_CLOSED,
  TG_REMOTE_LEAKED,
  TG_REMOTE_STATES
};

extern const char *const tg_remote_state_names[TG_REMOTE_STATES];

enum { TG_REMOTE_KINDS = 64, TG_REMOTE_FUNCTIONS_MAX = 1000 };

struct tg_remote_function {
  uint64_t number; /* as in reports */
  enum tg_remote_state state;
  bool keeps_alive;
  uint64_t threads, queue, max_queue_size, waiters;
  uint64_t env;
  const char *addon; /* a path; NULL: unknown */
  char name[64];
};

struct tg_remote {
  /* Why nothing below is known. NULL: the ring was read. If the kernel refused to read it, `error`
   * is its errno. */
  const char *problem;
  int error;
  struct tsfn_guard_ring ring;
  /* Why `ring.table` and the rest are unknown. NULL: they are known. If `armed` of the table is 0,
   * the rest is unknown too. */
  const char *table_problem;
  uint64_t seen[TG_REMOTE_KINDS];
  uint64_t states[TG_REMOTE_STATES];
  uint64_t keepers; /* functions that keep an event loop alive */
  uint64_t queued;
  struct tg_remote_function
      *functions; /* sorted: first those that keep a loop alive, then by queue, then by number */
  size_t count;
  uint64_t not_listed;

  /* Private. */
  struct tg_pool paths;
  uint64_t last_addon;
  const char *last_path;
};

/* `library` is the address at which the beginning of the library's file is mapped. */
void tg_remote_read(struct tg_remote *remote, pid_t process, uint64_t library);
void tg_remote_close(struct tg_remote *remote);

#endif
