/* What publish=1 writes. The tests read it like tsfn-guard top: through /proc, and while it is
 * being written. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "command/common/complain.h"
#include "command/top/top_print.h"
#include "command/top/watch.h"
#include "diag/policy.h"
#include "diag/publish.h"
#include "guard_fixture.h"

static struct tg_guard *guard;
static struct tg_host host;
static const struct tg_observer *observer;
static struct tg_watch watch;
static pid_t ill, unsealed;
static char found_instead[256];

/* Replaces the function of command/common/complain.c. */
int tg_complain(int status, const char *needed, const char *found, const char *remedy) {
  (void)needed;
  (void)remedy;
  tg_copy_string(found_instead, sizeof found_instead, found);
  return status;
}

static bool no_runtime_yet(char runtime[TG_RUNTIME_MAX]) {
  static bool known;
  strcpy(runtime, "node 1.2.3");
  bool answer = known;
  known = true;
  return answer;
}

static const char *addon_path(const struct tg_addon *addon) {
  (void)addon;
  return "/app/x.node";
}

static const struct tg_report_source source = {.runtime = no_runtime_yet, .addon_path = addon_path};

static int watch_pid(pid_t process) {
  char id[16];
  snprintf(id, sizeof id, "%d", (int)process);
  return tg_watch_open(&watch, id);
}

static void forget_watch(void) {
  free(watch.before);
  free(watch.sample.functions);
  if (watch.page != NULL) munmap((void *)watch.page, sizeof *watch.page);
  if (watch.directory >= 0) close(watch.directory);
}

/* --- Other processes, started before this one publishes */

static unsigned char next_byte(void) {
  static unsigned random = 1;
  random = random * 1664525 + 1013904223;
  return (unsigned char)(random >> 8);
}

static int make_memory(void) {
  int file = memfd_create(TSFN_GUARD_PUBLISHED_NAME, MFD_ALLOW_SEALING);
  if (ftruncate(file, sizeof(struct tsfn_guard_published)) != 0 || fchmod(file, S_IRUSR) != 0)
    _exit(1);
  return file;
}

/* A process that looks guarded. But what it publishes is garbage, and changes all the time. */
static void mean_ill(int ready) {
  const size_t from = offsetof(struct tsfn_guard_published, armed), size = 512 * 1024;
  int file = make_memory();
  struct tsfn_guard_published *page =
      mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
  memcpy(page->magic, TSFN_GUARD_PUBLISHED_MAGIC, sizeof TSFN_GUARD_PUBLISHED_MAGIC);
  page->version = TSFN_GUARD_PUBLISHED_VERSION;
  page->head_size = offsetof(struct tsfn_guard_published, record);
  page->record_size = sizeof(struct tsfn_guard_record);
  page->records = TSFN_GUARD_PUBLISHED_RECORDS;
  page->process = getpid();
  for (bool signalled = false;; signalled = true) {
    for (size_t i = from; i < size; i++) ((volatile unsigned char *)page)[i] = next_byte();
    if (!signalled && write(ready, "x", 1) != 1) _exit(1);
  }
}

static void have_no_seals(int ready) {
  make_memory();
  if (write(ready, "x", 1) == 1) pause();
  _exit(1);
}

static pid_t start(void (*what)(int ready)) {
  int ready[2];
  char byte;
  if (pipe(ready) != 0) return -1;
  pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    what(ready[1]);
  }
  close(ready[1]);
  if (read(ready[0], &byte, 1) != 1) child = -1;
  close(ready[0]);
  return child;
}

