/* The subcommands of tsfn-guard, which main.c calls. */
#ifndef TG_COMMAND_SUBCOMMANDS_H
#define TG_COMMAND_SUBCOMMANDS_H

/* argv[0] is the subcommand's name. Returns the exit status of the program. */
typedef int tg_subcommand(int argc, char **argv);

tg_subcommand tg_command_run; /* starts a program guarded; argv[0] is "run", or tsfn-guard */
tg_subcommand tg_command_doctor;
tg_subcommand tg_command_explain;
tg_subcommand tg_command_report;
tg_subcommand tg_command_scan;
tg_subcommand tg_command_status;
tg_subcommand tg_command_top;
tg_subcommand tg_command_triage;

/* NULL: there is no subcommand with this name. */
tg_subcommand *tg_subcommand_find(const char *name);

/* The subcommand that the user may have meant. NULL: none. */
const char *tg_subcommand_like(const char *word);

#endif
