/* Implements publish=1. */
#include "diag/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/output.h"
#include "base/text.h"
#include "core/types.h"
#include "diag/policy.h"
#include "tsfn_guard/tsfn_guard.h"

/* Newer than glibc 2.28's headers. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

_Static_assert(sizeof(struct tsfn_guard_record) == 128, "layout version 1");
_Static_assert(offsetof(struct tsfn_guard_record, name) == 48, "layout version 1");
_Static_assert(offsetof(struct tsfn_guard_record, calls) == 80, "layout version 1");
_Static_assert(offsetof(struct tsfn_guard_published, process) == 32, "layout version 1");
_Static_assert(offsetof(struct tsfn_guard_published, runtime) == 72, "layout version 1");
_Static_assert(offsetof(struct tsfn_guard_published, used) == 192, "layout version 1");
_Static_assert(offsetof(struct tsfn_guard_published, events) == 232, "layout version 1");
_Static_assert(offsetof(struct tsfn_guard_published, addons) == 744, "layout version 1");
_Static_assert(offsetof(struct tsfn_guard_published, record) == 16384, "layout version 1");
_Static_assert(TG_OPEN == (int)TSFN_GUARD_OPEN && TG_CLOSING == (int)TSFN_GUARD_CLOSING &&
                   TG_CLOSED == (int)TSFN_GUARD_CLOSED,
               "states are written as they are");
_Static_assert((int)TG_EVENT_KINDS <= (int)TSFN_GUARD_PUBLISHED_EVENTS, "each kind has its count");
_Static_assert(TG_NAME_SIZE == sizeof((struct tsfn_guard_record){0}.name), "names are written as they are");

enum { PART = 256, PARTS = TSFN_GUARD_PUBLISHED_RECORDS / PART }; /* of the records, at first use */

/* A page of its own that the kernel empties in every child which does not share this memory: there the published
 * memory is the parent's. */
static struct { struct tsfn_guard_published *page; } * anchor;

enum { UNTRIED, USABLE, UNUSABLE };
static _Atomic uint8_t parts[PARTS];

static const struct tg_report_source *source;
static struct tg_observer next; /* its members may be NULL; `used`, `closing` and `expired` always are */
static const struct tg_addon *_Atomic addons[TSFN_GUARD_PUBLISHED_ADDONS];

/* --- Words. The public header has plain integers, so these are the compiler's own atomics. */

