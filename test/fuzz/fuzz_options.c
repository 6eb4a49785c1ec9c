/* Passes any text to the option parser. Compares the options and the lines on stderr with those of
 * a second, independent parser of the same rules (README.md: "key=value:key=value"). text.c is
 * built with write renamed, so the lines come here. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diag/catalogue.h"
#include "options/options.h"

enum { KEYS = 16, TEXTS = 5, LINE_MAX_BYTES = 1024 };

/* The keys whose values are words, with these words, and the keys with numbers, with their
 * maximum. */
static const struct {
  const char *key;
  const char *values[3];
  unsigned otherwise;
  unsigned long most;
} rules[KEYS] = {
    {"mode", {"protect", "diagnose", "off"}, 0, 0},
    {"deadlock", {"overflow", "status", "hang"}, 0, 0},
    {"require", {"0", "1"}, 0, 0},
    {"verbosity", {"0", "1"}, 0, 0},
    {"propagate", {"0", "1"}, 1, 0},
    {"publish", {"0", "1"}, 0, 0},
    {"help", {"0", "1"}, 0, 0},
    {"format", {"text", "json"}, 0, 0},
    {"summary", {"errors", "always", "never"}, 0, 0},
    {"exit", {"normal", "fast"}, 0, 0},
    {"exitcode", {NULL}, 0, 255},
    {"rate", {NULL}, 1, 1000000000},
    {"stack_depth", {NULL}, 16, 32},
    {"queue_warn", {NULL}, 100000, 1000000000},
    {"finalize_warn_ms", {NULL}, 500, 1000000000},
    {"dump_signal", {NULL}, 0, 64},
};

static const struct {
  const char *key;
  const char *otherwise;
} texts[TEXTS] = {{"log_path", "stderr"},
                  {"suppressions", ""},
                  {"metrics_path", ""},
                  {"pin", "1"},
                  {"quirks", "none"}};

static unsigned lines;

static void demand(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "fuzz_options: %s\n", what);
  abort();
}

/* write(2), renamed: receives what the parser prints. */
ssize_t write(int fd, const void *buffer, size_t size) {
  const unsigned char *bytes = buffer;
  demand(fd == STDERR_FILENO, "written elsewhere than to stderr");
  demand(size > 12 && size <= LINE_MAX_BYTES && memcmp(bytes, "tsfn-guard[", 11) == 0,
         "no line of ours");
  demand(bytes[size - 1] == '\n', "a line without its end");
  for (size_t i = 0; i < size - 1; i++)
    demand(bytes[i] >= 0x20 && bytes[i] != 0x7f, "a control character");
  lines++;
  return (ssize_t)size;
}

/* The result of the second parser. */
struct reading {
  uint64_t numbers[KEYS];
  char texts[TEXTS][1024];
  unsigned bad;
};

static bool read_number(const char *value, unsigned long most, uint64_t *number) {
  if (*value == '\0' || strspn(value, "0123456789") != strlen(value)) return false;
  while (value[0] == '0' && value[1] != '\0') value++;
  if (strlen(value) > 10 || strtoul(value, NULL, 10) > most) return false;
  *number = strtoul(value, NULL, 10);
  return true;
}

/* "on.EVENT=ACTION": the events are those of the catalogue. */
static bool is_event(const char *key, const char *value) {
  static const char *const actions[] = {"log", "ignore", "abort", "stop"};
  bool action = false;
  for (unsigned i = 0; i < 4 && value != NULL; i++)
    action = action || strcmp(value, actions[i]) == 0;
  const char *event = key + strlen("on.");
  return action && (tg_catalogue_find(event, strlen(event)) != TG_EVENT_NONE ||
                    tg_severity_find(event, strlen(event)) != TG_SEVERITIES);
}

