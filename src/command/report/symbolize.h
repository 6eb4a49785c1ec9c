/* Finds the function, source file and line of an offset in a file. It reads the file that is on the
 * disk now.
 *
 * The process may have run long ago, and on another machine. So a file is used only if it is known
 * to be the same. Its build-id must be the one in the log. If the log has none, the file must not
 * have changed since. For one thread. */
#ifndef TG_COMMAND_SYMBOLIZE_H
#define TG_COMMAND_SYMBOLIZE_H

#include "command/common/tables.h"
#include "command/report/report_line.h"

enum { TG_INLINED_MAX = 8 };

struct tg_symbolizer {
  struct tg_pool pool;
  struct tg_map map;
  struct tg_object *objects;
  size_t count;
};

struct tg_place_name {
  /* demangled; "name+0x12" if only the symbol table has it; NULL: unknown */
  const char *function;
  const char *source; /* NULL: unknown */
  unsigned line;
};

struct tg_resolution {
  unsigned count;                             /* 0: nothing is known */
  struct tg_place_name names[TG_INLINED_MAX]; /* several if some are inlined, the innermost first */
  /* why nothing is known, if that is worth reporting; lives as long as the symbolizer */
  const char *problem;
  bool is_checked; /* the file has the build-id of the log */
};

void tg_symbolizer_open(struct tg_symbolizer *symbolizer);

/* `build_id` is the one in the log, or NULL. `seen_at` is the time at which the code ran. For a
 * return address the byte before it is looked up. */
void tg_symbolize(struct tg_symbolizer *symbolizer, const struct tg_frame *frame,
                  const char *build_id, int64_t seen_at, bool is_return_address,
                  struct tg_resolution *resolution);

/* Whether this build has libbacktrace. Without it there are no source files and lines. */
bool tg_symbolizer_has_lines(void);

#endif
