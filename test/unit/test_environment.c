/* Env records: they are found among many, freed with the last reference, and know which addon code
 * was seen.
 *
 * Seen to fail: with a change of each statement, condition and number of environment.c that a test
 * here covers (scripts/mutate.sh --random). */
#include "guard_fixture.h"

enum { CALLS_MAX = 256, ENVS = 150 };

/* The core's calls of the host, in order. */
static struct {
  const void *looked_up[CALLS_MAX];
  const struct tg_addon *left[CALLS_MAX];
  unsigned lookups, leaves, joins;
} calls;

/* Each multiple of 256 is the address of the code of another addon. */
static struct tg_addon pool[CALLS_MAX];

static uintptr_t code_of(const struct tg_addon *addon) {
  return (uintptr_t)(addon - pool) << 8;
}

static struct tg_addon *record_lookup(const void *code) {
  assert_true(calls.lookups < CALLS_MAX);
  calls.looked_up[calls.lookups++] = code;
  return &pool[(uintptr_t)code >> 8];
}

static bool is_in_addon(const struct tg_addon *addon, const void *code) {
  return code_of(addon) == (uintptr_t)code;
}

static void record_join(struct tg_addon *addon, struct tg_addon *other) {
  assert_ptr_not_equal(addon, other);
  calls.joins++;
}

static void record_leave(struct tg_addon *addon) {
  assert_true(calls.leaves < CALLS_MAX);
  calls.left[calls.leaves++] = addon;
}

static struct tg_host host;

static struct recorder open_recorded(void) {
  fake_reset();
  memset(&calls, 0, sizeof calls);
  host = fake_host;
  host.register_addon = record_lookup;
  host.is_in_addon = is_in_addon;
  host.join_addons = record_join;
  host.leave_addon = record_leave;
  struct recorder r = {.guard = fake_guard_open(TG_DEADLOCK_OVERFLOW), .env = fake_env_open()};
  r.guard->host = &host;
  return r;
}

/* `caller` and the two callbacks are code at these addresses. finalize_cb is removed afterwards, so
 * that nothing is called. */
static struct tg_addon *create_from(struct recorder *r, uintptr_t caller, uintptr_t call_js_cb,
                                    uintptr_t finalize_cb) {
  const struct tg_create_arguments arguments = {
      .env = fake_napi_env(r->env),
      .func = (napi_value)(void *)r,
      .initial_thread_count = 1,
      .context = r,
      .thread_finalize_cb = (napi_finalize)finalize_cb,
      .call_js_cb = (napi_threadsafe_function_call_js)call_js_cb,
  };
  assert_int_equal(tg_create(r->guard, &arguments, (const void *)caller, &r->func), napi_ok);
  struct tg_function *function;
  assert_int_equal(tg_table_find(&r->guard->table, r->func, &function), TG_LOOKUP_VALID);
  struct tg_addon *addon = function->addon;
  function->finalize_cb = NULL;
  tg_lock_release(&function->lock, TG_RANK_FUNCTION);
  return addon;
}

static void assert_lookups(const uintptr_t *expected, unsigned count) {
  assert_int_equal(calls.lookups, count);
  for (unsigned i = 0; i < count; i++) assert_int_equal((uintptr_t)calls.looked_up[i], expected[i]);
}

static void each_place_of_code_is_looked_up_once(void **state) {
  (void)state;
  struct recorder r = open_recorded();
  const uintptr_t all[] = {0x100, 0x200, 0x300, 0x400, 0x500, 0x600};
  assert_int_equal(code_of(create_from(&r, 0x100, 0x200, 0x300)), 0x100);
  assert_lookups(all, 3);
  assert_int_equal(code_of(create_from(&r, 0x100, 0x200, 0x300)), 0x100);
  assert_lookups(all, 3);
  assert_int_equal(calls.joins, 2); /* the first object with each of the other two, once each */
  assert_int_equal(code_of(create_from(&r, 0x400, 0x500, 0x600)), 0x400);
  assert_lookups(all, 6);
  /* already known, though as other arguments */
  assert_int_equal(code_of(create_from(&r, 0x200, 0x600, 0x100)), 0x200);
  assert_lookups(all, 6);
  assert_null((void *)create_from(&r, 0, 0x500, 0));
  assert_lookups(all, 6);
  fake_env_close(r.env);
  fake_guard_close(r.guard);
}

