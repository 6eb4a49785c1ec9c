/* The queue: order over growth and wrap-around, memory given back, no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka.h needs the four above first. */
#include <cmocka.h>

#include "fake_runtime.h"
#include "guard/queue.h"

static int reset(void **state) {
  (void)state;
  fake_reset();
  return 0;
}

static void push(struct tg_queue *queue, uintptr_t number) {
  assert_true(tg_queue_reserve(queue, &fake_host));
  tg_queue_push(queue, (void *)number);
}

static uintptr_t pop(struct tg_queue *queue) {
  return (uintptr_t)tg_queue_pop(queue, &fake_host);
}

static void keeps_order_while_it_grows_and_wraps(void **state) {
  (void)state;
  struct tg_queue queue = {0};
  uintptr_t in = 0, out = 0;
  for (int round = 0; round < 3000; round++) {
    for (int i = 0; i < 7; i++) push(&queue, in++);
    for (int i = 0; i < 5; i++) assert_int_equal(pop(&queue), out++);
    assert_int_equal(queue.length, in - out);
  }
  while (queue.length != 0) assert_int_equal(pop(&queue), out++);
  assert_int_equal(in, out);
  tg_queue_free(&queue, &fake_host);
}

static void gives_a_bursts_memory_back(void **state) {
  (void)state;
  struct tg_queue queue = {0};
  for (uintptr_t i = 0; i < 100000; i++) push(&queue, i);
  assert_true(queue.capacity >= 100000);
  for (uintptr_t i = 0; i < 100000; i++) assert_int_equal(pop(&queue), i);
  assert_int_equal(queue.capacity, 0);
  assert_null(queue.items);
}

static void keeps_a_small_ring_so_that_steady_use_allocates_nothing(void **state) {
  (void)state;
  struct tg_queue queue = {0};
  push(&queue, 0);
  pop(&queue);
  fake_settings.allocations_left = 0;
  for (uintptr_t i = 0; i < 1000; i++) {
    push(&queue, i);
    assert_int_equal(pop(&queue), i);
  }
  tg_queue_free(&queue, &fake_host);
}

static void without_memory_it_stays_as_it_was(void **state) {
  (void)state;
  struct tg_queue queue = {0};
  for (uintptr_t i = 0; i < TG_QUEUE_CAPACITY_FIRST; i++) push(&queue, i);
  fake_settings.allocations_left = 0;
  assert_false(tg_queue_reserve(&queue, &fake_host));
  assert_int_equal(queue.length, TG_QUEUE_CAPACITY_FIRST);
  for (uintptr_t i = 0; i < TG_QUEUE_CAPACITY_FIRST; i++) assert_int_equal(pop(&queue), i);
  tg_queue_free(&queue, &fake_host);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(keeps_order_while_it_grows_and_wraps, reset),
      cmocka_unit_test_setup(gives_a_bursts_memory_back, reset),
      cmocka_unit_test_setup(keeps_a_small_ring_so_that_steady_use_allocates_nothing, reset),
      cmocka_unit_test_setup(without_memory_it_stays_as_it_was, reset),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
