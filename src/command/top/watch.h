/* Observes a guarded process from outside: finds the memory that it publishes
 * (include/tsfn_guard/published.h), and takes samples of it.
 *
 * Nothing in that memory is trusted. Each value is read once, and texts are cut to the size of
 * their field. Numbers are taken as they are. Whoever prints a sample must clean its texts. For one
 * thread. */
#ifndef TG_COMMAND_WATCH_H
#define TG_COMMAND_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "tsfn_guard/published.h"

enum tg_watch_state {
  TG_WATCH_OPEN,
  TG_WATCH_CLOSING,
  TG_WATCH_CLOSED,
  TG_WATCH_LEAKED,
  TG_WATCH_STATES
};

extern const char *const tg_watch_state_names[TG_WATCH_STATES];

/* A function at one moment. */
struct tg_watch_function {
  uint64_t mark;
  uint64_t number; /* the handle's number, as in reports */
  uint32_t index;
  uint32_t env;
  uint32_t addon; /* its index in `addons` plus 1; 0: unknown */
  enum tg_watch_state state;
  uint64_t threads;
  uint64_t queue;
  uint64_t max_queue_size; /* 0: no limit */
  uint64_t calls;
  double calls_per_second;
  uint64_t age_ms;
  char name[sizeof((struct tsfn_guard_record){0}.name)];
};

enum tg_watch_total {
  TG_WATCH_CREATED,
  TG_WATCH_FINALIZED,
  TG_WATCH_CALLS,
  TG_WATCH_DELIVERED,
  TG_WATCH_QUEUE_FULL,
  TG_WATCH_CLOSING_ANSWERS,
  TG_WATCH_TOTALS
};

extern const char *const tg_watch_total_names[TG_WATCH_TOTALS];

struct tg_watch_sample {
  uint64_t time;  /* nanoseconds of CLOCK_MONOTONIC */
  double seconds; /* since the previous sample; 0: there was none */
  uint64_t totals[TG_WATCH_TOTALS];
  double rates[TG_WATCH_TOTALS]; /* per second */
  uint64_t events[TSFN_GUARD_PUBLISHED_EVENTS];
  double event_rates[TSFN_GUARD_PUBLISHED_EVENTS];
  uint64_t states[TG_WATCH_STATES];
  uint64_t hidden; /* functions without a record */
  uint64_t queued;
  struct tg_watch_function *functions; /* in no order */
  size_t count;
};

struct tg_watch {
  pid_t process;
  const struct tsfn_guard_published *page;
  /* a descriptor of /proc/PID; it stays bound to this process, even if another one gets its id */
  int directory;
  char descriptor[32]; /* "fd/20"; empty: the program has closed it */
  struct stat memory;  /* of the published memory */
  char guard[16], runtime[64];
  char addons[TSFN_GUARD_PUBLISHED_ADDONS][sizeof((struct tsfn_guard_published_addon){0}.path)];
  struct tg_watch_sample sample;
  size_t capacity; /* of the sample's array of functions */
  struct {
    uint64_t mark, calls;
  } * before; /* for each record: the values of the previous sample */
};

/* Returns 0, or the exit status after a message on stderr. */
int tg_watch_open(struct tg_watch *watch, const char *process);

/* Takes a new sample. Rates are those since the previous sample. False: no memory is left. */
bool tg_watch_take(struct tg_watch *watch);

/* Whether the process still exists, and still runs the same program. */
bool tg_watch_is_there(const struct tg_watch *watch);

/* The path of the function's addon. NULL: unknown. */
const char *tg_watch_addon(const struct tg_watch *watch, const struct tg_watch_function *function);

/* Copies a record. Public only for the tests. False: the record serves no function, or another
 * function got it meanwhile. */
bool tg_watch_read(const struct tsfn_guard_record *record, struct tsfn_guard_record *copy);

#endif