static void end(pid_t child) {
  if (child > 0) kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

/* Once for all tests, because a process publishes only once. */
static int open_published(void **state) {
  (void)state;
  ill = start(mean_ill);
  unsealed = start(have_no_seals);
  fake_reset();
  guard = fake_guard_open(TG_DEADLOCK_OVERFLOW);
  guard->table.free_slots_min = 1; /* so that a slot is reused again and again */
  fake_guard_shrink(guard, 3, 18);
  host = fake_host;
  observer = tg_publish_open(&source, true, NULL);
  guard->host = guard->table.host = &host;
  tg_guard_observe(guard, observer);
  return ill < 0 || unsealed < 0 || observer == NULL || watch_pid(getpid()) != 0;
}

static int close_published(void **state) {
  (void)state;
  forget_watch();
  end(ill);
  end(unsealed);
  fake_guard_close(guard);
  return 0;
}

static void open_one(struct recorder *recorder, size_t max_queue_size, size_t thread_count) {
  *recorder = (struct recorder){.guard = guard, .env = fake_env_open()};
  assert_int_equal(create_with(recorder, max_queue_size, thread_count), napi_ok);
}

/* Takes a sample, and returns the only function in it. */
static const struct tg_watch_function *take_one(void) {
  assert_true(tg_watch_take(&watch));
  assert_int_equal(watch.sample.count, 1);
  return &watch.sample.functions[0];
}

static void a_function_is_followed_from_create_to_its_end(void **state) {
  (void)state;
  struct recorder recorder;
  assert_true(tg_watch_take(&watch));
  struct tg_watch_sample before = watch.sample;
  open_one(&recorder, 4, 2);
  const struct tg_watch_function *function = take_one();
  assert_string_equal(watch.runtime, "node 1.2.3");
  assert_string_equal(function->name, "recorder");
  assert_int_equal(function->state, TG_WATCH_OPEN);
  assert_int_equal(function->threads, 2);
  assert_int_equal(function->max_queue_size, 4);
  assert_int_equal(function->number, tg_table_number_of(&guard->table, recorder.func));

  for (unsigned i = 0; i < 4; i++) assert_int_equal(call(&recorder, i), napi_ok);
  assert_int_equal(call(&recorder, 4), napi_queue_full);
  assert_int_equal(acquire(&recorder), napi_ok);
  function = take_one();
  assert_int_equal(function->calls, 4);
  assert_int_equal(function->queue, 4);
  assert_int_equal(function->threads, 3);
  assert_int_equal(watch.sample.queued, 4);

  fake_env_turn(recorder.env);
  assert_int_equal(recorder.live, 4);
  assert_int_equal(take_one()->queue, 0);
  assert_int_equal(call(&recorder, 5), napi_ok);
  assert_int_equal(abort_it(&recorder), napi_ok);
  assert_int_equal(call(&recorder, 6), napi_closing);
  function = take_one();
  assert_int_equal(function->state, TG_WATCH_CLOSING);
  assert_int_equal(function->queue, 1);
  assert_int_equal(function->threads, 1);

  fake_env_turn(recorder.env);
  function = take_one();
  assert_int_equal(recorder.finalized, 1);
  assert_int_equal(function->state, TG_WATCH_LEAKED);
  assert_int_equal(function->queue, 0);
  assert_int_equal(release(&recorder), napi_ok);
  assert_true(tg_watch_take(&watch));
  assert_int_equal(watch.sample.count, 0);
  const uint64_t *totals = watch.sample.totals;
  assert_int_equal(totals[TG_WATCH_CREATED] - before.totals[TG_WATCH_CREATED], 1);
  assert_int_equal(totals[TG_WATCH_FINALIZED] - before.totals[TG_WATCH_FINALIZED], 1);
  assert_int_equal(totals[TG_WATCH_CALLS] - before.totals[TG_WATCH_CALLS], 5);
  assert_int_equal(totals[TG_WATCH_DELIVERED] - before.totals[TG_WATCH_DELIVERED], 5);
  assert_int_equal(totals[TG_WATCH_QUEUE_FULL] - before.totals[TG_WATCH_QUEUE_FULL], 1);
  assert_int_equal(totals[TG_WATCH_CLOSING_ANSWERS] - before.totals[TG_WATCH_CLOSING_ANSWERS], 1);
  fake_env_close(recorder.env);
}

/* Seen to fail: if the next function's calls are counted from 0, and not from the slot's value. */
static void the_next_function_of_a_slot_begins_anew(void **state) {
  (void)state;
  struct recorder recorder;
  for (unsigned round = 0; round < 3; round++) {
    open_one(&recorder, 0, 1);
    for (unsigned i = 0; i < 3; i++) call(&recorder, i);
    const struct tg_watch_function *function = take_one();
    assert_int_equal(function->index, 0);
    assert_int_equal(function->calls, 3);
    assert_int_equal(function->queue, 3);
    assert_int_equal(abort_it(&recorder), napi_ok);
    fake_env_close(recorder.env); /* drains the remaining items */
  }
}

static void exit_closes_what_is_open(void **state) {
  (void)state;
  struct recorder recorder;
  open_one(&recorder, 0, 1);
  tg_reject_all(guard);
  assert_int_equal(take_one()->state, TG_WATCH_CLOSING);
  assert_int_equal(release(&recorder), napi_ok);
  fake_env_close(recorder.env);
}

static void events_are_counted(void **state) {
  (void)state;
  assert_true(tg_watch_take(&watch));
  assert_int_equal(watch.sample.events[TG_EVENT_NULL_HANDLE], 0);
  struct tg_site *site = tg_policy_find_site(TG_EVENT_NULL_HANDLE, NULL, NULL, NULL);
  tg_policy_count(site);
  tg_policy_count(site);
  tg_publish_event(TG_EVENT_NULL_HANDLE);
  assert_true(tg_watch_take(&watch));
  assert_int_equal(watch.sample.events[TG_EVENT_NULL_HANDLE], 2);
}

/* --- Reading while it is written */

/* Two kinds of functions use a slot alternately. Every field of a function shows its kind. */
static void create_and_finish(struct recorder *recorder, unsigned turn) {
  static const char *const names[] = {"one--------------------------", "two"};
  recorder->name = names[turn % 2];
  create_with(recorder, turn % 2 + 1, turn % 2 + 1);
  call(recorder, 1);
  if (turn % 2 == 1) release(recorder);
  release(recorder);
  fake_env_turn(recorder->env);
}

/* Returns the kind of the slot's function, 1 or 2, or 0 if it has none at the moment. */
static unsigned read_kind(uint32_t index) {
  struct tsfn_guard_record record;
  if (!tg_watch_read(&watch.page->record[index], &record)) return 0;
  unsigned kind = strcmp(record.name, "one--------------------------") == 0 ? 1 : 2;
  if (kind == 2) assert_string_equal(record.name, "two");
  assert_int_equal(record.max_queue_size, kind);
  assert_in_range(record.thread_count, 0, kind);
  assert_in_range(record.calls - record.calls_before, 0, 1);
  return kind;
}

static struct tg_function interrupting = {.index = 1};
static volatile sig_atomic_t interruptions;

/* A signal handler. It ends the slot's function, and creates one of the other kind. */
static void interrupt(int number) {
  (void)number;
  unsigned kind = (unsigned)interruptions++ % 2 + 1;
  observer->expired(&interrupting);
  interrupting.generation++;
  interrupting.max_queue_size = interrupting.thread_count = kind;
  strcpy(interrupting.name, kind == 1 ? "one--------------------------" : "two");
  observer->created(&interrupting, NULL);
}

/* The reader is interrupted anywhere, and finds another function in the slot when it goes on. Seen
 * to fail: if tg_watch_read does not check the mark again. */
static void no_two_functions_are_mixed_by_an_interrupted_reader(void **state) {
  (void)state;
  enum { INTERRUPTIONS = 2000 };
  const struct itimerval often = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};
  signal(SIGALRM, interrupt);
  setitimer(ITIMER_REAL, &often, NULL);
  while (interruptions < INTERRUPTIONS) read_kind(interrupting.index);
  setitimer(ITIMER_REAL, &never, NULL);
  signal(SIGALRM, SIG_IGN);
  observer->expired(&interrupting);
}

