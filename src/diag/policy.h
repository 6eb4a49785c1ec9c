/* What is to be done with an event: the action of its kind, suppressions, and how often alike events are told.
 *
 * Also the tally: how many events of each kind came from each call site. Guarded by the report's lock, all of
 * it; set up before main. */
#ifndef TG_DIAG_POLICY_H
#define TG_DIAG_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diag/catalogue.h"

enum tg_action { TG_ACTION_LOG, TG_ACTION_IGNORE, TG_ACTION_ABORT, TG_ACTION_STOP, TG_ACTIONS };

extern const char *const tg_action_names[TG_ACTIONS];

/* `word`, of `length` bytes, is a kind's code or name, or a severity's name. A kind's action wins over that of
 * its severity. False: there is no such word. */
bool tg_policy_set(const char *word, size_t length, enum tg_action action);

/* Of the events that nothing was said of, logs those up to `severity`. */
void tg_policy_log_up_to(enum tg_severity severity);

enum tg_action tg_policy_action(enum tg_event_kind kind);

/* The same for an event that has changed what the program does: whatever its severity, it is logged where nothing was
 * said of it. */
enum tg_action tg_policy_action_if_it_matters(enum tg_event_kind kind);

/* Logs the first `rate` of each kind and site, then each whose number is a power of two. 0: all. */
void tg_policy_set_rate(uint64_t rate);

/* Reads a file of lines "kind:addon-glob": a kind's code or name, a severity's name, or *; and a pattern with *
 * and ? for the addon's path or its last part. Empty lines and those that begin with # are passed over. What is
 * not understood is one line on stderr each. */
void tg_policy_read_suppressions(const char *path);

enum { TG_SITES_MAX = 1024, TG_SITE_FILE_MAX = 192 };

/* Where events come from. */
struct tg_site {
  const void *caller; /* NULL: not within a call, or one of the many that had no place of their own */
  uint64_t seen;
  uint64_t logged;
  enum tg_event_kind kind;
  bool suppressed;
  char file[TG_SITE_FILE_MAX]; /* the end of the addon's path; empty: unknown */
};

/* The site of an event, new if need be. `file` is asked for only then; it may leave its buffer empty. */
struct tg_site *tg_policy_find_site(enum tg_event_kind kind, const void *caller, const void *creator,
                                    void (*file)(const void *caller, const void *creator, char *path,
                                                 size_t size));

/* Counts one more event there; whether it is to be logged. */
bool tg_policy_count(struct tg_site *site);

/* Whether what is logged of the site now is among the first, which are told in full. */
bool tg_policy_in_full(const struct tg_site *site);

/* The sites in the order in which they came up. */
const struct tg_site *tg_policy_sites(size_t *count);

/* The events of one kind and file. */
struct tg_tally {
  const struct tg_site *site; /* the first of them */
  uint64_t seen;
  uint64_t untold;
};

/* Sums up the sites of this one's kind and file. False: it is not the first of these. */
bool tg_policy_sum_up(const struct tg_site *site, struct tg_tally *tally);

/* What is done with the events of a site, in a word: an action's name, or "suppressed". */
const char *tg_policy_site_action(const struct tg_site *site);

/* Whether an event of the site ends the process, or stops it. Each is logged. */
bool tg_policy_site_ends(const struct tg_site *site);

/* All events of a kind. */
uint64_t tg_policy_seen(enum tg_event_kind kind);

#endif
