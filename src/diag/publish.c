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

/* Missing in the headers of glibc 2.28. */
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
_Static_assert(TG_NAME_SIZE == sizeof((struct tsfn_guard_record){0}.name),
               "names are written as they are");

/* The records are probed in parts, each at its first use. */
enum { PART = 256, PARTS = TSFN_GUARD_PUBLISHED_RECORDS / PART };

/* Constant after tg_publish_open, with one exception: in every child that does not share this
 * memory, the kernel wipes the anchor's page. Such a child must not write to its parent's published
 * memory. */
static struct { struct tsfn_guard_published *page; } * anchor;
static const struct tg_report_source *publish_source;
static struct tg_observer next_in_chain; /* `used`, `closing` and `expired` are always NULL */

enum { UNTRIED, USABLE, UNUSABLE };
/* Relaxed: the state of a part publishes no other data, and the first of several racing threads
 * sets it for all. */
static _Atomic uint8_t part_states[PARTS];
static const struct tg_addon *_Atomic published_addons[TSFN_GUARD_PUBLISHED_ADDONS];

/* --- Words. The public header has plain integers, so these use the compiler's atomics. Relaxed: a
 * reader loads each word on its own; `mark` and the `known` words publish what was written
 * before. */

static uint64_t load_word(const uint64_t *word) {
  return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static void store_word(uint64_t *word, uint64_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static void store_word32(uint32_t *word, uint32_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* For a word with one writer at a time: a plain load and store suffice. */
static void increment_word(uint64_t *word) {
  store_word(word, load_word(word) + 1);
}

/* For a word with several writers at once. */
static void increment_shared_word(uint64_t *word) {
  __atomic_fetch_add(word, 1, __ATOMIC_RELAXED);
}

/* Coarse, because a few milliseconds do not matter, and reading the precise clock is slow on some
 * machines. */
static uint64_t coarse_now(void) {
  return tg_nanoseconds(CLOCK_MONOTONIC_COARSE);
}

/* --- Records */

/* NULL: the function has no record. */
static struct tsfn_guard_record *published_record_of(const struct tg_function *function) {
  struct tsfn_guard_published *page = anchor->page;
  uint32_t index = function->index;
  if (page == NULL || index >= TSFN_GUARD_PUBLISHED_RECORDS) return NULL;
  if (atomic_load_explicit(&part_states[index / PART], memory_order_relaxed) != USABLE) return NULL;
  return &page->record[index];
}

/* Detects a lack of memory here; without this, the first write would raise SIGBUS. Linux before
 * 5.14 does not know MADV_POPULATE_WRITE, so there nothing is detected. */
static bool can_be_written(void *memory, size_t size) {
  return madvise(memory, size, MADV_POPULATE_WRITE) == 0 || errno == EINVAL;
}

static void probe_part(struct tsfn_guard_published *page, uint32_t index) {
  uint32_t part = index / PART;
  if (index >= TSFN_GUARD_PUBLISHED_RECORDS) return;
  if (atomic_load_explicit(&part_states[part], memory_order_relaxed) != UNTRIED) return;
  int saved = errno;
  size_t size = sizeof(struct tsfn_guard_record) * PART;
  bool usable = can_be_written(&page->record[(size_t)part * PART], size);
  uint8_t untried = UNTRIED;
  atomic_compare_exchange_strong_explicit(&part_states[part], &untried, usable ? USABLE : UNUSABLE,
                                          memory_order_relaxed, memory_order_relaxed);
  errno = saved;
}

/* The addon's index plus 1; 0: there is no addon, or the table of addons is full. */
static uint32_t addon_place_of(struct tsfn_guard_published *page, const struct tg_addon *addon) {
  if (addon == NULL) return 0;
  for (uint32_t i = 0; i < TSFN_GUARD_PUBLISHED_ADDONS; i++) {
    const struct tg_addon *known = NULL;
    /* Relaxed: pointers are only compared. The word `known` publishes the path to readers. */
    if (atomic_compare_exchange_strong_explicit(&published_addons[i], &known, addon,
                                                memory_order_relaxed, memory_order_relaxed)) {
      tg_copy_end(page->addons[i].path, sizeof page->addons[i].path,
                  publish_source->addon_path(addon));
      __atomic_store_n(&page->addons[i].known, 1, __ATOMIC_RELEASE);
    }
    if (known == NULL || known == addon) return i + 1;
  }
  return 0;
}

static void write_record_name(struct tsfn_guard_record *record, const char name[TG_NAME_SIZE]) {
  uint64_t words[TG_NAME_SIZE / sizeof(uint64_t)];
  memcpy(words, name, sizeof words);
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    store_word((uint64_t *)(void *)record->name + i, words[i]);
}

static void write_record(struct tsfn_guard_published *page, struct tsfn_guard_record *record,
                         const struct tg_function *function) {
  store_word(&record->mark, 0);
  atomic_thread_fence(memory_order_release);
  store_word(&record->created, coarse_now());
  store_word(&record->max_queue_size, function->max_queue_size);
  store_word(&record->calls_before, load_word(&record->calls));
  store_word(&record->thread_count, function->thread_count);
  store_word32(&record->env, function->env_number);
  store_word32(&record->addon, addon_place_of(page, function->addon));
  store_word32(&record->finalized, 0);
  store_word32(&record->state, TG_OPEN); /* even if the exit handler has just closed it */
  write_record_name(record, function->name);
  __atomic_store_n(&record->mark, (uint64_t)function->generation + 1, __ATOMIC_RELEASE);
}

static void publish_used_index(struct tsfn_guard_published *page, uint64_t index) {
  uint64_t used = load_word(&page->used);
  while (used <= index && !__atomic_compare_exchange_n(&page->used, &used, index + 1, false,
                                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
}

static void publish_runtime(struct tsfn_guard_published *page) {
  static atomic_flag begun = ATOMIC_FLAG_INIT; /* relaxed: decides only which thread writes */
  char runtime[TG_RUNTIME_MAX];
  if (!publish_source->runtime(runtime)) return;
  if (atomic_flag_test_and_set_explicit(&begun, memory_order_relaxed)) return;
  tg_copy_string(page->runtime, sizeof page->runtime, runtime);
  __atomic_store_n(&page->runtime_known, 1, __ATOMIC_RELEASE);
}

/* --- The observer */

static void publish_create(struct tsfn_guard_published *page, const struct tg_function *function) {
  if (__atomic_load_n(&page->runtime_known, __ATOMIC_RELAXED) == 0) publish_runtime(page);
  probe_part(page, function->index);
  struct tsfn_guard_record *record = published_record_of(function);
  increment_shared_word(&page->created);
  if (record == NULL) {
    increment_shared_word(&page->hidden_created);
    return;
  }
  write_record(page, record, function);
  publish_used_index(page, function->index);
}

static void publish_on_created(const struct tg_function *function, const void *caller) {
  if (anchor->page != NULL) publish_create(anchor->page, function);
  if (next_in_chain.created != NULL) next_in_chain.created(function, caller);
}

static void publish_on_used(const struct tg_function *function, bool is_call, napi_status answer) {
  struct tsfn_guard_record *record = published_record_of(function);
  if (record == NULL) return;
  store_word(&record->thread_count, function->thread_count);
  if (!is_call) return;
  if (answer == napi_ok)
    increment_word(&record->calls);
  else if (answer == napi_queue_full)
    increment_word(&record->queue_full);
  else if (answer == napi_closing)
    increment_word(&record->closing);
}

static void publish_on_closing(const struct tg_function *function) {
  struct tsfn_guard_record *record = published_record_of(function);
  if (record != NULL) store_word32(&record->state, TG_CLOSING);
}

static void publish_on_taken(const struct tg_function *function) {
  struct tsfn_guard_record *record = published_record_of(function);
  if (record != NULL) increment_word(&record->delivered);
  if (next_in_chain.taken != NULL) next_in_chain.taken(function);
}

/* Called when no call is accepted any more and the remaining items are about to be drained. So all
 * accepted items are counted as delivered. */
static void publish_on_finalizing(const struct tg_function *function) {
  struct tsfn_guard_record *record = published_record_of(function);
  if (record != NULL) {
    store_word32(&record->state, TG_CLOSED);
    store_word(&record->delivered, load_word(&record->calls));
  }
  if (next_in_chain.finalizing != NULL) next_in_chain.finalizing(function);
}

static enum tg_event_kind publish_on_finalized(const struct tg_function *function,
                                               uint64_t *quantity) {
  struct tsfn_guard_record *record = published_record_of(function);
  if (anchor->page != NULL) increment_shared_word(&anchor->page->finalized);
  if (record != NULL) store_word32(&record->finalized, 1);
  return next_in_chain.finalized == NULL ? TG_EVENT_NONE
                                         : next_in_chain.finalized(function, quantity);
}

static void publish_on_expired(const struct tg_function *function) {
  struct tsfn_guard_record *record = published_record_of(function);
  if (record != NULL)
    store_word(&record->mark, 0);
  else if (anchor->page != NULL)
    increment_shared_word(&anchor->page->hidden_over);
}

void tg_publish_event(enum tg_event_kind kind) {
  if (anchor != NULL && anchor->page != NULL)
    store_word(&anchor->page->events[kind], tg_policy_seen(kind));
}

bool tg_publish_count_calls(struct tg_published_calls *calls) {
  const struct tsfn_guard_published *page = anchor == NULL ? NULL : anchor->page;
  *calls = (struct tg_published_calls){0};
  if (page == NULL) return false;
  uint64_t used = load_word(&page->used);
  for (uint64_t i = 0; i < used && i < TSFN_GUARD_PUBLISHED_RECORDS; i++) {
    const struct tsfn_guard_record *record = &page->record[i];
    /* Reading a part that has no memory yet would allocate memory for it. */
    if (atomic_load_explicit(&part_states[i / PART], memory_order_relaxed) != USABLE) continue;
    calls->ok += load_word(&record->calls);
    calls->queue_full += load_word(&record->queue_full);
    calls->closing += load_word(&record->closing);
  }
  return true;
}

/* --- The memory */

static int create_memfd(void) {
  int file =
      memfd_create(TSFN_GUARD_PUBLISHED_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
  if (file < 0 && errno == EINVAL) /* Linux before 6.3 */
    file = memfd_create(TSFN_GUARD_PUBLISHED_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (file < 0) return -1;
  if (file <= STDERR_FILENO) { /* the program may want 0 to 2 to stay closed */
    int other = fcntl(file, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    close(file);
    file = other;
  }
  return file;
}

/* Hushed, because a size beyond RLIMIT_FSIZE raises SIGXFSZ. On failure returns false and sets
 * errno. */
static bool set_memory_size(int file, size_t size) {
  struct tg_hush hush;
  tg_hush_begin(&hush);
  int error = ftruncate(file, (off_t)size) == 0 ? 0 : errno;
  tg_hush_end(&hush, error);
  errno = error;
  return error == 0;
}

/* On failure returns NULL and sets errno. */
static struct tsfn_guard_published *map_memfd(int file, size_t size) {
  if (!set_memory_size(file, size) || fchmod(file, S_IRUSR) != 0) return NULL;
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) return NULL;
  /* Readers require the first two seals, which make mapping safe for them. The third exists since
   * Linux 5.1. */
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

static void write_header(struct tsfn_guard_published *page, bool diagnose) {
  page->version = TSFN_GUARD_PUBLISHED_VERSION;
  page->head_size = offsetof(struct tsfn_guard_published, record);
  page->record_size = sizeof(struct tsfn_guard_record);
  page->records = TSFN_GUARD_PUBLISHED_RECORDS;
  page->process = getpid();
  page->index_bits = TG_INDEX_BITS;
  page->armed = coarse_now();
  page->diagnose = diagnose;
  tg_copy_string(page->guard, sizeof page->guard, TSFN_GUARD_VERSION);
  publish_runtime(page);
  atomic_thread_fence(memory_order_release);
  memcpy(page->magic, TSFN_GUARD_PUBLISHED_MAGIC, sizeof TSFN_GUARD_PUBLISHED_MAGIC);
}

static void report_no_memory(int error) {
  struct tg_text line;
  tg_text_start(&line);
  tg_text_add(
      &line,
      "publish: needed 33 MiB of sealed shared memory that only this process writes, found ");
  tg_text_add(&line, strerror(error));
  tg_text_add(&line,
              "; tsfn-guard top will see nothing; use Linux 4.14 or newer, and allow memfd_create "
              "(seccomp) and files of that size (ulimit -f, -v)");
  tg_text_write(&line);
}

const struct tg_observer *tg_publish_open(const struct tg_report_source *report_source,
                                          bool diagnose, const struct tg_observer *next_observer) {
  static struct tg_observer observer;
  const size_t size = sizeof(struct tsfn_guard_published);
  publish_source = report_source;
  int file = create_memfd();
  struct tsfn_guard_published *page = file < 0 ? NULL : map_memfd(file, size);
  if (page == NULL || !open_anchor(page)) {
    report_no_memory(errno);
    if (page != NULL) munmap(page, size);
    if (file >= 0) close(file);
    return next_observer;
  }
  write_header(page, diagnose);
  if (next_observer != NULL) next_in_chain = *next_observer;
  observer = next_in_chain;
  observer.created = publish_on_created;
  observer.used = publish_on_used;
  observer.closing = publish_on_closing;
  observer.taken = publish_on_taken;
  observer.finalizing = publish_on_finalizing;
  observer.finalized = publish_on_finalized;
  observer.expired = publish_on_expired;
  return &observer;
}
