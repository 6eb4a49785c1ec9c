/* Implements the observation of a guarded process. */
#include "command/top/watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "command/common/complain.h"
#include "command/common/process.h"
#include "command/common/same_file.h"
#include "options/options.h"
#include "tsfn_guard/tsfn_guard.h"

const char *const tg_watch_state_names[TG_WATCH_STATES] = {[TG_WATCH_OPEN] = "open",
                                                           [TG_WATCH_CLOSING] = "closing",
                                                           [TG_WATCH_CLOSED] = "closed",
                                                           [TG_WATCH_LEAKED] = "leaked"};

const char *const tg_watch_total_names[TG_WATCH_TOTALS] = {
    [TG_WATCH_CREATED] = "created",       [TG_WATCH_FINALIZED] = "finalized",
    [TG_WATCH_CALLS] = "calls",           [TG_WATCH_DELIVERED] = "delivered",
    [TG_WATCH_QUEUE_FULL] = "queue_full", [TG_WATCH_CLOSING_ANSWERS] = "closing"};

static const char memory_link[] = "/memfd:" TSFN_GUARD_PUBLISHED_NAME " (deleted)";
static const char library_name[] = "/libtsfnguard.so";
static const char start_remedy[] =
    "start it with: tsfn-guard --publish PROGRAM, or with the library in LD_PRELOAD and "
    "TSFN_GUARD_OPTIONS=publish=1";

/* --- The messages for a process that cannot be watched */

/* Joins pieces into one text. A NULL ends the list. Control characters in the pieces become '?'. */
static const char *join(struct tg_text *text, const char *const pieces[]) {
  text->length = 0;
  for (size_t i = 0; pieces[i] != NULL; i++) tg_text_add(text, pieces[i]);
  return tg_text_string(text);
}

/* "process 12 (node)" */
static const char *name_process(const struct tg_watch *watch, struct tg_text *text) {
  char name[32] = "";
  int file = openat(watch->directory, "comm", O_RDONLY | O_CLOEXEC);
  ssize_t length = file < 0 ? -1 : read(file, name, sizeof name - 1);
  if (file >= 0) close(file);
  if (length > 0) name[strcspn(name, "\n")] = '\0';
  text->length = 0;
  tg_text_add(text, "process ");
  tg_text_add_number(text, (uint64_t)watch->process);
  if (length > 0) {
    tg_text_add(text, " (");
    tg_text_add(text, name);
    tg_text_add(text, ")");
  }
  return tg_text_string(text);
}

/* Prints "needed …, found process 12 (node)…". `of_it` follows the name. */
static int complain_of(const struct tg_watch *watch, const char *needed, const char *of_it,
                       const char *remedy) {
  struct tg_text process, found;
  name_process(watch, &process);
  return tg_complain(TG_EXIT_FAILED, needed,
                     join(&found, (const char *const[]){process.bytes, of_it, NULL}), remedy);
}

/* The kernel refuses access to a process of another user, and to one that has changed its user. */
static int complain_of_access(const struct tg_watch *watch) {
  char of_it[96];
  struct stat status = {0};
  fstat(watch->directory, &status);
  static const char needed[] = "a process that this user may inspect";
  if (status.st_uid == geteuid())
    return complain_of(watch, needed,
                       ", which has changed its user or has more privileges than this user",
                       "run it as root, with the capability to trace it (CAP_SYS_PTRACE)");
  snprintf(of_it, sizeof of_it, " of user %u, and this is user %u", status.st_uid, geteuid());
  return complain_of(watch, needed, of_it, "run it as that user, or as root");
}

/* --- Finding the memory */

/* What the mappings of a process show. */
struct maps {
  bool readable;
  bool library;
  bool memory;
  char place[64]; /* of the memory: "map_files/7f00-7f10" */
};

static void read_map(struct maps *maps, const char *line, const struct stat *memory) {
  unsigned long start, end;
  uint64_t inode;
  int path = 0;
  if (sscanf(line, "%lx-%lx %*s %*s %*s %" SCNu64 " %n", &start, &end, &inode, &path) != 3 ||
      path == 0)
    return;
  const char *slash = strrchr(line + path, '/');
  if (slash != NULL && strcmp(slash, library_name) == 0) maps->library = true;
  if (strcmp(line + path, memory_link) != 0 || (memory != NULL && memory->st_ino != inode)) return;
  maps->memory = true;
  snprintf(maps->place, sizeof maps->place, "map_files/%lx-%lx", start, end);
}

