/* The subcommands of tsfn-guard, which main.c calls. */
#ifndef TG_COMMAND_SUBCOMMANDS_H
#define TG_COMMAND_SUBCOMMANDS_H

/* argv[0] is the subcommand's name; the program's exit status. */
int tg_command_run(int argc, char **argv); /* argv[0] is tsfn-guard: starts a program guarded */
int tg_command_doctor(int argc, char **argv);
int tg_command_report(int argc, char **argv);
int tg_command_scan(int argc, char **argv);
int tg_command_status(int argc, char **argv);
int tg_command_top(int argc, char **argv);
int tg_command_triage(int argc, char **argv);

#endif
