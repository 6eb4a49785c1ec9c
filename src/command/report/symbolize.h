/* Says what function, source file and line an offset in a file is, from the file as it lies on the disk now.
 *
 * The file is read again later and maybe elsewhere than the process ran, so it must be the one that ran: its build-id is
 * compared with that of the log, and where the log has none, the file must not have changed since. One thread. */
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
  const char *function; /* demangled; NULL: unknown. "name+0x12" where only the symbol table knows */
  const char *source;   /* NULL: unknown */
  unsigned line;
};

struct tg_resolution {
  unsigned count;                             /* 0: nothing is known */
  struct tg_place_name names[TG_INLINED_MAX]; /* the innermost of inlined ones first */
  const char *problem; /* why nothing is known, if that is worth telling; lives as long as the symbolizer */
  bool is_checked;     /* the file has the build-id of the log */
};

void tg_symbolizer_open(struct tg_symbolizer *symbolizer);

/* `build_id` is what the log says the file had, NULL: it says nothing; `seen_at` when the code ran. A return address is that of
 * the code before it. */
void tg_symbolize(struct tg_symbolizer *symbolizer, const struct tg_frame *frame, const char *build_id,
                  int64_t seen_at, bool is_return_address, struct tg_resolution *resolution);

/* Whether this build has libbacktrace, and so knows source files and lines. */
bool tg_symbolizer_has_lines(void);

#endif