/* "An unknown key or a bad value is one clear line on stderr and the default is used." */
static bool understood(const char *key, const char *value, struct reading *reading) {
  if (strncmp(key, "on.", 3) == 0 && key[3] != '\0') return is_event(key, value);
  for (unsigned i = 0; i < KEYS; i++) {
    if (strcmp(rules[i].key, key) != 0) continue;
    reading->numbers[i] = rules[i].otherwise;
    if (value == NULL) return false;
    if (rules[i].most != 0) return read_number(value, rules[i].most, &reading->numbers[i]);
    for (unsigned v = 0; v < 3 && rules[i].values[v] != NULL; v++) {
      if (strcmp(rules[i].values[v], value) != 0) continue;
      reading->numbers[i] = v;
      return true;
    }
    return false;
  }
  for (unsigned i = 0; i < TEXTS; i++) {
    if (strcmp(texts[i].key, key) != 0) continue;
    strcpy(reading->texts[i], texts[i].otherwise);
    if (value == NULL || *value == '\0' || strlen(value) > 1023) return false;
    /* "0, 1, or a GLOB with one of *?./" */
    bool is_pin =
        strcmp(value, "0") == 0 || strcmp(value, "1") == 0 || strpbrk(value, "*?./") != NULL;
    if (strcmp(key, "pin") == 0 && !is_pin) return false;
    strcpy(reading->texts[i], value);
    return true;
  }
  return false;
}

/* Splits at colons, but not at the colon of fd:N, and not between quotes that are the first and
 * last byte of the value. */
static void read_all(char *text, struct reading *reading) {
  for (char *pair = text; *pair != '\0';) {
    char *end = strchr(pair, ':'), *equal = strchr(pair, '='), *value = NULL;
    if (equal != NULL && (end == NULL || equal < end)) {
      value = equal + 1;
      char *quote = *value == '"' || *value == '\'' ? strchr(value + 1, *value) : NULL;
      if (quote != NULL && (quote[1] == ':' || quote[1] == '\0')) {
        end = quote[1] == ':' ? quote + 1 : NULL;
        *quote = '\0';
        value++;
      } else if (strncmp(value, "fd:", 3) == 0) {
        end = strchr(value + 3, ':');
      }
      *equal = '\0';
    }
    bool empty = end == pair;
    if (end != NULL) *end = '\0';
    if (!empty && !understood(pair, value, reading)) reading->bad++;
    if (end == NULL) return;
    pair = end + 1;
  }
}

/* If only the real parser knew an option, fuzzing would find it only once in some millions of
 * inputs. So this checks that there is a rule for each option. Seen to fail: without the rule for
 * exit. */
static void demand_a_rule_for_each_option(void) {
  struct tg_option_look look;
  for (unsigned i = 0; tg_options_look(i, &look); i++) {
    bool known = false;
    for (unsigned rule = 0; rule < KEYS; rule++)
      known = known || strcmp(rules[rule].key, look.key) == 0;
    for (unsigned text = 0; text < TEXTS; text++)
      known = known || strcmp(texts[text].key, look.key) == 0;
    demand(known, "an option without a rule here");
  }
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  demand_a_rule_for_each_option();
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = malloc(size + 1);
  memcpy(text, data, size);
  text[size] = '\0';
  struct tg_options options;
  lines = 0;
  tg_options_parse(&options, text);

  static struct reading reading;
  reading.bad = 0;
  for (unsigned i = 0; i < KEYS; i++) reading.numbers[i] = rules[i].otherwise;
  for (unsigned i = 0; i < TEXTS; i++) strcpy(reading.texts[i], texts[i].otherwise);
  read_all(text, &reading);
  const uint64_t got[KEYS] = {options.mode,        options.deadlock,   options.require,
                              options.verbosity,   options.propagate,  options.publish,
                              options.help,        options.format,     options.summary,
                              options.exits_fast,  options.exitcode,   options.rate,
                              options.stack_depth, options.queue_warn, options.finalize_warn_ms,
                              options.dump_signal};
  demand(memcmp(got, reading.numbers, sizeof got) == 0, "other options than the rules say");
  demand(strcmp(options.log_path, reading.texts[0]) == 0, "another log_path");
  demand(strcmp(options.suppressions, reading.texts[1]) == 0, "another suppressions");
  demand(strcmp(options.metrics_path, reading.texts[2]) == 0, "another metrics_path");
  demand(strcmp(options.pin, reading.texts[3]) == 0, "another pin");
  demand(strcmp(options.quirks, reading.texts[4]) == 0, "another quirks");
  demand(lines == reading.bad, "not one line for each pair that is not understood");
  free(text);
  return 0;
}
