/* The metrics file: when it is written and when it is not, and what happens to odd names.
 * bats/runtime/metrics.bats tests its contents, on real runtimes. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/lock.h"
#include "diag/metrics.h"
#include "guard_fixture.h"

static char directory[] = "/tmp/test_metrics.XXXXXX";
static char path[sizeof directory + sizeof "/file.prom"];
static unsigned delay_ms; /* how long a write takes */

static void rest(unsigned milliseconds) {
  const struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
  nanosleep(&time, NULL);
}

static bool slow_runtime(char runtime[TG_RUNTIME_MAX]) {
  rest(delay_ms);
  runtime[0] = '\0';
  return false;
}

static const struct tg_report_source source = {.runtime = slow_runtime};

static int open_metrics(void **state) {
  (void)state;
  static struct tg_guard *guard;
  if (guard == NULL) {
    fake_reset();
    guard = fake_guard_open(TG_DEADLOCK_OVERFLOW);
  }
  delay_ms = 0;
  unlink(path);
  tg_metrics_open(guard, &source, path);
  return 0;
}

/* Returns whether a touch writes the file. */
static bool touch_writes(void) {
  unlink(path);
  tg_metrics_touch();
  return access(path, F_OK) == 0;
}

static uint64_t now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

enum { TICK_MS = 10 }; /* the longest tick of the coarse clock */

/* Writes, and then touches until the next write. Returns the milliseconds from the start of the
 * first write to the end of the second one. */
static uint64_t write_twice(void) {
  uint64_t start = now_ms();
  assert_true(touch_writes());
  while (!touch_writes()) rest(5);
  return now_ms() - start;
}

static void at_most_once_a_second(void **state) {
  (void)state;
  uint64_t took = write_twice();
  assert_in_range(took, 1000 - TICK_MS, 60000); /* 8 seconds were seen on an emulated machine */
}

static void a_slow_write_is_followed_by_a_longer_rest(void **state) {
  (void)state;
  delay_ms = 20;
  uint64_t took = write_twice();
  assert_in_range(took, 100 * 20 - TICK_MS, 50000);
}

static void a_held_lock_is_not_waited_for(void **state) {
  (void)state;
  assert_true(tg_lock_try(&tg_report_lock));
  assert_false(touch_writes());
  tg_lock_release_tried(&tg_report_lock);
  assert_true(touch_writes());
}

static void errno_stays(void **state) {
  (void)state;
  errno = ENOTTY;
  tg_metrics_touch();
  assert_int_equal(errno, ENOTTY);
  assert_int_equal(access(path, F_OK), 0);
}

static void what_a_killed_process_left_is_replaced(void **state) {
  (void)state;
  char left[sizeof path + 32], victim[sizeof path + 32];
  snprintf(left, sizeof left, "%s.%d.tmp", path, (int)getpid());
  snprintf(victim, sizeof victim, "%s.victim", path);
  assert_int_equal(symlink(victim, left), 0);
  assert_true(touch_writes());
  assert_int_not_equal(access(left, F_OK), 0);
  assert_int_not_equal(access(victim, F_OK), 0); /* the link was not followed */
}

static void everybody_may_read_it(void **state) {
  (void)state;
  struct stat status;
  mode_t before = umask(077);
  assert_true(touch_writes());
  umask(before);
  assert_int_equal(stat(path, &status), 0);
  assert_int_equal(status.st_mode & 07777, 0644);
}

static void a_forked_child_writes_nothing(void **state) {
  (void)state;
  pid_t child = fork();
  if (child == 0) {
    bool wrote = touch_writes();
    tg_metrics_write_last();
    _exit(wrote || access(path, F_OK) == 0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_true(touch_writes());
}

static void check_escaped(const char *value, const char *expected) {
  char escaped[64] = "";
  escaped[tg_metrics_escape(escaped, sizeof escaped - 1, 0, value)] = '\0';
  assert_string_equal(escaped, expected);
}

static void odd_names_are_escaped(void **state) {
  (void)state;
  check_escaped("", "");
  check_escaped("/a b/c.node", "/a b/c.node");
  check_escaped("a\"b\\c", "a\\\"b\\\\c");
  check_escaped("a\nb\tc\x7f", "a?b?c?");
  check_escaped("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
                "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
  check_escaped("\x80x\xc3", "?x?");
  check_escaped("\xc0\xaf \xe0\x80\xaf \xf0\x80\x80\xaf", "?? ??? ????"); /* overlong */
  /* a surrogate, too high */
  check_escaped("\xed\xa0\x80 \xf4\x90\x80\x80 \xff", "??? ???? ?");
}

static void what_does_not_fit_is_cut_between_characters(void **state) {
  (void)state;
  char escaped[4] = "....";
  assert_int_equal(tg_metrics_escape(escaped, 3, 1, "a\"b"), 2);
  assert_memory_equal(escaped, ".a..", 4);
  assert_int_equal(tg_metrics_escape(escaped, 3, 0, "\xe2\x82\xac\xe2\x82\xac"), 3);
  assert_int_equal(escaped[3], '.');
}

static void after_the_last_write_there_is_none(void **state) {
  (void)state;
  assert_true(touch_writes());
  unlink(path);
  tg_metrics_write_last(); /* writes even if no write is due */
  assert_int_equal(access(path, F_OK), 0);
  unlink(path);
  tg_metrics_write_last();
  rest(1100);
  assert_false(touch_writes());
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(at_most_once_a_second, open_metrics),
      cmocka_unit_test_setup(a_slow_write_is_followed_by_a_longer_rest, open_metrics),
      cmocka_unit_test_setup(a_held_lock_is_not_waited_for, open_metrics),
      cmocka_unit_test_setup(errno_stays, open_metrics),
      cmocka_unit_test_setup(what_a_killed_process_left_is_replaced, open_metrics),
      cmocka_unit_test_setup(everybody_may_read_it, open_metrics),
      cmocka_unit_test_setup(a_forked_child_writes_nothing, open_metrics),
      cmocka_unit_test(odd_names_are_escaped),
      cmocka_unit_test(what_does_not_fit_is_cut_between_characters),
      /* must be the last test: it ends all writing */
      cmocka_unit_test_setup(after_the_last_write_there_is_none, open_metrics),
  };
  if (mkdtemp(directory) == NULL) return 1;
  snprintf(path, sizeof path, "%s/file.prom", directory);
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  unlink(path);
  rmdir(directory);
  return failed;
}
