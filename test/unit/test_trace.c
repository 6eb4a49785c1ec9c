/* What the traces and the stacks keep in a process that runs for a long time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka.h needs the four at the top first. */
#include <cmocka.h>

#include "diag/stacks.h"
#include "diag/trace.h"

enum { ENVS = 100000, STACKS = 2 * TG_STACKS_MAX, FILE_START = 0x10000 };

static int64_t worker;

static int64_t worker_id(napi_env env) {
  (void)env;
  return worker;
}

/* Each addon in each worker has an env of its own, and all of them are numbered. The place of an
 * env's record is its number modulo the number of places, so the numbers of later envs lead to the
 * place of the main thread's env too. */
static void test_main_thread_stays_known(void **state) {
  (void)state;
  const struct tg_trace_options options = {.diagnose = true, .worker_id = worker_id};
  const struct tg_observer *observer = tg_trace_open(&options);
  struct tg_env_snapshot snapshot;
  worker = 0;
  observer->env_entered(NULL, 1);
  worker = 7;
  for (uint32_t number = 2; number <= ENVS; number++) observer->env_entered(NULL, number);
  assert_true(tg_trace_env(1, &snapshot));
  assert_int_equal(snapshot.worker, 0);
  assert_true(tg_trace_env(ENVS, &snapshot));
  assert_int_equal(snapshot.worker, 7);
  worker = 0;
  observer->env_entered(NULL, ENVS + 1);
  assert_true(tg_trace_env(ENVS + 1, &snapshot));
}

static const char *file_there = "/app/x.node";
static unsigned long long unloads;

static unsigned long long count_unloads(void) {
  return unloads;
}

/* There is one file, which begins at FILE_START. Code at lower addresses belongs to V8. */
static bool locate(const void *code, struct tg_place *place) {
  if ((uintptr_t)code < FILE_START) return false;
  strcpy(place->file, file_there);
  place->offset = (uintptr_t)code - FILE_START;
  return true;
}

static struct tg_stack stack_of(uintptr_t inner, uintptr_t outer) {
  return (struct tg_stack){.depth = 2, .frames = {(const void *)inner, (const void *)outer}};
}

static void test_code_of_no_file_uses_no_places(void **state) {
  (void)state;
  uint64_t offset = 0;
  tg_stacks_open(2, locate, count_unloads);
  struct tg_stack stack = stack_of(FILE_START + 1, 1);
  uint32_t first = tg_stack_keep(&stack);
  assert_int_equal(tg_stack_depth(first), 1);
  for (uintptr_t other = 2; other < STACKS; other++) {
    stack = stack_of(FILE_START + 1, other);
    assert_int_equal(tg_stack_keep(&stack), first);
  }
  stack = stack_of(1, 2);
  assert_int_equal(tg_stack_keep(&stack), 0);
  stack = stack_of(FILE_START + 1, FILE_START + 2);
  uint32_t second = tg_stack_keep(&stack);
  assert_int_equal(tg_stack_depth(second), 2);
  assert_string_equal(tg_stack_frame(second, 1, &offset), "/app/x.node");
  assert_int_equal(offset, 2);
}

/* Seen to fail: if stacks are found by their addresses alone. */
static void test_an_address_means_another_file_once_one_was_unloaded(void **state) {
  (void)state;
  uint64_t offset = 0;
  tg_stacks_open(2, locate, count_unloads);
  struct tg_stack stack = stack_of(FILE_START + 3, FILE_START + 4);
  uint32_t first = tg_stack_keep(&stack);
  unloads++;
  /* Another object was unloaded, so these addresses still mean the same. */
  assert_int_equal(tg_stack_keep(&stack), first);
  unloads++;
  file_there = "/app/y.node";
  uint32_t second = tg_stack_keep(&stack);
  assert_string_equal(tg_stack_frame(first, 0, &offset), "/app/x.node");
  assert_string_equal(tg_stack_frame(second, 0, &offset), "/app/y.node");
  assert_int_equal(tg_stack_keep(&stack), second);
  file_there = "/app/x.node";
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_main_thread_stays_known),
      cmocka_unit_test(test_code_of_no_file_uses_no_places),
      cmocka_unit_test(test_an_address_means_another_file_once_one_was_unloaded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
