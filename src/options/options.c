/* Implements the options: one table holds each key, its values and its help text. */
#include "options/options.h"

#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "diag/policy.h"
#include "diag/stacks.h"
#include "tsfn_guard/tsfn_guard.h"

enum { VALUES_MAX = 3 };

struct option {
  const char *key;
  const char *help;
  const char *values[VALUES_MAX]; /* of a choice; a value's index is its number */
  const char *form;               /* for help: the form of the values if it is not a choice */
  uint64_t otherwise;             /* the default of a choice or a number */
  uint64_t most;                  /* not 0: the option is a number, at most this */
  const char *text;               /* not NULL: the option is a text with this default */
};

enum {
  MODE,
  DEADLOCK,
  REQUIRE,
  VERBOSITY,
  PIN,
  PROPAGATE,
  LOG_PATH,
  FORMAT,
  RATE,
  SUPPRESSIONS,
  STACK_DEPTH,
  QUEUE_WARN,
  FINALIZE_WARN_MS,
  SUMMARY,
  EXITCODE,
  EXIT,
  DUMP_SIGNAL,
  METRICS_PATH,
  PUBLISH,
  QUIRKS,
  HELP,
  OPTIONS
};

enum { ANY_COUNT = 1000000000, SIGNAL_MAX = 64, EXIT_STATUS_MAX = 255 };

static const struct option option_table[OPTIONS] = {
    [MODE] = {.key = "mode",
              .help = "diagnose: also report legal but suspicious use, and record stacks; off: do "
                      "nothing (the kill switch)",
              .values = {"protect", "diagnose", "off"}},
    [DEADLOCK] = {.key = "deadlock",
                  .help = "for a blocking call on a full queue from the loop thread: exceed the "
                          "limit, answer napi_would_deadlock, or hang",
                  .values = {"overflow", "status", "hang"}},
    [REQUIRE] = {.key = "require",
                 .help = "1: if the program cannot be guarded, exit with status 78 before main",
                 .values = {"0", "1"}},
    [VERBOSITY] = {.key = "verbosity",
                   .help = "1: print one line when the guard is armed",
                   .values = {"0", "1"}},
    [PIN] = {.key = "pin",
             .help = "1: keep addon code mapped at the end of its environment while threads may "
                     "still run it; 0: never; GLOB: as 1, and always keep these addons mapped",
             .form = "0|1|GLOB[,GLOB...]",
             .text = "1"},
    [PROPAGATE] = {.key = "propagate",
                   .help = "0: hide the guard from child processes",
                   .values = {"0", "1"},
                   .otherwise = 1},
    [LOG_PATH] =
        {.key = "log_path",
         .help =
             "where reports go; FILE may contain %p (the process id) and is opened for each report",
         .form = "stderr|FILE|fd:N",
         .text = "stderr"},
    [FORMAT] = {.key = "format",
                .help = "json: one line per event (docs/event.schema.json)",
                .values = {"text", "json"}},
    [RATE] = {.key = "rate",
              .help = "report the first N events of each kind and call site, then every event "
                      "whose number is a power of two; 0: all",
              .form = "N",
              .otherwise = 1,
              .most = ANY_COUNT},
    [SUPPRESSIONS] = {.key = "suppressions",
                      .help = "a file with lines kind:addon-glob; matching events are not reported",
                      .form = "FILE",
                      .text = ""},
    [STACK_DEPTH] = {.key = "stack_depth",
                     .help = "mode=diagnose: at most N frames per stack",
                     .form = "N",
                     .otherwise = 16,
                     .most = TG_STACK_DEPTH_MAX},
    [QUEUE_WARN] = {.key = "queue_warn",
                    .help = "mode=diagnose: report a queue of more than N items; 0: never",
                    .form = "N",
                    .otherwise = 100000,
                    .most = ANY_COUNT},
    [FINALIZE_WARN_MS] =
        {.key = "finalize_warn_ms",
         .help = "mode=diagnose: report a finalizer that takes more than N ms; 0: never",
         .form = "N",
         .otherwise = 500,
         .most = ANY_COUNT},
    [SUMMARY] = {.key = "summary",
                 .help =
                     "print a summary at exit: after something worse than a leak, always, or never",
                 .values = {"errors", "always", "never"}},
    [EXITCODE] =
        {.key = "exitcode",
         .help =
             "the exit status after something worse than a leak was reported; 0: the program's own",
         .form = "N",
         .most = EXIT_STATUS_MAX},
    [EXIT] = {.key = "exit",
              .help = "fast: end the process once all JavaScript 'exit' listeners have run, "
                      "without exit handlers and destructors of addons (docs/operations.md)",
              .values = {"normal", "fast"}},
    [DUMP_SIGNAL] = {.key = "dump_signal",
                     .help = "the number of the signal that writes all live functions to the log "
                             "(12: SIGUSR2); 0: none",
                     .form = "N",
                     .most = SIGNAL_MAX},
    [METRICS_PATH] = {.key = "metrics_path",
                      .help = "a file for Prometheus' textfile collector (%p: the process id), "
                              "rewritten at most once a second",
                      .form = "FILE",
                      .text = ""},
    [PUBLISH] = {.key = "publish",
                 .help = "1: publish live figures for tsfn-guard top",
                 .values = {"0", "1"}},
    [QUIRKS] =
        {.key = "quirks",
         .help =
             "workarounds for addons that crash when an environment ends (docs/quirks.md): known: "
             "for those that are known to need them; FILE: with lines addon-glob: dying late leak",
         .form = "none|known|FILE",
         .text = "none"},
    [HELP] = {.key = "help", .help = "1: print this table and the events", .values = {"0", "1"}},
};

