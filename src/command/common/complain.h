/* How the command says what is wrong, and with which status it exits then.
 *
 * The command is an ordinary program: stdio and malloc are fine here, and nothing of it is in the preload object. */
#ifndef TG_COMMAND_COMPLAIN_H
#define TG_COMMAND_COMPLAIN_H

#include <stdbool.h>

/* Exit statuses of the command itself; those of a program that it starts are the program's own. */
enum {
  TG_EXIT_FAILED = 1,       /* a check failed, something was found */
  TG_EXIT_USAGE = 2,        /* the command line is wrong, or a file that it names */
  TG_EXIT_CANNOT_RUN = 126, /* as shells have it: found, but not to be run */
  TG_EXIT_NOT_FOUND = 127
};

/* "tsfn-guard: needed: … / found: … / do: …" on stderr; returns `status`, for the caller to return. */
int tg_complain(int status, const char *needed, const char *found, const char *remedy);

/* The same for an option that getopt_long has refused: the letter that is wrong, or the whole word. */
int tg_complain_option(const char *needed, char **argv, const char *remedy);

#endif
