/* The handle table: handles cannot be forged and are never given out twice, and a slot rests before
 * it is reused. */
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

#include "core/handle_table.h"
#include "fake_runtime.h"

static int open_guard(void **state) {
  fake_reset();
  *state = fake_guard_open(TG_DEADLOCK_OVERFLOW);
  return 0;
}

static int open_smallest(void **state) {
  open_guard(state);
  fake_settings.reserve_bits_max = 0;
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

static enum tg_lookup lookup(struct tg_table *table, uintptr_t bits) {
  struct tg_function *slot;
  enum tg_lookup result = tg_table_find(table, (napi_threadsafe_function)bits, &slot);
  if (slot != NULL) tg_lock_release(&slot->lock, TG_RANK_FUNCTION);
  assert_int_equal(slot == NULL, result == TG_LOOKUP_INVALID);
  return result;
}

static void handles_are_aligned_canonical_and_in_the_reservation(void **state) {
  struct tg_table *table = table_of(state);
  napi_threadsafe_function handle;
  for (int i = 0; i < 10000; i++) {
    assert_non_null(take(table, &handle));
    assert_int_equal((uintptr_t)handle % 16, 0);
    assert_true((uintptr_t)handle < (uintptr_t)1 << 47);
    assert_false(tg_table_is_outside(table, handle));
    assert_int_equal(lookup(table, (uintptr_t)handle), TG_LOOKUP_VALID);
  }
}

static void a_handle_is_never_then_valid_then_stale(void **state) {
  struct tg_table *table = table_of(state);
  napi_threadsafe_function first, second;
  table->free_slots_min = 1;
  struct tg_function *slot = take(table, &first);
  uintptr_t next_generation = (uintptr_t)first + ((uintptr_t)16 << table->segments[0].index_bits);
  assert_int_equal(lookup(table, next_generation), TG_LOOKUP_INVALID);
  expire(table, slot);
  assert_int_equal(lookup(table, (uintptr_t)first), TG_LOOKUP_STALE);
  assert_int_equal(lookup(table, next_generation), TG_LOOKUP_INVALID);
  assert_ptr_equal(take(table, &second), slot);
  assert_int_equal((uintptr_t)second, next_generation);
  assert_int_equal(lookup(table, (uintptr_t)first), TG_LOOKUP_REUSED);
  assert_int_equal(lookup(table, (uintptr_t)second), TG_LOOKUP_VALID);
  expire(table, slot);
  assert_int_equal(lookup(table, (uintptr_t)first), TG_LOOKUP_REUSED);
  assert_int_equal(lookup(table, (uintptr_t)second), TG_LOOKUP_STALE);
}

static void garbage_is_never_a_handle(void **state) {
  struct tg_table *table = table_of(state);
  napi_threadsafe_function handle;
  for (int i = 0; i < 3; i++) take(table, &handle);
  uintptr_t base = table->segments[0].base, size = (uintptr_t)1 << TG_SEGMENT_BITS_MIN;
  const uintptr_t garbage[] = {0,
                               1,
                               16,
                               UINTPTR_MAX,
                               UINTPTR_MAX & ~(uintptr_t)15,
                               base - 16,
                               base + size,
                               base + size - 16,
                               (uintptr_t)handle + 1,
                               (uintptr_t)handle + 8,
                               (uintptr_t)handle + 16,
                               (uintptr_t)&handle,
                               (uintptr_t)table};
  for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++)
    assert_int_equal(lookup(table, garbage[i]), TG_LOOKUP_INVALID);
  unsigned short seed[3] = {1, 2, 3};
  for (int i = 0; i < 1000000; i++) {
    uint64_t bits =
        (uint64_t)nrand48(seed) << 33 ^ (uint64_t)nrand48(seed) << 11 ^ (uint64_t)nrand48(seed);
    if (bits - base >= 3 * 16) assert_int_equal(lookup(table, bits), TG_LOOKUP_INVALID);
    uint64_t inside = base + bits % size;
    if (inside - base >= 3 * 16) assert_int_equal(lookup(table, inside), TG_LOOKUP_INVALID);
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

/* --- Growth */

/* A set of handles, with one bit for each address of a segment. */
struct seen {
  uint64_t *bits[TG_SEGMENTS_MAX];
};

static void expect_new(struct seen *seen, const struct tg_table *table,
                       napi_threadsafe_function handle) {
  for (unsigned i = 0; i < tg_table_segments(table); i++) {
    const struct tg_segment *segment = &table->segments[i];
    uint64_t number = ((uintptr_t)handle - segment->base) >> TG_HANDLE_SHIFT;
    if (number >= segment->handles) continue;
    if (seen->bits[i] == NULL) seen->bits[i] = calloc(segment->handles / 64, 8);
    assert_non_null(seen->bits[i]);
    assert_int_equal(seen->bits[i][number / 64] >> number % 64 & 1, 0);
    seen->bits[i][number / 64] |= (uint64_t)1 << number % 64;
    return;
  }
  fail_msg("a handle lies in no segment");
}

static void forget(struct seen *seen) {
  for (unsigned i = 0; i < TG_SEGMENTS_MAX; i++) free(seen->bits[i]);
}

static uint64_t reserved(const struct tg_table *table) {
  uint64_t bytes = 0;
  for (unsigned i = 0; i < tg_table_segments(table); i++)
    bytes += table->segments[i].handles << TG_HANDLE_SHIFT;
  return bytes;
}

static void the_first_reservation_is_small(void **state) {
  assert_int_equal(reserved(table_of(state)), 32 << 20);
}

/* For tests of one thread and millions of handles. Under TSan such a test takes 20 s and can find
 * no race. */
static void skip_under_tsan(void) {
#ifdef __SANITIZE_THREAD__
  skip();
#endif
}

/* The prototype failed here, because it did not consider that a slot may use up its generations.
 * One handle exists at a time. All addresses of a segment are used before another segment is added,
 * except for the last address of each slot that rests. */
static void generations_that_are_used_up_go_on_in_another_segment(void **state) {
  skip_under_tsan();
  struct tg_table *table = table_of(state);
  const uint64_t first = (uint64_t)1 << (TG_SEGMENT_BITS_MIN - TG_HANDLE_SHIFT);
  struct seen seen = {{NULL}};
  napi_threadsafe_function early = NULL, handle = NULL;
  uint64_t grown_at[3] = {0};
  for (uint64_t i = 0; i < 3 * first; i++) {
    struct tg_function *slot = take(table, &handle);
    assert_non_null(slot);
    if (i == 0) early = handle;
    expect_new(&seen, table, handle);
    assert_int_equal(lookup(table, (uintptr_t)handle), TG_LOOKUP_VALID);
    assert_int_equal(tg_table_number_of(table, handle), tg_table_number(slot));
    assert_int_equal(tg_number_generation(tg_table_number(slot)), slot->generation);
    expire(table, slot);
    assert_int_equal(lookup(table, (uintptr_t)handle), TG_LOOKUP_STALE);
    assert_in_range(tg_table_segments(table), 1, 3);
    if (grown_at[tg_table_segments(table) - 1] == 0) grown_at[tg_table_segments(table) - 1] = i;
  }
  assert_in_range(grown_at[1], first - TG_FREE_SLOTS_MIN, first);
  assert_in_range(grown_at[2], 3 * first - TG_FREE_SLOTS_MIN, 3 * first);
  assert_int_equal(table->fresh, 1 << TG_INDEX_BITS_MIN); /* the slots need no more memory */
  assert_int_equal(lookup(table, (uintptr_t)early), TG_LOOKUP_REUSED);
  assert_int_equal(reserved(table), 7 * (first << TG_HANDLE_SHIFT));
  forget(&seen);
}

/* Slots that are new in a later segment begin with its first generation. Their earlier generations
 * have no address, and addresses beyond the used slots were never handles. */
static void more_slots_come_with_another_segment(void **state) {
  struct tg_table *table = table_of(state);
  enum { LIVING = 40000 };
  struct seen seen = {{NULL}};
  static napi_threadsafe_function handles[LIVING];
  static struct tg_function *slots[LIVING];
  for (uint32_t i = 0; i < LIVING; i++) {
    slots[i] = take(table, &handles[i]);
    assert_non_null(slots[i]);
    expect_new(&seen, table, handles[i]);
    assert_int_equal(slots[i]->index, i);
  }
  assert_int_equal(tg_table_segments(table), 4); /* with 8,192, 16,384, 32,768 and 65,536 slots */
  assert_int_equal(slots[8191]->generation, 0);
  assert_int_equal(slots[8192]->generation, table->segments[1].first_generation);
  assert_int_equal(slots[LIVING - 1]->generation, table->segments[3].first_generation);
  for (uint32_t i = 0; i < LIVING; i++) {
    struct tg_function *found;
    assert_int_equal(tg_table_find(table, handles[i], &found), TG_LOOKUP_VALID);
    assert_ptr_equal(found, slots[i]);
    tg_lock_release(&found->lock, TG_RANK_FUNCTION);
    assert_ptr_equal(tg_table_handle(table, slots[i]), handles[i]);
  }
  const struct tg_segment *last = &table->segments[3];
  for (uint64_t number = LIVING; number < last->handles; number += 997)
    assert_int_equal(lookup(table, last->base + (number << TG_HANDLE_SHIFT)), TG_LOOKUP_INVALID);
  for (uint32_t i = 0; i < LIVING; i++) expire(table, slots[i]);
  for (uint32_t i = 0; i < LIVING - TG_FREE_SLOTS_MIN; i++) {
    napi_threadsafe_function handle;
    struct tg_function *slot = take(table, &handle);
    assert_int_equal(slot->index, i); /* the oldest one first */
    expect_new(&seen, table, handle);
    assert_int_equal(lookup(table, (uintptr_t)handles[i]), TG_LOOKUP_REUSED);
  }
  assert_int_equal(tg_table_segments(table), 4);
  forget(&seen);
}

/* If no more address space is available, every handle of the first segment is given out, and none
 * twice. */
static void where_growth_is_refused_every_handle_is_used(void **state) {
  skip_under_tsan();
  struct tg_table *table = table_of(state);
  const uint64_t all = (uint64_t)1 << (TG_SEGMENT_BITS_MIN - TG_HANDLE_SHIFT);
  struct seen seen = {{NULL}};
  napi_threadsafe_function handle;
  for (uint64_t i = 0; i < all; i++) {
    struct tg_function *slot = take(table, &handle);
    assert_non_null(slot);
    expect_new(&seen, table, handle);
    expire(table, slot);
    assert_int_not_equal(lookup(table, (uintptr_t)handle), TG_LOOKUP_VALID);
    assert_int_not_equal(lookup(table, (uintptr_t)handle), TG_LOOKUP_INVALID);
  }
  assert_null(tg_table_take(table, &handle));
  assert_true(tg_table_is_used_up(table));
  assert_int_equal(table->spent.count, 1 << TG_INDEX_BITS_MIN);

  /* A smaller segment is better than none. Not every create asks for address space. */
  fake_settings.reserve_bits_max = TG_SEGMENT_BITS_MIN;
  uint64_t asks_at = table->grows_at;
  assert_in_range(asks_at, table->taken + 1, table->taken + TG_TAKES_BEFORE_RETRY);
  while (table->taken + 1 < asks_at) assert_null(tg_table_take(table, &handle));
  struct tg_function *slot = take(table, &handle);
  assert_non_null(slot);
  expect_new(&seen, table, handle);
  assert_int_equal(table->spent.count, 0);
  assert_int_equal(table->free.count, (1 << TG_INDEX_BITS_MIN) - 1);
  assert_int_equal(reserved(table), 64 << 20);
  forget(&seen);
}

/* "no slot is reused before 4096 are free" (docs/contract.md) means slots that can be used again.
 * Seen to fail (found by the fuzzer): a slot without generations was counted, because it was
 * younger than others and so came after them in the list. Slot 1 was reused although only slots 1
 * and 2 could be used. */
static void a_spent_slot_is_none_that_rests(void **state) {
  struct tg_table *table = table_of(state);
  napi_threadsafe_function handle;
  fake_guard_shrink(*state, 2, 1);
  table->free_slots_min = 3;
  const uint32_t expected[] = {0, 1, 2, 0, 3, 1, 2, 3};
  for (unsigned i = 0; i < 8; i++) {
    struct tg_function *slot = take(table, &handle);
    assert_non_null(slot);
    assert_int_equal(slot->index, expected[i]);
    expire(table, slot);
  }
  assert_int_equal(table->free.count + table->spent.count, 4);
  assert_null(tg_table_take(table, &handle));
}

static void spent_slots_are_reused_before_younger_ones(void **state) {
  struct tg_table *table = table_of(state);
  napi_threadsafe_function handle;
  fake_guard_shrink(*state, 3, 2);
  table->free_slots_min = 3;
  uint32_t last = 0;
  struct tg_function *slot;
  while ((slot = take(table, &handle)) != NULL) {
    last = slot->index;
    expire(table, slot);
  }
  assert_int_equal(table->spent.count, 8);
  uint32_t oldest = table->spent.oldest - 1;
  fake_settings.reserve_bits_max = TG_SEGMENT_BITS_MIN;
  table->grows_at = 0;
  assert_non_null(slot = take(table, &handle));
  assert_int_equal(slot->index, oldest);
  assert_int_equal(table->free.newest - 1, last);
}

static void when_every_slot_is_taken_there_is_no_handle(void **state) {
  struct tg_table *table = table_of(state);
  napi_threadsafe_function handle;
  struct tg_function *last = NULL;
  for (uint32_t i = 0; i < 1 << TG_INDEX_BITS_MIN; i++)
    assert_non_null(last = take(table, &handle));
  assert_null(tg_table_take(table, &handle));
  expire(table, last);
  assert_ptr_equal(tg_table_take(table, &handle), last); /* a few free slots are better than none */
}

static void without_the_first_reservation_there_is_no_guard(void **state) {
  (void)state;
  fake_reset();
  fake_settings.reserve_bits_max = TG_SEGMENT_BITS_MIN - 1;
  struct tg_guard *guard = calloc(1, sizeof *guard);
  const struct tg_guard_options options = {.queue_warn = SIZE_MAX};
  assert_false(tg_guard_open(guard, &fake_runtime, &fake_host, &options));
  free(guard);
}

/* --- The lists. Seen to fail: with each link, count and flag of append_slot, remove_slot,
 * tg_table_abandon and tg_table_expire left out or inverted (scripts/mutate.sh --random). */

/* Expects that the list has these slots in this order, in both directions. */
static void assert_list(struct tg_table *table, const struct tg_slots *list,
                        const uint32_t *expected, uint32_t count) {
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

/* Slots leave the list in any order: any one of five, and then any one of the other four. */
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

/* While there are more abandoned slots than the limit, each take reclaims the oldest one. Otherwise
 * it reclaims none. */
static void too_many_abandoned_slots_are_taken_back_oldest_first(void **state) {
  struct tg_guard *guard = *state;
  struct tg_table *table = &guard->table;
  napi_threadsafe_function handle;
  const uint32_t all[] = {0, 1, 2, 3, 4};
  for (uint32_t i = 0; i < LISTED; i++) {
    struct tg_function *slot = take(table, &handle);
    slot->thread_count = i;
    abandon(table, slot);
  }
  table->abandoned_max = LISTED;
  tg_function_take(guard, &handle);
  assert_list(table, &table->abandoned, all, LISTED);
  table->abandoned_max = LISTED - 2;
  for (uint32_t i = 0; i < 4; i++) {
    tg_function_take(guard, &handle);
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

/* The sleeping caller must wake up in this generation. So the slot is put back into the list, as
 * the newest. */
static void an_abandoned_slot_with_a_waiter_is_left_alone(void **state) {
  struct tg_guard *guard = *state;
  struct tg_table *table = &guard->table;
  napi_threadsafe_function handle;
  struct tg_function *slot = take(table, &handle);
  slot->waiters = 1;
  abandon(table, slot);
  table->abandoned_max = 0;
  tg_function_take(guard, &handle);
  assert_true(slot->abandoned);
  assert_int_equal(slot->generation, 0);
  assert_int_equal(table->abandoned.count, 1);
  assert_int_equal(table->free.count, 0);
  slot->waiters = 0;
  tg_function_take(guard, &handle);
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

/* The slot is chosen for reclaim, but its last count comes back before it is locked. Then it is
 * already free, and must not be freed twice. */
static void a_slot_that_ends_while_it_is_taken_back_ends_once(void **state) {
  struct tg_guard *guard = *state;
  struct tg_table *table = &guard->table;
  napi_threadsafe_function handle;
  pthread_t thread;
  struct tg_function *slot = take(table, &handle);
  slot->thread_count = 1;
  abandon(table, slot);
  table->abandoned_max = 0;
  assert_true(tg_lock_try(&slot->lock)); /* on behalf of the thread, which releases it */
  assert_int_equal(pthread_create(&thread, NULL, expire_once_it_was_picked, table), 0);
  tg_function_take(guard, &handle);
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
  assert_int_equal(lookup(table, (uintptr_t)first), TG_LOOKUP_INVALID);
  tg_table_put_back(table, slot);
  assert_list(table, &table->free, (const uint32_t[]){0}, 1);
  assert_ptr_equal(tg_table_take(table, &again), slot);
  assert_ptr_equal(again, first);
  assert_list(table, &table->free, NULL, 0);
}

static void numbers_and_bounds(void **state) {
  struct tg_table *table = table_of(state);
  const uintptr_t base = table->segments[0].base, size = (uintptr_t)1 << TG_SEGMENT_BITS_MIN;
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
    assert_ptr_equal(handle, (napi_threadsafe_function)(base + (uintptr_t)i * 16));
  }
  assert_non_null(tg_table_slot(table, 2 * TG_CHUNK_SLOTS - 1));
  assert_null(tg_table_slot(table, 2 * TG_CHUNK_SLOTS));
  assert_null(tg_table_slot(table, (1U << TG_INDEX_BITS) - 1));
  assert_null(tg_table_slot(table, 1U << TG_INDEX_BITS));
  assert_true(tg_table_is_outside(table, (napi_threadsafe_function)(base - 1)));
  assert_false(tg_table_is_outside(table, (napi_threadsafe_function)base));
  assert_false(tg_table_is_outside(table, (napi_threadsafe_function)(base + size - 1)));
  assert_true(tg_table_is_outside(table, (napi_threadsafe_function)(base + size)));
  assert_int_equal(lookup(table, base + size), TG_LOOKUP_INVALID);
}

/* Two slots of four generations give exactly eight handles. */
static void the_last_generation_is_used_and_none_after_it(void **state) {
  struct tg_table *table = table_of(state);
  napi_threadsafe_function handle;
  fake_guard_shrink(*state, 1, 2);
  table->free_slots_min = 1;
  for (unsigned i = 0; i < 8; i++) {
    assert_false(tg_table_is_used_up(table));
    struct tg_function *slot = take(table, &handle);
    assert_non_null(slot);
    assert_int_equal(slot->generation, i % 4);
    /* the other slot is used up, so no slot is free now */
    assert_int_equal(tg_table_is_used_up(table), i >= 4);
    expire(table, slot);
  }
  assert_true(tg_table_is_used_up(table));
  assert_int_equal(table->spent.count, 2);
  assert_list(table, &table->free, NULL, 0);
  assert_null(tg_table_take(table, &handle));
}

enum { CHUNKS_MADE = 8 };

static void *look_into_new_chunks(void *argument) {
  struct tg_table *table = argument;
  for (uint32_t index = TG_CHUNK_SLOTS; index < CHUNKS_MADE * TG_CHUNK_SLOTS;
       index += TG_CHUNK_SLOTS) {
    while (tg_table_slot(table, index) == NULL) sched_yield();
    assert_int_equal(lookup(table, table->segments[0].base + ((uintptr_t)index << TG_HANDLE_SHIFT)),
                     TG_LOOKUP_INVALID);
  }
  return NULL;
}

/* The TSan build checks the memory order: seen to fail there with a relaxed order in use_fresh or
 * tg_table_slot. */
static void a_new_chunk_is_seen_as_the_kernel_gave_it(void **state) {
  struct tg_table *table = table_of(state);
  napi_threadsafe_function handle;
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, look_into_new_chunks, table), 0);
  for (unsigned i = 0; i < CHUNKS_MADE * TG_CHUNK_SLOTS; i++)
    assert_non_null(tg_table_take(table, &handle));
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
      cmocka_unit_test_setup_teardown(handles_are_aligned_canonical_and_in_the_reservation,
                                      open_guard, close_guard),
      cmocka_unit_test_setup_teardown(a_handle_is_never_then_valid_then_stale, open_guard,
                                      close_guard),
      cmocka_unit_test_setup_teardown(garbage_is_never_a_handle, open_guard, close_guard),
      cmocka_unit_test_setup_teardown(
          the_oldest_free_slot_is_used_first_and_only_when_thousands_rest, open_guard, close_guard),
      cmocka_unit_test_setup_teardown(the_first_reservation_is_small, open_guard, close_guard),
      cmocka_unit_test_setup_teardown(generations_that_are_used_up_go_on_in_another_segment,
                                      open_guard, close_guard),
      cmocka_unit_test_setup_teardown(more_slots_come_with_another_segment, open_guard,
                                      close_guard),
      cmocka_unit_test_setup_teardown(where_growth_is_refused_every_handle_is_used, open_smallest,
                                      close_guard),
      cmocka_unit_test_setup_teardown(a_spent_slot_is_none_that_rests, open_guard, close_guard),
      cmocka_unit_test_setup_teardown(spent_slots_are_reused_before_younger_ones, open_guard,
                                      close_guard),
      cmocka_unit_test_setup_teardown(when_every_slot_is_taken_there_is_no_handle, open_smallest,
                                      close_guard),
      cmocka_unit_test_setup_teardown(any_slot_leaves_the_abandoned_list_and_the_others_stay,
                                      open_guard, close_guard),
      cmocka_unit_test_setup_teardown(too_many_abandoned_slots_are_taken_back_oldest_first,
                                      open_guard, close_guard),
      cmocka_unit_test_setup_teardown(an_abandoned_slot_with_a_waiter_is_left_alone, open_guard,
                                      close_guard),
      cmocka_unit_test_setup_teardown(a_slot_that_ends_while_it_is_taken_back_ends_once, open_guard,
                                      close_guard),
      cmocka_unit_test_setup_teardown(a_slot_put_back_has_its_handle_still, open_guard,
                                      close_guard),
      cmocka_unit_test_setup_teardown(numbers_and_bounds, open_guard, close_guard),
      cmocka_unit_test_setup_teardown(the_last_generation_is_used_and_none_after_it, open_smallest,
                                      close_guard),
      cmocka_unit_test_setup_teardown(a_new_chunk_is_seen_as_the_kernel_gave_it, open_guard,
                                      close_guard),
      cmocka_unit_test_setup_teardown(without_memory_for_a_chunk_there_is_no_slot, open_guard,
                                      close_guard),
      cmocka_unit_test(without_the_first_reservation_there_is_no_guard),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