static const char on_prefix[] = "on.";
static const char on_help[] =
    "on.EVENT=log|ignore|abort|stop (default log; leak and info: log with mode=diagnose only): "
    "what to do with an event; EVENT is its code, name or severity; stop: SIGSTOP";

_Static_assert(TG_MODE_PROTECT == 0 && TG_MODE_DIAGNOSE == 1 && TG_MODE_OFF == 2,
               "the table lists modes in this order");
_Static_assert(TG_DEADLOCK_OVERFLOW == 0 && TG_DEADLOCK_STATUS == 1 && TG_DEADLOCK_HANG == 2,
               "the table lists deadlock policies in this order");
_Static_assert(TG_FORMAT_TEXT == 0 && TG_FORMAT_JSON == 1, "the table lists formats in this order");
_Static_assert(TG_SUMMARY_ERRORS == 0 && TG_SUMMARY_ALWAYS == 1 && TG_SUMMARY_NEVER == 2,
               "the table lists summaries in this order");

/* A part of the environment variable. */
struct piece {
  const char *bytes;
  size_t length;
};

static bool piece_equals(const char *word, struct piece piece) {
  return strlen(word) == piece.length && memcmp(word, piece.bytes, piece.length) == 0;
}

static void add_option_values(struct tg_text *line, const struct option *option) {
  tg_text_add(line, option->form);
  for (unsigned i = 0; i < VALUES_MAX && option->values[i] != NULL; i++) {
    if (i != 0) tg_text_add(line, "|");
    tg_text_add(line, option->values[i]);
  }
}

static void add_option_default(struct tg_text *line, const struct option *option) {
  if (option->text != NULL)
    tg_text_add(line, option->text[0] == '\0' ? "none" : option->text);
  else if (option->most != 0)
    tg_text_add_number(line, option->otherwise);
  else
    tg_text_add(line, option->values[option->otherwise]);
}

static void start_pair_complaint(struct tg_text *line, struct piece pair) {
  tg_text_start(line);
  tg_text_add(line, TSFN_GUARD_OPTIONS_VARIABLE ": '");
  tg_text_add_bytes(line, pair.bytes, pair.length);
}

/* Writes the complaint, with a hint for "mode=diagnose,format=json". */
static void end_pair_complaint(struct tg_text *line, struct piece pair) {
  const char *comma = memchr(pair.bytes, ',', pair.length);
  if (comma != NULL && memchr(comma, '=', (size_t)(pair.bytes + pair.length - comma)) != NULL)
    tg_text_add(line, "; options are separated by colons");
  tg_text_write(line);
}

static void complain_of_unknown_key(struct piece pair) {
  struct tg_text line;
  start_pair_complaint(&line, pair);
  tg_text_add(&line, "' is not an option and was ignored; the options are");
  for (unsigned i = 0; i < OPTIONS; i++) {
    tg_text_add(&line, i == 0 ? " " : ", ");
    tg_text_add(&line, option_table[i].key);
  }
  tg_text_add(&line, ", on.EVENT");
  end_pair_complaint(&line, pair);
}

static void add_needed_event(struct tg_text *line) {
  tg_text_add(line,
              "on.EVENT=log|ignore|abort|stop with an event's code or name (help=1 lists them), or "
              "a severity:");
  for (unsigned i = 0; i < TG_SEVERITIES; i++) {
    tg_text_add(line, i == 0 ? " " : ", ");
    tg_text_add(line, tg_severity_names[i]);
  }
}