/* If `memory` is not NULL, only that memory counts. Otherwise any memory with that name counts. */
static struct maps read_maps(const struct tg_watch *watch, const struct stat *memory) {
  struct maps maps = {.readable = false};
  int descriptor = openat(watch->directory, "maps", O_RDONLY | O_CLOEXEC);
  FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "r");
  char *line = NULL;
  size_t size = 0;
  maps.readable = file != NULL || errno == ENOENT || errno == ESRCH;
  if (file == NULL) return maps;
  for (ssize_t length; (length = getline(&line, &size, file)) > 0;) {
    if (line[length - 1] == '\n') line[length - 1] = '\0';
    read_map(&maps, line, memory);
  }
  free(line);
  fclose(file);
  return maps;
}

/* A process may have another file with that name. The guard's memory is sealed, so it cannot shrink
 * while it is mapped here. */
static bool is_ours(const struct tg_watch *watch, int file, struct stat *memory) {
  struct stat process;
  if (fstat(file, memory) != 0 || fstat(watch->directory, &process) != 0) return false;
  int seals = fcntl(file, F_GET_SEALS), wanted = F_SEAL_SHRINK | F_SEAL_GROW;
  return S_ISREG(memory->st_mode) && (memory->st_mode & 07777) == S_IRUSR &&
         memory->st_size == (off_t)sizeof(struct tsfn_guard_published) && seals >= 0 &&
         (seals & wanted) == wanted && (memory->st_uid == process.st_uid || memory->st_uid == 0);
}

