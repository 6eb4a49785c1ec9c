/* Implements the grouping and counting. */
#include "command/report/report_groups.h"

#include <stdlib.h>
#include <string.h>

enum {
  POOL_MAX = 64 << 20, /* bytes */
  PROCESSES_MAX = 1 << 20,
  CLOCK_SLACK_MS = 60000, /* a clock may be set back by this much */
  AFTERMATH_MS = 1000,    /* a process may still report for this long after its summary */
};

#define COUNT_MAX (UINT64_C(1) << 53) /* readers of JSON lose digits of larger numbers */

/* A call site of a process, as the guard itself counts it (diag/policy). */
struct tg_site_state {
  int64_t time, seen; /* of its last line */
};

/* The events of one kind and addon in a process. The summary has a tally of the same events. */
struct tg_account {
  uint64_t counted;
  uint32_t group; /* the group of the last line */
};

static const int64_t forever = INT64_MAX;

/* --- Helpers */

static uint64_t add(uint64_t a, uint64_t b) {
  return a + b > COUNT_MAX ? COUNT_MAX : a + b;
}

static uint64_t hash_pointer(uint64_t hash, const void *pointer) {
  return tg_hash(hash, &pointer, sizeof pointer);
}

static uint64_t hash_string(uint64_t hash, const char *string) {
  return string == NULL ? tg_hash(hash, "\0", 2) : tg_hash(hash, string, strlen(string) + 1);
}

static uint64_t hash_number(uint64_t hash, uint64_t number) {
  return tg_hash(hash, &number, sizeof number);
}

static void widen(int64_t time, int64_t *first, int64_t *last) {
  if (time < *first) *first = time;
  if (time > *last) *last = time;
}

/* --- Processes */

/* Finds the process to which a line with this id and time belongs. Returns NULL if no process had
 * this id, or if the time shows that the line belongs to a new process. */
static struct tg_process *latest_process(struct tg_groups *groups, int64_t pid, int64_t time) {
  uint32_t *found = tg_map_get(&groups->process_by_pid, hash_number(TG_HASH_START, (uint64_t)pid));
  if (found == NULL) return NULL;
  struct tg_process *process = &groups->processes[*found];
  if (time < process->last - CLOCK_SLACK_MS) return NULL;
  if (process->ended != TG_UNKNOWN && time > process->ended + AFTERMATH_MS) return NULL;
  return process;
}

/* Adds a process, which has this id from now on. Beyond the limit, the first process stands for all
 * new ones. */
static struct tg_process *new_process(struct tg_groups *groups, int64_t pid, int64_t time) {
  uint64_t hash = hash_number(TG_HASH_START, (uint64_t)pid);
  if (groups->process_count == PROCESSES_MAX) return &groups->processes[0];
  groups->processes = tg_room(groups->processes, groups->process_count,
                              &groups->processes_allocated, sizeof *groups->processes);
  uint32_t index = (uint32_t)groups->process_count++;
  groups->processes[index] = (struct tg_process){pid, time, time, TG_UNKNOWN, false};
  uint32_t *found = tg_map_get(&groups->process_by_pid, hash);
  if (found != NULL)
    *found = index;
  else
    tg_map_put(&groups->process_by_pid, hash, index);
  return &groups->processes[index];
}

static struct tg_process *find_process(struct tg_groups *groups, const struct tg_line *line) {
  struct tg_process *process = latest_process(groups, line->pid, line->time);
  if (process == NULL) process = new_process(groups, line->pid, line->time);
  widen(line->time, &process->first, &process->last);
  return process;
}

/* --- Sites */

static uint64_t site_key(const struct tg_groups *groups, const struct tg_line *line,
                         const struct tg_process *process) {
  /* The guard has a fixed number of sites. Events from further sites have no addon. All their
   * callers count as one site of that kind, so the caller is not part of the key. */
  bool is_rest = line->addon == NULL && line->caller.file != NULL;
  uint64_t hash = hash_number(TG_HASH_START, (uint64_t)(process - groups->processes));
  hash = hash_string(hash, line->code);
  if (is_rest) return hash;
  hash = hash_string(hash, line->caller.file);
  hash = hash_number(hash, line->caller.offset);
  return hash_string(hash, line->creator);
}

