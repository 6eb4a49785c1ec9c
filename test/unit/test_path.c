/* Paths that options give: they become absolute, are never cut, and contain the process's number.
 *
 * Seen to fail: with the earlier bound, which reserved space for 20 digits at every byte, paths of
 * 1004 bytes and more lost their ends; if a %p in the directory's own name is replaced, the file is
 * in another place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "diag/path.h"

static void expect(const char *given, const char *expected) {
  struct tg_path path;
  struct tg_text problem;
  char expanded[TG_PATH_MAX];
  assert_true(tg_path_open(&path, given, &problem));
  tg_path_expand(&path, expanded);
  assert_string_equal(expanded, expected);
}

static void expect_problem(const char *given, const char *expected) {
  struct tg_path path;
  struct tg_text problem;
  assert_false(tg_path_open(&path, given, &problem));
  assert_string_equal(tg_text_string(&problem), expected);
}

static void percents(void **state) {
  (void)state;
  char expected[64];
  struct tg_path path;
  struct tg_text problem;
  expect("/a", "/a");
  expect("/%%p%%%", "/%p%%");
  expect("/%x%", "/%x%");
  snprintf(expected, sizeof expected, "/%d.%d", getpid(), getpid());
  expect("/%p.%p", expected);
  assert_true(tg_path_open(&path, "/%%%p", &problem));
  assert_true(tg_path_has_process(&path));
  assert_true(tg_path_open(&path, "/%%p%", &problem));
  assert_false(tg_path_has_process(&path));
}

static pid_t process_of(const char *given, const char *expanded) {
  struct tg_path path;
  struct tg_text problem;
  assert_true(tg_path_open(&path, given, &problem));
  return tg_path_process_of(&path, expanded);
}

static void the_process_of_a_path(void **state) {
  (void)state;
  char own[TG_PATH_MAX];
  struct tg_path path;
  struct tg_text problem;
  assert_true(tg_path_open(&path, "here-%p", &problem));
  tg_path_expand(&path, own);
  assert_int_equal(tg_path_process_of(&path, own), getpid());
  own[1] ^= 1;
  assert_int_equal(tg_path_process_of(&path, own), 0);
  assert_int_equal(process_of("/a/g9-%p.prom", "/a/g9-123.prom"), 123);
  assert_int_equal(process_of("/a/%p-%p%%", "/a/123-123%"), 123);
  assert_int_equal(process_of("/a/%p-%p", "/a/123-124"), 0);
  assert_int_equal(process_of("/a/%p.prom", "/a/2147483647.prom"), INT32_MAX);
  const char *const others[] = {"/a/.prom",    "/a/0.prom",
                                "/a/012.prom", "/a/12",
                                "/a/12.promx", "/a/2147483648.prom",
                                "/a/-5.prom",  "/a/12x.prom",
                                "/b/12.prom",  "/a/18446744073709551617.prom"};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
    assert_int_equal(process_of("/a/%p.prom", others[i]), 0);
}

static void every_length_is_whole_or_refused(void **state) {
  (void)state;
  char given[TG_PATH_MAX + 16];
  for (size_t length = 1; length < TG_PATH_MAX; length++) {
    memset(given, 'x', length);
    given[0] = '/';
    given[length] = '\0';
    expect(given, given);
  }
  memset(given, 'x', TG_PATH_MAX);
  given[0] = '/';
  given[TG_PATH_MAX] = '\0';
  expect_problem(given,
                 "needed a path of at most 1023 bytes (absolute, with the process id in it), found "
                 "one of 1024; give a shorter one");
  /* Space is kept for the digits that a child's number may need. */
  memcpy(given + TG_PATH_MAX - 10, "%p", 3);
  expect_problem(given,
                 "needed a path of at most 1023 bytes (absolute, with the process id in it), found "
                 "one of 1024; give a shorter one");
  memcpy(given + TG_PATH_MAX - 11, "%p", 3);
  struct tg_path path;
  struct tg_text problem;
  assert_true(tg_path_open(&path, given, &problem));
}

static void a_relative_path_begins_where_the_program_does(void **state) {
  (void)state;
  char directory[] = "/tmp/test_path.XXXXXX", inner[64], expected[128];
  assert_non_null(mkdtemp(directory));
  snprintf(inner, sizeof inner, "%s/%%p%%%%", directory);
  assert_int_equal(mkdir(inner, 0700), 0);
  assert_int_equal(chdir(inner), 0);
  struct tg_path path;
  struct tg_text problem;
  char expanded[TG_PATH_MAX];
  assert_true(tg_path_open(&path, "%p", &problem));
  assert_int_equal(chdir("/"), 0);
  tg_path_expand(&path, expanded);
  snprintf(expected, sizeof expected, "%s/%d", inner, getpid());
  assert_string_equal(expanded, expected);
  expect("a", "/a");

  assert_int_equal(chdir(inner), 0);
  assert_int_equal(rmdir(inner), 0);
  assert_int_equal(rmdir(directory), 0);
  expect_problem("log/a",
                 "needed a directory from which the relative path log/a starts, found none: No "
                 "such file or directory; give an absolute path");
  assert_int_equal(chdir("/"), 0);
}

static void a_line_keeps_space_after_a_long_path(void **state) {
  (void)state;
  char long_path[TG_PATH_MAX];
  memset(long_path, 'x', sizeof long_path - 1);
  memcpy(long_path + sizeof long_path - 5, ".log", 5);
  struct tg_text line = {.length = 0};
  tg_path_add(&line, long_path);
  assert_true(line.length < 600);
  assert_memory_equal(tg_text_string(&line), "…xxx", 6);
  assert_string_equal(line.bytes + line.length - 4, ".log");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(percents),
      cmocka_unit_test(the_process_of_a_path),
      cmocka_unit_test(every_length_is_whole_or_refused),
      cmocka_unit_test(a_relative_path_begins_where_the_program_does),
      cmocka_unit_test(a_line_keeps_space_after_a_long_path),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
