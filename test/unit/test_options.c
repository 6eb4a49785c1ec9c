/* The options: every key and value, text that is not understood, which of several values counts,
 * and what is printed. options.bats tests the lines themselves, word by word. */
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

#include "diag/policy.h"
#include "options/options.h"

static const struct tg_options defaults = {.mode = TG_MODE_PROTECT,
                                           .deadlock = TG_DEADLOCK_OVERFLOW,
                                           .pin = "1",
                                           .quirks = "none",
                                           .propagate = true,
                                           .rate = 1,
                                           .stack_depth = 16,
                                           .queue_warn = 100000,
                                           .finalize_warn_ms = 500,
                                           .log_path = "stderr"};

static char printed[256 * 1024];
static struct tg_options options;

/* Runs the parser, or, if `print` is set, the printer. stderr goes to `printed`. */
static void run(const char *text, bool print) {
  fflush(stderr);
  int saved = dup(STDERR_FILENO);
  FILE *file = tmpfile();
  assert_non_null(file);
  dup2(fileno(file), STDERR_FILENO);
  memset(&options, 0xff, sizeof options); /* so that each field must be set */
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
  assert_string_equal(options.pin, expected.pin);
  assert_int_equal(options.propagate, expected.propagate);
  assert_int_equal(options.publish, expected.publish);
  assert_int_equal(options.help, expected.help);
  assert_int_equal(options.exits_fast, expected.exits_fast);
  assert_int_equal(options.format, expected.format);
  assert_int_equal(options.summary, expected.summary);
  assert_int_equal(options.exitcode, expected.exitcode);
  assert_int_equal(options.rate, expected.rate);
  assert_int_equal(options.stack_depth, expected.stack_depth);
  assert_int_equal(options.queue_warn, expected.queue_warn);
  assert_int_equal(options.finalize_warn_ms, expected.finalize_warn_ms);
  assert_int_equal(options.dump_signal, expected.dump_signal);
  assert_string_equal(options.log_path, expected.log_path);
  assert_string_equal(options.suppressions, expected.suppressions);
  assert_string_equal(options.metrics_path, expected.metrics_path);
  assert_string_equal(options.quirks, expected.quirks);
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
  strcpy(expected.pin, "0");
  expect("pin=0", expected, 0);
  expected = defaults;
  expected.help = true;
  expect("help=1", expected, 0);
  expected = defaults;
  expected.mode = TG_MODE_DIAGNOSE;
  expect("mode=diagnose", expected, 0);
  expected = defaults;
  expected.propagate = false;
  expect("propagate=0", expected, 0);
  expected = defaults;
  expected.publish = true;
  expect("publish=1", expected, 0);
  expected = defaults;
  expected.format = TG_FORMAT_JSON;
  expect("format=json", expected, 0);
  expected = defaults;
  expected.summary = TG_SUMMARY_ALWAYS;
  expect("summary=always", expected, 0);
  expected.summary = TG_SUMMARY_NEVER;
  expect("summary=never", expected, 0);
  expected = defaults;
  expect("exit=normal", expected, 0);
  expected.exits_fast = true;
  expect("exit=fast", expected, 0);
  expect("exit=1", defaults, 1);
}

static void numbers_have_limits(void **state) {
  (void)state;
  struct tg_options expected = defaults;
  expected.exitcode = 255;
  expect("exitcode=255", expected, 0);
  expect("exitcode=256", defaults, 1);
  expected = defaults;
  expected.rate = 1000000000;
  expect("rate=1000000000", expected, 0);
  expect("rate=1000000001", defaults, 1);
  expect("rate=18446744073709551617", defaults, 1);
  expected = defaults;
  expected.rate = expected.stack_depth = expected.queue_warn = expected.finalize_warn_ms = 0;
  expect("rate=0:stack_depth=0:queue_warn=0:finalize_warn_ms=0", expected, 0);
  expect("stack_depth=33", defaults, 1);
  expected = defaults;
  expected.dump_signal = 12;
  expect("dump_signal=12", expected, 0);
  const char *const bad[] = {"rate=", "rate=x", "rate=1x", "rate=-1", "rate= 1", "dump_signal=65"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) expect(bad[i], defaults, 1);
}

static void texts_may_be_quoted(void **state) {
  (void)state;
  struct tg_options expected = defaults;
  strcpy(expected.log_path, "/a/b.%p");
  expect("log_path=/a/b.%p", expected, 0);
  strcpy(expected.log_path, "fd:3");
  strcpy(expected.pin, "0");
  expect("log_path=fd:3:pin=0", expected, 0);
  strcpy(expected.log_path, "/a:b");
  expect("log_path='/a:b':pin=0", expected, 0);
  expect("log_path=\"/a:b\":pin=0", expected, 0);
  strcpy(expected.log_path, "'x");
  expect("log_path='x:pin=0", expected, 0); /* no closing quote, so this one is part of the value */
  expected = defaults;
  strcpy(expected.suppressions, "s");
  strcpy(expected.metrics_path, "m=n");
  strcpy(expected.quirks, "known");
  expect("suppressions=s:metrics_path=m=n:quirks=known", expected, 0);
  expect("suppressions=s:metrics_path=m=n:quirks=none:quirks=known", expected, 0);
  expect("log_path=", defaults, 1);
  char path[2000] = "log_path=";
  memset(path + strlen(path), 'p', 1023);
  expected = defaults;
  memset(expected.log_path, 'p', 1023);
  expect(path, expected, 0);
  strcat(path, "p");
  expect(path, defaults, 1);
}

