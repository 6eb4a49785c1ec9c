/* tsfn-guard [run] [options] PROGRAM: starts a program with the library preloaded. It uses exec, so
 * the exit status, signals, standard input and process number are the program's own. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/common/arguments.h"
#include "command/common/complain.h"
#include "command/common/library.h"
#include "command/common/target.h"
#include "command/subcommands.h"
#include "options/options.h"
#include "tsfn_guard/tsfn_guard.h"

enum { OPTIONS_MAX = 64, KEY_MAX = 64 };

/* What getopt_long returns: a letter, one of these values, or TABLE plus an index into the
 * library's table. */
enum { ON = UCHAR_MAX + 1, BEST_EFFORT, HELP, VERSION, TABLE };

/* The library's table as long options: its keys, with '-' instead of '_'. */
struct long_options {
  struct tg_option_look looks[OPTIONS_MAX];
  char names[OPTIONS_MAX][KEY_MAX];
  struct option options[OPTIONS_MAX + 5];
  unsigned count; /* of the library's options */
};

struct request {
  char *pairs; /* key=value:key=value */
  size_t pairs_size;
  FILE *pairs_out;
  bool best_effort;
};

static void copy_key(char name[KEY_MAX], const char *key) {
  tg_copy_string(name, KEY_MAX, key);
  for (char *at = name; (at = strchr(at, '_')) != NULL;) *at = '-';
}

/* The key `help` is left out, because --help is an option of the command. */
static void make_long_options(struct long_options *all) {
  static const struct option ours[] = {{"on", required_argument, NULL, ON},
                                       {"best-effort", no_argument, NULL, BEST_EFFORT},
                                       {"help", no_argument, NULL, HELP},
                                       {"version", no_argument, NULL, VERSION},
                                       {0}};
  unsigned place = 0;
  memset(all, 0, sizeof *all);
  for (unsigned i = 0; place < OPTIONS_MAX && tg_options_look(i, &all->looks[place]); i++) {
    if (strcmp(all->looks[place].key, "help") == 0) continue;
    copy_key(all->names[place], all->looks[place].key);
    all->options[place] = (struct option){
        all->names[place], all->looks[place].is_switch ? optional_argument : required_argument,
        NULL, (int)(TABLE + place)};
    place++;
  }
  all->count = place;
  memcpy(&all->options[place], ours, sizeof ours);
}

/* --- --help and --version */

/* Prints a word of a paragraph that is 80 columns wide. */
static void print_word(const char *word, unsigned *column) {
  enum { WIDTH = 80, INDENT = 2 };
  unsigned length = (unsigned)strlen(word);
  if (*column != 0 && *column + 1 + length > WIDTH) {
    putchar('\n');
    *column = 0;
  }
  *column += (unsigned)printf("%*s%s", *column == 0 ? INDENT : 1, "", word);
}

/* Prints the options as one paragraph. */
static void print_options(const struct long_options *all) {
  unsigned column = 0;
  for (unsigned i = 0; i < all->count; i++) {
    char word[KEY_MAX + sizeof all->looks[i].values + 8];
    if (all->looks[i].is_switch)
      snprintf(word, sizeof word, "--%s[=%s]", all->names[i], all->looks[i].values);
    else
      snprintf(word, sizeof word, "--%s=%s", all->names[i], all->looks[i].values);
    print_word(word, &column);
  }
  print_word("--on=EVENT=log|ignore|abort|stop", &column);
}

static int print_help(const struct long_options *all) {
  puts(
      "usage: tsfn-guard [run] [options] [--] PROGRAM [ARG...] run it, guarded\n"
      "       tsfn-guard doctor [--json] [RUNTIME]             can it be guarded here?\n"
      "       tsfn-guard explain [EVENT]                       what does TSG007 mean?\n"
      "       tsfn-guard report [options] LOG...               what is in the logs?\n"
      "       tsfn-guard scan [--json] [DIR]                   which addons need it?\n"
      "       tsfn-guard status [--json] [PID]                 guarded? kept alive by?\n"
      "       tsfn-guard top [options] PID                     what is a process doing?\n"
      "       tsfn-guard triage [--json] CORE|FILE|-           what was this crash?\n"
      "\noptions, as in TSFN_GUARD_OPTIONS (explained in tsfn-guard(1)):");
  print_options(all);
  puts(
      "\n\n  --best-effort  run the program even if it cannot be guarded\n"
      "  -h, --help     print this\n"
      "  -V, --version  print the version and where the library is\n"
      "\nexamples:\n"
      "  tsfn-guard node app.js\n"
      "  tsfn-guard --mode diagnose --log-path /tmp/tsfn.%p.log npm start\n"
      "  tsfn-guard doctor /opt/node/bin/node");
  return 0;
}

