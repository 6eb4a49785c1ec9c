/* Implements the options: one table holds every key, its values and its help. */
#include "preload/options.h"

#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "tsfn_guard/tsfn_guard.h"

enum { VALUES_MAX = 3 };

struct option {
  const char *key;
  const char *values[VALUES_MAX]; /* the number of a value is its place here; the first is the default... */
  const char *help;
  unsigned otherwise; /* ...unless this says another */
};

enum { MODE, DEADLOCK, REQUIRE, VERBOSITY, PIN, HELP, OPTIONS };

static const struct option table[OPTIONS] = {
    [MODE] = {"mode", {"protect", "off"}, "off: leave the program as it is (the kill switch)", 0},
    [DEADLOCK] =
        {"deadlock",
         {"overflow", "status", "hang"},
         "a blocking call on a full queue from the thread that empties it: queue past the limit, answer "
         "napi_would_deadlock, or hang as Node does",
         TG_DEADLOCK_OVERFLOW},
    [REQUIRE] = {"require",
                 {"0", "1"},
                 "1: exit with status 78 before main where the program cannot be guarded",
                 0},
    [VERBOSITY] = {"verbosity", {"0", "1"}, "1: say in one line that the guard is armed", 0},
    [PIN] = {"pin", {"0", "1"}, "0: let Node unload addon code that threads may still run", 1},
    [HELP] = {"help", {"0", "1"}, "1: print this table", 0},
};

_Static_assert(TG_MODE_PROTECT == 0 && TG_MODE_OFF == 1, "the table lists modes in this order");
_Static_assert(TG_DEADLOCK_OVERFLOW == 0 && TG_DEADLOCK_STATUS == 1 && TG_DEADLOCK_HANG == 2,
               "the table lists deadlock policies in this order");

static void add_values(struct tg_text *line, const struct option *option) {
  for (unsigned i = 0; i < VALUES_MAX && option->values[i] != NULL; i++) {
    if (i != 0) tg_text_add(line, "|");
    tg_text_add(line, option->values[i]);
  }
}

static bool equals(const char *word, const char *bytes, size_t length) {
  return strlen(word) == length && memcmp(word, bytes, length) == 0;
}

static void complain(const char *pair, size_t length, const struct option *option) {
  struct tg_text line;
  tg_text_start(&line);
  tg_text_add(&line, TSFN_GUARD_OPTIONS_VARIABLE ": '");
  tg_text_add_bytes(&line, pair, length);
  if (option == NULL) {
    tg_text_add(&line, "' is not an option and was ignored; the options are");
    for (unsigned i = 0; i < OPTIONS; i++) {
      tg_text_add(&line, i == 0 ? " " : ", ");
      tg_text_add(&line, table[i].key);
    }
  } else {
    tg_text_add(&line, "' is not understood; needed ");
    tg_text_add(&line, option->key);
    tg_text_add(&line, "=");
    add_values(&line, option);
    tg_text_add(&line, "; the default ");
    tg_text_add(&line, option->values[option->otherwise]);
    tg_text_add(&line, " is used");
  }
  tg_text_write(&line);
}

static void read_pair(unsigned chosen[OPTIONS], const char *pair, size_t length) {
  const char *equal = memchr(pair, '=', length);
  size_t key_length = equal == NULL ? length : (size_t)(equal - pair);
  for (unsigned i = 0; i < OPTIONS; i++) {
    if (!equals(table[i].key, pair, key_length)) continue;
    chosen[i] = table[i].otherwise;
    for (unsigned v = 0; equal != NULL && v < VALUES_MAX && table[i].values[v] != NULL; v++) {
      if (!equals(table[i].values[v], equal + 1, length - key_length - 1)) continue;
      chosen[i] = v;
      return;
    }
    complain(pair, length, &table[i]);
    return;
  }
  complain(pair, length, NULL);
}

void tg_options_parse(struct tg_options *options, const char *text) {
  unsigned chosen[OPTIONS];
  for (unsigned i = 0; i < OPTIONS; i++) chosen[i] = table[i].otherwise;
  while (text != NULL && *text != '\0') {
    size_t length = strcspn(text, ":");
    if (length != 0) read_pair(chosen, text, length);
    text += length + (text[length] == ':');
  }
  *options = (struct tg_options){
      .mode = chosen[MODE],
      .deadlock = chosen[DEADLOCK],
      .require = chosen[REQUIRE] == 1,
      .verbosity = chosen[VERBOSITY] == 1,
      .pin = chosen[PIN] == 1,
      .help = chosen[HELP] == 1,
  };
}

void tg_options_print(void) {
  for (unsigned i = 0; i < OPTIONS; i++) {
    struct tg_text line;
    tg_text_start(&line);
    tg_text_add(&line, table[i].key);
    tg_text_add(&line, "=");
    add_values(&line, &table[i]);
    tg_text_add(&line, " (default ");
    tg_text_add(&line, table[i].values[table[i].otherwise]);
    tg_text_add(&line, "): ");
    tg_text_add(&line, table[i].help);
    tg_text_write(&line);
  }
}