static void actions_go_to_the_policy(void **state) {
  (void)state;
  assert_int_equal(tg_policy_action(TG_EVENT_STALE_HANDLE), TG_ACTION_LOG);
  expect("on.TSG007=ignore:on.warn=stop", defaults, 0);
  assert_int_equal(tg_policy_action(TG_EVENT_STALE_HANDLE), TG_ACTION_IGNORE);
  assert_int_equal(tg_policy_action(TG_EVENT_OVER_RELEASE), TG_ACTION_STOP);
  expect("on.stale-handle=abort:on.fatal-avoided=ignore:on.over-release=log", defaults, 0);
  /* the kind's action wins */
  assert_int_equal(tg_policy_action(TG_EVENT_STALE_HANDLE), TG_ACTION_ABORT);
  assert_int_equal(tg_policy_action(TG_EVENT_NULL_HANDLE), TG_ACTION_IGNORE);
  assert_int_equal(tg_policy_action(TG_EVENT_OVER_RELEASE), TG_ACTION_LOG);
  const char *const bad[] = {"on.TSG000=log", "on.TSG999=log", "on.=log",     "on.warn",
                             "on.warn=",      "on.warn=die",   "on.worse=log"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) expect(bad[i], defaults, 1);
}

static void all_at_once_in_any_order_between_empty_pieces(void **state) {
  (void)state;
  struct tg_options all = defaults;
  all.mode = TG_MODE_OFF;
  all.deadlock = TG_DEADLOCK_HANG;
  all.require = all.verbosity = all.help = true;
  strcpy(all.pin, "0");
  expect("mode=off:deadlock=hang:require=1:verbosity=1:pin=0:help=1", all, 0);
  expect("::help=1::pin=0:verbosity=1:require=1:::deadlock=hang:mode=off::", all, 0);
}

static void the_last_value_of_a_key_counts(void **state) {
  (void)state;
  struct tg_options expected = defaults;
  expect("mode=off:mode=protect", expected, 0);
  expect("pin=0:pin=1:pin=0:pin=1", expected, 0);
  strcpy(expected.pin, "*/x.node,y?.node");
  expect("pin=*/x.node,y?.node", expected, 0);
  strcpy(expected.pin, "1");
  expected.mode = TG_MODE_OFF;
  expect("mode=protect:mode=off", expected, 0);
  expect("mode=bad:mode=off", expected, 1);
  expect("mode=off:mode=bad", defaults, 1); /* a bad value sets the default */
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
  assert_int_equal(line_count(), 22);
  const char *const lines[] = {"mode=protect|diagnose|off (default protect): ",
                               "deadlock=overflow|status|hang (default overflow): ",
                               "verbosity=0|1 (default 0): ",
                               "pin=0|1|GLOB[,GLOB...] (default 1): ",
                               "publish=0|1 (default 0): ",
                               "exit=normal|fast (default normal): ",
                               "log_path=stderr|FILE|fd:N (default stderr): ",
                               "rate=N (default 1): ",
                               "suppressions=FILE (default none): ",
                               "quirks=none|known|FILE (default none): ",
                               "on.EVENT=log|ignore|abort|stop (default log; ",
                               "help=0|1 (default 0): "};
  for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
    assert_non_null(strstr(printed, lines[i]));
}

static void the_command_sees_every_option_once(void **state) {
  (void)state;
  struct tg_option_look look;
  unsigned count = 0, switches = 0;
  char line[256];
  run(NULL, true);
  for (; tg_options_look(count, &look); count++) {
    switches += look.is_switch;
    /* The table has all values of the key in full. */
    snprintf(line, sizeof line, "%s=%s (default ", look.key, look.values);
    assert_non_null(strstr(printed, line));
  }
  assert_int_equal(count, line_count() - 1); /* without on.EVENT, which is not in the table */
  assert_int_equal(switches, 6);
}

static void the_command_checks_as_the_parser_does(void **state) {
  (void)state;
  static const struct {
    const char *key;
    const char *value;
    bool understood;
    const char *needed;
  } cases[] = {
      {"mode", "off", true, "mode=protect|diagnose|off"},
      {"mode", "of", false, "mode=protect|diagnose|off"},
      {"mode", "", false, "mode=protect|diagnose|off"},
      {"exitcode", "255", true, "exitcode=N from 0 to 255"},
      {"exitcode", "256", false, "exitcode=N from 0 to 255"},
      {"log_path", "a:b", true, "log_path=stderr|FILE|fd:N of 1 to 1023 bytes"},
      {"log_path", "", false, "log_path=stderr|FILE|fd:N of 1 to 1023 bytes"},
      {"on.TSG007", "stop", true, "on.EVENT=log|ignore|abort|stop with"},
      {"on.TSG000", "stop", false, "on.EVENT=log|ignore|abort|stop with"},
      {"on.", "log", false, "on.EVENT=log|ignore|abort|stop with"},
      {"modes", "off", false, ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct tg_text needed;
    assert_int_equal(tg_options_check(cases[i].key, cases[i].value, &needed), cases[i].understood);
    assert_int_equal(strncmp(tg_text_string(&needed), cases[i].needed, strlen(cases[i].needed)), 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_gives_the_defaults),
      cmocka_unit_test(every_value_is_understood),
      cmocka_unit_test(numbers_have_limits),
      cmocka_unit_test(texts_may_be_quoted),
      cmocka_unit_test(actions_go_to_the_policy),
      cmocka_unit_test(all_at_once_in_any_order_between_empty_pieces),
      cmocka_unit_test(the_last_value_of_a_key_counts),
      cmocka_unit_test(what_is_not_understood_is_a_line_each_and_changes_nothing),
      cmocka_unit_test(no_byte_of_the_text_forges_a_line),
      cmocka_unit_test(texts_of_every_length_are_one_line_each),
      cmocka_unit_test(help_has_a_line_for_every_option),
      cmocka_unit_test(the_command_sees_every_option_once),
      cmocka_unit_test(the_command_checks_as_the_parser_does),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
