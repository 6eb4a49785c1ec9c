/* The catalogue of events: it is complete, and events are found by code and by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* cmocka.h needs the four at the top first. */
#include <cmocka.h>

#include "diag/catalogue.h"

static void every_kind_is_complete(void **state) {
  (void)state;
  assert_null(tg_catalogue[TG_EVENT_NONE].name);
  for (unsigned kind = 1; kind < TG_EVENT_KINDS; kind++) {
    const struct tg_catalogue_entry *entry = &tg_catalogue[kind];
    const char *const texts[] = {entry->name, entry->explanation, entry->natively, entry->action};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
      assert_non_null(texts[i]);
      assert_true(strlen(texts[i]) > 3 && strlen(texts[i]) < 120);
      assert_int_not_equal(texts[i][strlen(texts[i]) - 1], '.');
    }
    assert_int_equal(strspn(entry->name, "abcdefghijklmnopqrstuvwxyz-"), strlen(entry->name));
    assert_true(entry->severity < TG_SEVERITIES);
    /* If the program would die or hang without the guard, the event is reported in every mode. */
    assert_false(entry->only_diagnose && entry->severity <= TG_HANG_AVOIDED);
  }
}

static void codes_and_names_are_found_and_unlike(void **state) {
  (void)state;
  for (unsigned kind = 1; kind < TG_EVENT_KINDS; kind++) {
    char code[TG_CODE_SIZE], expected[16];
    tg_catalogue_code((enum tg_event_kind)kind, code);
    snprintf(expected, sizeof expected, "TSG%03u", kind);
    assert_string_equal(code, expected);
    assert_int_equal(tg_catalogue_find(code, strlen(code)), kind);
    const char *name = tg_catalogue[kind].name;
    /* The first match is this kind, so no earlier kind has this name. */
    assert_int_equal(tg_catalogue_find(name, strlen(name)), kind);
    assert_int_equal(tg_severity_find(name, strlen(name)), TG_SEVERITIES);
  }
}

static void other_words_are_not_found(void **state) {
  (void)state;
  const char *const words[] = {"",        "TSG",          "TSG000",  "TSG999", "TSG01",
                               "TSG0011", "tsg001",       "TSG001 ", "TSG-01", "stale-handle ",
                               "stale",   "Stale-handle", "warn",    "*"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    assert_int_equal(tg_catalogue_find(words[i], strlen(words[i])), TG_EVENT_NONE);
  const char *const severities[] = {"", "fatal", "warn ", "WARN", "fatal-avoided,", "TSG001"};
  for (size_t i = 0; i < sizeof severities / sizeof severities[0]; i++)
    assert_int_equal(tg_severity_find(severities[i], strlen(severities[i])), TG_SEVERITIES);
}

static void only_the_given_length_counts(void **state) {
  (void)state;
  assert_int_equal(tg_catalogue_find("TSG007:x", strlen("TSG007")), TG_EVENT_STALE_HANDLE);
  assert_int_equal(tg_severity_find("leak=log", strlen("leak")), TG_LEAK);
  for (unsigned severity = 0; severity < TG_SEVERITIES; severity++)
    assert_int_equal(
        tg_severity_find(tg_severity_names[severity], strlen(tg_severity_names[severity])),
        severity);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_is_complete),
      cmocka_unit_test(codes_and_names_are_found_and_unlike),
      cmocka_unit_test(other_words_are_not_found),
      cmocka_unit_test(only_the_given_length_counts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