static bool goes_on(const struct tg_site_state *site, const struct tg_line *line) {
  return line->seen > site->seen && line->time >= site->time - CLOCK_SLACK_MS;
}

/* Returns how many events the line stands for. If its count does not continue the count of its
 * site's last line, another process has got the same id meanwhile. Then `*process` is set to that
 * process. */
static uint64_t count_events(struct tg_groups *groups, const struct tg_line *line,
                             struct tg_process **process) {
  uint64_t key = site_key(groups, line, *process);
  uint32_t *found = tg_map_get(&groups->site_by_key, key);
  if (found != NULL && !goes_on(&groups->sites[*found], line)) {
    *process = new_process(groups, line->pid, line->time);
    key = site_key(groups, line, *process);
    found = tg_map_get(&groups->site_by_key, key);
  }
  if (found == NULL) {
    size_t index = groups->site_by_key.count;
    if (!tg_map_put(&groups->site_by_key, key, (uint32_t)index)) {
      groups->untracked++;
      return 1;
    }
    groups->sites = tg_room(groups->sites, index, &groups->sites_allocated, sizeof *groups->sites);
    groups->sites[index] = (struct tg_site_state){line->time, line->seen};
    return (uint64_t)line->seen;
  }
  struct tg_site_state *site = &groups->sites[*found];
  /* All processes beyond the limit share their sites, so the count may not continue here either. */
  uint64_t events = line->seen > site->seen ? (uint64_t)(line->seen - site->seen) : 1;
  *site = (struct tg_site_state){line->time, line->seen};
  return events;
}

/* --- Groups */

/* The key of a group. Its strings are in the pool. */
struct key {
  const char *code, *addon, *build_id;
  bool is_call;
  struct tg_frame caller;
  struct tg_frames stack;
};

/* Copies the frames, with their strings in the pool. Returns false if the pool is full. Compiled
 * JavaScript has different addresses in each process, so successive frames of it become one. */
static bool keep_frames(struct tg_pool *pool, const struct tg_frames *from, struct tg_frames *to) {
  to->count = 0;
  for (unsigned i = 0; i < from->count; i++) {
    struct tg_frame *frame = &to->frames[to->count];
    bool is_again = to->count != 0 && frame[-1].file == NULL;
    if (from->frames[i].file == NULL && is_again) continue;
    frame->file = tg_pool_keep(pool, from->frames[i].file);
    frame->offset = from->frames[i].file == NULL ? 0 : from->frames[i].offset;
    if (frame->file == NULL && from->frames[i].file != NULL) return false;
    to->count++;
  }
  return true;
}

static bool make_key(struct tg_pool *pool, const struct tg_line *line, struct key *key) {
  key->code = tg_pool_keep(pool, line->code);
  key->addon = tg_pool_keep(pool, line->addon);
  key->build_id = tg_pool_keep(pool, line->build_id);
  key->is_call = line->function != NULL;
  key->caller.file = tg_pool_keep(pool, line->caller.file);
  key->caller.offset = line->caller.offset;
  if (key->code == NULL || (key->addon == NULL) != (line->addon == NULL) ||
      (key->build_id == NULL) != (line->build_id == NULL) ||
      (key->caller.file == NULL) != (line->caller.file == NULL))
    return false;
  return keep_frames(pool, &line->stack, &key->stack);
}

static uint64_t hash_key(const struct key *key) {
  uint64_t hash = hash_pointer(TG_HASH_START + key->is_call, key->code);
  hash = hash_pointer(hash, key->addon);
  hash = hash_pointer(hash, key->build_id);
  hash = hash_pointer(hash, key->caller.file);
  hash = hash_number(hash, key->caller.offset);
  for (unsigned i = 0; i < key->stack.count; i++) {
    hash = hash_pointer(hash, key->stack.frames[i].file);
    hash = hash_number(hash, key->stack.frames[i].offset);
  }
  return hash;
}

