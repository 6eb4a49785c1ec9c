/* What tsfn-guard report reads from a line, how it counts events over many lines, and its
 * limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "command/common/complain.h"
#include "command/common/json.h"
#include "command/report/report_groups.h"
#include "command/report/report_line.h"
#include "command/report/report_text_log.h"
#include "command/report/report_wrapper.h"

int tg_complain(int status, const char *needed, const char *found, const char *remedy) {
  fail_msg("needed %s, found %s: %s", needed, found, remedy);
  return status;
}

/* Switches leak detection off: the tables live as long as the command and are never freed. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void) {
  return "detect_leaks=0";
}

/* --- Lines */

static char text[2 * TG_LINE_MAX];

static enum tg_line_verdict parse(const char *line, struct tg_line *parsed) {
  snprintf(text, sizeof text, "%s", line);
  return tg_line_parse(text, strlen(text), parsed);
}

#define HEAD "{\"version\":1,\"type\":\"event\",\"time\":\"2026-11-25T07:23:09.827Z\","
#define KIND "\"code\":\"TSG001\",\"kind\":\"call-after-finalize\",\"severity\":\"fatal-avoided\","

static void test_whole_event(void **state) {
  (void)state;
  struct tg_line line;
  assert_int_equal(
      parse(HEAD KIND
            "\"addon\":\"/a/"
            "x.node\",\"seen\":7,\"suppressed\":3,\"detail\":\"new\",\"call\":{\"function\":"
            "\"napi_call_threadsafe_function\",\"mode\":null,\"answered\":\"napi_closing\"},"
            "\"caller\":{"
            "\"file\":\"/a/"
            "x.node\",\"offset\":\"0x12\",\"symbol\":null,\"build_id\":\"ab\"},\"thread\":{"
            "\"pid\":5,\"tid\":6,\"name\":\"w\"},\"handle\":{\"number\":3,\"name\":null,\"age_ms\":"
            "10,"
            "\"finalized_ms_ago\":null},\"env\":{\"number\":1,\"worker\":2},\"stack\":[\"/a/"
            "x.node+0x12\","
            "\"/a+b/c+0xff\",\"0x7f00\"]}",
            &line),
      TG_LINE_OURS);
  assert_int_equal(line.type, TG_LINE_EVENT);
  assert_int_equal(line.time, 1795591389827);
  assert_string_equal(line.code, "TSG001");
  assert_int_equal(line.severity, TG_FATAL_AVOIDED);
  assert_int_equal(line.seen, 7);
  assert_string_equal(line.answered, "napi_closing");
  assert_null(line.mode);
  assert_int_equal(line.caller.offset, 0x12);
  assert_string_equal(line.build_id, "ab");
  assert_int_equal(line.pid, 5);
  assert_int_equal(line.age_ms, 10);
  assert_int_equal(line.finalized_ms_ago, TG_UNKNOWN);
  assert_int_equal(line.stack.count, 3);
  assert_string_equal(line.stack.frames[1].file, "/a+b/c");
  assert_int_equal(line.stack.frames[1].offset, 0xff);
  assert_null(line.stack.frames[2].file);
}

/* Log shippers add text before and after a line. Fields that are not known are skipped. */
static void test_wrapped_line(void **state) {
  (void)state;
  struct tg_line line;
  assert_int_equal(
      parse("2026-11-25 stderr F " HEAD KIND "\"seen\":1,\"later\":{\"a\":[{}]}} \r", &line),
      TG_LINE_OURS);
}

