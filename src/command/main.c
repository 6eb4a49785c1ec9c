/* The tsfn-guard command: passes its command line to a subcommand, or starts a program with the
 * guard. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "command/common/complain.h"
#include "command/subcommands.h"

/* NULL: argv[1] is no subcommand. "run" may be left out, so most command lines begin with the
 * options or with the program. */
static tg_subcommand *find_subcommand(int argc, char **argv) {
  if (argc < 2) return NULL;
  return strcmp(argv[1], "run") == 0 ? tg_command_run : tg_subcommand_find(argv[1]);
}

/* "help" and "help doctor" are "--help" and "doctor --help". */
static int show_help(int argc, char **argv) {
  char name[] = "tsfn-guard", option[] = "--help";
  if (argc > 2)
    return tg_complain(TG_EXIT_USAGE, "one subcommand", argv[2],
                       "run it as: tsfn-guard help SUBCOMMAND");
  if (argc < 2) return tg_command_run(2, (char *[]){name, option, NULL});
  tg_subcommand *subcommand = find_subcommand(argc, argv);
  if (subcommand != NULL) return subcommand(2, (char *[]){argv[1], option, NULL});
  return tg_complain(TG_EXIT_USAGE, "a subcommand of tsfn-guard", argv[1],
                     "list the subcommands: tsfn-guard --help");
}

static int dispatch(int argc, char **argv) {
  tg_subcommand *subcommand = find_subcommand(argc, argv);
  if (subcommand != NULL) return subcommand(argc - 1, argv + 1);
  if (argc > 1 && strcmp(argv[1], "help") == 0) return show_help(argc - 1, argv + 1);
  return tg_command_run(argc, argv);
}

int main(int argc, char **argv) {
  int status = dispatch(argc, argv);
  if (fflush(stdout) == 0 && !ferror(stdout)) return status;
  return tg_complain(TG_EXIT_FAILED, "to write to standard output", strerror(errno),
                     "check where standard output goes");
}
