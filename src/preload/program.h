/* The file of the main program, which the dynamic linker's list has no name for. */
#ifndef TG_PRELOAD_PROGRAM_H
#define TG_PRELOAD_PROGRAM_H

/* Finds it out. Once, before there are threads that ask. */
void tg_program_learn(void);

/* Its path; empty: unknown. */
const char *tg_program_path(void);

#endif
