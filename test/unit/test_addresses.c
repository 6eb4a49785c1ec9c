/* Reservations below a limit. On x86-64 the kernel gives no address above TG_ADDRESS_LIMIT, so
 * these tests use a lower limit. With that limit the kernel acts like that of arm64 with addresses
 * of 48 bits: without a hint it gives addresses above the limit.
 *
 * Seen to fail: if only one hint is tried. The second reservation is then refused, because the
 * first one is at that place. On arm64 the guard could not make its second segment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/addresses.h"

#define MIB ((size_t)1 << 20)
#define LOW_LIMIT ((uintptr_t)1 << 45)

static void without_a_limit_the_kernel_gives_what_is_above(void **state) {
  (void)state;
  void *memory = tg_reserve_anywhere(32 * MIB);
  assert_non_null(memory);
  assert_true((uintptr_t)memory > LOW_LIMIT);
  assert_int_equal(munmap(memory, 32 * MIB), 0);
}

static void several_fit_below_the_limit(void **state) {
  (void)state;
#ifdef __SANITIZE_THREAD__
  skip(); /* TSan has its own memory at most of these places, and ignores the hint */
#endif
  enum { COUNT = 16 };
  void *memory[COUNT];
  for (int i = 0; i < COUNT; i++) {
    memory[i] = tg_reserve_below(LOW_LIMIT, 32 * MIB << i % 4);
    assert_non_null(memory[i]);
    assert_true((uintptr_t)memory[i] + (32 * MIB << i % 4) <= LOW_LIMIT);
  }
  for (int i = 0; i < COUNT; i++) assert_int_equal(munmap(memory[i], 32 * MIB << i % 4), 0);
}

static void what_does_not_fit_is_refused(void **state) {
  (void)state;
  assert_null(tg_reserve_below(LOW_LIMIT, LOW_LIMIT));
  assert_null(tg_reserve_anywhere((size_t)1 << 62));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(without_a_limit_the_kernel_gives_what_is_above),
      cmocka_unit_test(several_fit_below_the_limit),
      cmocka_unit_test(what_does_not_fit_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
