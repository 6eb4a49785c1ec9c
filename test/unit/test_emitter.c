/* The emitter: both formats word by word, escaping, and lines that stay well-formed if something
 * does not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the four at the top first. */
#include <cmocka.h>

#include "base/text.h"
#include "diag/emitter.h"
#include "json.h"

enum { SIZE_MIN = 256, SIZE_MAX_TRIED = 3000, CANARY = 0x5a };

static const char prefix[] = "guard[1]: ";

static void emit_all(struct tg_emitter *emitter) {
  tg_emit_number(emitter, "version", 1);
  tg_emit_string(emitter, "time", "now");
  tg_emit_string(emitter, "nothing", NULL);
  tg_emit_group(emitter, "numbers");
  tg_emit_number(emitter, "zero", 0);
  tg_emit_number(emitter, "most", UINT64_MAX);
  tg_emit_bool(emitter, "yes", true);
  tg_emit_bool(emitter, "no", false);
  tg_emit_group(emitter, "names");
  tg_emit_string(emitter, "quoted", "a\"b\\c");
  tg_emit_null(emitter, "null");
  tg_emit_list(emitter, "stack", 0);
  tg_emit_item(emitter, "/lib/a.so+0x1");
  tg_emit_item(emitter, "0x2");
  tg_emit_list(emitter, "other", 0);
  tg_emit_item(emitter, "x\ny");
}

static size_t write(char *bytes, size_t size, enum tg_format format,
                    void (*emit)(struct tg_emitter *)) {
  struct tg_emitter emitter;
  tg_emit_open(&emitter, format, bytes, size, prefix, "the headline");
  emit(&emitter);
  return tg_emit_close(&emitter);
}

static void expect(enum tg_format format, void (*emit)(struct tg_emitter *), const char *expected) {
  char bytes[4096];
  size_t length = write(bytes, sizeof bytes - 1, format, emit);
  bytes[length] = '\0';
  assert_string_equal(bytes, expected);
}

static void both_forms_word_by_word(void **state) {
  (void)state;
  expect(TG_FORMAT_JSON, emit_all,
         "{\"version\":1,\"time\":\"now\",\"nothing\":null,"
         "\"numbers\":{\"zero\":0,\"most\":18446744073709551615,\"yes\":true,\"no\":false},"
         "\"names\":{\"quoted\":\"a\\\"b\\\\c\",\"null\":null},"
         "\"stack\":[\"/lib/a.so+0x1\",\"0x2\"],\"other\":[\"x?y\"]}\n");
  expect(TG_FORMAT_TEXT, emit_all,
         "guard[1]: the headline\n"
         "guard[1]:   version: 1\n"
         "guard[1]:   time: now\n"
         "guard[1]:   numbers: zero 0, most 18446744073709551615, yes yes, no no\n"
         "guard[1]:   names: quoted a\"b\\c\n"
         "guard[1]:   stack:\n"
         "guard[1]:     #0 /lib/a.so+0x1\n"
         "guard[1]:     #1 0x2\n"
         "guard[1]:   other:\n"
         "guard[1]:     #0 x?y\n");
}

static void emit_nothing(struct tg_emitter *emitter) {
  (void)emitter;
}

static void emit_empty_groups(struct tg_emitter *emitter) {
  tg_emit_group(emitter, "group");
  tg_emit_list(emitter, "list", 100);
  tg_emit_group(emitter, "last");
}

static void nothing_is_well_formed_too(void **state) {
  (void)state;
  expect(TG_FORMAT_JSON, emit_nothing, "{}\n");
  expect(TG_FORMAT_TEXT, emit_nothing, "guard[1]: the headline\n");
  expect(TG_FORMAT_JSON, emit_empty_groups, "{\"group\":{},\"list\":[],\"last\":{}}\n");
}

/* --- Escaping */

static const char *value;

static void emit_value(struct tg_emitter *emitter) {
  tg_emit_string(emitter, "v", value);
}

static void expect_escaped(const char *given, const char *json, const char *text) {
  char expected[256];
  value = given;
  snprintf(expected, sizeof expected, "{\"v\":\"%s\"}\n", json);
  expect(TG_FORMAT_JSON, emit_value, expected);
  snprintf(expected, sizeof expected, "guard[1]: the headline\nguard[1]:   v: %s\n", text);
  expect(TG_FORMAT_TEXT, emit_value, expected);
}