static uint64_t load(const uint64_t *word) {
  return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static void store(uint64_t *word, uint64_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static void store_half(uint32_t *word, uint32_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* Of a word that has one writer at a time. */
static void count(uint64_t *word) {
  store(word, load(word) + 1);
}

/* Of one that has many. */
static void count_together(uint64_t *word) {
  __atomic_fetch_add(word, 1, __ATOMIC_RELAXED);
}

/* Some milliseconds are no matter, and where the machine's clock is slow, the coarse one is not. */
static uint64_t now(void) {
  return tg_nanoseconds(CLOCK_MONOTONIC_COARSE);
}

/* --- Records */

/* NULL: it has none. */
static struct tsfn_guard_record *record_of(const struct tg_function *function) {
  struct tsfn_guard_published *page = anchor->page;
  uint32_t index = function->index;
  if (page == NULL || index >= TSFN_GUARD_PUBLISHED_RECORDS) return NULL;
  if (atomic_load_explicit(&parts[index / PART], memory_order_relaxed) != USABLE) return NULL;
  return &page->record[index];
}

/* Where the kernel has no memory, it says so here, and not with SIGBUS at the first write. One that is older than 5.14
 * knows no such question. */
static bool can_be_written(void *memory, size_t size) {
  return madvise(memory, size, MADV_POPULATE_WRITE) == 0 || errno == EINVAL;
}

static void try_part(struct tsfn_guard_published *page, uint32_t index) {
  uint32_t part = index / PART;
  if (index >= TSFN_GUARD_PUBLISHED_RECORDS) return;
  if (atomic_load_explicit(&parts[part], memory_order_relaxed) != UNTRIED) return;
  int saved = errno;
  size_t size = sizeof(struct tsfn_guard_record) * PART;
  bool usable = can_be_written(&page->record[(size_t)part * PART], size);
  uint8_t untried = UNTRIED;
  atomic_compare_exchange_strong_explicit(&parts[part], &untried, usable ? USABLE : UNUSABLE,
                                          memory_order_relaxed, memory_order_relaxed);
  errno = saved;
}

/* Its place plus 1; 0: there is none. */
static uint32_t place_of_addon(struct tsfn_guard_published *page, const struct tg_addon *addon) {
  if (addon == NULL) return 0;
  for (uint32_t i = 0; i < TSFN_GUARD_PUBLISHED_ADDONS; i++) {
    const struct tg_addon *known = NULL;
    if (atomic_compare_exchange_strong(&addons[i], &known, addon)) {
      tg_copy_end(page->addons[i].path, sizeof page->addons[i].path, source->addon_path(addon));
      __atomic_store_n(&page->addons[i].known, 1, __ATOMIC_RELEASE);
    }
    if (known == NULL || known == addon) return i + 1;
  }
  return 0;
}

static void write_name(struct tsfn_guard_record *record, const char name[TG_NAME_SIZE]) {
  uint64_t words[TG_NAME_SIZE / sizeof(uint64_t)];
  memcpy(words, name, sizeof words);
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    store((uint64_t *)(void *)record->name + i, words[i]);
}

static void write_record(struct tsfn_guard_published *page, struct tsfn_guard_record *record,
                         const struct tg_function *function) {
  store(&record->mark, 0);
  atomic_thread_fence(memory_order_release);
  store(&record->created, now());
  store(&record->max_queue_size, function->max_queue_size);
  store(&record->calls_before, load(&record->calls));
  store(&record->thread_count, function->thread_count);
  store_half(&record->env, function->env_number);
  store_half(&record->addon, place_of_addon(page, function->addon));
  store_half(&record->finalized, 0);
  store_half(&record->state, TG_OPEN); /* but at exit, whose handler may have closed it just now */
  write_name(record, function->name);
  __atomic_store_n(&record->mark, (uint64_t)function->generation + 1, __ATOMIC_RELEASE);
}

static void record_used(struct tsfn_guard_published *page, uint64_t index) {
  uint64_t used = load(&page->used);
  while (used <= index && !__atomic_compare_exchange_n(&page->used, &used, index + 1, false, __ATOMIC_RELAXED,
                                                       __ATOMIC_RELAXED)) {
  }
}

static void write_runtime(struct tsfn_guard_published *page) {
  static atomic_flag begun = ATOMIC_FLAG_INIT;
  char runtime[TG_RUNTIME_MAX];
  if (!source->runtime(runtime) || atomic_flag_test_and_set(&begun)) return;
  tg_copy_string(page->runtime, sizeof page->runtime, runtime);
  __atomic_store_n(&page->runtime_known, 1, __ATOMIC_RELEASE);
}

/* --- The observer */

static void publish_created(struct tsfn_guard_published *page, const struct tg_function *function) {
  if (__atomic_load_n(&page->runtime_known, __ATOMIC_RELAXED) == 0) write_runtime(page);
  try_part(page, function->index);
  struct tsfn_guard_record *record = record_of(function);
  count_together(&page->created);
  if (record == NULL) {
    count_together(&page->hidden_created);
    return;
  }
  write_record(page, record, function);
  record_used(page, function->index);
}

static void created(const struct tg_function *function, const void *caller) {
  if (anchor->page != NULL) publish_created(anchor->page, function);
  if (next.created != NULL) next.created(function, caller);
}

static void used(const struct tg_function *function, bool is_call, napi_status answer) {
  struct tsfn_guard_record *record = record_of(function);
  if (record == NULL) return;
  store(&record->thread_count, function->thread_count);
  if (!is_call) return;
  if (answer == napi_ok)
    count(&record->calls);
  else if (answer == napi_queue_full)
    count(&record->queue_full);
  else if (answer == napi_closing)
    count(&record->closing);
}

static void closing(const struct tg_function *function) {
  struct tsfn_guard_record *record = record_of(function);
  if (record != NULL) store_half(&record->state, TG_CLOSING);
}

static void taken(const struct tg_function *function) {
  struct tsfn_guard_record *record = record_of(function);
  if (record != NULL) count(&record->delivered);
  if (next.taken != NULL) next.taken(function);
}

/* No call is accepted any more, and what was is drained now. */
static void finalizing(const struct tg_function *function) {
  struct tsfn_guard_record *record = record_of(function);
  if (record != NULL) {
    store_half(&record->state, TG_CLOSED);
    store(&record->delivered, load(&record->calls));
  }
  if (next.finalizing != NULL) next.finalizing(function);
}

static enum tg_event_kind finalized(const struct tg_function *function, uint64_t *quantity) {
  struct tsfn_guard_record *record = record_of(function);
  if (anchor->page != NULL) count_together(&anchor->page->finalized);
  if (record != NULL) store_half(&record->finalized, 1);
  return next.finalized == NULL ? TG_EVENT_NONE : next.finalized(function, quantity);
}

static void expired(const struct tg_function *function) {
  struct tsfn_guard_record *record = record_of(function);
  if (record != NULL)
    store(&record->mark, 0);
  else if (anchor->page != NULL)
    count_together(&anchor->page->hidden_over);
}

void tg_publish_event(enum tg_event_kind kind) {
  if (anchor != NULL && anchor->page != NULL) store(&anchor->page->events[kind], tg_policy_seen(kind));
}

/* --- The memory */

static int open_memory(void) {
  int file = memfd_create(TSFN_GUARD_PUBLISHED_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
  if (file < 0 && errno == EINVAL) /* Linux before 6.3 */
    file = memfd_create(TSFN_GUARD_PUBLISHED_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (file < 0) return -1;
  if (file <= STDERR_FILENO) { /* the program was started without one of these, and may want it so */
    int other = fcntl(file, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    close(file);
    file = other;
  }
  return file;
}

/* Larger than RLIMIT_FSIZE is SIGXFSZ. False, and errno. */
static bool set_size(int file, size_t size) {
  struct tg_hush hush;
  tg_hush_begin(&hush);
  int error = ftruncate(file, (off_t)size) == 0 ? 0 : errno;
  tg_hush_end(&hush, error);
  errno = error;
  return error == 0;
}

/* NULL, and errno. */
static struct tsfn_guard_published *map_memory(int file, size_t size) {
  if (!set_size(file, size) || fchmod(file, S_IRUSR) != 0) return NULL;
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) return NULL;
  /* Readers insist on the first two, so that they may map it without fear. The third is Linux 5.1's. */
  bool sealed = fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0;
  fcntl(file, F_ADD_SEALS, F_SEAL_FUTURE_WRITE);
  if (sealed && can_be_written(memory, offsetof(struct tsfn_guard_published, record))) {
    madvise(memory, size, MADV_DONTDUMP);
    return memory;
  }
  int error = errno;
  munmap(memory, size);
  errno = error;
  return NULL;
}

static bool open_anchor(struct tsfn_guard_published *page) {
  size_t size = (size_t)sysconf(_SC_PAGESIZE);
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  if (madvise(memory, size, MADV_WIPEONFORK) != 0) {
    int error = errno;
    munmap(memory, size);
    errno = error;
    return false;
  }
  anchor = memory;
  anchor->page = page;
  return true;
}

static void write_head(struct tsfn_guard_published *page, bool diagnose) {
  page->version = TSFN_GUARD_PUBLISHED_VERSION;
  page->head_size = offsetof(struct tsfn_guard_published, record);
  page->record_size = sizeof(struct tsfn_guard_record);
  page->records = TSFN_GUARD_PUBLISHED_RECORDS;
  page->process = getpid();
  page->index_bits = TG_INDEX_BITS;
  page->armed = now();
  page->diagnose = diagnose;
  tg_copy_string(page->guard, sizeof page->guard, TSFN_GUARD_VERSION);
  write_runtime(page);
  atomic_thread_fence(memory_order_release);
  memcpy(page->magic, TSFN_GUARD_PUBLISHED_MAGIC, sizeof TSFN_GUARD_PUBLISHED_MAGIC);
}

static void complain(int error) {
  struct tg_text line;
  tg_text_start(&line);
  tg_text_add(&line, "publish: needed 33 MiB of sealed shared memory that only this process writes, found ");
  tg_text_add(&line, strerror(error));
  tg_text_add(&line,
              "; tsfn-guard top will see nothing; use Linux 4.14 or newer, and allow memfd_create "
              "(seccomp) and files of that size (ulimit -f, -v)");
  tg_text_write(&line);
}

const struct tg_observer *tg_publish_open(const struct tg_report_source *report_source, bool diagnose,
                                          const struct tg_observer *next_observer) {
  static struct tg_observer observer;
  const size_t size = sizeof(struct tsfn_guard_published);
  source = report_source;
  int file = open_memory();
  struct tsfn_guard_published *page = file < 0 ? NULL : map_memory(file, size);
  if (page == NULL || !open_anchor(page)) {
    complain(errno);
    if (page != NULL) munmap(page, size);
    if (file >= 0) close(file);
    return next_observer;
  }
  write_head(page, diagnose);
  if (next_observer != NULL) next = *next_observer;
  observer = next;
  observer.created = created;
  observer.used = used;
  observer.closing = closing;
  observer.taken = taken;
  observer.finalizing = finalizing;
  observer.finalized = finalized;
  observer.expired = expired;
  return &observer;
}
