/* Decides what to do with an event: the action of its kind, the suppressions, and the rate at which
 * similar events are reported.
 *
 * It also keeps the tally: how many events of each kind came from each call site. Everything is
 * guarded by the report's lock, and is set up before main. */
#ifndef TG_DIAG_POLICY_H
#define TG_DIAG_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diag/catalogue.h"

enum tg_action { TG_ACTION_LOG, TG_ACTION_IGNORE, TG_ACTION_ABORT, TG_ACTION_STOP, TG_ACTIONS };

extern const char *const tg_action_names[TG_ACTIONS];

/* `word`, of `length` bytes, is the code or name of a kind, or the name of a severity. The action
 * of a kind takes precedence over that of its severity. False: there is no such word. */
bool tg_policy_set(const char *word, size_t length, enum tg_action action);

/* Events without an action are logged if their severity is this one or a worse one. */
void tg_policy_log_up_to(enum tg_severity severity);

enum tg_action tg_policy_action(enum tg_event_kind kind);

/* The same for an event that has changed what the program does. Without an action of its own, it is
 * logged whatever its severity is. */
enum tg_action tg_policy_action_if_it_matters(enum tg_event_kind kind);

/* Logs the first `rate` events of each kind and site, then every event whose number is a power of
 * two. 0: all. */
void tg_policy_set_rate(uint64_t rate);

/* Reads a file of lines "kind:addon-glob". The kind is a code, a name, the name of a severity, or
 * *. The pattern, with * and ?, is matched against the addon's path or its last component. Empty
 * lines and lines that begin with # are skipped. Each line that is not understood is reported in
 * one line on stderr. */
void tg_policy_read_suppressions(const char *path);

enum { TG_SITES_MAX = 1024, TG_SITE_FILE_MAX = 192 };

/* A call site that events come from. */
struct tg_site {
  const void *caller; /* NULL: not within a call, or the shared site of a kind */
  uint64_t seen;
  uint64_t logged;
  enum tg_event_kind kind;
  bool suppressed;
  char file[TG_SITE_FILE_MAX]; /* the end of the addon's path; empty: unknown */
};

/* Finds the site of an event, and creates it if it is new. Calls `file` only for a new site; it may
 * leave its buffer empty. */
struct tg_site *tg_policy_find_site(enum tg_event_kind kind, const void *caller,
                                    const void *creator,
                                    void (*file)(const void *caller, const void *creator,
                                                 char *path, size_t size));

/* Counts one more event of the site. Returns whether to log it. */
bool tg_policy_count(struct tg_site *site);

/* Whether an event of the site is now reported with all fields, as the first ones are. */
bool tg_policy_in_full(const struct tg_site *site);

/* The sites, in the order in which they first occurred. */
const struct tg_site *tg_policy_sites(size_t *count);

/* All events of one kind and file. */
struct tg_tally {
  const struct tg_site *site; /* the first one with that kind and file */
  uint64_t seen;
  uint64_t unreported;
};

/* Sums up all sites with the kind and file of this one. False: this is not the first of them. */
bool tg_policy_sum_up(const struct tg_site *site, struct tg_tally *tally);

/* Returns a word for what is done with the events of a site: the name of an action, or
 * "suppressed". */
const char *tg_policy_site_action(const struct tg_site *site);

/* Whether an event of the site ends or stops the process. All such events are logged. */
bool tg_policy_site_ends(const struct tg_site *site);

/* The number of events of a kind. */
uint64_t tg_policy_seen(enum tg_event_kind kind);

/* All of these counts, by kind, for a reader in another process. */
const uint64_t *tg_policy_seen_counts(void);

#endif