static void what_would_break_a_line_is_replaced(void **state) {
  (void)state;
  expect_escaped("", "", "");
  expect_escaped("\"\\/", "\\\"\\\\/", "\"\\/");
  for (int byte = 1; byte < 0x20; byte++)
    expect_escaped((const char[]){'a', (char)byte, 'b', '\0'}, "a?b", "a?b");
  expect_escaped("a\x7f", "a?", "a?");
  expect_escaped("\xc2\x9b[2J", "??[2J", "??[2J"); /* U+009B */
}

/* Seen to fail: these characters were written unchanged, so "evil<U+202E>edon.live" looked like
 * "evilevil.node". */
static void what_changes_the_direction_of_text_is_replaced(void **state) {
  (void)state;
  const uint32_t points[] = {0x61c,  0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b,
                             0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069};
  for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
    uint32_t point = points[i];
    bool is_short = point < 0x800;
    const char three[] = {(char)(0xe0 | point >> 12), (char)(0x80 | (point >> 6 & 0x3f)),
                          (char)(0x80 | (point & 0x3f)), 'x', '\0'};
    const char two[] = {(char)(0xc0 | point >> 6), (char)(0x80 | (point & 0x3f)), 'x', '\0'};
    expect_escaped(is_short ? two : three, is_short ? "??x" : "???x", is_short ? "??x" : "???x");
  }
  const char *const neighbours[] = {"\xd8\x9b",     "\xd8\x9d",     "\xe2\x80\x8d", "\xe2\x80\x90",
                                    "\xe2\x80\xa7", "\xe2\x80\xaf", "\xe2\x81\xa5", "\xe2\x81\xaa"};
  for (size_t i = 0; i < sizeof neighbours / sizeof neighbours[0]; i++)
    expect_escaped(neighbours[i], neighbours[i], neighbours[i]);
}

/* This concerns lines that no emitter writes, and pieces of text that end within a character. */
static void a_line_of_text_replaces_the_same(void **state) {
  (void)state;
  struct tg_text line = {.length = 0};
  tg_text_add(&line, "a\x1b\xc2\x9b\xe2\x80\xae\xd8\x9c\xffü\xe2\x82\xac\n");
  assert_string_equal(tg_text_string(&line), "a?????????ü\xe2\x82\xac?");
  line.length = 0;
  tg_text_add_bytes(&line, "\xe2\x82\xac", 2);
  assert_string_equal(tg_text_string(&line), "??");
  line.length = sizeof line.bytes - 3;
  memset(line.bytes, 'x', line.length);
  tg_text_add(&line, "\xe2\x82\xac");
  assert_int_equal(line.length, sizeof line.bytes - 3);
}