/* As many addons are left as the env has places for, in their order. Further addons are looked up
 * again each time. */
static void the_addons_of_an_env_are_left_as_it_ends(void **state) {
  (void)state;
  struct recorder r = open_recorded();
  const uintptr_t beyond = TG_ENVIRONMENT_ADDONS + 1;
  for (uintptr_t i = 1; i <= beyond; i++) create_from(&r, i << 8, 0, 0);
  for (uintptr_t i = 1; i <= TG_ENVIRONMENT_ADDONS; i++) create_from(&r, i << 8, 0, 0);
  assert_int_equal(calls.lookups, beyond);
  create_from(&r, beyond << 8, 0, 0);
  assert_int_equal(calls.lookups, beyond + 1);
  assert_int_equal(calls.leaves, 0);
  fake_env_close(r.env);
  assert_int_equal(calls.leaves, TG_ENVIRONMENT_ADDONS);
  for (uintptr_t i = 0; i < TG_ENVIRONMENT_ADDONS; i++)
    assert_int_equal(code_of(calls.left[i]), (i + 1) << 8);
  fake_guard_close(r.guard);
}

/* After an unload the cache is no longer valid, except for the list of addons that the env will
 * leave. */
static void after_an_unload_everything_is_looked_up_again(void **state) {
  (void)state;
  struct recorder r = open_recorded();
  const uintptr_t all[] = {0x100, 0x200, 0x200, 0x100};
  create_from(&r, 0x100, 0, 0);
  create_from(&r, 0x200, 0, 0);
  fake_unloads++;
  create_from(&r, 0x200, 0, 0);
  create_from(&r, 0x100, 0, 0);
  create_from(&r, 0x200, 0, 0);
  assert_lookups(all, 4);
  fake_unloads++;
  fake_env_close(r.env);
  assert_int_equal(calls.leaves, 2);
  fake_guard_close(r.guard);
}

static unsigned entered;

static void see_env(napi_env env, uint32_t number) {
  assert_non_null(env);
  assert_int_equal(number, ++entered);
}

static atomic_int records;

static void *count_allocate(size_t size) {
  if (size == sizeof(struct tg_environment)) atomic_fetch_add(&records, 1);
  return fake_host.allocate(size);
}

static unsigned releases;

static void count_release(void *memory) {
  fake_host.release(memory);
  releases++;
}

/* There are more envs than lists for them. The envs end in reverse order, in the same order, and in
 * mixed order. */
static void each_env_has_one_record_among_many(void **state) {
  (void)state;
  static struct recorder all[ENVS];
  const struct tg_observer observer = {.env_entered = see_env};
  struct recorder r = open_recorded();
  host.register_addon = fake_host.register_addon;
  host.allocate = count_allocate;
  host.release = count_release;
  r.guard->observer = &observer;
  atomic_store(&records, 0);
  releases = 0;
  entered = 0;
  for (unsigned i = 0; i < ENVS; i++) {
    all[i] = (struct recorder){.guard = r.guard, .env = i == 0 ? r.env : fake_env_open()};
    create_from(&all[i], 0x100, 0, 0);
  }
  assert_int_equal(entered, ENVS);
  for (unsigned i = 0; i < ENVS; i++) create_from(&all[i], 0x100, 0, 0);
  assert_int_equal(atomic_load(&records), ENVS);
  assert_int_equal(entered, ENVS);
  for (unsigned i = 0; i < ENVS; i++) {
    unsigned at = i * 7 % ENVS;
    fake_env_close(all[at].env);
    all[at].env = NULL;
    assert_int_equal(releases, 2 * (i + 1)); /* the records of the env and of its cohort */
    if (i % 10 != 0) continue;
    for (unsigned other = 0; other < ENVS; other++)
      if (all[other].env != NULL) create_from(&all[other], 0x100, 0, 0);
  }
  assert_int_equal(atomic_load(&records), ENVS);
  r.guard->observer = NULL;
  fake_guard_close(r.guard);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_place_of_code_is_looked_up_once),
      cmocka_unit_test(the_addons_of_an_env_are_left_as_it_ends),
      cmocka_unit_test(after_an_unload_everything_is_looked_up_again),
      cmocka_unit_test(each_env_has_one_record_among_many),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