static bool is_same_frame(const struct tg_frame *a, const struct tg_frame *b) {
  return a->file == b->file && a->offset == b->offset;
}

static bool has_key(const struct tg_group *group, const struct key *key) {
  if (group->code != key->code || group->addon != key->addon || group->build_id != key->build_id ||
      group->is_call != key->is_call || !is_same_frame(&group->caller, &key->caller) ||
      group->stack.count != key->stack.count)
    return false;
  for (unsigned i = 0; i < key->stack.count; i++)
    if (!is_same_frame(&group->stack.frames[i], &key->stack.frames[i])) return false;
  return true;
}

static struct tg_trail copy_frames(const struct tg_frames *frames) {
  if (frames->count == 0) return (struct tg_trail){0, NULL};
  size_t size = frames->count * sizeof frames->frames[0];
  struct tg_frame *copy = tg_resize(NULL, size, 1);
  memcpy(copy, frames->frames, size);
  return (struct tg_trail){frames->count, copy};
}

static struct tg_trail keep_trail(struct tg_pool *pool, const struct tg_frames *frames) {
  struct tg_frames kept;
  return keep_frames(pool, frames, &kept) ? copy_frames(&kept) : (struct tg_trail){0, NULL};
}

static uint32_t new_group(struct tg_groups *groups, const struct tg_line *line,
                          const struct key *key) {
  struct tg_pool *pool = &groups->pool;
  groups->groups =
      tg_room(groups->groups, groups->count, &groups->allocated, sizeof *groups->groups);
  groups->groups[groups->count] = (struct tg_group){
      .code = key->code,
      .kind = tg_pool_keep(pool, line->kind),
      .explanation = tg_pool_keep(pool, line->explanation),
      .runtime = tg_pool_keep(pool, line->runtime),
      .natively = tg_pool_keep(pool, line->natively),
      .action = tg_pool_keep(pool, line->action),
      .addon = key->addon,
      .severity = line->severity,
      .is_call = key->is_call,
      .caller = key->caller,
      .symbol = tg_pool_keep(pool, line->symbol),
      .build_id = key->build_id,
      .function = tg_pool_keep(pool, line->function),
      .mode = tg_pool_keep(pool, line->mode),
      .answered = tg_pool_keep(pool, line->answered),
      .thread = tg_pool_keep(pool, line->thread),
      .stack = copy_frames(&key->stack),
      .created_at = keep_trail(pool, &line->created_at),
      .finalized_at = keep_trail(pool, &line->finalized_at),
      .first = forever,
      .last = TG_UNKNOWN,
  };
  return (uint32_t)groups->count++;
}

/* Finds the group of the line, or adds it. Returns 0, the group for the rest, if no further group
 * can be added. */
static uint32_t find_group(struct tg_groups *groups, const struct tg_line *line) {
  struct key key;
  if (!make_key(&groups->pool, line, &key)) return 0;
  uint64_t hash = hash_key(&key);
  uint32_t *found;
  for (; (found = tg_map_get(&groups->by_key, hash)) != NULL; hash++)
    if (has_key(&groups->groups[*found], &key)) return *found;
  if (!tg_map_put(&groups->by_key, hash, (uint32_t)groups->count)) return 0;
  return new_group(groups, line, &key);
}

static void count_process(struct tg_groups *groups, uint32_t index,
                          const struct tg_process *process) {
  uint64_t hash = hash_number(TG_HASH_START, (uint64_t)(process - groups->processes));
  hash = hash_number(hash, index);
  if (tg_map_get(&groups->pairs, hash) == NULL && tg_map_put(&groups->pairs, hash, 0))
    groups->groups[index].processes++;
}

