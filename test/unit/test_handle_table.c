/* The handle table: handles are unforgeable, never reused, rest before their slot is used again. */
#include <pthread.h>
#include <sched.h>
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
    /* As many bits for slots as for all of a handle, halved: docs/design.md has the two ends. */
    unsigned taken = guard->table.index_bits + guard->table.generation_bits + TG_HANDLE_SHIFT;
    assert_int_equal(guard->table.index_bits, taken / 2);
    assert_int_equal(guard->table.free_slots_min, TG_FREE_SLOTS_MIN);
    assert_int_equal(guard->table.abandoned_max, TG_ABANDONED_MAX);
    assert_ptr_equal(guard->table.host, &fake_host);
    fake_guard_close(guard);
  }
}

/* --- The lists. Seen to fail: with each link, count and flag of append, remove_from, abandon and expire left out or
 * turned over (scripts/mutate.sh --random). */

/* The list is these slots in this order, whichever way it is walked. */
static void assert_list(struct tg_table *table, const struct tg_slots *list, const uint32_t *expected,
                        uint32_t count) {
  assert_int_equal(list->count, count);
  uint32_t link = list->oldest;
  for (uint32_t i = 0; i < count; i++) {
    assert_int_equal(link, expected[i] + 1);
    link = tg_table_slot(table, link - 1)->next;
  }
  assert_int_equal(link, 0);
  link = list->newest;
  for (uint32_t i = count; i-- > 0;) {
    assert_int_equal(link, expected[i] + 1);
    link = tg_table_slot(table, link - 1)->previous;
  }
  assert_int_equal(link, 0);
}

static void abandon(struct tg_table *table, struct tg_function *slot) {
  tg_lock_acquire(&slot->lock, TG_RANK_FUNCTION);
  tg_table_abandon(table, slot);
  tg_lock_release(&slot->lock, TG_RANK_FUNCTION);
}

enum { LISTED = 5 };

/* Slots end in any order: every one of five first, then every one of the other four. */
static void any_slot_leaves_the_abandoned_list_and_the_others_stay(void **state) {
  (void)state;
  for (uint32_t first = 0; first < LISTED; first++)
    for (uint32_t second = 0; second < LISTED - 1; second++) {
      struct tg_guard *guard = fake_guard_open(TG_DEADLOCK_OVERFLOW);
      struct tg_table *table = &guard->table;
      napi_threadsafe_function handle;
      uint32_t left[LISTED], gone[2], count = LISTED;
      for (uint32_t i = 0; i < LISTED; i++) {
        abandon(table, take(table, &handle));
        assert_true(tg_table_slot(table, i)->abandoned);
        left[i] = i;
      }
      assert_list(table, &table->abandoned, left, count);
      for (uint32_t step = 0; step < 2; step++) {
        uint32_t at = step == 0 ? first : second;
        gone[step] = left[at];
        memmove(&left[at], &left[at + 1], (--count - at) * sizeof left[0]);
        expire(table, tg_table_slot(table, gone[step]));
        assert_false(tg_table_slot(table, gone[step])->abandoned);
        assert_list(table, &table->abandoned, left, count);
        assert_list(table, &table->free, gone, step + 1);
      }
      fake_guard_close(guard);
    }
}

/* One a take, the oldest; none while there are no more than may be. */
static void too_many_abandoned_slots_are_taken_back_oldest_first(void **state) {
  struct tg_table *table = table_of(state);
  napi_threadsafe_function handle;
  const uint32_t all[] = {0, 1, 2, 3, 4};
  for (uint32_t i = 0; i < LISTED; i++) {
    struct tg_function *slot = take(table, &handle);
    slot->thread_count = i;
    abandon(table, slot);
  }
  table->abandoned_max = LISTED;
  take(table, &handle);
  assert_list(table, &table->abandoned, all, LISTED);
  table->abandoned_max = LISTED - 2;
  for (uint32_t i = 0; i < 4; i++) {
    take(table, &handle);
    uint32_t over = i < 2 ? i + 1 : 2;
    assert_list(table, &table->abandoned, all + over, LISTED - over);
    assert_list(table, &table->free, all, over);
  }
  for (uint32_t i = 0; i < 2; i++) {
    struct tg_function *slot = tg_table_slot(table, i);
    assert_false(slot->abandoned);
    assert_int_equal(slot->state, TG_FREE);
    assert_int_equal(slot->generation, 1);
    assert_int_equal(slot->thread_count, 0);
    assert_int_equal(slot->release_credit, i);
    assert_true(tg_lock_try(&slot->lock));
    tg_lock_release_tried(&slot->lock);
  }
}