static void test_lines_that_are_not_taken(void **state) {
  (void)state;
  struct tg_line line;
  static const struct {
    const char *line;
    enum tg_line_verdict lookup;
  } cases[] = {
      {"", TG_LINE_OTHER},
      {"hello", TG_LINE_OTHER},
      {"{\"version\":1,\"level\":\"info\"}", TG_LINE_OTHER},
      {"tsfn-guard[12]: armed: node", TG_LINE_OTHER},
      {"tsfn-guard[12]: TSG001 call-after-finalize (fatal-avoided): x", TG_LINE_TEXT},
      {"{\"version\":2,\"type\":\"event\",\"time\":\"x\"}", TG_LINE_NEWER},
      {"{\"version\":1,\"type\":\"novelty\",\"time\":\"2026-11-25T07:23:09.827Z\"}", TG_LINE_NEWER},
      {HEAD KIND "\"seen\":1", TG_LINE_BROKEN},
      {HEAD KIND "\"seen\":1}}", TG_LINE_BROKEN},
      {HEAD KIND "\"seen\" 1}", TG_LINE_BROKEN},
      {HEAD KIND "\"seen\":-1}", TG_LINE_BROKEN},
      {HEAD KIND "\"seen\":0}", TG_LINE_BROKEN},
      {HEAD KIND "\"seen\":99999999999999999999}", TG_LINE_BROKEN},
      {HEAD KIND "\"seen\":1,\"stack\":\"x\"}", TG_LINE_BROKEN},
      {HEAD KIND "\"seen\":1,\"stack\":[{}]}", TG_LINE_BROKEN},
      {HEAD KIND "\"seen\":1,\"stack\":[\"x\"]}", TG_LINE_BROKEN},
      {HEAD "\"code\":\"TSG001\",\"kind\":\"x\",\"severity\":\"terrible\",\"seen\":1}",
       TG_LINE_BROKEN},
      {"{\"version\":1,\"type\":\"event\",\"time\":\"9999-12-31T99:23:09.827Z\"," KIND
       "\"seen\":1}",
       TG_LINE_BROKEN},
      {"{\"version\":1,\"type\":\"event\",\"time\":\"2026-13-25T07:23:09.827Z\"," KIND
       "\"seen\":1}",
       TG_LINE_BROKEN},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    if (parse(cases[i].line, &line) != cases[i].lookup)
      fail_msg("taken otherwise: %s", cases[i].line);
}

static void test_strings_are_tamed(void **state) {
  (void)state;
  struct tg_line line;
  assert_int_equal(
      parse(
          HEAD KIND
          "\"seen\":1,\"addon\":\"a\\\"\\\\\\n\\u001b[2J\\u00fc\\ud83d\\ude00\\ud800\\u0000\xff\"}",
          &line),
      TG_LINE_OURS);
  assert_string_equal(line.addon, "a\"\\??[2J\xc3\xbc\xf0\x9f\x98\x80?????");
}

/* Seen to fail: U+202E and similar characters reached the terminal, both as JSON escapes and
 * unescaped. */
static void test_strings_do_not_change_direction(void **state) {
  (void)state;
  struct tg_line line;
  assert_int_equal(
      parse(HEAD KIND "\"seen\":1,\"addon\":\"x\\u202Eedon.\\u2066\\u061c\xe2\x80\xaa\"}", &line),
      TG_LINE_OURS);
  assert_string_equal(line.addon, "x???edon.????????");
}

static void test_written_strings_end_no_script(void **state) {
  (void)state;
  char *written = NULL;
  size_t size;
  FILE *out = open_memstream(&written, &size);
  tg_json_write(out, "</script><!--\"\\\n\xff");
  fclose(out);
  assert_string_equal(written, "\"\\u003c/script\\u003e\\u003c!--\\u0022\\u005c??\"");
  free(written);
}

/* --- Counting */

static struct tg_groups groups;

static struct tg_line event(int64_t pid, int64_t seconds, int64_t seen, uint64_t offset) {
  struct tg_line line = {.type = TG_LINE_EVENT,
                         .time = 1000 * seconds,
                         .code = "TSG001",
                         .kind = "call-after-finalize",
                         .severity = TG_FATAL_AVOIDED,
                         .addon = "/a/x.node",
                         .seen = seen,
                         .pid = pid,
                         .caller = {"/a/x.node", 0x10}};
  line.stack = (struct tg_frames){2, {{"/a/x.node", 0x10}, {"/a/x.node", offset}}};
  return line;
}

static void add(struct tg_line line) {
  tg_groups_add(&groups, &line);
}

static void add_of(enum tg_line_type type, int64_t pid, int64_t seconds, int64_t seen) {
  struct tg_line line = event(pid, seconds, seen, 0);
  line.type = type;
  line.stack.count = 0;
  line.caller.file = NULL;
  add(line);
}

static uint64_t total(void) {
  uint64_t count = 0;
  for (size_t i = 0; i < groups.count; i++) count += groups.groups[i].count;
  return count;
}

static int open_groups(void **state) {
  (void)state;
  tg_groups_open(&groups, true);
  return 0;
}

static void test_seen_is_cumulative(void **state) {
  (void)state;
  for (int64_t seen = 1; seen <= 64; seen *= 4) add(event(1, 10, seen, 0x20));
  tg_groups_finish(&groups);
  assert_int_equal(groups.count, 1);
  assert_int_equal(groups.groups[0].count, 64);
  assert_int_equal(groups.groups[0].told, 4);
}

/* Two stacks of one call site share that site's count. */
static void test_stacks_share_a_site(void **state) {
  (void)state;
  add(event(1, 10, 1, 0x20));
  add(event(1, 11, 2, 0x30));
  add(event(1, 12, 8, 0x20));
  tg_groups_finish(&groups);
  assert_int_equal(groups.count, 2);
  assert_int_equal(groups.groups[0].count, 7);
  assert_int_equal(groups.groups[1].count, 1);
}

static void test_processes(void **state) {
  (void)state;
  add(event(1, 10, 4, 0x20));
  add(event(2, 10, 4, 0x20));
  add(event(1, 11, 5, 0x20));
  add(event(1, 12, 1, 0x20)); /* the number was reused */
  add(event(1, 13, 2, 0x20));
  tg_groups_finish(&groups);
  assert_int_equal(groups.groups[0].count, 5 + 4 + 2);
  assert_int_equal(groups.groups[0].processes, 3);
  assert_int_equal(groups.process_count, 3);
  assert_int_equal(groups.groups[0].first, 10000);
  assert_int_equal(groups.groups[0].last, 13000);
}

static void test_a_summary_ends_a_process(void **state) {
  (void)state;
  add(event(1, 10, 4, 0x20));
  add_of(TG_LINE_SUMMARY, 1, 10, TG_UNKNOWN);
  add(event(1, 10, 5, 0x20)); /* the last value counts */
  add(event(1, 20, 7, 0x20)); /* from another process, whose first lines are lost */
  tg_groups_finish(&groups);
  assert_int_equal(total(), 5 + 7);
  assert_int_equal(groups.process_count, 2);
}

static void test_tallies_fill_up(void **state) {
  (void)state;
  add(event(1, 10, 4, 0x20));
  add_of(TG_LINE_TALLY, 1, 11, 6);
  add_of(TG_LINE_TALLY, 2, 11, 9); /* all events were suppressed */
  add(event(3, 10, 8, 0x20));
  add_of(TG_LINE_TALLY, 3, 11, 8);
  tg_groups_finish(&groups);
  assert_int_equal(groups.count, 2);
  assert_int_equal(groups.groups[0].count, 6 + 8);
  assert_int_equal(groups.groups[1].count, 9);
  assert_int_equal(groups.groups[1].stack.count, 0);
}

/* Compiled JavaScript is anywhere in memory, and has one frame or several. */
static void test_javascript_is_one_frame(void **state) {
  (void)state;
  struct tg_line one = event(1, 10, 1, 0x20), other = event(2, 10, 1, 0x20);
  one.stack.frames[one.stack.count++] = (struct tg_frame){NULL, 0x7f01};
  other.stack.frames[other.stack.count++] = (struct tg_frame){NULL, 0x7f02};
  other.stack.frames[other.stack.count++] = (struct tg_frame){NULL, 0x7f03};
  add(one);
  add(other);
  tg_groups_finish(&groups);
  assert_int_equal(groups.count, 1);
}

static void test_worst_first(void **state) {
  (void)state;
  struct tg_line line = event(1, 10, 100, 0x20);
  line.code = "TSG019";
  line.severity = TG_LEAK;
  add(line);
  add(event(1, 10, 2, 0x30));
  add(event(2, 10, 3, 0x40));
  tg_groups_finish(&groups);
  assert_int_equal(groups.groups[0].count, 3);
  assert_int_equal(groups.groups[1].count, 2);
  assert_string_equal(groups.groups[2].code, "TSG019");
}

static void test_groups_beyond_the_limit_are_one(void **state) {
  (void)state;
  for (uint64_t i = 0; i < TG_GROUPS_MAX + 100; i++) {
    struct tg_line line = event(1, 10, 1, i);
    line.caller.offset = i;
    add(line);
  }
  tg_groups_finish(&groups);
  assert_int_equal(groups.count, TG_GROUPS_MAX + 1);
  assert_true(groups.groups[0].is_rest);
  assert_int_equal(groups.groups[0].count, 100);
  assert_int_equal(groups.groups[0].severity, TG_FATAL_AVOIDED);
}

static void test_the_newest_moments_are_kept(void **state) {
  (void)state;
  for (int64_t i = 0; i < 3 * TG_MOMENTS_MAX; i++)
    add(event(1, 10 + i, 1 + i, 0x20 + (uint64_t)(i % 2)));
  tg_groups_finish(&groups);
  assert_int_equal(groups.moment_count, TG_MOMENTS_MAX);
  assert_int_equal(groups.moments_dropped, 2 * TG_MOMENTS_MAX);
  assert_int_equal(groups.moments[0].time, 1000 * (10 + 2 * TG_MOMENTS_MAX));
  for (size_t i = 1; i < groups.moment_count; i++)
    assert_true(groups.moments[i].time > groups.moments[i - 1].time &&
                groups.moments[i].group < groups.count);
}

static void test_the_pool_has_a_limit(void **state) {
  (void)state;
  struct tg_pool pool = {.map.most = 10, .most = 1 << 20};
  char name[8];
  for (int i = 0; i < 10; i++) {
    snprintf(name, sizeof name, "n%d", i);
    const char *kept = tg_pool_keep(&pool, name);
    assert_string_equal(kept, name);
    assert_ptr_equal(tg_pool_keep(&pool, name), kept);
  }
  assert_null(tg_pool_keep(&pool, "another"));
}

/* --- Reports as text */

struct taken {
  unsigned count;
  char said[1024]; /* "PID CODE SEEN ADDON TIME;" of each */
};

static void take_text(void *argument, const struct tg_line *line) {
  struct taken *taken = argument;
  size_t length = strlen(taken->said);
  snprintf(taken->said + length, sizeof taken->said - length, "%d %s %d %s %d;", (int)line->pid,
           line->code == NULL ? "-" : line->code, (int)line->seen,
           line->addon == NULL ? "-" : line->addon, (int)(line->time / 1000));
  taken->count++;
}

static uint64_t read_text(const char *const lines[], struct taken *taken) {
  *taken = (struct taken){0};
  struct tg_text_log *log = tg_text_log_open(7000, take_text, taken);
  for (; *lines != NULL; lines++) {
    char copy[512];
    snprintf(copy, sizeof copy, "%s", *lines);
    struct tg_unwrapped piece = tg_unwrap(copy, strlen(copy));
    tg_text_log_add(log, piece.text, piece.length, piece.time);
  }
  return tg_text_log_close(log);
}

#define TEXT(pid, rest) "x tsfn-guard[" #pid "]: " rest

/* The reports of two processes are mixed. A short line continues the site with the nearest
 * number. */
static void test_text_is_put_together(void **state) {
  (void)state;
  struct taken taken;
  static const char *const lines[] = {
      TEXT(1, "TSG007 stale-handle (fatal-avoided): a@1 x.node: napi_x, called in f+1"),
      TEXT(2, "TSG008 never-a-handle (fatal-avoided): y"),
      TEXT(1, "  addon: /a, seen 3/x.node"),
      TEXT(2, "  addon: /y.node"),
      TEXT(2, "  seen: 1"),
      TEXT(1, "  seen: 2"),
      TEXT(1, "  time: 1970-01-01T00:00:09.000Z"),
      TEXT(1, "  caller: file /a, seen 3/x.node, offset 0x10, build_id ab"),
      TEXT(1, "TSG007 stale-handle (fatal-avoided): e; seen 4 times from /a, seen 3/x.node"),
      "1970-01-01T00:00:20.5Z tsfn-guard[1]: summary: TSG007 stale-handle (fatal-avoided): 5 seen, "
      "2 not reported, action log, addon /a, seen 3/x.node",
      NULL};
  assert_int_equal(read_text(lines, &taken), 0);
  assert_string_equal(taken.said,
                      "1 TSG007 2 /a, seen 3/x.node 9;1 TSG007 4 /a, seen 3/x.node 9;"
                      "1 TSG007 5 /a, seen 3/x.node 20;2 TSG008 1 /y.node 20;");
}

/* What is cut off or forged is never handed over. */
static void test_text_that_is_not_whole(void **state) {
  (void)state;
  struct taken taken;
  static const char *const lines[] = {TEXT(1, "TSG007 stale-handle (fatal-avoided): no more"),
                                      TEXT(2, "  seen: 1"),
                                      TEXT(3, "TSG007 stale-handle (dreadful): x"),
                                      TEXT(4, "TSG007 stale-handle (warn): x"),
                                      TEXT(4, "  seen: 99999999999999999999"),
                                      TEXT(5, "event"),
                                      TEXT(0, "TSG007 stale-handle (warn): x"),
                                      TEXT(x, "TSG007 stale-handle (warn): x"),
                                      NULL};
  assert_int_equal(read_text(lines, &taken), 3);
  assert_int_equal(taken.count, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_whole_event),
      cmocka_unit_test(test_wrapped_line),
      cmocka_unit_test(test_lines_that_are_not_taken),
      cmocka_unit_test(test_strings_are_tamed),
      cmocka_unit_test(test_strings_do_not_change_direction),
      cmocka_unit_test(test_written_strings_end_no_script),
      cmocka_unit_test_setup(test_seen_is_cumulative, open_groups),
      cmocka_unit_test_setup(test_stacks_share_a_site, open_groups),
      cmocka_unit_test_setup(test_processes, open_groups),
      cmocka_unit_test_setup(test_a_summary_ends_a_process, open_groups),
      cmocka_unit_test_setup(test_tallies_fill_up, open_groups),
      cmocka_unit_test_setup(test_javascript_is_one_frame, open_groups),
      cmocka_unit_test_setup(test_worst_first, open_groups),
      cmocka_unit_test_setup(test_groups_beyond_the_limit_are_one, open_groups),
      cmocka_unit_test_setup(test_the_newest_moments_are_kept, open_groups),
      cmocka_unit_test(test_the_pool_has_a_limit),
      cmocka_unit_test(test_text_is_put_together),
      cmocka_unit_test(test_text_that_is_not_whole),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
