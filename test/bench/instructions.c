/* Counts the core's instructions under callgrind, with the fake runtime. instructions.sh prints
 * them, and compares them with earlier counts.
 *
 * The figures are those of the core alone. Therefore the runtime's call, acquire and release do
 * nothing here and return at once. Without valgrind this program only runs the operations. */
#include <stdio.h>
#include <stdlib.h>
#include <valgrind/callgrind.h>

#include "../unit/fake_runtime.h"

enum { TIMES = 1000 };

#define CALLER ((const void *)0x1000)

static struct tg_guard *guard;
static struct tg_function *slot;
static napi_env napi;
static struct fake_env *env;
static napi_threadsafe_function function;

static napi_status answer_call(napi_threadsafe_function func, void *data,
                               napi_threadsafe_function_call_mode mode) {
  (void)func;
  (void)data;
  (void)mode;
  return napi_ok;
}

static napi_status answer_acquire(napi_threadsafe_function func) {
  (void)func;
  return napi_ok;
}

static napi_status answer_release(napi_threadsafe_function func,
                                  napi_threadsafe_function_release_mode mode) {
  (void)func;
  (void)mode;
  return napi_ok;
}

/* This is the answer on the main thread. */
static bool is_never_ended(void) {
  return false;
}

static void must(napi_status status) {
  if (status != napi_ok) abort();
}

static void ignore(napi_env napi_env, napi_value js_callback, void *context, void *data) {
  (void)napi_env;
  (void)js_callback;
  (void)context;
  (void)data;
}

static void call(void) {
  must(tg_call(guard, function, CALLER, NULL, napi_tsfn_nonblocking));
}

static void dispatch(void) {
  tg_on_dispatch(napi, NULL, slot, NULL);
}

static void call_and_dispatch(void) {
  call();
  dispatch();
}

static void acquire_and_release(void) {
  must(tg_acquire(guard, function, CALLER));
  must(tg_release(guard, function, CALLER, napi_tsfn_release));
}

static void get_context(void) {
  void *context;
  must(tg_get_context(guard, function, CALLER, &context));
}

static void call_a_stranger(void) {
  if (tg_call(guard, NULL, CALLER, NULL, napi_tsfn_nonblocking) != napi_invalid_arg) abort();
}

static napi_threadsafe_function create(void) {
  const struct tg_create_arguments arguments = {.env = fake_napi_env(env),
                                                .async_resource_name = (napi_value)(void *)"bench",
                                                .initial_thread_count = 1,
                                                .call_js_cb = ignore};
  napi_threadsafe_function result;
  must(tg_create(guard, &arguments, CALLER, &result));
  return result;
}

/* The first operation is not counted, because it also does what is done only once. */
static void count(const char *name, void (*operation)(void)) {
  operation();
  CALLGRIND_ZERO_STATS;
  for (int i = 0; i < TIMES; i++) operation();
  CALLGRIND_DUMP_STATS_AT(name);
}

int main(void) {
  fake_reset();
  struct tg_runtime runtime = fake_runtime;
  runtime.call = answer_call;
  runtime.acquire = answer_acquire;
  runtime.release = answer_release;
  runtime.can_terminate = is_never_ended;
  guard = fake_guard_open(TG_DEADLOCK_OVERFLOW);
  guard->runtime = &runtime;
  env = fake_env_open();
  function = create();
  slot = tg_table_slot(&guard->table, 0);
  napi = fake_napi_env(env);
  slot->used_off_loop = true; /* as after a producer's first call */

  count("call, others wait", call);
  count("dispatch, others wait", dispatch);
  while (tg_queue_length(&slot->queue) != 0) dispatch();
  count("call + dispatch of a single item", call_and_dispatch);
  count("acquire + release", acquire_and_release);
  count("get_context", get_context);
  count("call with NULL", call_a_stranger);
  return 0;
}