static void record_in_group(struct tg_groups *groups, uint32_t index, const struct tg_line *line,
                            const struct tg_process *process, uint64_t events) {
  struct tg_group *group = &groups->groups[index];
  group->count = add(group->count, events);
  widen(line->time, &group->first, &group->last);
  if (line->severity < group->severity) group->severity = line->severity;
  count_process(groups, index, process);
}

/* --- Accounts */

/* Finds the account of the line, or adds it. Returns NULL if there are too many. */
static struct tg_account *find_account(struct tg_groups *groups, const struct tg_line *line,
                                       const struct tg_process *process) {
  uint64_t key = hash_number(TG_HASH_START, (uint64_t)(process - groups->processes));
  key = hash_string(hash_string(key, line->code), line->addon);
  uint32_t *found = tg_map_get(&groups->account_by_key, key);
  if (found != NULL) return &groups->accounts[*found];
  size_t index = groups->account_by_key.count;
  if (!tg_map_put(&groups->account_by_key, key, (uint32_t)index)) return NULL;
  groups->accounts =
      tg_room(groups->accounts, index, &groups->accounts_allocated, sizeof *groups->accounts);
  groups->accounts[index] = (struct tg_account){0};
  return &groups->accounts[index];
}

/* --- Moments */

static int by_time(const void *a, const void *b) {
  const struct tg_moment *one = a, *other = b;
  return (one->time > other->time) - (one->time < other->time);
}

/* Keeps the newest TG_MOMENTS_MAX moments. The array has space for twice as many. */
static void trim_moments(struct tg_groups *groups) {
  if (groups->moment_count == 0) return;
  qsort(groups->moments, groups->moment_count, sizeof *groups->moments, by_time);
  if (groups->moment_count <= TG_MOMENTS_MAX) return;
  size_t surplus = groups->moment_count - TG_MOMENTS_MAX;
  memmove(groups->moments, groups->moments + surplus, TG_MOMENTS_MAX * sizeof *groups->moments);
  groups->moment_count = TG_MOMENTS_MAX;
  groups->moments_dropped += surplus;
}

static void record_moment(struct tg_groups *groups, const struct tg_line *line,
                          const struct tg_process *process, uint32_t group) {
  struct tg_pool *pool = &groups->pool;
  if (!groups->keep_moments) return;
  if (groups->moments == NULL)
    groups->moments = tg_resize(NULL, (size_t)2 * TG_MOMENTS_MAX, sizeof *groups->moments);
  if (groups->moment_count == (size_t)2 * TG_MOMENTS_MAX) trim_moments(groups);
  groups->moments[groups->moment_count++] = (struct tg_moment){
      .time = line->time,
      .age_ms = line->age_ms,
      .finalized_ms_ago = line->finalized_ms_ago,
      .handle = line->has_handle ? line->handle : TG_UNKNOWN,
      .tid = line->tid,
      .seen = line->seen,
      .worker = line->worker,
      .process = (uint32_t)(process - groups->processes),
      .group = group,
      .type = line->type,
      .name = tg_pool_keep(pool, line->name),
      .state = tg_pool_keep(pool, line->state),
      .creator = tg_pool_keep(pool, line->creator),
      .thread = tg_pool_keep(pool, line->thread),
      .function = tg_pool_keep(pool, line->function),
      .answered = tg_pool_keep(pool, line->answered),
  };
}

/* --- Lines */

void tg_groups_open(struct tg_groups *groups, bool keep_moments) {
  *groups = (struct tg_groups){.keep_moments = keep_moments, .first = forever, .last = TG_UNKNOWN};
  groups->pool.most = POOL_MAX;
  groups->pool.map.most = POOL_MAX / 32;
  groups->by_key.most = TG_GROUPS_MAX;
  groups->process_by_pid.most = PROCESSES_MAX;
  groups->site_by_key.most = groups->account_by_key.most = groups->pairs.most =
      TG_SITES_TRACKED_MAX;
  groups->groups = tg_room(NULL, 0, &groups->allocated, sizeof *groups->groups);
  groups->groups[groups->count++] =
      (struct tg_group){.code = "TSG---",
                        .kind = "others",
                        .explanation = "events beyond the largest number of groups",
                        .is_rest = true,
                        .severity = TG_INFO,
                        .first = forever,
                        .last = TG_UNKNOWN};
}

