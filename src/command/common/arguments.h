/* Reads the command line of a subcommand. These options are the same for all of them: -h --help, -V
 * --version, -o FILE --output FILE, and -j --json for those that have a form for programs. */
#ifndef TG_COMMAND_ARGUMENTS_H
#define TG_COMMAND_ARGUMENTS_H

#include <getopt.h>
#include <limits.h>
#include <stdbool.h>

enum {
  TG_GO_ON = -1,
  TG_OWN_OPTIONS_MAX = 8,
  TG_OWN_OPTION = UCHAR_MAX + 1, /* the first value for an option of the subcommand's own */
};

struct tg_arguments {
  const char *usage; /* what --help prints; the options above are added to it */
  bool has_json;

  /* The subcommand's own options; NULL: none. The values in `own` begin with TG_OWN_OPTION, and the
   * list ends with {0}. `take` returns TG_GO_ON or the exit status. */
  const struct option *own;
  int (*take)(void *choices, int option, const char *value);
  void *choices;

  /* What tg_arguments_read has found. */
  bool json;
  const char *output; /* NULL: standard output */
};

/* Returns TG_GO_ON, with the arguments from optind on, or else the exit status. argv[0] is the
 * subcommand's name. */
int tg_arguments_read(int argc, char **argv, struct tg_arguments *arguments);

/* Returns TG_GO_ON, or the exit status after a complaint if -o names this input, which would be
 * overwritten. `input` may be NULL. */
int tg_arguments_spare_input(const struct tg_arguments *arguments, const char *input);

/* Makes the file of -o the standard output. Call it when everything else is in order, because it
 * empties a file that exists. Returns TG_GO_ON, or the exit status after a complaint. */
int tg_arguments_open_output(const struct tg_arguments *arguments);

/* Prints what -V prints, and returns the exit status. */
int tg_print_version(void);

#endif
