/* tsfn-guard doctor: not written yet. */
#include "command/command.h"

int tg_command_doctor(int argc, char **argv) {
  (void)argc;
  return tg_complain(TG_EXIT_USAGE, "a build with this subcommand", argv[0], "use a newer build");
}