/* Its caller will wake in this generation; so the slot waits again, behind the others. */
static void an_abandoned_slot_with_a_sleeper_is_left_alone(void **state) {
  struct tg_table *table = table_of(state);
  napi_threadsafe_function handle;
  struct tg_function *slot = take(table, &handle);
  slot->sleepers = 1;
  abandon(table, slot);
  table->abandoned_max = 0;
  take(table, &handle);
  assert_true(slot->abandoned);
  assert_int_equal(slot->generation, 0);
  assert_int_equal(table->abandoned.count, 1);
  assert_int_equal(table->free.count, 0);
  slot->sleepers = 0;
  take(table, &handle);
  assert_int_equal(slot->generation, 1);
  assert_int_equal(table->abandoned.count, 0);
  assert_int_equal(table->free.count, 1);
}

static void *expire_once_it_was_picked(void *argument) {
  struct tg_table *table = argument;
  struct tg_function *slot = tg_table_slot(table, 0);
  for (uint32_t count = 1; count != 0; sched_yield()) {
    tg_lock_acquire(&table->free_lock, TG_RANK_FREE_SLOTS);
    count = table->abandoned.count;
    tg_lock_release(&table->free_lock, TG_RANK_FREE_SLOTS);
  }
  slot->thread_count = 0;
  tg_table_expire(table, slot);
  tg_lock_release_tried(&slot->lock);
  return NULL;
}

/* It was picked, and before it was locked its last count came back: it is free already, and must not be twice. */
static void a_slot_that_ends_while_it_is_taken_back_ends_once(void **state) {
  struct tg_table *table = table_of(state);
  napi_threadsafe_function handle;
  pthread_t thread;
  struct tg_function *slot = take(table, &handle);
  slot->thread_count = 1;
  abandon(table, slot);
  table->abandoned_max = 0;
  assert_true(tg_lock_try(&slot->lock)); /* for the thread */
  assert_int_equal(pthread_create(&thread, NULL, expire_once_it_was_picked, table), 0);
  take(table, &handle);
  pthread_join(thread, NULL);
  assert_int_equal(slot->generation, 1);
  assert_int_equal(slot->release_credit, 0);
  assert_list(table, &table->free, (const uint32_t[]){0}, 1);
  assert_list(table, &table->abandoned, NULL, 0);
}

static void a_slot_put_back_has_its_handle_still(void **state) {
  struct tg_table *table = table_of(state);
  napi_threadsafe_function first, again;
  table->free_slots_min = 1;
  struct tg_function *slot = tg_table_take(table, &first);
  slot->state = TG_CREATING;
  assert_int_equal(verdict(table, (uintptr_t)first), TG_NEVER_A_HANDLE);
  tg_table_put_back(table, slot);
  assert_list(table, &table->free, (const uint32_t[]){0}, 1);
  assert_ptr_equal(tg_table_take(table, &again), slot);
  assert_ptr_equal(again, first);
  assert_list(table, &table->free, NULL, 0);
}

static void numbers_and_bounds(void **state) {
  struct tg_table *table = table_of(state);
  napi_threadsafe_function handle;
  assert_null(tg_table_slot(table, 0));
  assert_int_equal(tg_table_used(table), 0);
  for (uint32_t i = 0; i <= TG_CHUNK_SLOTS; i++) {
    const struct tg_function *slot = take(table, &handle);
    assert_ptr_equal(slot, tg_table_slot(table, i));
    assert_int_equal(tg_table_used(table), i + 1);
    assert_int_equal(table->taken, i + 1);
    assert_int_equal(tg_table_slot(table, i)->index, i);
    assert_int_equal(tg_table_number_of(table, handle), i);
    assert_ptr_equal(handle, (napi_threadsafe_function)(table->base + (uintptr_t)i * 16));
  }
  assert_non_null(tg_table_slot(table, 2 * TG_CHUNK_SLOTS - 1));
  assert_null(tg_table_slot(table, 2 * TG_CHUNK_SLOTS));
  assert_null(tg_table_slot(table, (1U << table->index_bits) - 1));
  assert_null(tg_table_slot(table, 1U << table->index_bits));
  uintptr_t size = (uintptr_t)table->handles << TG_HANDLE_SHIFT;
  assert_true(tg_table_is_outside(table, (napi_threadsafe_function)(table->base - 1)));
  assert_false(tg_table_is_outside(table, (napi_threadsafe_function)table->base));
  assert_false(tg_table_is_outside(table, (napi_threadsafe_function)(table->base + size - 1)));
  assert_true(tg_table_is_outside(table, (napi_threadsafe_function)(table->base + size)));
  assert_int_equal(verdict(table, table->base + size), TG_NEVER_A_HANDLE);
}

