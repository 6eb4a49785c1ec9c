/* Sums up the lines of logs: similar events are counted together, across all processes.
 *
 * A line's `seen` is the number of events of its call site in its process so far, whether they were
 * reported or not. So a line stands for all events by which `seen` has grown since that site's last
 * line. These events are assumed to be alike. For one thread. The limits below bound the memory. */
#ifndef TG_COMMAND_REPORT_GROUPS_H
#define TG_COMMAND_REPORT_GROUPS_H

#include "command/common/tables.h"
#include "command/report/report_line.h"

enum {
  TG_GROUPS_MAX = 65536,
  TG_SITES_TRACKED_MAX = 1 << 20, /* also accounts, and pairs of process and group */
  TG_MOMENTS_MAX = 20000,
};

struct tg_trail {
  unsigned count;
  const struct tg_frame *frames;
};

/* Events of one kind, addon, caller and stack. Strings and frames live as long as the groups. */
struct tg_group {
  const char *code, *kind, *explanation, *runtime, *natively, *action;
  const char *addon; /* NULL: unknown */
  enum tg_severity severity;
  bool is_rest; /* stands for all groups beyond the limit */
  bool is_call; /* the caller's offset is a return address, not a callback's beginning */
  struct tg_frame caller;
  const char *symbol, *build_id;
  const char *function, *mode, *answered, *thread;
  struct tg_trail stack, created_at, finalized_at; /* the latter two are those of the first event */
  uint64_t count;
  uint64_t told; /* the lines that report these events */
  uint32_t processes;
  uint32_t place; /* its index before the groups are sorted */
  int64_t first, last;
};

struct tg_process {
  int64_t pid;
  int64_t first, last;
  int64_t ended; /* the time of its summary; TG_UNKNOWN: there is none */
  /* it had events after which the guard writes a summary, unless the process dies */
  bool has_errors;
};

/* A line about a function, for the timeline. */
struct tg_moment {
  int64_t time, age_ms, finalized_ms_ago, handle, tid, seen, worker;
  uint32_t process;
  uint32_t group; /* meaningful only for an event */
  enum tg_line_type type;
  const char *name, *state, *creator, *thread, *function, *answered;
};

struct tg_groups {
  struct tg_pool pool;
  struct tg_map by_key;
  struct tg_group *groups; /* until they are sorted, the first one is the rest */
  size_t count, allocated;

  struct tg_map process_by_pid; /* the latest process with this id */
  struct tg_process *processes;
  size_t process_count, processes_allocated;

  struct tg_map site_by_key;
  struct tg_site_state *sites;
  size_t sites_allocated;
  struct tg_map account_by_key;
  struct tg_account *accounts;
  size_t accounts_allocated;
  struct tg_map pairs; /* which process has events of which group */

  bool keep_moments;
  struct tg_moment *moments;
  size_t moment_count;
  uint64_t moments_dropped;

  uint64_t lines[TG_LINE_TYPES];
  uint64_t untracked;    /* events that only their lines count, because there are too many sites */
  uint64_t unfinished;   /* processes that have errors, but no summary */
  uint64_t live, leaked; /* the sums over all summaries */
  int64_t first, last;
};

void tg_groups_open(struct tg_groups *groups, bool keep_moments);

void tg_groups_add(struct tg_groups *groups, const struct tg_line *line);

/* Must be called after the last line. Sorts the groups, the worst and most frequent first. Sorts
 * the moments by time, and keeps only the newest. */
void tg_groups_finish(struct tg_groups *groups);

#endif
