/* What /proc says of a process. `directory` is a descriptor of /proc/PID, which stays bound to that process, whoever gets
 * its number later. What is there is the process's own word: it is to be tamed before it is shown. */
#ifndef TG_COMMAND_PROCESS_H
#define TG_COMMAND_PROCESS_H

#include <sys/types.h>

/* The value of a variable that the process was started with, to be freed; NULL: none, or not to be read. */
char *tg_process_variable(int directory, const char *name);

/* Its id in its own PID namespace; 0: unknown. */
pid_t tg_process_inner_id(int directory);

#endif
