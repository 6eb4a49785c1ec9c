/* The handle table: handles are unforgeable, never reused, rest before their slot is used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the four above first. */
#include <cmocka.h>

#include "fake_runtime.h"
#include "guard/handle_table.h"

static int open_guard(void **state) {
  fake_reset();
  *state = fake_guard_open(TG_DEADLOCK_OVERFLOW);
  return 0;
}

static int open_smallest(void **state) {
  fake_reset();
  fake_settings.reserve_bits_max = TG_TABLE_BITS_MIN;
  *state = fake_guard_open(TG_DEADLOCK_OVERFLOW);
  return 0;
}

static int close_guard(void **state) {
  fake_guard_close(*state);
  return 0;
}

static struct tg_table *table_of(void **state) {
  return &((struct tg_guard *)*state)->table;
}

static struct tg_function *take(struct tg_table *table, napi_threadsafe_function *handle) {
  struct tg_function *slot = tg_table_take(table, handle);
  if (slot != NULL) slot->state = TG_OPEN;
  return slot;
}

static void expire(struct tg_table *table, struct tg_function *slot) {
  tg_lock_acquire(&slot->lock, TG_RANK_FUNCTION);
  tg_table_expire(table, slot);
  tg_lock_release(&slot->lock, TG_RANK_FUNCTION);
}

static enum tg_verdict verdict(struct tg_table *table, uintptr_t bits) {
  struct tg_function *slot;
  enum tg_verdict result = tg_table_find(table, (napi_threadsafe_function)bits, &slot);
  if (slot != NULL) tg_lock_release(&slot->lock, TG_RANK_FUNCTION);
  assert_int_equal(slot == NULL, result == TG_NEVER_A_HANDLE);
  return result;
}

static void handles_are_aligned_canonical_and_in_the_reservation(void **state) {
  struct tg_table *table = table_of(state);
  napi_threadsafe_function handle;
  for (int i = 0; i < 10000; i++) {
    assert_non_null(take(table, &handle));
    assert_int_equal((uintptr_t)handle % 16, 0);
    assert_true((uintptr_t)handle < (uintptr_t)1 << 47);
    assert_true((uintptr_t)handle - table->base < table->handles << TG_HANDLE_SHIFT);
    assert_int_equal(verdict(table, (uintptr_t)handle), TG_HANDLE_VALID);
  }
}

static void a_handle_is_never_then_valid_then_stale(void **state) {
  struct tg_table *table = table_of(state);
  napi_threadsafe_function first, second;
  table->free_slots_min = 1;
  struct tg_function *slot = take(table, &first);
  uintptr_t next_generation = (uintptr_t)first + ((uintptr_t)16 << table->index_bits);
  assert_int_equal(verdict(table, next_generation), TG_NEVER_A_HANDLE);
  expire(table, slot);
  assert_int_equal(verdict(table, (uintptr_t)first), TG_HANDLE_STALE);
  assert_int_equal(verdict(table, next_generation), TG_NEVER_A_HANDLE);
  assert_ptr_equal(take(table, &second), slot);
  assert_int_equal((uintptr_t)second, next_generation);
  assert_int_equal(verdict(table, (uintptr_t)first), TG_HANDLE_STALE_REUSED);
  assert_int_equal(verdict(table, (uintptr_t)second), TG_HANDLE_VALID);
  expire(table, slot);
  assert_int_equal(verdict(table, (uintptr_t)first), TG_HANDLE_STALE_REUSED);
  assert_int_equal(verdict(table, (uintptr_t)second), TG_HANDLE_STALE);
}

static void garbage_is_never_a_handle(void **state) {
  struct tg_table *table = table_of(state);
  napi_threadsafe_function handle;
  for (int i = 0; i < 3; i++) take(table, &handle);
  uintptr_t size = (uintptr_t)table->handles << TG_HANDLE_SHIFT;
  const uintptr_t garbage[] = {0,
                               1,
                               16,
                               UINTPTR_MAX,
                               UINTPTR_MAX & ~(uintptr_t)15,
                               table->base - 16,
                               table->base + size,
                               table->base + size - 16,
                               (uintptr_t)handle + 1,
                               (uintptr_t)handle + 8,
                               (uintptr_t)handle + 16,
                               (uintptr_t)&handle,
                               (uintptr_t)table};
  for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++)
    assert_int_equal(verdict(table, garbage[i]), TG_NEVER_A_HANDLE);
  unsigned short seed[3] = {1, 2, 3};
  for (int i = 0; i < 1000000; i++) {
    uint64_t bits = (uint64_t)nrand48(seed) << 33 ^ (uint64_t)nrand48(seed) << 11 ^ (uint64_t)nrand48(seed);
    if (bits - table->base >= 3 * 16) assert_int_equal(verdict(table, bits), TG_NEVER_A_HANDLE);
    uint64_t inside = table->base + bits % size;
    if (inside - table->base >= 3 * 16) assert_int_equal(verdict(table, inside), TG_NEVER_A_HANDLE);
  }
}

