/* The options: every key and value, what is not understood, which value counts, and what is printed. The
 * lines themselves are in options.bats, word by word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka.h needs the four at the top first. */
#include <cmocka.h>

#include "preload/options.h"

static const struct tg_options defaults = {
    .mode = TG_MODE_PROTECT, .deadlock = TG_DEADLOCK_OVERFLOW, .pin = true};

static char printed[256 * 1024];
static struct tg_options options;

/* Runs the parser, or the printer where `text` is NULL and `print` set, with stderr going to `printed`. */
static void run(const char *text, bool print) {
  fflush(stderr);
  int saved = dup(STDERR_FILENO);
  FILE *file = tmpfile();
  assert_non_null(file);
  dup2(fileno(file), STDERR_FILENO);
  memset(&options, 0xff, sizeof options); /* so that each must be set */
  if (print)
    tg_options_print();
  else
    tg_options_parse(&options, text);
  dup2(saved, STDERR_FILENO);
  close(saved);
  rewind(file);
  printed[fread(printed, 1, sizeof printed - 1, file)] = '\0';
  fclose(file);
}

static unsigned line_count(void) {
  unsigned lines = 0;
  for (const char *c = printed; *c != '\0'; c++) lines += *c == '\n';
  return lines;
}

static void expect(const char *text, struct tg_options expected, unsigned lines) {
  run(text, false);
  assert_int_equal(options.mode, expected.mode);
  assert_int_equal(options.deadlock, expected.deadlock);
  assert_int_equal(options.require, expected.require);
  assert_int_equal(options.verbosity, expected.verbosity);
  assert_int_equal(options.pin, expected.pin);
  assert_int_equal(options.help, expected.help);
  assert_int_equal(line_count(), lines);
}

static void nothing_gives_the_defaults(void **state) {
  (void)state;
  expect(NULL, defaults, 0);
  expect("", defaults, 0);
  expect(":", defaults, 0);
  expect("::::", defaults, 0);
}

static void every_value_is_understood(void **state) {
  (void)state;
  struct tg_options expected = defaults;
  expect("mode=protect", expected, 0);
  expected.mode = TG_MODE_OFF;
  expect("mode=off", expected, 0);
  expected = defaults;
  expect("deadlock=overflow", expected, 0);
  expected.deadlock = TG_DEADLOCK_STATUS;
  expect("deadlock=status", expected, 0);
  expected.deadlock = TG_DEADLOCK_HANG;
  expect("deadlock=hang", expected, 0);
  expected = defaults;
  expect("require=0:verbosity=0:pin=1:help=0", expected, 0);
  expected.require = true;
  expect("require=1", expected, 0);
  expected = defaults;
  expected.verbosity = true;
  expect("verbosity=1", expected, 0);
  expected = defaults;
  expected.pin = false;
  expect("pin=0", expected, 0);
  expected = defaults;
  expected.help = true;
  expect("help=1", expected, 0);
}

static void all_at_once_in_any_order_between_empty_pieces(void **state) {
  (void)state;
  const struct tg_options all = {TG_MODE_OFF, TG_DEADLOCK_HANG, true, true, false, true};
  expect("mode=off:deadlock=hang:require=1:verbosity=1:pin=0:help=1", all, 0);
  expect("::help=1::pin=0:verbosity=1:require=1:::deadlock=hang:mode=off::", all, 0);
}

static void the_last_value_of_a_key_counts(void **state) {
  (void)state;
  struct tg_options expected = defaults;
  expect("mode=off:mode=protect", expected, 0);
  expect("pin=0:pin=1:pin=0:pin=1", expected, 0);
  expected.mode = TG_MODE_OFF;
  expect("mode=protect:mode=off", expected, 0);
  expect("mode=bad:mode=off", expected, 1);
  expect("mode=off:mode=bad", defaults, 1); /* a bad value counts as the default */
}

static void what_is_not_understood_is_a_line_each_and_changes_nothing(void **state) {
  (void)state;
  const char *const bad[] = {
      "x",         "=",        "=1",        "mode",      "mode=",        "mode=of",
      "mode=offf", "mode=Off", "Mode=off",  "mode =off", "mode= off",    "mode=off ",
      "modes=off", "mod=off",  "mode==off", "pin=2",     "pin=01",       "pin=-1",
      "pin=true",  "require=", "help=yes",  "deadlock=", "verbosity=11", "mode=off=off"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) expect(bad[i], defaults, 1);
  struct tg_options expected = defaults;
  expected.verbosity = true;
  expect("x:verbosity=1:pin=2:y=1", expected, 3);
}

static void no_byte_of_the_text_forges_a_line(void **state) {
  (void)state;
  for (int byte = 1; byte < 256; byte++) {
    if (byte == ':') continue;
    const char text[] = {'x', (char)byte, 'y', '\0'};
    expect(text, defaults, 1);
    const unsigned char *c = (const unsigned char *)printed;
    for (; *c != '\n'; c++) assert_true(*c >= 0x20 && *c != 0x7f);
    assert_int_equal(c[1], '\0');
  }
}

static void texts_of_every_length_are_one_line_each(void **state) {
  (void)state;
  char *text = malloc(70000);
  for (size_t length = 900; length <= 70000 - 10; length += length < 1100 ? 1 : 12345) {
    memset(text, 'x', length);
    strcpy(text + length, ":mode=off");
    struct tg_options expected = defaults;
    expected.mode = TG_MODE_OFF;
    expect(text, expected, 1);
    assert_true(strlen(printed) <= 1024);
  }
  free(text);
}

static void help_has_a_line_for_every_option(void **state) {
  (void)state;
  run(NULL, true);
  assert_int_equal(line_count(), 6);
  const char *const lines[] = {"mode=protect|off (default protect): ",
                               "deadlock=overflow|status|hang (default overflow): ",
                               "require=0|1 (default 0): ",
                               "verbosity=0|1 (default 0): ",
                               "pin=0|1 (default 1): ",
                               "help=0|1 (default 0): "};
  for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) assert_non_null(strstr(printed, lines[i]));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_gives_the_defaults),
      cmocka_unit_test(every_value_is_understood),
      cmocka_unit_test(all_at_once_in_any_order_between_empty_pieces),
      cmocka_unit_test(the_last_value_of_a_key_counts),
      cmocka_unit_test(what_is_not_understood_is_a_line_each_and_changes_nothing),
      cmocka_unit_test(no_byte_of_the_text_forges_a_line),
      cmocka_unit_test(texts_of_every_length_are_one_line_each),
      cmocka_unit_test(help_has_a_line_for_every_option),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
