/* What a command line would start, and whether LD_PRELOAD has an effect there.
 *
 * It only reads files, and trusts nothing in them. */
#ifndef TG_COMMAND_TARGET_H
#define TG_COMMAND_TARGET_H

#include <limits.h>
#include <stdbool.h>

/* Why a program cannot be guarded. */
enum tg_obstacle {
  TG_OBSTACLE_NONE,
  TG_OBSTACLE_NOT_FOUND,
  TG_OBSTACLE_NOT_EXECUTABLE, /* the file cannot be run at all */
  /* the file is not a program, or it is a script whose interpreter is missing */
  TG_OBSTACLE_NO_RUNTIME,
  TG_OBSTACLE_MACHINE,
  TG_OBSTACLE_STATIC,
  TG_OBSTACLE_PRIVILEGES, /* set-user-ID or similar: the loader ignores LD_PRELOAD */
};

/* What the headers of an ELF file say. */
struct tg_binary {
  unsigned machine; /* EM_*; 0: not a 64-bit, little-endian file */
  /* PT_INTERP; empty: none, so the file is linked statically, or is a library */
  char loader[PATH_MAX];
};

struct tg_target {
  char program[PATH_MAX]; /* what exec will start */
  /* the binary that will run: the program itself, or the interpreter of a script */
  char file[PATH_MAX];
  struct tg_binary binary;
  enum tg_obstacle obstacle;
  /* A text for people, if there is an obstacle. */
  const char *needed;
  char found[PATH_MAX + 256];
  const char *remedy;
};

/* False: the file cannot be read, is not an ELF file, or is damaged. */
bool tg_binary_read(const char *path, struct tg_binary *binary);

/* Whether a program's loader is musl's. */
bool tg_is_musl(const char *loader);

/* "x86-64", "arm64", … */
const char *tg_machine_name(unsigned machine);

/* Whether the file is the core of a process, not a program. */
bool tg_is_core(const char *path);

/* Looks the program up like execvp, follows #! lines, and finds the first obstacle for a library
 * that is built for `machine`. If the program starts others, as a shell script does, these inherit
 * LD_PRELOAD. They are not examined. */
void tg_target_examine(struct tg_target *target, const char *program, unsigned machine);

#endif