static void add_event(struct tg_groups *groups, const struct tg_line *line) {
  struct tg_process *process = find_process(groups, line);
  uint64_t events = count_events(groups, line, &process);
  uint32_t group = find_group(groups, line);
  if (line->severity < TG_LEAK) process->has_errors = true;
  groups->groups[group].told++;
  record_in_group(groups, group, line, process, events);
  struct tg_account *account = find_account(groups, line, process);
  if (account != NULL) *account = (struct tg_account){add(account->counted, events), group};
  record_moment(groups, line, process, group);
}

/* A tally may count more events than the lines have reported. The difference goes to the group of
 * the last line. If there was no line, it goes to a group without caller and stack. */
static void add_tally(struct tg_groups *groups, const struct tg_line *line) {
  struct tg_process *process = find_process(groups, line);
  struct tg_account *account = find_account(groups, line, process);
  if (account == NULL || (uint64_t)line->seen <= account->counted) return;
  bool is_reported = account->counted != 0;
  uint64_t events = (uint64_t)line->seen - account->counted;
  uint32_t group = is_reported ? account->group : find_group(groups, line);
  *account = (struct tg_account){(uint64_t)line->seen, group};
  if (is_reported)
    groups->groups[group].count = add(groups->groups[group].count, events);
  else
    record_in_group(groups, group, line, process, events);
}

void tg_groups_add(struct tg_groups *groups, const struct tg_line *line) {
  groups->lines[line->type]++;
  widen(line->time, &groups->first, &groups->last);
  if (line->type == TG_LINE_EVENT) {
    add_event(groups, line);
    return;
  }
  if (line->type == TG_LINE_TALLY) {
    add_tally(groups, line);
    return;
  }
  struct tg_process *process = find_process(groups, line);
  if (line->has_handle) record_moment(groups, line, process, 0);
  if (line->type != TG_LINE_SUMMARY) return;
  process->ended = line->time;
  groups->live = add(groups->live, (uint64_t)line->live);
  groups->leaked = add(groups->leaked, (uint64_t)line->leaked);
}

/* --- The end */

static int compare_strings(const char *a, const char *b) {
  return strcmp(a == NULL ? "" : a, b == NULL ? "" : b);
}

static int by_weight(const void *a, const void *b) {
  const struct tg_group *one = a, *other = b;
  if (one->severity != other->severity) return one->severity < other->severity ? -1 : 1;
  if (one->count != other->count) return one->count > other->count ? -1 : 1;
  int order = compare_strings(one->code, other->code);
  if (order == 0) order = compare_strings(one->addon, other->addon);
  return order != 0 ? order : (one->first > other->first) - (one->first < other->first);
}

void tg_groups_finish(struct tg_groups *groups) {
  uint32_t *places = tg_resize(NULL, groups->count, sizeof *places);
  for (size_t i = 0; i < groups->count; i++) groups->groups[i].place = (uint32_t)i;
  qsort(groups->groups, groups->count, sizeof *groups->groups, by_weight);
  size_t kept = 0;
  for (size_t i = 0; i < groups->count; i++) {
    if (groups->groups[i].count == 0) continue;
    places[groups->groups[i].place] = (uint32_t)kept;
    groups->groups[kept++] = groups->groups[i];
  }
  groups->count = kept;
  for (size_t i = 0; i < groups->process_count; i++)
    groups->unfinished +=
        groups->processes[i].has_errors && groups->processes[i].ended == TG_UNKNOWN;
  trim_moments(groups);
  for (size_t i = 0; i < groups->moment_count; i++)
    if (groups->moments[i].type == TG_LINE_EVENT)
      groups->moments[i].group = places[groups->moments[i].group];
  free(places);
}
