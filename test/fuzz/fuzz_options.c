/* Hands any text to the option parser, and compares the options and the lines on stderr with what a second
 * reading of the options' rules (README.md: "key=value:key=value") gives. text.c is built with write renamed,
 * so the lines come here. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "preload/options.h"

enum { KEYS = 6, LINE_MAX_BYTES = 1024 };

static const struct {
  const char *key;
  const char *values[3];
  unsigned otherwise;
} rules[KEYS] = {
    {"mode", {"protect", "off"}, 0}, {"deadlock", {"overflow", "status", "hang"}, 0},
    {"require", {"0", "1"}, 0},      {"verbosity", {"0", "1"}, 0},
    {"pin", {"0", "1"}, 1},          {"help", {"0", "1"}, 0},
};

static unsigned lines;

static void demand(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "fuzz_options: %s\n", what);
  abort();
}

/* write(2), renamed: what the parser says. */
ssize_t write(int fd, const void *buffer, size_t size) {
  const unsigned char *bytes = buffer;
  demand(fd == STDERR_FILENO, "written elsewhere than to stderr");
  demand(size > 12 && size <= LINE_MAX_BYTES && memcmp(bytes, "tsfn-guard[", 11) == 0, "no line of ours");
  demand(bytes[size - 1] == '\n', "a line without its end");
  for (size_t i = 0; i < size - 1; i++) demand(bytes[i] >= 0x20 && bytes[i] != 0x7f, "a control character");
  lines++;
  return (ssize_t)size;
}

/* "An unknown key or a bad value is one clear line on stderr and the default is used." Answers whether it is. */
static bool misunderstood(char *pair, unsigned chosen[KEYS]) {
  char *value = strchr(pair, '=');
  if (value != NULL) *value++ = '\0';
  for (unsigned i = 0; i < KEYS; i++) {
    if (strcmp(rules[i].key, pair) != 0) continue;
    for (unsigned v = 0; v < 3 && value != NULL && rules[i].values[v] != NULL; v++) {
      chosen[i] = v;
      if (strcmp(rules[i].values[v], value) == 0) return false;
    }
    chosen[i] = rules[i].otherwise;
  }
  return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = malloc(size + 1);
  memcpy(text, data, size);
  text[size] = '\0';
  struct tg_options options;
  lines = 0;
  tg_options_parse(&options, text);

  unsigned chosen[KEYS], bad = 0;
  for (unsigned i = 0; i < KEYS; i++) chosen[i] = rules[i].otherwise;
  for (char *pair, *rest = text; (pair = strsep(&rest, ":")) != NULL;)
    if (*pair != '\0' && misunderstood(pair, chosen)) bad++;
  const unsigned got[KEYS] = {options.mode,      options.deadlock, options.require,
                              options.verbosity, options.pin,      options.help};
  demand(memcmp(got, chosen, sizeof got) == 0, "other options than the rules say");
  demand(lines == bad, "not one line for each pair that is not understood");
  free(text);
  return 0;
}
