/* What /proc says about a process. `directory` is a descriptor of /proc/PID. It stays bound to that
 * process, even if another one gets its number later. The text in these files may be chosen by the
 * process, so it must be tamed before it is shown. */
#ifndef TG_COMMAND_PROCESS_H
#define TG_COMMAND_PROCESS_H

#include <sys/types.h>

/* The value of a variable that the process was started with, to be freed. NULL: it was not set, or
 * cannot be read. */
char *tg_process_variable(int directory, const char *name);

/* Its id in its own PID namespace; 0: unknown. */
pid_t tg_process_inner_id(int directory);

#endif
