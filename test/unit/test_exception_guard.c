/* The exception guard around call_js_cb. The exceptions are thrown by hand: the tests do in C what
 * a C++ runtime does, so that they run wherever the unit tests run.
 * test/bats/runtime/exceptions.bats has real exceptions. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>
/* cmocka.h needs the above first. */
#include <cmocka.h>

#include "preload/exception_guard.h"

#define OVER ((napi_env)(void *)0x1000)
#define ALIVE ((napi_env)(void *)0x2000)

static unsigned asked, destroyed, returned;
static _Unwind_Reason_Code reason_given;

static bool is_over(napi_env env) {
  asked++;
  assert_true(env == OVER || env == ALIVE);
  return env == OVER;
}

/* Everything in the section of this name counts as code of the runtime. */
#define PRETENDED_RUNTIME __attribute__((noinline, section("pretended_runtime")))
extern const char __start_pretended_runtime[], __stop_pretended_runtime[];

static bool is_runtime_code(const void *code) {
  return (const char *)code >= __start_pretended_runtime &&
         (const char *)code < __stop_pretended_runtime;
}

static void destroy(_Unwind_Reason_Code reason, struct _Unwind_Exception *exception) {
  (void)exception;
  destroyed++;
  reason_given = reason;
}

static int prepare(void **state) {
  static const struct tg_exception_guard_questions questions = {is_over, is_runtime_code};
  (void)state;
  tg_exception_guard_open(&questions);
  asked = destroyed = returned = 0;
  return 0;
}

static struct _Unwind_Exception exception_of(const char class_name[8]) {
  struct _Unwind_Exception exception = {.exception_cleanup = destroy};
  for (unsigned i = 0; i < 8; i++)
    exception.exception_class = exception.exception_class << 8 | (unsigned char)class_name[i];
  return exception;
}

/* If no frame catches, _Unwind_RaiseException returns (on arm64 with garbage as its result), and a
 * C++ runtime calls std::terminate. */
static void throw_it(napi_env env, napi_value js_callback, void *context, void *data) {
  (void)env;
  (void)js_callback;
  (void)context;
  _Unwind_RaiseException(data);
  returned++;
}

static void expect_caught(const char class_name[8]) {
  struct _Unwind_Exception exception = exception_of(class_name);
  prepare(NULL);
  assert_false(tg_exception_guard_call_js(NULL, NULL, NULL, &exception, throw_it, OVER));
  assert_int_equal(asked, 1);
  assert_int_equal(returned, 0);
  assert_int_equal(destroyed, 1);
  assert_int_equal(reason_given, _URC_FOREIGN_EXCEPTION_CAUGHT);
}

static void expect_passed(const char class_name[8], napi_env owner) {
  struct _Unwind_Exception exception = exception_of(class_name);
  prepare(NULL);
  assert_true(tg_exception_guard_call_js(NULL, NULL, NULL, &exception, throw_it, owner));
  assert_int_equal(returned, 1);
  assert_int_equal(destroyed, 0);
}

static void cxx_exceptions_are_caught_where_javascript_is_over(void **state) {
  (void)state;
  expect_caught("GNUCC++\0");
  expect_caught("GNUCC++\1"); /* thrown once more, by std::rethrow_exception */
  expect_caught("CLNGC++\0");
}

static void elsewhere_they_pass(void **state) {
  (void)state;
  expect_passed("GNUCC++\0", ALIVE);
  assert_int_equal(asked, 1);
}

static void what_is_not_cxx_passes(void **state) {
  (void)state;
  expect_passed("MOZ\0RUST", OVER);
  expect_passed("GNUCC+-\0", OVER);
  assert_int_equal(asked, 0);
}

static void call_directly(napi_env env, napi_value js_callback, void *context, void *data) {
  assert_ptr_equal(env, OVER);
  assert_ptr_equal(js_callback, (void *)0x3000);
  assert_ptr_equal(context, (void *)0x4000);
  *(unsigned *)data += 1;
}

static void arguments_arrive(void **state) {
  unsigned calls = 0;
  (void)state;
  assert_true(tg_exception_guard_call_js(OVER, (napi_value)(void *)0x3000, (void *)0x4000, &calls,
                                         call_directly, ALIVE));
  assert_int_equal(calls, 1);
  assert_int_equal(asked, 0);
}

static void throw_through_another(napi_env env, napi_value js_callback, void *context, void *data) {
  (void)js_callback;
  (void)context;
  tg_exception_guard_call_js(env, NULL, NULL, data, throw_it, ALIVE);
  returned++;
}

/* Each frame keeps its own env in a register, which the frames in between use for something
 * else. */
