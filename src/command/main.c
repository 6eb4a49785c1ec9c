/* The tsfn-guard command: hands its command line to a subcommand, or starts a program guarded. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "command/command.h"

/* Arguments, and what files say, forge no lines and steer no terminal. */
static void print_harmless(const char *string) {
  struct tg_text text;
  for (size_t left = strlen(string), length; left != 0; left -= length, string += length) {
    length = left < sizeof text.bytes ? left : sizeof text.bytes - 1;
    text.length = 0;
    tg_text_add_bytes(&text, string, length);
    fputs(tg_text_string(&text), stderr);
  }
}

int tg_complain(int status, const char *needed, const char *found, const char *remedy) {
  fprintf(stderr, "tsfn-guard: needed: %s\n  found: ", needed);
  print_harmless(found);
  fprintf(stderr, "\n  do: %s\n", remedy);
  return status;
}

static int dispatch(int argc, char **argv) {
  static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
  } subcommands[] = {
      {"doctor", tg_command_doctor},
      {"report", tg_command_report},
      {"top", tg_command_top},
      {"triage", tg_command_triage},
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
