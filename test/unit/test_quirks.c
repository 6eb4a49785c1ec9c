/* Which addon has which quirks: the table, the lines of a file, ranges of versions,
 * package.json. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/package_json.h"
#include "options/package_version.h"
#include "options/quirks.h"

static char directory[] = "/tmp/test_quirks.XXXXXX";
static char place[256];

static const char *in_directory(const char *name) {
  snprintf(place, sizeof place, "%s/%s", directory, name);
  return place;
}

static void write_file(const char *name, const char *text) {
  FILE *file = fopen(in_directory(name), "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

/* The order of the tests matters, because the rules of a file are added to earlier ones. */
static void none_is_none(void **state) {
  (void)state;
  tg_quirks_open("none");
  assert_false(tg_quirks_are_wanted());
  assert_int_equal(tg_quirks_of("/x/aws-crt-nodejs.node"), 0);
  assert_int_equal(tg_quirks_known_of("/x/aws-crt-nodejs.node") & TG_QUIRK_DYING, TG_QUIRK_DYING);
  assert_int_equal(tg_quirks_known_of("/x/y.node"), 0);
}

static void a_file_has_a_rule_a_line(void **state) {
  (void)state;
  mkdir(in_directory("old"), 0700);
  write_file("old/package.json", "{\"name\":\"x\",\"version\":\"1.2.3\"}");
  write_file("rules",
             "# a comment\n\n*/a.node: dying\r\nb.node:  late   leak \n/p@q/*.node: leak\n"
             "*.node@>=1 <1.3: dying\n");
  tg_quirks_open(in_directory("rules"));
  assert_true(tg_quirks_are_wanted());
  assert_int_equal(tg_quirks_of("/x/a.node"), TG_QUIRK_DYING);
  assert_int_equal(tg_quirks_of("/x/b.node"), TG_QUIRK_LATE | TG_QUIRK_LEAK);
  assert_int_equal(tg_quirks_of("/p@q/c.node"), TG_QUIRK_LEAK);
  assert_int_equal(tg_quirks_of("/x/c.node"), 0);
  assert_int_equal(tg_quirks_of(in_directory("old/c.node")), TG_QUIRK_DYING);
  write_file("old/package.json", "{\"name\":\"x\",\"version\":\"1.3.0\"}");
  assert_int_equal(tg_quirks_of(in_directory("old/c.node")), 0);
  assert_int_equal(tg_quirks_of("relative/c.node"), 0);
}

static void known_is_the_table(void **state) {
  (void)state;
  tg_quirks_open("known");
  assert_true(tg_quirks_are_wanted());
  assert_int_equal(tg_quirks_of("/x/aws-crt-nodejs.node"),
                   tg_quirks_known_of("/x/aws-crt-nodejs.node"));
  assert_int_equal(tg_quirks_of("/x/y.node"), 0);
}

static bool is_in(uint32_t major, uint32_t minor, uint32_t patch, const char *range) {
  const struct tg_version version = {{major, minor, patch}};
  return tg_version_is_in_range(&version, range, strlen(range));
}

static void ranges_compare_numbers(void **state) {
  (void)state;
  assert_true(is_in(1, 10, 0, ">1.9"));
  assert_true(is_in(1, 2, 0, "=1.2"));
  assert_true(is_in(1, 2, 0, ">=1.2.0 <=1.2"));
  assert_false(is_in(1, 2, 1, "<=1.2"));
  assert_false(is_in(1, 2, 0, ">1.2"));
  assert_false(is_in(2, 0, 0, ">=1 <2"));
  assert_true(is_in(1, 99, 99, ">=1 <2"));
  const char *const bad[] = {"",     "1",     ">",  "> 1", "=>1", "==1",  "<<1",
                             ">1<2", ">1,<2", ">x", "^1",  ">1.", ">1..2"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    assert_false(tg_version_is_range(bad[i], strlen(bad[i])));
  assert_false(tg_version_is_range("\0", 1));
}

/* --- package.json */

/* Expects "NAME VERSION ADDRESS" from the text of a package.json. */
static void expect_package(const char *text, const char *expected) {
  struct tg_package_json package;
  char found[sizeof package + 4];
  tg_package_json_parse(text, strlen(text), &package);
  snprintf(found, sizeof found, "%s %s %s", package.name, package.version, package.bugs);
  assert_string_equal(found, expected);
}

static void a_package_has_a_name_a_version_and_an_address(void **state) {
  (void)state;
  expect_package("{\"name\":\"@a/b\",\"version\":\"1.2.3-beta.4\"}", "@a/b 1.2.3-beta.4 ");
  expect_package("{\"a\":{\"version\":\"9.0.0\"},\n  \"version\" : \"1.0.0\"}", " 1.0.0 ");
  expect_package("{\"x\":\"version\",\"version\":\"1.0.0\"}", " 1.0.0 ");
  expect_package("{\"x\":\"\\\"version\\\":{\",\"version\":\"1.0.0\"}", " 1.0.0 ");
  expect_package("{\"name\":\"x\",\"name\":\"y\"}", "x  ");
  expect_package("{\"bugs\":\"https://x.org/1\"}", "  https://x.org/1");
  expect_package("{\"bugs\":{\"email\":\"a@b\",\"url\":\"http://x.org\"},\"name\":\"x\"}",
                 "x  http://x.org");
  expect_package(
      "{\"repository\":{\"url\":\"http://x.org\"},\"bugs\":{\"a\":{\"url\":\"http://y.org\"}}}",
      "  ");
  expect_package("{\"bugs\":\"mailto:a@b\",\"name\":\"a\\nb\"}", "  ");
}

static void what_is_no_package_has_none_of_them(void **state) {
  (void)state;
  const char *const bad[] = {"",
                             "{",
                             "{\"version\":",
                             "{\"version\":1}",
                             "{\"version",
                             "[\"version\"]",
                             "{\"a\":{\"version\":\"1.0.0\"}}",
                             "\"",
                             "{\"version\":\"",
                             "{\"\\"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) expect_package(bad[i], "  ");
}

int main(void) {
  if (mkdtemp(directory) == NULL) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(none_is_none),
      cmocka_unit_test(a_file_has_a_rule_a_line),
      cmocka_unit_test(known_is_the_table),
      cmocka_unit_test(ranges_compare_numbers),
      cmocka_unit_test(a_package_has_a_name_a_version_and_an_address),
      cmocka_unit_test(what_is_no_package_has_none_of_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