static void complain_of_bad_event(struct piece pair) {
  struct tg_text line;
  start_pair_complaint(&line, pair);
  tg_text_add(&line, "' is not understood and was ignored; needed ");
  add_needed_event(&line);
  end_pair_complaint(&line, pair);
}

static void add_needed_value(struct tg_text *line, const struct option *option) {
  tg_text_add(line, option->key);
  tg_text_add(line, "=");
  add_option_values(line, option);
  if (option->most != 0) {
    tg_text_add(line, " from 0 to ");
    tg_text_add_number(line, option->most);
  }
  if (option == &option_table[PIN]) tg_text_add(line, ", a GLOB with one of *?./,");
  if (option->text != NULL) tg_text_add(line, " of 1 to 1023 bytes");
}

static void complain_of_bad_value(struct piece pair, const struct option *option) {
  struct tg_text line;
  start_pair_complaint(&line, pair);
  tg_text_add(&line, "' is not understood; needed ");
  add_needed_value(&line, option);
  tg_text_add(&line, "; the default ");
  add_option_default(&line, option);
  tg_text_add(&line, " is used");
  end_pair_complaint(&line, pair);
}

/* The chosen value: the index of a choice, a number, or a text. */
struct choice {
  uint64_t number;
  struct piece text;
};

static bool read_option_number(const struct option *option, struct piece value, uint64_t *number) {
  uint64_t read = 0;
  for (size_t i = 0; i < value.length; i++) {
    if (value.bytes[i] < '0' || value.bytes[i] > '9') return false;
    read = read * 10 + (uint64_t)(value.bytes[i] - '0');
    if (read > option->most) return false;
  }
  if (value.length == 0) return false;
  *number = read;
  return true;
}

/* A value such as "true" is rejected: the guard does not guess whether it is a switch or a file
 * name. */
static bool is_pin_value(struct piece value) {
  if (piece_equals("0", value) || piece_equals("1", value)) return true;
  for (size_t i = 0; i < value.length; i++)
    if (strchr("*?./", value.bytes[i]) != NULL) return true;
  return false;
}

static bool read_option_value(const struct option *option, struct piece value,
                              struct choice *choice) {
  if (option->most != 0) return read_option_number(option, value, &choice->number);
  if (option->text != NULL) {
    if (value.length == 0 || value.length >= TG_LOG_PATH_MAX) return false;
    if (option == &option_table[PIN] && !is_pin_value(value)) return false;
    choice->text = value;
    return true;
  }
  for (unsigned i = 0; i < VALUES_MAX && option->values[i] != NULL; i++) {
    if (!piece_equals(option->values[i], value)) continue;
    choice->number = i;
    return true;
  }
  return false;
}

static struct choice option_default(const struct option *option) {
  struct choice choice = {option->otherwise,
                          {option->text, option->text == NULL ? 0 : strlen(option->text)}};
  return choice;
}

static bool read_event_action(struct piece key, struct piece value) {
  struct piece event = {key.bytes + strlen(on_prefix), key.length - strlen(on_prefix)};
  for (unsigned action = 0; action < TG_ACTIONS; action++)
    if (piece_equals(tg_action_names[action], value))
      return tg_policy_set(event.bytes, event.length, (enum tg_action)action);
  return false;
}

/* `has_value`: whether the pair has an equals sign. */
static void read_option_pair(struct choice chosen[OPTIONS], struct piece pair, struct piece key,
                             struct piece value, bool has_value) {
  if (key.length > strlen(on_prefix) && memcmp(key.bytes, on_prefix, strlen(on_prefix)) == 0) {
    if (!has_value || !read_event_action(key, value)) complain_of_bad_event(pair);
    return;
  }
  for (unsigned i = 0; i < OPTIONS; i++) {
    if (!piece_equals(option_table[i].key, key)) continue;
    chosen[i] = option_default(&option_table[i]);
    if (!has_value || !read_option_value(&option_table[i], value, &chosen[i]))
      complain_of_bad_value(pair, &option_table[i]);
    return;
  }
  complain_of_unknown_key(pair);
}

/* The length of an unquoted value. The colon of fd:N is not a separator. */
static size_t unquoted_value_length(const char *value) {
  const char descriptor[] = "fd:";
  if (strncmp(value, descriptor, strlen(descriptor)) == 0)
    return strlen(descriptor) + strcspn(value + strlen(descriptor), ":");
  return strcspn(value, ":");
}

