/* The options in TSFN_GUARD_OPTIONS. */
#ifndef TG_OPTIONS_OPTIONS_H
#define TG_OPTIONS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "core/types.h"
#include "diag/emitter.h"
#include "diag/log.h"

enum tg_mode { TG_MODE_PROTECT, TG_MODE_DIAGNOSE, TG_MODE_OFF };

enum tg_summary { TG_SUMMARY_ERRORS, TG_SUMMARY_ALWAYS, TG_SUMMARY_NEVER };

struct tg_options {
  enum tg_mode mode;
  enum tg_deadlock deadlock;
  bool require;
  bool verbosity;
  bool propagate;
  bool publish;
  bool help;
  bool exits_fast; /* exit=fast */
  enum tg_format format;
  enum tg_summary summary;
  uint64_t exitcode; /* 0: keep the program's own */
  uint64_t rate;
  uint64_t stack_depth;
  uint64_t queue_warn;       /* items; 0: never */
  uint64_t finalize_warn_ms; /* 0: never */
  uint64_t dump_signal;      /* 0: none */
  char log_path[TG_LOG_PATH_MAX];
  char pin[TG_LOG_PATH_MAX];          /* "0", "1", or globs of addons that stay mapped: GLOB,GLOB */
  char suppressions[TG_LOG_PATH_MAX]; /* empty: none */
  char quirks[TG_LOG_PATH_MAX];       /* "none", "known" or a file */
  char metrics_path[TG_LOG_PATH_MAX]; /* empty: none */
};

/* Reads "key=value:key=value"; NULL is an empty text. A value that contains a colon is put in
 * quotes, '…' or "…". A later value of a key replaces an earlier one. Each pair that is not
 * understood is reported in one line on stderr, and its option keeps the default. on.KIND=ACTION
 * takes effect in the policy (diag/policy.h) at once. */
void tg_options_parse(struct tg_options *options, const char *text);

const char *tg_mode_name(enum tg_mode mode);

/* Prints the table of options on stderr. */
void tg_options_print(void);

/* Describes an option for the command, which has a long option for each key. */
struct tg_option_look {
  const char *key;
  char values[64]; /* "protect|diagnose|off", "FILE", "N" */
  bool is_switch;  /* 0 and 1 are among its values */
};

/* Describes the option with this index, which begins at 0. False: there are no more. */
bool tg_options_look(unsigned number, struct tg_option_look *look);

/* Whether a pair is understood. "on.KIND" is a key too; if it is understood, its action takes
 * effect in the policy. `needed` receives the form that would be understood. */
bool tg_options_check(const char *key, const char *value, struct tg_text *needed);

#endif
