/* Stacks of return addresses, each kept once.
 *
 * Thread safety: any thread may call every function at any time. Taking a stack follows unwind
 * tables, so it is not allowed in a signal handler; reading a kept stack is. No allocation: when
 * the tables are full, further stacks are not kept. */
#ifndef TG_DIAG_STACKS_H
#define TG_DIAG_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TG_STACK_DEPTH_MAX = 32, TG_STACKS_MAX = 4096 };

enum { TG_FILES_MAX = 512, TG_FILE_MAX = 384, TG_BUILD_ID_MAX = 41 };

/* The location of some code. */
struct tg_place {
  char file[TG_FILE_MAX];         /* the end of the file's path */
  uint64_t offset;                /* from the file's load address */
  char build_id[TG_BUILD_ID_MAX]; /* hexadecimal; empty: it has none */
};

struct tg_stack {
  unsigned depth;
  const void *frames[TG_STACK_DEPTH_MAX]; /* return addresses, innermost first */
};

/* Call it once, before there are other threads. `depth` is the maximum number of frames; 0: take no
 * stacks. It unwinds once, because the first unwinding in a process loads libgcc. `locate` returns
 * false for code that no file contains. An address means the same code as long as `count_unloads`
 * returns the same number. */
void tg_stacks_open(unsigned depth, bool (*locate)(const void *code, struct tg_place *place),
                    unsigned long long (*count_unloads)(void));

/* Takes the calling thread's stack. It begins at `caller` if that is on the stack; otherwise this
 * library's own frames are left out. */
void tg_stack_take(struct tg_stack *stack, const void *caller);

/* Keeps a stack, without the outer frames that no file contains. Returns its number; 0: it was not
 * kept. */
uint32_t tg_stack_keep(struct tg_stack *stack);

/* Takes and keeps a stack. A stack that was kept before is recognized without being unwound. */
uint32_t tg_stack_take_and_keep(const void *caller);

/* The depth of a stack (0: there is none), and its frame at a depth. For code that no file
 * contains, the frame is NULL and `offset` is the address; otherwise it is the file's path and the
 * offset in it. The files were looked up when the stack was kept. */
unsigned tg_stack_depth(uint32_t number);
const char *tg_stack_frame(uint32_t number, unsigned depth, uint64_t *offset);

#endif
