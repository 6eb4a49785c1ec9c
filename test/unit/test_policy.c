/* The policy: how often a site is reported, what its globs match, and what happens if there are
 * more sites than places. A process can only add suppressions, never remove them. So each
 * suppression file is read in a child process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka.h needs the four at the top first. */
#include <cmocka.h>

#include "diag/policy.h"

static const char *current_file = "";

static void give_file(const void *caller, const void *creator, char *path, size_t size) {
  (void)caller;
  (void)creator;
  snprintf(path, size, "%s", current_file);
}

static struct tg_site *site_of(enum tg_event_kind kind, uintptr_t caller, uintptr_t creator) {
  return tg_policy_find_site(kind, (const void *)caller, (const void *)creator, give_file);
}

/* --- Rate */

/* Returns how many of the first 1,000 events of a new site are reported. *in_full: how many of them
 * in full. *last: the number of the last one that is reported. */
static unsigned reported_of_1000(uint64_t rate, unsigned *in_full, uint64_t *last) {
  static uintptr_t caller = 0x1000;
  struct tg_site *site = site_of(TG_EVENT_OVER_RELEASE, caller++, 0);
  unsigned reported = 0;
  *in_full = 0;
  tg_policy_set_rate(rate);
  for (uint64_t i = 1; i <= 1000; i++) {
    if (!tg_policy_count(site)) continue;
    reported++;
    *in_full += tg_policy_in_full(site);
    *last = site->seen;
  }
  assert_int_equal(site->seen, 1000);
  assert_int_equal(site->logged, reported);
  return reported;
}

static void the_first_are_reported_and_then_powers_of_two(void **state) {
  (void)state;
  const struct {
    uint64_t rate;
    unsigned reported, in_full;
    uint64_t last;
  } cases[] = {
      {0, 1000, 1000, 1000}, {1, 10, 1, 512},                           /* 1 2 4 … 512 */
      {2, 10, 2, 512},       {3, 11, 3, 512},          {5, 12, 5, 512}, /* 1 to 5, 8 … */
      {600, 600, 600, 600},  {1000, 1000, 1000, 1000}, {1000000, 1000, 1000, 1000},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    unsigned in_full;
    uint64_t last = 0;
    assert_int_equal(reported_of_1000(cases[i].rate, &in_full, &last), cases[i].reported);
    assert_int_equal(in_full, cases[i].in_full);
    assert_int_equal(last, cases[i].last);
  }
}

/* Seen to fail: the process had ended or had stopped, and no report said so. */
static void what_ends_or_stops_the_process_is_always_reported(void **state) {
  (void)state;
  const enum tg_action actions[] = {TG_ACTION_ABORT, TG_ACTION_STOP};
  for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
    unsigned in_full;
    uint64_t last;
    tg_policy_set("TSG012", 6, actions[i]);
    assert_int_equal(reported_of_1000(1, &in_full, &last), 1000);
    assert_int_equal(in_full, 1);
  }
  tg_policy_set("TSG012", 6, TG_ACTION_LOG);
}

/* --- Suppressions */

