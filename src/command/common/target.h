/* What a command line would start, and whether LD_PRELOAD has an effect there.
 *
 * Reads files only; trusts nothing in them. */
#ifndef TG_COMMAND_TARGET_H
#define TG_COMMAND_TARGET_H

#include <limits.h>
#include <stdbool.h>

/* Why a program cannot be guarded. */
enum tg_obstacle {
  TG_OBSTACLE_NONE,
  TG_OBSTACLE_NOT_FOUND,
  TG_OBSTACLE_NOT_EXECUTABLE, /* nothing can run it */
  TG_OBSTACLE_NO_RUNTIME,     /* a file that is no program, or a script whose interpreter is missing */
  TG_OBSTACLE_MACHINE,
  TG_OBSTACLE_STATIC,
  TG_OBSTACLE_PRIVILEGES, /* set-user-ID and such: the loader ignores LD_PRELOAD */
};

/* What the headers of an ELF file say. */
struct tg_binary {
  unsigned machine;      /* EM_*; 0: of another class than ours */
  char loader[PATH_MAX]; /* PT_INTERP; empty: none, so it is linked statically, or a library */
};

struct tg_target {
  char program[PATH_MAX]; /* what exec is to start */
  char file[PATH_MAX]; /* the binary that comes to run: the program itself, or the interpreter of a script */
  struct tg_binary binary;
  enum tg_obstacle obstacle;
  /* For people, where there is an obstacle. */
  const char *needed;
  char found[PATH_MAX + 256];
  const char *remedy;
};

/* False: it cannot be read, or is no ELF file, or a damaged one. */
bool tg_binary_read(const char *path, struct tg_binary *binary);

/* Whether the loader of a program is that of musl. */
bool tg_is_musl(const char *loader);

/* "x86-64", "arm64", … */
const char *tg_machine_name(unsigned machine);

/* Whether the file is the core of a process, and no program. */
bool tg_is_core(const char *path);

/* Looks the program up as execvp does, follows #! lines, and looks for the first obstacle to a library that is for
 * `machine`. Where the program runs others, as a shell script does, they inherit LD_PRELOAD and are not looked at. */
void tg_target_examine(struct tg_target *target, const char *program, unsigned machine);

#endif
