/* Implements the policy. */
#include "diag/policy.h"

#include <string.h>

#include "base/text.h"
#include "diag/lines.h"

const char *const tg_action_names[TG_ACTIONS] = {
    [TG_ACTION_LOG] = "log",
    [TG_ACTION_IGNORE] = "ignore",
    [TG_ACTION_ABORT] = "abort",
    [TG_ACTION_STOP] = "stop",
};

/* The options. Constant after the start. Actions are stored plus 1; 0: none was given. */
static unsigned char kind_actions[TG_EVENT_KINDS], severity_actions[TG_SEVERITIES];
static enum tg_severity logged_up_to = TG_INFO;
static uint64_t logged_first = 1;

/* --- Actions */

bool tg_policy_set(const char *word, size_t length, enum tg_action action) {
  enum tg_event_kind kind = tg_catalogue_find(word, length);
  enum tg_severity severity = tg_severity_find(word, length);
  if (kind != TG_EVENT_NONE)
    kind_actions[kind] = (unsigned char)(action + 1);
  else if (severity != TG_SEVERITIES)
    severity_actions[severity] = (unsigned char)(action + 1);
  else
    return false;
  return true;
}

void tg_policy_log_up_to(enum tg_severity severity) {
  logged_up_to = severity;
}

void tg_policy_set_rate(uint64_t rate) {
  logged_first = rate;
}

/* The action that the options give for a kind, or `otherwise` if they give none. */
static enum tg_action action_or_default(enum tg_event_kind kind, enum tg_action otherwise) {
  enum tg_severity severity = tg_catalogue[kind].severity;
  if (kind_actions[kind] != 0) return (enum tg_action)(kind_actions[kind] - 1);
  if (severity_actions[severity] != 0) return (enum tg_action)(severity_actions[severity] - 1);
  return otherwise;
}

enum tg_action tg_policy_action(enum tg_event_kind kind) {
  bool is_logged = tg_catalogue[kind].severity <= logged_up_to;
  return action_or_default(kind, is_logged ? TG_ACTION_LOG : TG_ACTION_IGNORE);
}

enum tg_action tg_policy_action_if_it_matters(enum tg_event_kind kind) {
  return action_or_default(kind, TG_ACTION_LOG);
}

/* --- Suppressions */

enum { SUPPRESSIONS_MAX = 128, PATTERN_MAX = 128 };

/* Constant after the start. */
static struct suppression {
  enum tg_event_kind kind;   /* TG_EVENT_NONE: all kinds of the severity */
  enum tg_severity severity; /* TG_SEVERITIES: all severities */
  char pattern[PATTERN_MAX];
} suppressions[SUPPRESSIONS_MAX];
static unsigned suppression_count;

static bool is_suppressed(enum tg_event_kind kind, const char *file) {
  for (unsigned i = 0; i < suppression_count; i++) {
    const struct suppression *one = &suppressions[i];
    if (one->kind != TG_EVENT_NONE && one->kind != kind) continue;
    if (one->kind == TG_EVENT_NONE && one->severity != TG_SEVERITIES &&
        one->severity != tg_catalogue[kind].severity)
      continue;
    if (tg_glob_fits_path(one->pattern, strlen(one->pattern), file)) return true;
  }
  return false;
}

static void read_suppression(const struct tg_lines *file, uint64_t number, const char *line,
                             size_t length) {
  const char *colon = memchr(line, ':', length);
  size_t word = colon == NULL ? length : (size_t)(colon - line);
  size_t pattern = colon == NULL ? 0 : length - word - 1;
  struct suppression *one = &suppressions[suppression_count];
  one->kind = tg_catalogue_find(line, word);
  one->severity = tg_severity_find(line, word);
  bool all = word == 1 && line[0] == '*';
  if (one->kind == TG_EVENT_NONE && one->severity == TG_SEVERITIES && !all) {
    tg_lines_complain(file, number,
                      "kind:addon-glob with a kind that help=1 lists, a severity or *", line,
                      length);
  } else if (pattern == 0 || pattern >= PATTERN_MAX) {
    tg_lines_complain(file, number, "kind:addon-glob with a pattern of 1 to 127 bytes", line,
                      length);
  } else if (suppression_count == SUPPRESSIONS_MAX - 1) {
    tg_lines_complain(file, number, "at most 127 suppressions", line, length);
  } else {
    memcpy(one->pattern, colon + 1, pattern);
    one->pattern[pattern] = '\0';
    suppression_count++;
  }
}