static void the_frame_whose_env_is_over_catches(void **state) {
  (void)state;
  struct _Unwind_Exception exception = exception_of("GNUCC++\0");
  assert_false(
      tg_exception_guard_call_js(NULL, NULL, NULL, &exception, throw_through_another, OVER));
  assert_int_equal(asked, 2);
  assert_int_equal(returned, 0);
  assert_int_equal(destroyed, 1);
}

PRETENDED_RUNTIME static void throw_within_runtime(napi_env env, napi_value js_callback,
                                                   void *context, void *data) {
  throw_it(env, js_callback, context, data);
}

static void throw_beyond_runtime(napi_env env, napi_value js_callback, void *context, void *data) {
  throw_within_runtime(env, js_callback, context, data);
}

static void what_has_passed_the_runtimes_frames_is_not_caught(void **state) {
  (void)state;
  struct _Unwind_Exception exception = exception_of("GNUCC++\0");
  assert_true(tg_exception_guard_call_js(NULL, NULL, NULL, &exception, throw_beyond_runtime, OVER));
  assert_int_equal(returned, 1);
  assert_int_equal(destroyed, 0);
}

static void one_without_a_destructor_is_caught(void **state) {
  (void)state;
  struct _Unwind_Exception exception = exception_of("GNUCC++\0");
  exception.exception_cleanup = NULL;
  assert_false(tg_exception_guard_call_js(NULL, NULL, NULL, &exception, throw_it, OVER));
}

/* More values than there are registers that a callee must keep. */
__attribute__((noinline)) static uint64_t sum_with_throws(const uint64_t *seeds) {
  uint64_t a = seeds[0], b = seeds[1], c = seeds[2], d = seeds[3], e = seeds[4], f = seeds[5],
           g = seeds[6], h = seeds[7], i = seeds[8], j = seeds[9], k = seeds[10], l = seeds[11];
  for (unsigned round = 0; round < 100; round++) {
    struct _Unwind_Exception exception = exception_of("GNUCC++\0");
    if (tg_exception_guard_call_js(NULL, NULL, NULL, &exception, throw_it, OVER)) return 0;
    a += b, b += c, c += d, d += e, e += f, f += g, g += h, h += i, i += j, j += k, k += l, l += a;
  }
  return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ i ^ j ^ k ^ l;
}

static uint64_t sum_without(const uint64_t *seeds) {
  uint64_t values[12];
  memcpy(values, seeds, sizeof values);
  for (unsigned round = 0; round < 100; round++)
    for (unsigned i = 0; i < 12; i++) values[i] += values[(i + 1) % 12];
  uint64_t sum = 0;
  for (unsigned i = 0; i < 12; i++) sum ^= values[i];
  return sum;
}

static void callers_keep_their_registers(void **state) {
  (void)state;
  static const uint64_t seeds[12] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8};
  assert_int_equal(sum_with_throws(seeds), sum_without(seeds));
  assert_int_equal(destroyed, 100);
}

static void end_thread(napi_env env, napi_value js_callback, void *context, void *data) {
  (void)env;
  (void)js_callback;
  (void)context;
  pthread_exit(data);
}

static void undo(void *argument) {
  *(bool *)argument = true;
}

static void *run_thread(void *undone) {
  pthread_cleanup_push(undo, undone);
  tg_exception_guard_call_js(NULL, NULL, NULL, undone, end_thread, OVER);
  returned++;
  pthread_cleanup_pop(0);
  return NULL;
}

/* pthread_exit and pthread_cancel unwind too, and no frame may catch that. */
static void a_thread_may_end_within(void **state) {
  (void)state;
  pthread_t thread;
  bool undone = false;
  void *result;
  assert_int_equal(pthread_create(&thread, NULL, run_thread, &undone), 0);
  assert_int_equal(pthread_join(thread, &result), 0);
  assert_ptr_equal(result, &undone);
  assert_true(undone);
  assert_int_equal(returned, 0);
  assert_int_equal(asked, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(arguments_arrive, prepare),
      cmocka_unit_test_setup(cxx_exceptions_are_caught_where_javascript_is_over, prepare),
      cmocka_unit_test_setup(elsewhere_they_pass, prepare),
      cmocka_unit_test_setup(what_is_not_cxx_passes, prepare),
      cmocka_unit_test_setup(the_frame_whose_env_is_over_catches, prepare),
      cmocka_unit_test_setup(what_has_passed_the_runtimes_frames_is_not_caught, prepare),
      cmocka_unit_test_setup(one_without_a_destructor_is_caught, prepare),
      cmocka_unit_test_setup(callers_keep_their_registers, prepare),
      cmocka_unit_test_setup(a_thread_may_end_within, prepare),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