static void the_oldest_free_slot_is_used_first_and_only_when_thousands_rest(void **state) {
  struct tg_table *table = table_of(state);
  napi_threadsafe_function handle;
  uint32_t order[TG_FREE_SLOTS_MIN];
  for (int i = 0; i < TG_FREE_SLOTS_MIN; i++) {
    struct tg_function *slot = take(table, &handle);
    assert_int_equal(slot->generation, 0);
    order[i] = slot->index;
    expire(table, slot);
  }
  for (int i = 0; i < TG_FREE_SLOTS_MIN; i++) {
    struct tg_function *slot = take(table, &handle);
    assert_int_equal(slot->index, order[i]);
    assert_int_equal(slot->generation, 1);
    expire(table, slot);
  }
}

/* The prototype broke here: it forgot that a slot's generations come to an end. */
static void a_slot_that_is_used_up_retires_and_no_handle_comes_twice(void **state) {
  struct tg_table *table = table_of(state);
  table->free_slots_min = 1;
  uint32_t generations = 1U << table->generation_bits;
  unsigned char *seen = calloc(table->handles / 8, 1);
  assert_non_null(seen);
  for (uint32_t i = 0; i < generations * 4; i++) {
    napi_threadsafe_function handle;
    struct tg_function *slot = take(table, &handle);
    assert_non_null(slot);
    uint64_t number = ((uintptr_t)handle - table->base) >> TG_HANDLE_SHIFT;
    assert_int_equal(seen[number / 8] >> number % 8 & 1, 0);
    seen[number / 8] |= (unsigned char)(1 << number % 8);
    expire(table, slot);
    assert_int_not_equal(verdict(table, (uintptr_t)handle), TG_HANDLE_VALID);
    assert_int_not_equal(verdict(table, (uintptr_t)handle), TG_NEVER_A_HANDLE);
  }
  assert_in_range(table->retired, 2, 4);
  free(seen);
}

static void when_every_slot_is_taken_there_is_no_handle(void **state) {
  struct tg_table *table = table_of(state);
  napi_threadsafe_function handle;
  struct tg_function *last = NULL;
  for (uint32_t i = 0; i < 1U << table->index_bits; i++) assert_non_null(last = take(table, &handle));
  assert_null(tg_table_take(table, &handle));
  expire(table, last);
  assert_ptr_equal(tg_table_take(table, &handle), last); /* a few free slots are better than none */
}

static void smaller_reservations_are_taken_down_to_4_gib(void **state) {
  (void)state;
  for (unsigned bits = TG_TABLE_BITS_MIN - 1; bits <= TG_TABLE_BITS_MAX; bits++) {
    fake_reset();
    fake_settings.reserve_bits_max = bits;
    struct tg_guard *guard = calloc(1, sizeof *guard);
    bool opened = tg_guard_open(guard, &fake_runtime, &fake_host, TG_DEADLOCK_OVERFLOW);
    assert_int_equal(opened, bits >= TG_TABLE_BITS_MIN);
    if (!opened) {
      free(guard);
      continue;
    }
    /* TSan's own layout leaves less room than was allowed here. */
    assert_in_range(guard->table.handles, (uint64_t)1 << (TG_TABLE_BITS_MIN - TG_HANDLE_SHIFT),
                    (uint64_t)1 << (bits - TG_HANDLE_SHIFT));
    assert_int_equal(guard->table.handles,
                     (uint64_t)1 << (guard->table.index_bits + guard->table.generation_bits));
    fake_guard_close(guard);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(handles_are_aligned_canonical_and_in_the_reservation, open_guard,
                                      close_guard),
      cmocka_unit_test_setup_teardown(a_handle_is_never_then_valid_then_stale, open_guard, close_guard),
      cmocka_unit_test_setup_teardown(garbage_is_never_a_handle, open_guard, close_guard),
      cmocka_unit_test_setup_teardown(the_oldest_free_slot_is_used_first_and_only_when_thousands_rest,
                                      open_guard, close_guard),
      cmocka_unit_test_setup_teardown(a_slot_that_is_used_up_retires_and_no_handle_comes_twice, open_smallest,
                                      close_guard),
      cmocka_unit_test_setup_teardown(when_every_slot_is_taken_there_is_no_handle, open_smallest,
                                      close_guard),
      cmocka_unit_test(smaller_reservations_are_taken_down_to_4_gib),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