static atomic_bool over;

static void *write_on(void *argument) {
  (void)argument;
  struct recorder recorder = {.guard = guard, .env = fake_env_open()};
  for (unsigned turn = 0; !atomic_load(&over); turn++) create_and_finish(&recorder, turn);
  fake_env_close(recorder.env);
  return NULL;
}

/* This test is mainly for the thread sanitizer. */
static void no_two_functions_are_mixed(void **state) {
  (void)state;
  enum { READS = 100000 };
  pthread_t writer;
  unsigned seen[3] = {0};
  atomic_store(&over, false);
  pthread_create(&writer, NULL, write_on, NULL);
  for (unsigned i = 0; i < READS || seen[1] == 0 || seen[2] == 0; i++) seen[read_kind(0)]++;
  atomic_store(&over, true);
  pthread_join(writer, NULL);
}

static void sums_only_grow(void **state) {
  (void)state;
  pthread_t writer;
  atomic_store(&over, false);
  pthread_create(&writer, NULL, write_on, NULL);
  assert_true(tg_watch_take(&watch));
  for (unsigned i = 0; i < 1000; i++) {
    struct tg_watch_sample before = watch.sample;
    assert_true(tg_watch_take(&watch));
    for (unsigned total = 0; total < TG_WATCH_TOTALS; total++)
      assert_true(watch.sample.totals[total] >= before.totals[total]);
  }
  atomic_store(&over, true);
  pthread_join(writer, NULL);
}

/* --- Which other processes have the memory */