void tg_policy_read_suppressions(const char *path) {
  const struct tg_lines file = {"suppressions", path,
                                "nothing is suppressed: correct the file or the option"};
  tg_lines_read(&file, read_suppression);
}

/* --- Sites */

enum { SITE_BUCKETS = 2048 };

_Static_assert(SITE_BUCKETS >= 2 * TG_SITES_MAX, "a free bucket is always found soon");
_Static_assert(TG_SITES_MAX > 2 * TG_EVENT_KINDS, "each kind can have a place for its rest");

/* The tally. Guarded by the report's lock. */
static struct tg_site sites[TG_SITES_MAX];
static const void *creators[TG_SITES_MAX]; /* of the sites */
static size_t site_count;
static uint16_t site_buckets[SITE_BUCKETS]; /* the index of a site plus 1; 0: free */
static uint64_t events_seen[TG_EVENT_KINDS];

/* The bucket that holds the site, or the free one where it belongs. */
static unsigned find_site_bucket(enum tg_event_kind kind, const void *caller, const void *creator) {
  uint64_t hash = ((uint64_t)(uintptr_t)caller ^ (uint64_t)(uintptr_t)creator << 1) + kind;
  unsigned bucket = (unsigned)((hash * 0x9e3779b97f4a7c15U) >> 53) % SITE_BUCKETS;
  for (; site_buckets[bucket] != 0; bucket = (bucket + 1) % SITE_BUCKETS) {
    unsigned index = site_buckets[bucket] - 1U;
    if (sites[index].kind == kind && sites[index].caller == caller && creators[index] == creator)
      break;
  }
  return bucket;
}

struct tg_site *tg_policy_find_site(enum tg_event_kind kind, const void *caller,
                                    const void *creator,
                                    void (*file)(const void *caller, const void *creator,
                                                 char *path, size_t size)) {
  unsigned bucket = find_site_bucket(kind, caller, creator);
  if (site_buckets[bucket] == 0 && site_count >= TG_SITES_MAX - TG_EVENT_KINDS) {
    caller = creator = NULL; /* the shared site of the kind's other callers */
    bucket = find_site_bucket(kind, caller, creator);
  }
  if (site_buckets[bucket] != 0) return &sites[site_buckets[bucket] - 1];
  struct tg_site *site = &sites[site_count];
  site->kind = kind;
  site->caller = caller;
  creators[site_count] = creator;
  if (caller != NULL || creator != NULL) file(caller, creator, site->file, sizeof site->file);
  site->suppressed = is_suppressed(kind, site->file);
  site_buckets[bucket] = (uint16_t)++site_count;
  return site;
}

static bool is_power_of_two(uint64_t number) {
  return (number & (number - 1)) == 0;
}

bool tg_policy_count(struct tg_site *site) {
  events_seen[site->kind]++;
  site->seen++;
  if (site->suppressed) return false;
  bool log = logged_first == 0 || site->seen <= logged_first || is_power_of_two(site->seen) ||
             tg_policy_site_ends(site); /* the log must show why the process ended */
  if (log) site->logged++;
  return log;
}

bool tg_policy_in_full(const struct tg_site *site) {
  return logged_first == 0 || site->seen <= logged_first;
}

const struct tg_site *tg_policy_sites(size_t *count) {
  *count = site_count;
  return sites;
}

bool tg_policy_sum_up(const struct tg_site *site, struct tg_tally *tally) {
  *tally = (struct tg_tally){.site = site};
  bool is_reported = tg_policy_action(site->kind) != TG_ACTION_IGNORE;
  for (const struct tg_site *other = sites; other < sites + site_count; other++) {
    if (other->kind != site->kind || strcmp(other->file, site->file) != 0) continue;
    if (other < site) return false;
    tally->seen += other->seen;
    tally->unreported += is_reported ? other->seen - other->logged : other->seen;
  }
  return true;
}

const char *tg_policy_site_action(const struct tg_site *site) {
  return site->suppressed ? "suppressed" : tg_action_names[tg_policy_action(site->kind)];
}

bool tg_policy_site_ends(const struct tg_site *site) {
  enum tg_action action = tg_policy_action(site->kind);
  return !site->suppressed && (action == TG_ACTION_ABORT || action == TG_ACTION_STOP);
}

uint64_t tg_policy_seen(enum tg_event_kind kind) {
  return events_seen[kind];
}

const uint64_t *tg_policy_seen_counts(void) {
  return events_seen;
}