static int complain_of_library(const char *directory) {
  return tg_complain(TG_EXIT_CANNOT_RUN,
                     TG_LIBRARY_NAME " beside this program, or in ../lib/tsfn-guard", directory,
                     "install the complete tsfn-guard, or build it");
}

/* --- The options */

/* In TSFN_GUARD_OPTIONS an unquoted value ends at a colon, except in fd:N. NULL: the value contains
 * both kinds of quotes. */
static const char *quotes_for(const char *value) {
  bool colon = strchr(value, ':') != NULL, quote = value[0] == '\'' || value[0] == '"';
  if (strncmp(value, "fd:", strlen("fd:")) == 0) colon = strchr(value + strlen("fd:"), ':') != NULL;
  if (!colon && !quote) return "";
  if (strchr(value, '\'') == NULL) return "'";
  return strchr(value, '"') == NULL ? "\"" : NULL;
}

static int add_pair(struct request *request, const char *key, const char *value) {
  struct tg_text needed;
  char found[PATH_MAX];
  bool understood = tg_options_check(key, value, &needed);
  const char *quotes = quotes_for(value);
  snprintf(found, sizeof found, "%s=%s", key, value);
  if (!understood)
    return tg_complain(TG_EXIT_USAGE, tg_text_string(&needed), found,
                       "correct it; see tsfn-guard --help");
  if (quotes == NULL)
    return tg_complain(TG_EXIT_USAGE,
                       "a value without a colon, or without one of the quotes ' and \"", found,
                       "use another name");
  fprintf(request->pairs_out, ":%s=%s%s%s", key, quotes, value, quotes);
  return 0;
}

static int add_event(struct request *request, const char *argument) {
  char key[PATH_MAX];
  const char *equal = strchr(argument, '=');
  int length = equal == NULL ? (int)strlen(argument) : (int)(equal - argument);
  snprintf(key, sizeof key, "on.%.*s", length, argument);
  return add_pair(request, key, equal == NULL ? "" : equal + 1);
}

static int complain_of_option(int answer, char **argv) {
  const char letter[] = {'-', (char)optopt, '\0'};
  /* optopt is less than 0 for a byte beyond ASCII if char is signed */
  bool is_letter = optopt != 0 && optopt <= UCHAR_MAX;
  return tg_complain(TG_EXIT_USAGE,
                     answer == ':' ? "a value after the option" : "an option of tsfn-guard",
                     is_letter ? letter : argv[optind - 1],
                     "see tsfn-guard --help; options of the program come after its name");
}

enum { GO_ON = -1 };

/* Returns GO_ON or the exit status. */
static int take_option(int answer, char **argv, const struct long_options *all,
                       struct request *request) {
  int status = 0;
  switch (answer) {
    case HELP:
    case 'h':
      return print_help(all);
    case VERSION:
    case 'V':
      return tg_print_version();
    case BEST_EFFORT:
      request->best_effort = true;
      break;
    case ON:
      status = add_event(request, optarg);
      break;
    case '?':
    case ':':
      return complain_of_option(answer, argv);
    default:
      status = add_pair(request, all->looks[answer - TABLE].key, optarg == NULL ? "1" : optarg);
  }
  return status == 0 ? GO_ON : status;
}

static int take_options(int argc, char **argv, struct request *request) {
  struct long_options all;
  make_long_options(&all);
  opterr = 0;
  for (int answer; (answer = getopt_long(argc, argv, "+:hV", all.options, NULL)) != -1;) {
    int status = take_option(answer, argv, &all, request);
    if (status != GO_ON) return status;
  }
  if (optind < argc) return GO_ON;
  return tg_complain(TG_EXIT_USAGE, "a program to run", "none",
                     "name one: tsfn-guard node app.js; see tsfn-guard --help");
}

