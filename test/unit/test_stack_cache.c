/* The cache of stacks: if it recognizes a stack, the result is the same as that of unwinding. */
#include <alloca.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
/* cmocka.h needs the four at the top first. */
#include <cmocka.h>

#include "diag/stack_cache.h"
#include "diag/stacks.h"

enum { WALKS = 20000, DEPTH = 2 };

static unsigned lookups;

static bool locate(const void *code, struct tg_place *place) {
  lookups++;
  strcpy(place->file, "/app/x.node");
  place->offset = (uintptr_t)code;
  return true;
}

static unsigned long long count_unloads(void) {
  return 0;
}

/* --- Real stacks: functions call each other at random, with frames of constant and of random
 * size. */

static unsigned seed = 1;
static unsigned recognized, taken;

static unsigned random_below(unsigned limit) {
  seed = seed * 1103515245 + 12345;
  return (seed >> 16) % limit;
}

static void descend(unsigned depth);

__attribute__((noinline)) static void compare_here(void) {
  const void *caller = __builtin_return_address(0);
  struct tg_stack stack;
  unsigned before = lookups;
  uint32_t number = tg_stack_take_and_keep(caller);
  recognized += lookups == before;
  taken++;
  tg_stack_take(&stack, caller);
  assert_int_equal(number, tg_stack_keep(&stack));
  assert_int_not_equal(number, 0);
}

/* `volatile` prevents tail calls. It also leaves the words of earlier calls on the stack. */
__attribute__((noinline)) static void step_plainly(unsigned depth) {
  volatile unsigned kept = depth;
  descend(depth - 1);
  (void)kept;
}

__attribute__((noinline)) static void step_with_frame_of_any_size(unsigned depth) {
  volatile char *space = alloca(64 * random_below(2) + 16);
  space[0] = (char)depth;
  descend(depth - 1);
  (void)space[0];
}

__attribute__((noinline)) static void step_aligned(unsigned depth) {
  _Alignas(64) volatile char space[64];
  space[0] = (char)depth;
  descend(depth - 1);
  (void)space[0];
}

__attribute__((noinline)) static void descend(unsigned depth) {
  volatile unsigned kept = depth;
  if (depth == 0)
    compare_here();
  else if (random_below(3) == 0)
    step_plainly(depth);
  else if (random_below(2) == 0)
    step_with_frame_of_any_size(depth);
  else
    step_aligned(depth);
  (void)kept;
}

/* There are more stacks than fit into the cache. Seen to fail: if only the first half of a walk's
 * words is compared; if walks end after three frames. */
static void test_a_recognized_stack_is_the_one_that_is_there(void **state) {
  (void)state;
  tg_stacks_open(16, locate, count_unloads);
  for (unsigned i = 0; i < WALKS; i++) descend(1 + random_below(DEPTH));
#ifdef __x86_64__
  assert_true(recognized > taken / 10);
#endif
}

/* --- Made-up stacks: the words that the cache compares. */

enum { WORDS = 16 };

/* A frame record, a frame that was found by its frame pointer, and another return address. */
static void fill_stack(uintptr_t stack[WORDS]) {
  for (unsigned i = 0; i < WORDS; i++) stack[i] = i;
  stack[0] = (uintptr_t)&stack[6];
  stack[1] = 0x1111;
  stack[7] = 0x2222;
  stack[15] = 0x3333;
}

static const struct tg_stack_walk walk = {.count = 4,
                                          .words = {{0, true, 6 * sizeof(uintptr_t)},
                                                    {1, false, 0x1111},
                                                    {7, false, 0x2222},
                                                    {15, false, 0x3333}}};

static uint32_t find(const uintptr_t *frame, uintptr_t caller, unsigned long long unloads) {
  const struct tg_stack_key key = {frame, (const void *)caller, unloads};
  bool is_wanted;
  return tg_stack_cache_find(&key, &is_wanted);
}

/* Seen to fail: if pointers are compared without subtracting the frame's address; without the
 * comparison of `caller`, or of `unloads`. */
static void test_every_word_must_be_the_same(void **state) {
  (void)state;
  uintptr_t stack[WORDS], moved[WORDS];
  fill_stack(stack);
  const struct tg_stack_key key = {stack, (const void *)0x9999, 5};
  tg_stack_cache_add(&key, &walk, 77);
  assert_int_equal(find(stack, 0x9999, 5), 77);
  assert_int_equal(find(stack, 0x9998, 5), 0);
  assert_int_equal(find(stack, 0x9999, 6), 0);
  fill_stack(moved);
  assert_int_equal(find(moved, 0x9999, 5), 77);
  for (unsigned i = 0; i < walk.count; i++) {
    moved[walk.words[i].place] += 16;
    assert_int_equal(find(moved, 0x9999, 5), 0);
    moved[walk.words[i].place] -= 16;
  }
  moved[3]++; /* no frame depends on this word */
  assert_int_equal(find(moved, 0x9999, 5), 77);
}

/* If a stack is shorter than the known one, it is not read beyond its end. Seen to fail (SIGSEGV):
 * if the words are compared from the outermost frame inwards. */
static void test_a_shorter_stack_is_not_read_beyond_its_end(void **state) {
  (void)state;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_ptr_not_equal(memory, MAP_FAILED);
  assert_int_equal(mprotect(memory + page, page, PROT_NONE), 0);
  uintptr_t *end = (uintptr_t *)(void *)(memory + page), *frame = end - 8;
  frame[0] = (uintptr_t)&frame[6];
  frame[1] = 0x1111;
  frame[7] = 0x4444;
  assert_int_equal(find(frame, 0x9999, 5), 0);
  munmap(memory, 2 * page);
}

/* Seen to fail: without a budget. */
static void test_stacks_that_are_all_different_are_not_all_added(void **state) {
  (void)state;
  uintptr_t stack[WORDS];
  unsigned wanted = 0;
  fill_stack(stack);
  for (uintptr_t caller = 1; caller <= 4096; caller++) {
    const struct tg_stack_key key = {stack, (const void *)caller, 9};
    bool is_wanted = false;
    assert_int_equal(tg_stack_cache_find(&key, &is_wanted), 0);
    if (!is_wanted) continue;
    tg_stack_cache_add(&key, &walk, 78);
    wanted++;
  }
#ifdef __x86_64__
  assert_in_range(wanted, 4096 / 16, 600);
#endif
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_recognized_stack_is_the_one_that_is_there),
      cmocka_unit_test(test_every_word_must_be_the_same),
      cmocka_unit_test(test_a_shorter_stack_is_not_read_beyond_its_end),
      cmocka_unit_test(test_stacks_that_are_all_different_are_not_all_added),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
