/* A strict reader of one line of JSON. It records the paths of the fields: "handle.name" and so
 * on. */
#ifndef TEST_JSON_H
#define TEST_JSON_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* cmocka.h needs the four at the top first. */
#include <cmocka.h>

enum { JSON_PATHS_MAX = 96, JSON_PATH_SIZE = 64 };

struct json {
  const char *next;
  const char *end;
  char paths[JSON_PATHS_MAX][JSON_PATH_SIZE]; /* the paths of all fields, in order */
  unsigned count;
};

static inline void json_expect(struct json *json, char byte) {
  if (json->next == json->end || *json->next != byte)
    fail_msg("no %c at \"%.60s\"", byte, json->next);
  json->next++;
}

static inline bool json_is(const struct json *json, char byte) {
  return json->next != json->end && *json->next == byte;
}

/* Accepts the characters that a string may contain unescaped, and the two escapes that the library
 * writes. */
static inline void json_string(struct json *json) {
  json_expect(json, '"');
  while (!json_is(json, '"')) {
    assert_true(json->end - json->next > 1);
    unsigned char byte = (unsigned char)*json->next++;
    assert_true(byte >= 0x20 && byte != 0x7f);
    if (byte != '\\') continue;
    assert_true(json_is(json, '"') || json_is(json, '\\'));
    json->next++;
  }
  json->next++;
}

static inline void json_word(struct json *json) {
  const char *const words[] = {"true", "false", "null"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    size_t length = strlen(words[i]);
    if ((size_t)(json->end - json->next) < length || memcmp(json->next, words[i], length) != 0)
      continue;
    json->next += length;
    return;
  }
  size_t digits = strspn(json->next, "0123456789");
  assert_true(digits > 0 && digits <= 20 && (digits == 1 || *json->next != '0'));
  json->next += digits;
}

static inline void json_value(struct json *json, const char *path);

static inline void json_object(struct json *json, const char *path) {
  json_expect(json, '{');
  for (bool first = true; !json_is(json, '}'); first = false) {
    if (!first) json_expect(json, ',');
    const char *name = json->next + 1;
    json_string(json);
    int length = (int)(json->next - 1 - name);
    assert_true(json->count < JSON_PATHS_MAX);
    char *own = json->paths[json->count++];
    snprintf(own, JSON_PATH_SIZE, "%s%s%.*s", path, path[0] == '\0' ? "" : ".", length, name);
    json_expect(json, ':');
    json_value(json, own);
  }
  json->next++;
}

static inline void json_array(struct json *json, const char *path) {
  json_expect(json, '[');
  for (bool first = true; !json_is(json, ']'); first = false) {
    if (!first) json_expect(json, ',');
    json_value(json, path);
  }
  json->next++;
}

static inline void json_value(struct json *json, const char *path) {
  assert_true(json->next != json->end);
  if (*json->next == '{')
    json_object(json, path);
  else if (*json->next == '[')
    json_array(json, path);
  else if (*json->next == '"')
    json_string(json);
  else
    json_word(json);
}

/* The line includes its line feed. */
static inline void json_read(struct json *json, const char *line, size_t length) {
  json->next = line;
  json->end = line + length;
  json->count = 0;
  json_object(json, "");
  json_expect(json, '\n');
  assert_ptr_equal(json->next, json->end);
}

static inline bool json_has(const struct json *json, const char *path) {
  for (unsigned i = 0; i < json->count; i++)
    if (strcmp(json->paths[i], path) == 0) return true;
  return false;
}

/* Expects that no path occurs twice, and that `whole` has all of them. */
static inline void json_expect_part_of(const struct json *json, const struct json *whole) {
  for (unsigned i = 0; i < json->count; i++) {
    for (unsigned j = 0; j < i; j++) assert_string_not_equal(json->paths[i], json->paths[j]);
    if (!json_has(whole, json->paths[i])) fail_msg("%s is not of the whole", json->paths[i]);
  }
}

#endif