/* --- Starting the program */

static int complain_of_memory(void) {
  return tg_complain(TG_EXIT_FAILED, "memory", strerror(ENOMEM), "free some memory");
}

/* The new options follow those of the environment, so the command line wins. */
static bool export_options(struct request *request) {
  const char *before = getenv(TSFN_GUARD_OPTIONS_VARIABLE);
  if (fclose(request->pairs_out) != 0) return false;
  if (request->pairs_size == 0) return true;
  const char *pairs = request->pairs + 1;
  if (before == NULL || before[0] == '\0')
    return setenv(TSFN_GUARD_OPTIONS_VARIABLE, pairs, 1) == 0;
  char *joined;
  if (asprintf(&joined, "%s:%s", before, pairs) < 0) return false;
  bool done = setenv(TSFN_GUARD_OPTIONS_VARIABLE, joined, 1) == 0;
  free(joined);
  return done;
}

/* Suggests a subcommand, if the user may have meant one. */
static int complain_of_nothing(const struct tg_target *target, const char *program) {
  char remedy[256];
  const char *like = tg_subcommand_like(program);
  if (like == NULL)
    return tg_complain(TG_EXIT_NOT_FOUND, target->needed, target->found, target->remedy);
  snprintf(remedy, sizeof remedy, "did you mean: tsfn-guard %s? Otherwise %s", like,
           target->remedy);
  return tg_complain(TG_EXIT_NOT_FOUND, target->needed, target->found, remedy);
}

/* A file that nothing can run is refused even with --best-effort. */
static int refuse(const struct request *request, const struct tg_target *target,
                  const char *program) {
  char remedy[1024];
  if (target->obstacle == TG_OBSTACLE_NOT_FOUND) return complain_of_nothing(target, program);
  if (target->obstacle == TG_OBSTACLE_NOT_EXECUTABLE)
    return tg_complain(TG_EXIT_CANNOT_RUN, target->needed, target->found, target->remedy);
  snprintf(remedy, sizeof remedy, "%s; %s", target->remedy,
           request->best_effort ? "it is run unguarded" : "--best-effort runs it unguarded");
  int status = tg_complain(TG_EXIT_CANNOT_RUN, target->needed, target->found, remedy);
  return request->best_effort ? GO_ON : status;
}

static int prepare(struct request *request, struct tg_target *target, const char *program) {
  char library[PATH_MAX];
  struct tg_binary binary;
  if (!tg_own_file(TG_LIBRARY_NAME, library)) return complain_of_library(library);
  if (!tg_can_preload(library))
    return tg_complain(
        TG_EXIT_CANNOT_RUN,
        "a library whose path has no space, colon or dollar sign, which LD_PRELOAD cannot hold",
        library, "move tsfn-guard to another directory");
  if (!tg_binary_read(library, &binary))
    return tg_complain(TG_EXIT_CANNOT_RUN, "the library", library,
                       "make it readable, or install it again");
  tg_target_examine(target, program, binary.machine);
  int status = target->obstacle == TG_OBSTACLE_NONE ? GO_ON : refuse(request, target, program);
  if (status != GO_ON) return status;
  return export_options(request) && tg_preload(library) ? GO_ON : complain_of_memory();
}

/* execvp lets /bin/sh run a file that is not a program. Such a file gets here only with
 * --best-effort. */
static int start(const struct tg_target *target, char **argv) {
  execvp(target->program, argv);
  int error = errno;
  char found[PATH_MAX + 128];
  snprintf(found, sizeof found, "%s: %s", target->program, strerror(error));
  return tg_complain(error == ENOENT ? TG_EXIT_NOT_FOUND : TG_EXIT_CANNOT_RUN,
                     "a program that can be executed", found,
                     "check that the loader or interpreter that it names exists, too");
}

int tg_command_run(int argc, char **argv) {
  struct request request = {0};
  struct tg_target target;
  request.pairs_out = open_memstream(&request.pairs, &request.pairs_size);
  if (request.pairs_out == NULL) return complain_of_memory();
  int status = take_options(argc, argv, &request);
  if (status == GO_ON) status = prepare(&request, &target, argv[optind]);
  return status == GO_ON ? start(&target, argv + optind) : status;
}