/* Two slots of four generations give eight handles, not one more or less. */
static void the_last_generation_is_used_and_none_after_it(void **state) {
  struct tg_table *table = table_of(state);
  napi_threadsafe_function handle;
  table->index_bits = 1;
  table->generation_bits = 2;
  table->handles = 8;
  table->free_slots_min = 1;
  for (unsigned i = 0; i < 8; i++) {
    assert_false(tg_table_is_used_up(table));
    struct tg_function *slot = take(table, &handle);
    assert_non_null(slot);
    assert_int_equal(slot->generation, i % 4);
    assert_int_equal(tg_table_is_used_up(table), i >= 4); /* the other one is used up, and none is free now */
    expire(table, slot);
  }
  assert_true(tg_table_is_used_up(table));
  assert_int_equal(table->retired, 2);
  assert_list(table, &table->free, NULL, 0);
  assert_null(tg_table_take(table, &handle));
}

enum { CHUNKS_MADE = 8 };

static void *look_into_new_chunks(void *argument) {
  struct tg_table *table = argument;
  for (uint32_t index = TG_CHUNK_SLOTS; index < CHUNKS_MADE * TG_CHUNK_SLOTS; index += TG_CHUNK_SLOTS) {
    while (tg_table_slot(table, index) == NULL) sched_yield();
    assert_int_equal(verdict(table, table->base + ((uintptr_t)index << TG_HANDLE_SHIFT)), TG_NEVER_A_HANDLE);
  }
  return NULL;
}

/* TSan looks on in its build: seen to fail there with a relaxed order in use_fresh or tg_table_slot. */
static void a_new_chunk_is_seen_as_the_kernel_gave_it(void **state) {
  struct tg_table *table = table_of(state);
  napi_threadsafe_function handle;
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, look_into_new_chunks, table), 0);
  for (unsigned i = 0; i < CHUNKS_MADE * TG_CHUNK_SLOTS; i++) assert_non_null(tg_table_take(table, &handle));
  pthread_join(thread, NULL);
}

static void without_memory_for_a_chunk_there_is_no_slot(void **state) {
  struct tg_table *table = table_of(state);
  napi_threadsafe_function handle;
  for (unsigned i = 0; i < TG_CHUNK_SLOTS; i++) assert_non_null(take(table, &handle));
  fake_settings.allocations_left = 0;
  assert_null(tg_table_take(table, &handle));
  assert_int_equal(tg_table_used(table), TG_CHUNK_SLOTS);
  assert_false(tg_table_is_used_up(table));
  fake_settings.allocations_left = 1;
  assert_int_equal(take(table, &handle)->index, TG_CHUNK_SLOTS);
  assert_non_null(take(table, &handle)); /* from the same chunk */
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
      cmocka_unit_test_setup_teardown(any_slot_leaves_the_abandoned_list_and_the_others_stay, open_guard,
                                      close_guard),
      cmocka_unit_test_setup_teardown(too_many_abandoned_slots_are_taken_back_oldest_first, open_guard,
                                      close_guard),
      cmocka_unit_test_setup_teardown(an_abandoned_slot_with_a_sleeper_is_left_alone, open_guard,
                                      close_guard),
      cmocka_unit_test_setup_teardown(a_slot_that_ends_while_it_is_taken_back_ends_once, open_guard,
                                      close_guard),
      cmocka_unit_test_setup_teardown(a_slot_put_back_has_its_handle_still, open_guard, close_guard),
      cmocka_unit_test_setup_teardown(numbers_and_bounds, open_guard, close_guard),
      cmocka_unit_test_setup_teardown(the_last_generation_is_used_and_none_after_it, open_smallest,
                                      close_guard),
      cmocka_unit_test_setup_teardown(a_new_chunk_is_seen_as_the_kernel_gave_it, open_guard, close_guard),
      cmocka_unit_test_setup_teardown(without_memory_for_a_chunk_there_is_no_slot, open_guard, close_guard),
      cmocka_unit_test(smaller_reservations_are_taken_down_to_4_gib),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
