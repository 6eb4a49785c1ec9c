/* The tsfn-guard command: hands its command line to a subcommand, or starts a program guarded. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "command/common/complain.h"
#include "command/subcommands.h"

#ifndef TG_HAS_REPORT
int tg_command_report(int argc, char **argv) {
  (void)argc, (void)argv;
  return tg_complain(TG_EXIT_USAGE, "a build with the subcommand report", "one without it",
                     "build it with -DTSFN_GUARD_REPORT=ON, or install the package");
}
#endif

static int dispatch(int argc, char **argv) {
  static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
  } subcommands[] = {
      {"doctor", tg_command_doctor}, {"report", tg_command_report}, {"scan", tg_command_scan},
      {"status", tg_command_status}, {"top", tg_command_top},       {"triage", tg_command_triage},
  };
  for (size_t i = 0; argc > 1 && i < sizeof subcommands / sizeof subcommands[0]; i++)
    if (strcmp(argv[1], subcommands[i].name) == 0) return subcommands[i].run(argc - 1, argv + 1);
  return tg_command_run(argc, argv);
}

int main(int argc, char **argv) {
  int status = dispatch(argc, argv);
  if (fflush(stdout) == 0 && !ferror(stdout)) return status;
  return tg_complain(TG_EXIT_FAILED, "to write to standard output", strerror(errno),
                     "check where standard output goes");
}
