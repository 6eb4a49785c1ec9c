/* A process as /proc shows it, and as the guard in it describes itself. */
#ifndef TG_COMMAND_LOOK_H
#define TG_COMMAND_LOOK_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "command/common/runtime_version.h"
#include "command/status/remote.h"

enum tg_guarded { TG_GUARDED_NO, TG_GUARDED_YES, TG_GUARDED_UNKNOWN };

struct tg_look {
  pid_t process;
  uid_t user;
  int directory;          /* a descriptor of /proc/PID */
  char command[1024];     /* its arguments, separated by spaces */
  char program[PATH_MAX]; /* its binary */
  uint64_t started;       /* nanoseconds since 1970; 0: unknown */
  bool is_runtime;
  struct tg_runtime_version runtime; /* `runtime` is NULL if it is unknown */
  char library[PATH_MAX];            /* its path; empty: the guard is not loaded */
  uint64_t library_start;
  /* TSFN_GUARD_OPTIONS at its start; NULL: not set, or it cannot be read */
  char *options;
  bool is_preload_set;     /* LD_PRELOAD named the library at its start */
  bool is_pm2_worker;      /* a worker of pm2's cluster mode */
  struct tg_remote remote; /* read only if the library is loaded */

  enum tg_guarded guarded;
  const char *why;    /* if it is not guarded, or if that is unknown */
  const char *remedy; /* likewise */
};

/* Returns 0, ENOENT if there is no such process, or another errno if this user may not inspect it.
 * `look` must be closed in all cases. */
int tg_look_open(struct tg_look *look, pid_t process);
void tg_look_close(struct tg_look *look);

#endif
