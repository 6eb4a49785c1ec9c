/* Reads one frame of a stack from a line that a debugger, a runtime or a sanitizer has printed.
 *
 * These are pure functions of the line. The line is not trusted. */
#ifndef TG_COMMAND_STACK_FRAME_H
#define TG_COMMAND_STACK_FRAME_H

#include <stdbool.h>
#include <stdint.h>

enum { TG_FUNCTION_MAX = 160, TG_OBJECT_MAX = 256, TG_NO_NUMBER = -1 };

/* Whose code it is. The name of its file decides; if that says nothing, the name of its
 * function. */
enum tg_owner {
  TG_OWNER_UNKNOWN, /* the name does not say, for example JavaScript's own code */
  /* neither a file nor a name: unmapped, compiled by V8, or a file without symbols */
  TG_OWNER_NOBODY,
  TG_OWNER_ADDON,   /* a .node file, or source code that belongs to none of the others */
  TG_OWNER_LIBRARY, /* another shared object, which only addons bring */
  TG_OWNER_RUNTIME,
  TG_OWNER_SYSTEM, /* libc, the C++ library, the sanitizers' libraries */
  TG_OWNER_GUARD,
};

struct tg_trace_frame {
  enum tg_owner owner;
  int number;                     /* as printed, or TG_NO_NUMBER */
  bool is_bare;                   /* only a name, which could be a line of any list */
  bool is_module;                 /* its file has no suffix, as Windows' tools print it */
  uint64_t address;               /* 0: none was printed */
  char function[TG_FUNCTION_MAX]; /* without arguments; "": unknown */
  char object[TG_OBJECT_MAX];     /* the end of its file's path; "": unknown */
  char source[TG_OBJECT_MAX];     /* the end of its source's path; "": unknown */
};

/* False: the line is not a frame. `previous` is the number of the frame before it, or TG_NO_NUMBER
 * if there was none. If only its number makes a line recognisable, the number must be the next
 * one. */
bool tg_trace_frame_parse(const char *line, int previous, struct tg_trace_frame *frame);

/* gdb breaks long lines. Reads the continuation, " from /x.so" or " at x.c:12". False: the line is
 * not one. */
bool tg_trace_frame_continue(const char *line, struct tg_trace_frame *frame);

/* Derives the readable function name and the owner from the names that were read. */
void tg_trace_frame_finish(struct tg_trace_frame *frame);

/* Whether a name matches a pattern in which '*' stands for any text. */
bool tg_name_fits(const char *name, const char *pattern);

#endif