/* Whether a suppression file with this text suppresses events of the kind from that file. */
static bool suppresses(const char *text, enum tg_event_kind kind, const char *file) {
  char path[] = "/tmp/tg-test-suppressions-XXXXXX";
  int descriptor = mkstemp(path);
  assert_true(descriptor >= 0 && write(descriptor, text, strlen(text)) == (ssize_t)strlen(text));
  close(descriptor);
  pid_t child = fork();
  if (child == 0) {
    current_file = file;
    tg_policy_read_suppressions(path);
    struct tg_site *site = site_of(kind, 0x77, 0);
    /* a suppressed event is never reported */
    _exit(site->suppressed ? tg_policy_count(site) ? 3 : 1 : 0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  unlink(path);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
  return WEXITSTATUS(status) == 1;
}

static void a_line_says_which_kind(void **state) {
  (void)state;
  const enum tg_event_kind kind = TG_EVENT_OVER_RELEASE;
  const char *const yes[] = {
      "*:*", "TSG012:*", "over-release:*", "warn:*", "# x\n\n  \nTSG012:*\n", "TSG001:*\nwarn:*"};
  const char *const no[] = {"",          "TSG011:*",   "fatal-avoided:*", "leak:*",
                            "#TSG012:*", "TSG001:*\n", "TSG012:x"};
  for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
    assert_true(suppresses(yes[i], kind, "/a/b.node"));
  for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
    assert_false(suppresses(no[i], kind, "/a/b.node"));
}

static void globs_match_the_path_or_its_last_part(void **state) {
  (void)state;
  const struct {
    const char *pattern, *file;
    bool matches;
  } cases[] = {
      {"b.node", "/a/b.node", true},
      {"/a/b.node", "/a/b.node", true},
      {"a/b.node", "/a/b.node", false},
      {"/a/*", "/a/b/c.node", true},
      {"*.node", "/a/b.node", true},
      {"*.nod", "/a/b.node", false},
      {"b.nodes", "/a/b.node", false},
      {"?.node", "/a/b.node", true},
      {"?b.node", "/a/b.node", false},
      {"/a?b.node", "/a/b.node", true},
      {"*", "/a/b.node", true},
      {"***", "/a/b.node", true},
      {"*b*n*", "/a/b.node", true},
      {"*b*n*x", "/a/b.node", false},
      {"*", "", true},
      {"?", "", false},
      {"b:c.node", "/a/b:c.node", true},
      {"*aab", "aaaaaaaaaaab", true},
      {"*a*a*a*a*ab", "aaaaaaaaaaaaaaac", false},
      {"[ab].node", "/a/b.node", false}, /* sets are not supported */
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char text[64];
    snprintf(text, sizeof text, "*:%s\n", cases[i].pattern);
    if (suppresses(text, TG_EVENT_STALE_HANDLE, cases[i].file) != cases[i].matches)
      fail_msg("%s and %s", cases[i].pattern, cases[i].file);
  }
}

/* --- Actions */

static void a_kinds_action_wins_over_its_severitys(void **state) {
  (void)state;
  tg_policy_log_up_to(TG_WARN);
  assert_int_equal(tg_policy_action(TG_EVENT_NEVER_RELEASED), TG_ACTION_IGNORE);
  assert_int_equal(tg_policy_action(TG_EVENT_KEEPS_ALIVE), TG_ACTION_IGNORE);
  assert_int_equal(tg_policy_action(TG_EVENT_OVER_RELEASE), TG_ACTION_LOG);
  tg_policy_log_up_to(TG_INFO);
  assert_int_equal(tg_policy_action(TG_EVENT_NEVER_RELEASED), TG_ACTION_LOG);
  assert_true(tg_policy_set("leak", 4, TG_ACTION_ABORT));
  assert_true(tg_policy_set("TSG012", 6, TG_ACTION_STOP));
  assert_true(tg_policy_set("warn", 4, TG_ACTION_IGNORE));
  assert_false(tg_policy_set("worse", 5, TG_ACTION_ABORT));
  assert_int_equal(tg_policy_action(TG_EVENT_NEVER_RELEASED), TG_ACTION_ABORT);
  assert_int_equal(tg_policy_action(TG_EVENT_OVER_RELEASE), TG_ACTION_STOP);
  assert_int_equal(tg_policy_action(TG_EVENT_FOREIGN_REF), TG_ACTION_IGNORE);
}

/* --- Sites */

static void a_site_is_kind_caller_and_creator(void **state) {
  (void)state;
  current_file = "/first.node";
  struct tg_site *site = site_of(TG_EVENT_LONG_QUEUE, 5, 6);
  current_file = "/other.node"; /* it is not looked up again */
  assert_ptr_equal(site_of(TG_EVENT_LONG_QUEUE, 5, 6), site);
  assert_string_equal(site->file, "/first.node");
  assert_ptr_not_equal(site_of(TG_EVENT_SLOW_FINALIZER, 5, 6), site);
  assert_ptr_not_equal(site_of(TG_EVENT_LONG_QUEUE, 6, 6), site);
  assert_ptr_not_equal(site_of(TG_EVENT_LONG_QUEUE, 5, 7), site);
}

/* This must be the last test, because it uses up all places. */
static void with_more_sites_than_places_none_is_lost(void **state) {
  (void)state;
  const enum tg_event_kind kinds[] = {TG_EVENT_NULL_HANDLE, TG_EVENT_NULL_RESULT};
  const uintptr_t callers = TG_SITES_MAX * 3;
  for (uintptr_t caller = 1; caller <= callers; caller++)
    for (unsigned i = 0; i < 2; i++) tg_policy_count(site_of(kinds[i], caller << 4, 0));
  assert_int_equal(tg_policy_seen(TG_EVENT_NULL_HANDLE), callers);
  assert_int_equal(tg_policy_seen(TG_EVENT_NULL_RESULT), callers);
  size_t count;
  const struct tg_site *sites = tg_policy_sites(&count);
  assert_true(count <= TG_SITES_MAX);
  uint64_t seen = 0;
  for (size_t i = 0; i < count; i++)
    seen += sites[i].kind == TG_EVENT_NULL_HANDLE ? sites[i].seen : 0;
  assert_int_equal(seen, callers);
  /* A kind that occurs only now has a place, too. */
  for (unsigned kind = 1; kind < TG_EVENT_KINDS; kind++)
    assert_int_equal(site_of((enum tg_event_kind)kind, 0x999999, 0)->kind, kind);
  tg_policy_sites(&count);
  assert_true(count <= TG_SITES_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_first_are_reported_and_then_powers_of_two),
      cmocka_unit_test(what_ends_or_stops_the_process_is_always_reported),
      cmocka_unit_test(a_line_says_which_kind),
      cmocka_unit_test(globs_match_the_path_or_its_last_part),
      cmocka_unit_test(a_kinds_action_wins_over_its_severitys),
      cmocka_unit_test(a_site_is_kind_caller_and_creator),
      cmocka_unit_test(with_more_sites_than_places_none_is_lost),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
