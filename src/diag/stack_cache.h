/* Recognizes a stack that was unwound before, without unwinding it again.
 *
 * An unwinder computes the place of each return address from registers and from words of the stack.
 * For each walk this cache remembers these words: their places, counted from the innermost frame,
 * and their contents. If all of them are the same, the unwinder would find the same return
 * addresses:
 *
 * - If a frame is found by the stack pointer, it has the same size whenever its return address is
 *   the same.
 * - If a frame is found by its frame pointer (rbp), that register was saved in a word of an inner
 *   frame. So every word that contains a frame pointer, or the end of a frame, must be the same,
 *   counted from the innermost frame.
 *
 * Comparing more words than needed is harmless: a stack is then unwound once more. The cache does
 * not remember what it does not understand: a signal's frame, a stack that is not one piece, a
 * processor other than x86-64, an unwinder that cannot be found.
 *
 * One thing is not compared: whether code of no file (V8's) has since become code of a file at the
 * same address. In that case an outer frame is missing from the stack. That is acceptable, because
 * the stack is only shown to people.
 *
 * Thread safety: tg_stack_walk_take may be called by any thread. The caller of find and add holds
 * one lock for both. */
#ifndef TG_DIAG_STACK_CACHE_H
#define TG_DIAG_STACK_CACHE_H

#include <stdbool.h>
#include <stdint.h>

enum { TG_STACK_WALK_WORDS = 96 };

/* A walk from a frame outwards: words of the stack, the innermost first. */
struct tg_stack_walk {
  unsigned count; /* 0: it cannot be remembered */
  struct {
    uint32_t place;  /* counted from the frame's address */
    bool is_pointer; /* into the stack; `value` is then relative to the frame's address */
    uintptr_t value;
  } words[TG_STACK_WALK_WORDS];
};

/* Identifies a stack: that of the calling thread, from `frame` outwards. */
struct tg_stack_key {
  const uintptr_t *frame;     /* of a function that has not returned: __builtin_frame_address(0) */
  const void *caller;         /* what else the result depends on */
  unsigned long long unloads; /* while this is the same, addresses mean the same code */
};

/* Finds the unwinder. Call it once, before there are other threads. */
void tg_stack_cache_open(void);

/* Returns the number that was added for this stack; 0: none was, and *is_wanted says whether to add
 * one. */
uint32_t tg_stack_cache_find(const struct tg_stack_key *key, bool *is_wanted);

/* Walks from `frame` outwards, over `depth` frames at most. */
void tg_stack_walk_take(struct tg_stack_walk *walk, const uintptr_t *frame, unsigned depth);

/* Adds a walk that began at key->frame, perhaps in place of another one. */
void tg_stack_cache_add(const struct tg_stack_key *key, const struct tg_stack_walk *walk,
                        uint32_t number);

#endif
