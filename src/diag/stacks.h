/* Stacks of return addresses, each kept once.
 *
 * Thread safety: any thread may call each of these at any time. Taking a stack follows unwind tables, so it must not
 * be done in a signal handler; reading one that was kept may. No allocation: when all places are used,
 * further stacks are not kept. */
#ifndef TG_DIAG_STACKS_H
#define TG_DIAG_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TG_STACK_DEPTH_MAX = 32, TG_STACKS_MAX = 4096 };

enum { TG_FILES_MAX = 512, TG_FILE_MAX = 384, TG_BUILD_ID_MAX = 41 };

/* Where some code is. */
struct tg_place {
  char file[TG_FILE_MAX];         /* the end of its path */
  uint64_t offset;                /* from where the file is loaded */
  char build_id[TG_BUILD_ID_MAX]; /* in hexadecimal; empty: it has none */
};

struct tg_stack {
  unsigned depth;
  const void *frames[TG_STACK_DEPTH_MAX]; /* return addresses, the innermost first */
};

/* Once, before other threads: `depth` frames at most; 0: take no stacks at all. The first unwinding of a process
 * loads libgcc, which is done here. `locate` answers false for code of no file; as long as
 * `count_unloads` answers the same an address means the same code. */
void tg_stacks_open(unsigned depth, bool (*locate)(const void *code, struct tg_place *place),
                    unsigned long long (*count_unloads)(void));

/* The calling thread's stack, from `caller` outwards if that is in it; else without this library's own frames. */
void tg_stack_take(struct tg_stack *stack, const void *caller);

/* Keeps a stack, after cutting off outer frames that no file has; the number to find it by. 0: none was kept. */
uint32_t tg_stack_keep(struct tg_stack *stack);

/* How deep the stack is; 0: there is none. And the frame at that depth: the file's path, or NULL for code of no file,
 * and the offset in it, or the address. The files were looked up when the stack was kept. */
unsigned tg_stack_depth(uint32_t number);
const char *tg_stack_frame(uint32_t number, unsigned depth, uint64_t *offset);

#endif
