/* Reports: every kind is one well-formed line, whatever its fields contain, and times are correct.
 * No test on real Node can provoke handles-used-up, which takes at least 2^28 creates. So a test
 * here checks that the core reports it. */
#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "guard_fixture.h"

#include "diag/catalogue.h"
#include "diag/log.h"
#include "diag/policy.h"
#include "diag/report.h"
#include "json.h"

enum { LINE_MAX_SIZE = 4096 };

static char log_path[] = "/tmp/tg-test-report-XXXXXX";
static char line[LINE_MAX_SIZE * 4];
static const char *file = "/app/x.node";

/* --- The test sets the time */

static struct timespec pretended; /* 0: the real time */

int clock_gettime(clockid_t clock, struct timespec *time) {
  if (pretended.tv_sec == 0 || clock != CLOCK_REALTIME)
    return (int)syscall(SYS_clock_gettime, clock, time);
  *time = pretended;
  return 0;
}

/* --- A source of fixed answers */

static bool locate(const void *code, struct tg_place *place) {
  snprintf(place->file, sizeof place->file, "%s", file);
  place->offset = (uint64_t)(uintptr_t)code;
  strcpy(place->build_id, "abcdef");
  return true;
}

static bool name_symbol(const void *code, char symbol[TG_SYMBOL_MAX]) {
  (void)code;
  strcpy(symbol, "somewhere+12");
  return true;
}

static const char *addon_path(const struct tg_addon *addon) {
  (void)addon;
  return file;
}

static bool runtime(char text[TG_RUNTIME_MAX]) {
  strcpy(text, "node 1.2.3");
  return true;
}

static void open_report(enum tg_format format) {
  static const struct tg_report_source source = {locate, name_symbol, addon_path, runtime};
  const struct tg_report_options options = {.format = format, .diagnose = true};
  tg_policy_set_rate(0);
  tg_report_open(&source, &options);
  assert_int_equal(truncate(log_path, 0), 0);
}

/* Takes what was written since the last call. Returns its length. */
static size_t take_log(void) {
  FILE *log = fopen(log_path, "r");
  assert_non_null(log);
  size_t length = fread(line, 1, sizeof line - 1, log);
  fclose(log);
  assert_int_equal(truncate(log_path, 0), 0);
  line[length] = '\0';
  return length;
}

static void expect_part(const char *part) {
  if (strstr(line, part) == NULL) fail_msg("no %s in %s", part, line);
}

/* --- Every kind */

static struct tg_event full_event(enum tg_event_kind kind) {
  struct tg_event event = {.kind = kind,
                           .function = "napi_call_threadsafe_function",
                           .handle = (napi_threadsafe_function)UINTPTR_MAX,
                           .mode = "napi_tsfn_nonblocking",
                           .caller = (const void *)0x1234,
                           .answered = true,
                           .answer = napi_closing,
                           .known = true,
                           .quantity = UINT64_MAX};
  struct tg_snapshot *snapshot = &event.snapshot;
  snapshot->number = UINT64_MAX;
  snapshot->generation = snapshot->env = UINT32_MAX;
  snapshot->state = TG_CLOSED;
  snapshot->finalized = snapshot->referenced = true;
  snapshot->thread_count = snapshot->release_credit = snapshot->queue_length =
      snapshot->max_queue_size = snapshot->waiters = SIZE_MAX;
  snapshot->addon = (const struct tg_addon *)(const void *)"";
  memset(snapshot->name, '"', sizeof snapshot->name - 1);
  return event;
}

static void report_every_kind(bool is_full) {
  for (unsigned kind = 1; kind < TG_EVENT_KINDS; kind++) {
    struct json json;
    char code[TG_CODE_SIZE];
    struct tg_event event =
        is_full ? full_event((enum tg_event_kind)kind) : (struct tg_event){.kind = kind};
    tg_report_event(&event);
    size_t length = take_log();
    assert_true(length <= LINE_MAX_SIZE);
    json_read(&json, line, length);
    tg_catalogue_code((enum tg_event_kind)kind, code);
    expect_part(code);
    expect_part(tg_catalogue[kind].name);
    expect_part(tg_severity_names[tg_catalogue[kind].severity]);
    assert_true(json_has(&json, "thread.tid"));
    assert_int_equal(json_has(&json, "handle.counts"), is_full);
    assert_int_equal(json_has(&json, "call.answered"), is_full);
    assert_int_equal(json_has(&json, "quantity"), tg_catalogue[kind].quantity != NULL);
  }
}