/* Reads the pair at `text` and returns the text after it. */
static const char *read_next_pair(struct choice chosen[OPTIONS], const char *text) {
  struct piece key = {text, strcspn(text, "=:")}, value = {NULL, 0};
  const char *end = text + key.length;
  bool has_value = *end == '=';
  if (has_value) {
    const char *start = end + 1;
    const char *quote = *start == '\'' || *start == '"' ? strchr(start + 1, *start) : NULL;
    bool quoted = quote != NULL && (quote[1] == ':' || quote[1] == '\0');
    value.bytes = start + quoted;
    value.length = quoted ? (size_t)(quote - value.bytes) : unquoted_value_length(start);
    end = quoted ? quote + 1 : start + value.length;
  }
  struct piece pair = {text, (size_t)(end - text)};
  if (pair.length != 0) read_option_pair(chosen, pair, key, value, has_value);
  return end + (*end == ':');
}

static void copy_option_text(char to[TG_LOG_PATH_MAX], struct piece text) {
  memcpy(to, text.bytes, text.length);
  to[text.length] = '\0';
}

void tg_options_parse(struct tg_options *options, const char *text) {
  struct choice chosen[OPTIONS];
  for (unsigned i = 0; i < OPTIONS; i++) chosen[i] = option_default(&option_table[i]);
  while (text != NULL && *text != '\0') text = read_next_pair(chosen, text);
  *options = (struct tg_options){
      .mode = (enum tg_mode)chosen[MODE].number,
      .deadlock = (enum tg_deadlock)chosen[DEADLOCK].number,
      .require = chosen[REQUIRE].number == 1,
      .verbosity = chosen[VERBOSITY].number == 1,
      .propagate = chosen[PROPAGATE].number == 1,
      .publish = chosen[PUBLISH].number == 1,
      .help = chosen[HELP].number == 1,
      .format = (enum tg_format)chosen[FORMAT].number,
      .summary = (enum tg_summary)chosen[SUMMARY].number,
      .exitcode = chosen[EXITCODE].number,
      .exits_fast = chosen[EXIT].number == 1,
      .rate = chosen[RATE].number,
      .stack_depth = chosen[STACK_DEPTH].number,
      .queue_warn = chosen[QUEUE_WARN].number,
      .finalize_warn_ms = chosen[FINALIZE_WARN_MS].number,
      .dump_signal = chosen[DUMP_SIGNAL].number,
  };
  copy_option_text(options->log_path, chosen[LOG_PATH].text);
  copy_option_text(options->pin, chosen[PIN].text);
  copy_option_text(options->suppressions, chosen[SUPPRESSIONS].text);
  copy_option_text(options->quirks, chosen[QUIRKS].text);
  copy_option_text(options->metrics_path, chosen[METRICS_PATH].text);
}

const char *tg_mode_name(enum tg_mode mode) {
  return option_table[MODE].values[mode];
}

void tg_options_print(void) {
  struct tg_text line;
  for (unsigned i = 0; i < OPTIONS; i++) {
    tg_text_start(&line);
    tg_text_add(&line, option_table[i].key);
    tg_text_add(&line, "=");
    add_option_values(&line, &option_table[i]);
    tg_text_add(&line, " (default ");
    add_option_default(&line, &option_table[i]);
    tg_text_add(&line, "): ");
    tg_text_add(&line, option_table[i].help);
    tg_text_write(&line);
  }
  tg_text_start(&line);
  tg_text_add(&line, on_help);
  tg_text_write(&line);
}

bool tg_options_look(unsigned number, struct tg_option_look *look) {
  if (number >= OPTIONS) return false;
  const struct option *option = &option_table[number];
  struct tg_text values;
  values.length = 0;
  add_option_values(&values, option);
  *look = (struct tg_option_look){.key = option->key};
  bool is_choice = option->most == 0 && option->text == NULL;
  look->is_switch =
      option == &option_table[PIN] || (is_choice && strcmp(option->values[0], "0") == 0);
  tg_copy_string(look->values, sizeof look->values, tg_text_string(&values));
  return true;
}

bool tg_options_check(const char *key, const char *value, struct tg_text *needed) {
  const struct piece key_piece = {key, strlen(key)}, value_piece = {value, strlen(value)};
  struct choice unused;
  needed->length = 0;
  if (strncmp(key, on_prefix, strlen(on_prefix)) == 0) {
    add_needed_event(needed);
    return read_event_action(key_piece, value_piece);
  }
  for (unsigned i = 0; i < OPTIONS; i++) {
    if (!piece_equals(option_table[i].key, key_piece)) continue;
    add_needed_value(needed, &option_table[i]);
    return read_option_value(&option_table[i], value_piece, &unused);
  }
  return false;
}
