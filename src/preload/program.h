/* The file of the main program, for which the dynamic linker's list has no name. */
#ifndef TG_PRELOAD_PROGRAM_H
#define TG_PRELOAD_PROGRAM_H

/* Finds the path. Call it once, before other threads may ask for it. */
void tg_program_learn(void);

/* The path; empty: unknown. */
const char *tg_program_path(void);

#endif