static void every_kind_is_a_line_with_everything_or_nothing_known(void **state) {
  (void)state;
  open_report(TG_FORMAT_JSON);
  report_every_kind(true);
  report_every_kind(false);
  static char longest[2048];
  memset(longest, '"', sizeof longest - 1);
  file = longest;
  report_every_kind(true);
  file = "/app/x.node";
}

static void text_is_whole_lines_of_ours(void **state) {
  (void)state;
  open_report(TG_FORMAT_TEXT);
  char prefix[32];
  snprintf(prefix, sizeof prefix, "tsfn-guard[%d]: ", (int)getpid());
  for (unsigned kind = 1; kind < TG_EVENT_KINDS; kind++) {
    struct tg_event event = full_event((enum tg_event_kind)kind);
    tg_report_event(&event);
    assert_int_equal(line[take_log() - 1], '\n');
    for (const char *next = line; *next != '\0'; next = strchr(next, '\n') + 1)
      assert_memory_equal(next, prefix, strlen(prefix));
  }
}

static void errno_stays_as_it_was(void **state) {
  (void)state;
  open_report(TG_FORMAT_JSON);
  struct tg_event event = full_event(TG_EVENT_STALE_HANDLE);
  errno = EXDEV;
  tg_report_event(&event);
  assert_int_equal(errno, EXDEV);
}

/* --- Handles used up */

/* As in test_guard.c: the smallest possible table. */
static void use_up(struct tg_guard *guard) {
  fake_guard_shrink(guard, 1, 2);
  guard->table.free_slots_min = 1;
}

static void handles_used_up_is_reported(void **state) {
  (void)state;
  struct recorder r;
  open_report(TG_FORMAT_JSON);
  open_recorder(&r, 0, 1);
  struct tg_host host = fake_host;
  host.on_event = tg_report_event;
  r.guard->host = &host;
  assert_int_equal(release(&r), napi_ok);
  fake_env_turn(r.env);
  use_up(r.guard);
  struct recorder last = r;
  for (int i = 1; i < 8; i++) {
    assert_int_equal(create_with(&last, 5, 1), napi_ok);
    assert_int_equal(release(&last), napi_ok);
    fake_env_turn(r.env);
  }
  assert_int_equal(take_log(), 0);
  assert_int_equal(create_with(&last, 5, 1), napi_ok);
  struct json json;
  json_read(&json, line, take_log());
  expect_part("\"code\":\"TSG027\",\"kind\":\"handles-used-up\",\"severity\":\"warn\",");
  expect_part("\"runtime\":\"node 1.2.3\",");
  expect_part("\"addon\":\"/app/x.node\",\"seen\":1,\"suppressed\":0,");
  expect_part(
      "\"call\":{\"function\":\"napi_create_threadsafe_function\",\"func\":\"0x0\",\"mode\":null,"
      "\"answered\":\"napi_ok\"}");
  expect_part(
      "\"caller\":{\"file\":\"/app/x.node\",\"offset\":\"0x1000\",\"symbol\":\"somewhere+12\","
      "\"build_id\":\"abcdef\"}");
  assert_false(json_has(&json, "handle"));
  assert_int_equal(release(&last), napi_ok);
  r.guard->host = &fake_host;
  close_recorder(&r);
}

/* --- Time */

static void expect_time(time_t seconds) {
  char text[TG_TIME_SIZE], expected[64];
  struct tm parts;
  pretended = (struct timespec){.tv_sec = seconds, .tv_nsec = 7999999};
  tg_report_time(text);
  pretended.tv_sec = 0;
  gmtime_r(&seconds, &parts);
  strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S.007Z", &parts);
  assert_string_equal(text, expected);
}

static void times_are_as_gmtime_says(void **state) {
  (void)state;
  const time_t day = 86400, end = (time_t)1 << 33; /* the year 2242 */
  for (time_t midnight = day; midnight < end; midnight += day) {
    expect_time(midnight - 1);
    expect_time(midnight);
  }
}

static int open_files(void **state) {
  (void)state;
  int descriptor = mkstemp(log_path);
  if (descriptor < 0) return -1;
  close(descriptor);
  tg_log_open(log_path);
  return 0;
}

static int remove_files(void **state) {
  (void)state;
  return unlink(log_path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_is_a_line_with_everything_or_nothing_known),
      cmocka_unit_test(text_is_whole_lines_of_ours),
      cmocka_unit_test(errno_stays_as_it_was),
      cmocka_unit_test(handles_used_up_is_reported),
      cmocka_unit_test(times_are_as_gmtime_says),
  };
  return cmocka_run_group_tests(tests, open_files, remove_files);
}
