/* One frame of a stack, read from a line as debuggers, runtimes and sanitizers print it.
 *
 * Pure functions over the line they are given; whoever wrote it is not trusted. */
#ifndef TG_COMMAND_STACK_FRAME_H
#define TG_COMMAND_STACK_FRAME_H

#include <stdbool.h>
#include <stdint.h>

enum { TG_FUNCTION_MAX = 160, TG_OBJECT_MAX = 256, TG_NO_NUMBER = -1 };

/* Whose code it is, by the name of its file or else of its function. */
enum tg_owner {
  TG_OWNER_UNKNOWN, /* a name that says nothing, as of JavaScript's own code */
  TG_OWNER_NOBODY,  /* neither a file nor a name: unmapped, compiled by V8, or of a file without symbols */
  TG_OWNER_ADDON,   /* a .node file, or source that is none of the others' */
  TG_OWNER_LIBRARY, /* another shared object, which only addons bring along */
  TG_OWNER_RUNTIME,
  TG_OWNER_SYSTEM, /* libc, the C++ and sanitizers' libraries */
  TG_OWNER_GUARD,
};

struct tg_trace_frame {
  enum tg_owner owner;
  int number;                     /* as printed; TG_NO_NUMBER */
  bool is_bare;                   /* a name alone, which might be in a list of anything */
  bool is_module;                 /* its file is named without its end, as Windows' tools do */
  uint64_t address;               /* 0: none was printed */
  char function[TG_FUNCTION_MAX]; /* without arguments and such; "": unknown */
  char object[TG_OBJECT_MAX];     /* the end of its file's path; "": unknown */
  char source[TG_OBJECT_MAX];     /* the end of its source's path; "": unknown */
};

/* False: the line is none. `previous` is the number of the frame before it, TG_NO_NUMBER: there was none. What could be
 * anything but for its number must go on from there. */
bool tg_trace_frame_parse(const char *line, int previous, struct tg_trace_frame *frame);

/* gdb breaks long lines: what stands in the next one, "    from /x.so" or "    at x.c:12". False: it is none of that. */
bool tg_trace_frame_continue(const char *line, struct tg_trace_frame *frame);

/* Sets what follows from names: readable function, owner. */
void tg_trace_frame_finish(struct tg_trace_frame *frame);

/* Whether a name fits a pattern, in which '*' stands for anything. */
bool tg_name_fits(const char *name, const char *pattern);

#endif