static bool map_memory(struct tg_watch *watch, const char *place) {
  int file = openat(watch->directory, place, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (file < 0) return false;
  void *memory = MAP_FAILED;
  if (is_ours(watch, file, &watch->memory))
    memory = mmap(NULL, sizeof(struct tsfn_guard_published), PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (memory == MAP_FAILED) return false;
  watch->page = memory;
  return true;
}

/* False, with errno: this user may not read the process's descriptors. True: the search was
 * possible, but may have found nothing. */
static bool find_descriptor(struct tg_watch *watch) {
  char link[sizeof memory_link];
  int directory = openat(watch->directory, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *entries = directory < 0 ? NULL : fdopendir(directory);
  if (entries == NULL) return false;
  for (const struct dirent *entry; watch->page == NULL && (entry = readdir(entries)) != NULL;) {
    ssize_t length = readlinkat(directory, entry->d_name, link, sizeof link);
    if (length != (ssize_t)sizeof link - 1 || memcmp(link, memory_link, sizeof link - 1) != 0)
      continue;
    snprintf(watch->descriptor, sizeof watch->descriptor, "fd/%.20s", entry->d_name);
    if (!map_memory(watch, watch->descriptor)) watch->descriptor[0] = '\0';
  }
  closedir(entries);
  return true;
}

/* --- Why there is no published memory */

static int complain_of_options(const struct tg_watch *watch, const char *text) {
  struct tg_options options;
  struct tg_text found;
  tg_options_parse(&options, text);
  if (options.mode == TG_MODE_OFF)
    return complain_of(watch, "a process that is guarded", ", which mode=off leaves unguarded",
                       "start it without mode=off and with publish=1");
  if (options.publish)
    return complain_of(watch, "a process that publishes",
                       ", with publish=1, but it publishes nothing",
                       "read what it wrote to stderr when it started; in a program that is not a "
                       "runtime the guard does nothing");
  join(&found, (const char *const[]){", with " TSFN_GUARD_OPTIONS_VARIABLE "=", text, NULL});
  return complain_of(watch, "a process that was started with publish=1",
                     text == NULL ? ", started without options" : found.bytes, start_remedy);
}

static int complain_of_nothing(struct tg_watch *watch, const struct maps *maps) {
  if (maps->memory)
    return complain_of(watch, "the descriptor of the published memory", ", which has closed it",
                       "run it as root, which finds the memory without the descriptor");
  if (!maps->library)
    return complain_of(watch, "a process that is guarded", ", which has not loaded libtsfnguard.so",
                       start_remedy);
  char *options = tg_process_variable(watch->directory, TSFN_GUARD_OPTIONS_VARIABLE);
  int status = complain_of_options(watch, options);
  free(options);
  return status;
}

/* --- The memory's head */

/* Copies a text of the process, cut to the size of its field. */
static void copy_text(char *to, const char *from, size_t size) {
  memcpy(to, from, size);
  to[size - 1] = '\0';
}

static int check_head(struct tg_watch *watch) {
  const struct tsfn_guard_published *page = watch->page;
  char of_it[128];
  copy_text(watch->guard, page->guard, sizeof watch->guard);
  if (memcmp(page->magic, TSFN_GUARD_PUBLISHED_MAGIC, sizeof page->magic) != 0)
    return complain_of(watch, "complete published memory", ", which is still starting",
                       "try again");
  if (page->version != TSFN_GUARD_PUBLISHED_VERSION ||
      page->head_size != offsetof(struct tsfn_guard_published, record) ||
      page->record_size != sizeof page->record[0] ||
      page->records != TSFN_GUARD_PUBLISHED_RECORDS || page->index_bits >= 32) {
    snprintf(of_it, sizeof of_it, ", which publishes version %" PRIu32 ", of tsfn-guard %s",
             page->version, watch->guard);
    return complain_of(watch, "published memory of version 1", of_it,
                       "use the tsfn-guard command of its version");
  }
  pid_t inner = tg_process_inner_id(watch->directory);
  if (inner == 0 || inner == page->process) return 0;
  snprintf(of_it, sizeof of_it,
           ", forked from %" PRId32 " without exec: such children are not published",
           page->process);
  return complain_of(watch, "the process that publishes", of_it, "give the id of that one");
}

int tg_watch_open(struct tg_watch *watch, const char *process) {
  *watch = (struct tg_watch){.directory = -1};
  char path[64], *end;
  errno = 0;
  long id = strtol(process, &end, 10);
  if (process[0] < '0' || process[0] > '9' || *end != '\0' || errno != 0 || id < 1 || id > INT_MAX)
    return tg_complain(TG_EXIT_USAGE, "the id of a process", process,
                       "give a number, as pgrep -a node prints it");
  watch->process = (pid_t)id;
  snprintf(path, sizeof path, "/proc/%ld", id);
  watch->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (watch->directory < 0) {
    snprintf(path, sizeof path, "no process %ld", id);
    return tg_complain(TG_EXIT_FAILED, "the id of a process that runs", path,
                       "list the running ones: pgrep -a node");
  }
  if (!find_descriptor(watch)) return complain_of_access(watch);
  if (watch->page == NULL) {
    struct maps maps = read_maps(watch, NULL);
    if (!maps.readable) return complain_of_access(watch);
    if (!maps.memory || !map_memory(watch, maps.place)) return complain_of_nothing(watch, &maps);
  }
  int status = check_head(watch);
  if (status != 0) return status;
  watch->before = calloc(TSFN_GUARD_PUBLISHED_RECORDS, sizeof *watch->before);
  return watch->before != NULL
             ? 0
             : tg_complain(TG_EXIT_FAILED, "4 MiB of memory", "none", "free some memory");
}

bool tg_watch_is_there(const struct tg_watch *watch) {
  struct stat status;
  if (watch->descriptor[0] != '\0' &&
      fstatat(watch->directory, watch->descriptor, &status, 0) == 0 &&
      tg_is_same_file(&status, &watch->memory))
    return true;
  struct maps maps = read_maps(watch, &watch->memory);
  return maps.readable ? maps.memory : faccessat(watch->directory, "stat", F_OK, 0) == 0;
}

/* --- Samples */

static uint64_t load(const uint64_t *word) {
  return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static uint32_t load_half(const uint32_t *word) {
  return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static void copy_name(char *to, const char *from, size_t size) {
  for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
    uint64_t word = load((const uint64_t *)(const void *)(from + i));
    memcpy(to + i, &word, sizeof word);
  }
  to[size - 1] = '\0';
}

bool tg_watch_read(const struct tsfn_guard_record *record, struct tsfn_guard_record *copy) {
  uint64_t mark = __atomic_load_n(&record->mark, __ATOMIC_ACQUIRE);
  *copy = (struct tsfn_guard_record){
      .mark = mark,
      .created = load(&record->created),
      .max_queue_size = load(&record->max_queue_size),
      /* Read before `calls`, so that no item appears as delivered but not as called. */
      .delivered = __atomic_load_n(&record->delivered, __ATOMIC_ACQUIRE),
      .env = load_half(&record->env),
      .addon = load_half(&record->addon),
      .finalized = load_half(&record->finalized),
      .calls_before = load(&record->calls_before),
      .queue_full = load(&record->queue_full),
      .closing = load(&record->closing),
      .thread_count = load(&record->thread_count),
      .state = load_half(&record->state),
  };
  copy->calls = load(&record->calls);
  copy_name(copy->name, record->name, sizeof copy->name);
  atomic_thread_fence(memory_order_acquire);
  return mark != 0 && load(&record->mark) == mark;
}

static enum tg_watch_state state_of(const struct tsfn_guard_record *record) {
  if (record->finalized != 0 && record->thread_count != 0) return TG_WATCH_LEAKED;
  if (record->state == TSFN_GUARD_OPEN) return TG_WATCH_OPEN;
  return record->state == TSFN_GUARD_CLOSING ? TG_WATCH_CLOSING : TG_WATCH_CLOSED;
}

static uint64_t less(uint64_t from, uint64_t number) {
  return number < from ? from - number : 0;
}

static double rate(uint64_t now, uint64_t before, double seconds) {
  return seconds > 0 ? (double)less(now, before) / seconds : 0;
}

static struct tg_watch_function *add_function(struct tg_watch *watch) {
  struct tg_watch_sample *sample = &watch->sample;
  if (sample->count == watch->capacity) {
    size_t capacity = watch->capacity == 0 ? 1024 : watch->capacity * 2;
    struct tg_watch_function *more = realloc(sample->functions, capacity * sizeof *more);
    if (more == NULL) return NULL;
    sample->functions = more;
    watch->capacity = capacity;
  }
  return &sample->functions[sample->count++];
}

static bool record_function(struct tg_watch *watch, uint32_t index,
                            const struct tsfn_guard_record *record) {
  struct tg_watch_sample *sample = &watch->sample;
  struct tg_watch_function *function = add_function(watch);
  if (function == NULL) return false;
  uint64_t calls = less(record->calls, record->calls_before);
  uint64_t before = watch->before[index].mark == record->mark ? watch->before[index].calls : 0;
  *function = (struct tg_watch_function){
      .mark = record->mark,
      .number = (record->mark - 1) << watch->page->index_bits % 64 | index,
      .index = index,
      .env = record->env,
      .addon = record->addon,
      .state = state_of(record),
      .threads = record->thread_count,
      .queue = record->finalized != 0 ? 0 : less(record->calls, record->delivered),
      .max_queue_size = record->max_queue_size,
      .calls = calls,
      .calls_per_second = rate(calls, before, sample->seconds),
      .age_ms = less(sample->time, record->created) / 1000000,
  };
  memcpy(function->name, record->name, sizeof function->name);
  sample->states[function->state]++;
  sample->queued += function->queue;
  watch->before[index].calls = calls;
  return true;
}

static bool read_records(struct tg_watch *watch) {
  struct tg_watch_sample *sample = &watch->sample;
  uint64_t used = load(&watch->page->used);
  if (used > TSFN_GUARD_PUBLISHED_RECORDS) used = TSFN_GUARD_PUBLISHED_RECORDS;
  for (uint32_t index = 0; index < used; index++) {
    struct tsfn_guard_record record;
    bool alive = tg_watch_read(&watch->page->record[index], &record);
    sample->totals[TG_WATCH_CALLS] += record.calls;
    sample->totals[TG_WATCH_DELIVERED] += record.delivered;
    sample->totals[TG_WATCH_QUEUE_FULL] += record.queue_full;
    sample->totals[TG_WATCH_CLOSING_ANSWERS] += record.closing;
    if (alive && !record_function(watch, index, &record)) return false;
    watch->before[index].mark = alive ? record.mark : 0;
  }
  return true;
}

/* Reads the texts that become known once, and never change afterwards. */
static void read_texts(struct tg_watch *watch) {
  const struct tsfn_guard_published *page = watch->page;
  if (watch->runtime[0] == '\0' && __atomic_load_n(&page->runtime_known, __ATOMIC_ACQUIRE) != 0)
    copy_text(watch->runtime, page->runtime, sizeof watch->runtime);
  for (unsigned i = 0; i < TSFN_GUARD_PUBLISHED_ADDONS; i++)
    if (watch->addons[i][0] == '\0' &&
        __atomic_load_n(&page->addons[i].known, __ATOMIC_ACQUIRE) != 0)
      copy_text(watch->addons[i], page->addons[i].path, sizeof watch->addons[i]);
}

bool tg_watch_take(struct tg_watch *watch) {
  const struct tsfn_guard_published *page = watch->page;
  const struct tg_watch_sample before = watch->sample;
  struct tg_watch_sample *sample = &watch->sample;
  *sample = (struct tg_watch_sample){.time = tg_nanoseconds(CLOCK_MONOTONIC),
                                     .functions = before.functions};
  if (before.time != 0) sample->seconds = (double)(sample->time - before.time) / 1e9;
  read_texts(watch);
  sample->totals[TG_WATCH_CREATED] = load(&page->created);
  sample->totals[TG_WATCH_FINALIZED] = load(&page->finalized);
  uint64_t over = load(&page->hidden_over);
  sample->hidden = less(load(&page->hidden_created), over);
  if (!read_records(watch)) return false;
  for (unsigned i = 0; i < TG_WATCH_TOTALS; i++)
    sample->rates[i] = rate(sample->totals[i], before.totals[i], sample->seconds);
  for (unsigned i = 0; i < TSFN_GUARD_PUBLISHED_EVENTS; i++) {
    sample->events[i] = load(&page->events[i]);
    sample->event_rates[i] = rate(sample->events[i], before.events[i], sample->seconds);
  }
  return true;
}

const char *tg_watch_addon(const struct tg_watch *watch, const struct tg_watch_function *function) {
  if (function->addon == 0 || function->addon > TSFN_GUARD_PUBLISHED_ADDONS) return NULL;
  const char *path = watch->addons[function->addon - 1];
  return path[0] == '\0' ? NULL : path;
}
