/* What the tests of the whole core share: a guard, an env, and an addon that records what its
 * callbacks get. */
#ifndef TEST_GUARD_FIXTURE_H
#define TEST_GUARD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the four above first. */
#include <cmocka.h>

#include "fake_runtime.h"

#define CALLER ((const void *)0x1000)

enum { LOG_MAX = 64 };

/* An addon whose callbacks record what they get. It is also the context of its TSFN. Only the loop
 * thread writes it. */
struct recorder {
  struct tg_guard *guard;
  struct fake_env *env;
  napi_threadsafe_function func;
  void *items[LOG_MAX]; /* the first ones */
  unsigned live, drained, finalized;
  unsigned drained_after_finalize;
  const char *name;                                                     /* NULL: "recorder" */
  void (*on_item)(struct recorder *recorder, napi_env env, void *item); /* NULL: none */
  void (*on_finalize)(struct recorder *recorder);                       /* NULL: none */
  napi_threadsafe_function_call_js call_js_cb;                          /* NULL: record_call */
};

static inline void record_call(napi_env env, napi_value js_callback, void *context, void *data) {
  (void)js_callback;
  struct recorder *recorder = context;
  if (recorder->live + recorder->drained < LOG_MAX)
    recorder->items[recorder->live + recorder->drained] = data;
  if (env != NULL)
    recorder->live++;
  else
    recorder->drained++;
  if (recorder->finalized != 0) recorder->drained_after_finalize++;
  if (recorder->on_item != NULL) recorder->on_item(recorder, env, data);
}

static inline void record_finalize(napi_env env, void *data, void *hint) {
  (void)env;
  struct recorder *recorder = data;
  assert_ptr_equal(hint, recorder);
  if (recorder->on_finalize != NULL) recorder->on_finalize(recorder);
  recorder->finalized++;
}

static inline napi_status create_with(struct recorder *recorder, size_t max_queue_size,
                                      size_t thread_count) {
  const struct tg_create_arguments arguments = {
      .env = fake_napi_env(recorder->env),
      .async_resource_name =
          (napi_value)(void *)(recorder->name != NULL ? recorder->name : "recorder"),
      .max_queue_size = max_queue_size,
      .initial_thread_count = thread_count,
      .thread_finalize_data = recorder,
      .thread_finalize_cb = record_finalize,
      .context = recorder,
      .call_js_cb = recorder->call_js_cb != NULL ? recorder->call_js_cb : record_call,
  };
  return tg_create(recorder->guard, &arguments, CALLER, &recorder->func);
}

static inline void open_recorder(struct recorder *recorder, size_t max_queue_size,
                                 size_t thread_count) {
  fake_reset();
  *recorder =
      (struct recorder){.guard = fake_guard_open(TG_DEADLOCK_OVERFLOW), .env = fake_env_open()};
  assert_int_equal(create_with(recorder, max_queue_size, thread_count), napi_ok);
}

static inline void close_recorder(struct recorder *recorder) {
  if (recorder->env != NULL) fake_env_close(recorder->env);
  fake_guard_close(recorder->guard);
}

static inline napi_status call(struct recorder *recorder, uintptr_t item) {
  return tg_call(recorder->guard, recorder->func, CALLER, (void *)item, napi_tsfn_nonblocking);
}

static inline napi_status call_blocking(struct recorder *recorder, uintptr_t item) {
  return tg_call(recorder->guard, recorder->func, CALLER, (void *)item, napi_tsfn_blocking);
}

static inline napi_status acquire(struct recorder *recorder) {
  return tg_acquire(recorder->guard, recorder->func, CALLER);
}

static inline napi_status release(struct recorder *recorder) {
  return tg_release(recorder->guard, recorder->func, CALLER, napi_tsfn_release);
}

static inline napi_status abort_it(struct recorder *recorder) {
  return tg_release(recorder->guard, recorder->func, CALLER, napi_tsfn_abort);
}

static inline napi_status get_context(struct recorder *recorder, void **context) {
  return tg_get_context(recorder->guard, recorder->func, CALLER, context);
}

#endif
