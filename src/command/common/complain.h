/* How the command reports what is wrong, and with which status it then exits.
 *
 * The command is an ordinary program: it may use stdio and malloc. Nothing of it is in the preload
 * object. */
#ifndef TG_COMMAND_COMPLAIN_H
#define TG_COMMAND_COMPLAIN_H

#include <stdbool.h>

/* Exit statuses of the command itself. A program that it starts has its own. */
enum {
  TG_EXIT_FAILED = 1,       /* a check failed, or something was found */
  TG_EXIT_USAGE = 2,        /* the command line is wrong, or a file that it names */
  TG_EXIT_CANNOT_RUN = 126, /* as in shells: found, but cannot be run */
  TG_EXIT_NOT_FOUND = 127
};

/* Prints "tsfn-guard: needed: … / found: … / do: …" on stderr. Returns `status`, so that the caller
 * can return it. */
int tg_complain(int status, const char *needed, const char *found, const char *remedy);

/* The same for an option that getopt_long has refused. It names the wrong letter or the whole
 * word. */
int tg_complain_option(const char *needed, char **argv, const char *remedy);

#endif