static void expect_good_end(pid_t child) {
  int status;
  assert_true(child > 0);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

/* qemu-user accepts MADV_WIPEONFORK, but wipes nothing. */
static bool wipes_on_fork(void) {
  int status;
  char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(page != MAP_FAILED && madvise(page, 4096, MADV_WIPEONFORK) == 0);
  *page = 1;
  pid_t child = fork();
  if (child == 0) _exit(*page);
  assert_int_equal(waitpid(child, &status, 0), child);
  munmap(page, 4096);
  return status == 0;
}

/* fork(), and a bare clone, which runs no fork handlers. Seen to fail: without MADV_WIPEONFORK. */
static void a_forked_child_writes_nothing(void **state) {
  (void)state;
  struct recorder recorder;
  if (!wipes_on_fork()) skip();
  open_one(&recorder, 0, 1);
  for (unsigned way = 0; way < 2; way++) {
    pid_t child = way == 0 ? fork() : (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
      struct recorder other = {.guard = guard, .env = recorder.env};
      bool created = create_with(&other, 0, 1) == napi_ok;
      for (unsigned i = 0; i < 3; i++) call(&recorder, i);
      abort_it(&recorder);
      tg_publish_event(TG_EVENT_NULL_HANDLE);
      fake_env_turn(recorder.env);
      _exit(!created || recorder.finalized != 1);
    }
    expect_good_end(child);
    const struct tg_watch_function *function = take_one();
    assert_int_equal(function->number, tg_table_number_of(&guard->table, recorder.func));
    assert_int_equal(function->calls, 0);
    assert_int_equal(function->state, TG_WATCH_OPEN);
  }
  assert_int_equal(abort_it(&recorder), napi_ok);
  fake_env_close(recorder.env);
}

static void nobody_else_can_write_it(void **state) {
  (void)state;
  char path[64];
  struct stat status;
  snprintf(path, sizeof path, "/proc/self/%s", watch.descriptor);
  assert_int_equal(stat(path, &status), 0);
  assert_int_equal(status.st_mode & 07777, 0400);
  assert_int_equal(status.st_uid, geteuid());
  int file = open(path, O_RDWR);
  if (file < 0) return; /* only root may open it for writing */
  assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), MAP_FAILED);
  assert_int_equal(write(file, "x", 1), -1);
  close(file);
}

/* --- What other processes publish */

static void check_clean(const char *text, size_t length) {
  for (size_t i = 0; i < length;) {
    size_t sequence = text[i] == '\n' ? 1 : tg_shown_length(text + i);
    assert_int_not_equal(sequence, 0);
    i += sequence;
  }
}

static void garbage_is_survived_and_printed_clean(void **state) {
  (void)state;
  static const struct tg_top_look look = {
      .columns = SIZE_MAX, .rows = 20, .line_end = "\n", .note = ""};
  struct tg_watch own = watch;
  assert_int_equal(watch_pid(ill), 0);
  for (unsigned i = 0; i < 20; i++) {
    char *text;
    size_t length;
    assert_true(tg_watch_take(&watch));
    assert_int_not_equal(watch.sample.count, 0);
    tg_top_sort(&watch.sample, i % TG_TOP_ORDERS);
    FILE *to = open_memstream(&text, &length);
    tg_top_print(to, &watch, &look);
    tg_top_print_json(to, &watch, false);
    fclose(to);
    check_clean(text, length);
    free(text);
  }
  assert_true(tg_watch_is_there(&watch));
  end(ill);
  ill = 0;
  assert_false(tg_watch_is_there(&watch));
  forget_watch();
  watch = own;
}

/* Such memory could shrink while it is read, and then the reader would get SIGBUS. */
static void memory_without_seals_is_not_looked_at(void **state) {
  (void)state;
  struct tg_watch own = watch;
  assert_int_equal(watch_pid(unsealed), TG_EXIT_FAILED);
  assert_non_null(strstr(found_instead, "), which has not loaded libtsfnguard.so"));
  end(unsealed);
  unsealed = 0;
  forget_watch();
  watch = own;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_function_is_followed_from_create_to_its_end),
      cmocka_unit_test(the_next_function_of_a_slot_begins_anew),
      cmocka_unit_test(exit_closes_what_is_open),
      cmocka_unit_test(events_are_counted),
      cmocka_unit_test(no_two_functions_are_mixed_by_an_interrupted_reader),
      cmocka_unit_test(no_two_functions_are_mixed),
      cmocka_unit_test(sums_only_grow),
      cmocka_unit_test(a_forked_child_writes_nothing),
      cmocka_unit_test(nobody_else_can_write_it),
      cmocka_unit_test(garbage_is_survived_and_printed_clean),
      cmocka_unit_test(memory_without_seals_is_not_looked_at),
  };
  return cmocka_run_group_tests(tests, open_published, close_published);
}
