/* Implements the reading of command lines. */
#include "command/common/arguments.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "command/common/complain.h"
#include "command/common/library.h"
#include "command/common/same_file.h"
#include "tsfn_guard/tsfn_guard.h"

int tg_print_version(void) {
  char library[PATH_MAX];
  puts("tsfn-guard " TSFN_GUARD_VERSION);
  fflush(stdout);
  if (!tg_own_file(TG_LIBRARY_NAME, library))
    return tg_complain(TG_EXIT_FAILED,
                       TG_LIBRARY_NAME " beside this program, or in ../lib/tsfn-guard", library,
                       "install the complete tsfn-guard, or build it");
  printf("library: %s\n", library);
  return 0;
}

static int print_help(const struct tg_arguments *arguments) {
  fputs(arguments->usage, stdout);
  fputs("\nOptions of all subcommands:\n", stdout);
  if (arguments->has_json) fputs("  -j, --json         print JSON, for programs\n", stdout);
  fputs(
      "  -o, --output FILE  write to FILE, not to the standard output\n"
      "  -h, --help         print this\n"
      "  -V, --version      print the version and where the library is\n",
      stdout);
  return 0;
}

static int complain(int answer, char **argv) {
  char needed[64], remedy[64];
  snprintf(needed, sizeof needed,
           answer == ':' ? "a value for the option" : "an option of tsfn-guard %s", argv[0]);
  snprintf(remedy, sizeof remedy, "see tsfn-guard %s --help", argv[0]);
  return tg_complain_option(needed, argv, remedy);
}

static int take(struct tg_arguments *arguments, int answer, char **argv) {
  switch (answer) {
    case 'h':
      return print_help(arguments);
    case 'V':
      return tg_print_version();
    case 'o':
      arguments->output = optarg;
      return TG_GO_ON;
    case 'j':
      arguments->json = true;
      return TG_GO_ON;
    case '?':
    case ':':
      return complain(answer, argv);
    default:
      return arguments->take(arguments->choices, answer, optarg);
  }
}

int tg_arguments_read(int argc, char **argv, struct tg_arguments *arguments) {
  static const struct option common[] = {{"help", no_argument, NULL, 'h'},
                                         {"version", no_argument, NULL, 'V'},
                                         {"output", required_argument, NULL, 'o'},
                                         {"json", no_argument, NULL, 'j'}};
  enum { COMMON = sizeof common / sizeof common[0] };
  struct option options[COMMON + TG_OWN_OPTIONS_MAX + 1] = {{0}};
  size_t count = arguments->has_json ? COMMON : COMMON - 1;
  memcpy(options, common, count * sizeof common[0]);
  for (const struct option *own = arguments->own; own != NULL && own->name != NULL; own++)
    options[count++] = *own;
  arguments->json = false;
  arguments->output = NULL;
  opterr = 0;
  optind = 1;
  const char *letters = arguments->has_json ? ":hVo:j" : ":hVo:";
  for (int answer; (answer = getopt_long(argc, argv, letters, options, NULL)) != -1;) {
    int status = take(arguments, answer, argv);
    if (status != TG_GO_ON) return status;
  }
  return TG_GO_ON;
}

int tg_arguments_spare_input(const struct tg_arguments *arguments, const char *input) {
  char found[PATH_MAX + 64];
  struct stat to, from;
  if (arguments->output == NULL || input == NULL || stat(arguments->output, &to) != 0 ||
      stat(input, &from) != 0 || !tg_is_same_file(&to, &from))
    return TG_GO_ON;
  snprintf(found, sizeof found, "%s, which is an input and would be lost", arguments->output);
  return tg_complain(TG_EXIT_USAGE, "a file for the output after -o", found, "name another file");
}

int tg_arguments_open_output(const struct tg_arguments *arguments) {
  char found[PATH_MAX + 64];
  if (arguments->output == NULL || freopen(arguments->output, "we", stdout) != NULL)
    return TG_GO_ON;
  snprintf(found, sizeof found, "%s: %s", arguments->output, strerror(errno));
  return tg_complain(TG_EXIT_USAGE, "a file that can be written, after -o", found,
                     "name another file");
}