static void what_is_no_utf8_is_replaced_byte_by_byte(void **state) {
  (void)state;
  const char *const good[] = {"\xc2\xa0",         "\xc3\xbc",        "\xdf\xbf",     "\xe0\xa0\x80",
                              "\xe2\x82\xac",     "\xed\x9f\xbf",    "\xee\x80\x80", "\xef\xbf\xbd",
                              "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
    expect_escaped(good[i], good[i], good[i]);
  const char *const bad[] = {"\x80",         "\xbf",
                             "\xc0",         "\xc1",
                             "\xf5",         "\xfe",
                             "\xff",         "\xc0\xaf",
                             "\xc3",         "\xe0\x80\xaf",
                             "\xe2\x82",     "\xed\xa0\x80",
                             "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
                             "\xf0\x9f\x98", "\xf4\x90\x80\x80",
                             "\xc3\xc3"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    char marks[8] = "";
    memset(marks, '?', strlen(bad[i]));
    expect_escaped(bad[i], marks, marks);
  }
  expect_escaped("\xe2\x82x", "??x", "??x"); /* the byte after a broken sequence stays */
  expect_escaped("\xe2\x82\"", "??\\\"", "??\"");
}

/* --- Text that does not fit. Every size is tried, in a buffer that is followed by a canary. */

static void emit_long(struct tg_emitter *emitter) {
  static char path[400];
  memset(path, '"', sizeof path - 1);
  emit_all(emitter);
  tg_emit_group(emitter, "handle");
  tg_emit_string(emitter, "name", "n");
  tg_emit_string(emitter, "path", path);
  tg_emit_number(emitter, "a", 7);
  tg_emit_list(emitter, "created_at", 600);
  for (int i = 0; i < 8; i++) tg_emit_item(emitter, "/some/where/some/file.node+0x123456");
  tg_emit_list(emitter, "finalized_at", 0);
  for (int i = 0; i < 8; i++) tg_emit_item(emitter, "\"\\\"\\");
  tg_emit_group(emitter, "last");
  tg_emit_number(emitter, "b", 1);
}

static size_t write_bounded(char *bytes, size_t size, enum tg_format format) {
  memset(bytes, CANARY, size + 1);
  size_t length = write(bytes, size, format, emit_long);
  assert_true(length <= size);
  assert_int_equal(bytes[size], CANARY);
  return length;
}

static void json_is_well_formed_in_every_size(void **state) {
  (void)state;
  char *bytes = malloc(SIZE_MAX_TRIED + 1);
  struct json whole, part;
  json_read(&whole, bytes, write_bounded(bytes, SIZE_MAX_TRIED, TG_FORMAT_JSON));
  assert_true(json_has(&whole, "last.b"));
  assert_false(json_has(&whole, "truncated"));
  size_t needed = write_bounded(bytes, SIZE_MAX_TRIED, TG_FORMAT_JSON);
  snprintf(whole.paths[whole.count++], JSON_PATH_SIZE, "truncated");
  for (size_t size = SIZE_MIN; size < SIZE_MAX_TRIED; size++) {
    size_t length = write_bounded(bytes, size, TG_FORMAT_JSON);
    json_read(&part, bytes, length);
    json_expect_part_of(&part, &whole);
    assert_int_equal(json_has(&part, "truncated"), length != needed);
  }
  free(bytes);
}

static void text_is_whole_lines_in_every_size(void **state) {
  (void)state;
  char *bytes = malloc(SIZE_MAX_TRIED + 1);
  for (size_t size = SIZE_MIN; size < SIZE_MAX_TRIED; size++) {
    size_t length = write_bounded(bytes, size, TG_FORMAT_TEXT);
    assert_int_equal(bytes[length - 1], '\n');
    bytes[length] = '\0';
    for (const char *line = bytes; *line != '\0'; line = strchr(line, '\n') + 1)
      assert_memory_equal(line, prefix, strlen(prefix));
  }
  free(bytes);
}

static void emit_two_lists(struct tg_emitter *emitter) {
  tg_emit_list(emitter, "first", 200);
  for (int i = 0; i < 100; i++) tg_emit_item(emitter, "first");
  tg_emit_list(emitter, "second", 0);
  tg_emit_item(emitter, "second");
}

/* If a list does not fit, it loses its last items, never one in between. Space is reserved for what
 * comes after the list. */
static void a_list_leaves_space_for_what_follows(void **state) {
  (void)state;
  char bytes[512];
  struct json json;
  json_read(&json, bytes, write(bytes, sizeof bytes, TG_FORMAT_JSON, emit_two_lists));
  assert_true(json_has(&json, "truncated"));
  size_t length = write(bytes, sizeof bytes, TG_FORMAT_JSON, emit_two_lists);
  bytes[length] = '\0';
  assert_non_null(strstr(bytes, "\"second\":[\"second\"]"));
}

static void emit_group_between(struct tg_emitter *emitter) {
  char filler[190];
  memset(filler, 'x', sizeof filler - 1);
  filler[sizeof filler - 1] = '\0';
  tg_emit_string(emitter, "f", filler);
  tg_emit_group(emitter, "a_group_with_a_long_name");
  tg_emit_number(emitter, "n", 1);
  tg_emit_list(emitter, "l", 0);
  tg_emit_item(emitter, "i");
}

/* Seen to fail: without this rule the group's fields ended up at the top level. */
static void a_group_that_does_not_fit_takes_its_fields_with_it(void **state) {
  (void)state;
  char bytes[SIZE_MIN];
  size_t length = write(bytes, sizeof bytes, TG_FORMAT_JSON, emit_group_between);
  bytes[length] = '\0';
  assert_non_null(strstr(bytes, "x\",\"l\":[\"i\"],\"truncated\":true}\n"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(both_forms_word_by_word),
      cmocka_unit_test(nothing_is_well_formed_too),
      cmocka_unit_test(what_would_break_a_line_is_replaced),
      cmocka_unit_test(what_changes_the_direction_of_text_is_replaced),
      cmocka_unit_test(a_line_of_text_replaces_the_same),
      cmocka_unit_test(what_is_no_utf8_is_replaced_byte_by_byte),
      cmocka_unit_test(json_is_well_formed_in_every_size),
      cmocka_unit_test(text_is_whole_lines_in_every_size),
      cmocka_unit_test(a_list_leaves_space_for_what_follows),
      cmocka_unit_test(a_group_that_does_not_fit_takes_its_fields_with_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
