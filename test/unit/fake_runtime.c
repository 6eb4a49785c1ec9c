/* Implements the fake runtime. */
#include "fake_runtime.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/addresses.h"
#include "core/closing_notice.h"

enum { ITEMS_A_TURN = 1000 };

struct doorbell {
  pthread_mutex_t mutex;
  struct fake_env *env;
  struct doorbell *next;
  size_t queued;
  size_t thread_count;
  bool closing;
  bool handles_closing;
  atomic_bool gone;    /* its finalizer has run */
  atomic_uint callers; /* threads within its call */
  void *finalize_data;
  napi_finalize finalize_cb;
  void *context;
  napi_threadsafe_function_call_js call_js_cb;
};

struct hook {
  void (*run)(void *);
  void *argument;
  struct hook *next;
};

struct fake_env {
  struct doorbell *doorbells; /* loop thread only, like the hooks */
  struct hook *hooks;
  struct hook *late_hooks; /* added while hooks run: they wait for the finalizers */
  bool runs_hooks;
};

struct fake_settings fake_settings;
atomic_uint fake_events[TG_EVENT_KINDS];
_Atomic uint64_t fake_quantity[TG_EVENT_KINDS];
struct tg_addon fake_addon;
atomic_uint fake_lookups, fake_joined, fake_left;
unsigned long long fake_unloads;
atomic_uint fake_refs, fake_unrefs, fake_rings;

static void demand(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "fake runtime: %s\n", what);
  abort();
}

void fake_reset(void) {
  fake_settings =
      (struct fake_settings){.allocations_left = -1, .reserve_bits_max = TG_SEGMENT_BITS_MAX};
  for (unsigned i = 0; i < TG_EVENT_KINDS; i++) {
    atomic_store(&fake_events[i], 0);
    atomic_store(&fake_quantity[i], 0);
  }
  atomic_store(&fake_addon.threads, 0);
  atomic_store(&fake_addon.unreturned, 0);
  atomic_store(&fake_addon.foreign_users, 0);
  fake_addon.quirks = 0;
  atomic_store(&fake_lookups, 0);
  atomic_store(&fake_joined, 0);
  atomic_store(&fake_left, 0);
  tg_last_use = (struct tg_last_use){0};
  atomic_store(&fake_refs, 0);
  atomic_store(&fake_unrefs, 0);
  atomic_store(&fake_rings, 0);
}

static struct doorbell *use(napi_threadsafe_function func) {
  struct doorbell *doorbell = (struct doorbell *)(void *)func;
  demand(doorbell != NULL && !atomic_load(&doorbell->gone),
         "a doorbell was used after its finalizer");
  pthread_mutex_lock(&doorbell->mutex);
  return doorbell;
}

static napi_status done(struct doorbell *doorbell, napi_status status) {
  pthread_mutex_unlock(&doorbell->mutex);
  return status;
}

static void on_cleanup(void *argument) {
  struct doorbell *doorbell = argument;
  pthread_mutex_lock(&doorbell->mutex);
  doorbell->closing = true;
  doorbell->handles_closing = true;
  pthread_mutex_unlock(&doorbell->mutex);
}

static struct hook **find_hook(struct hook **list, void (*run)(void *), void *argument) {
  for (struct hook **link = list; *link != NULL; link = &(*link)->next)
    if ((*link)->run == run && (*link)->argument == argument) return link;
  return NULL;
}

static napi_status add_hook(napi_env napi_env, void (*run)(void *), void *argument) {
  struct fake_env *env = (struct fake_env *)(void *)napi_env;
  if (fake_settings.refuses_hooks) return napi_generic_failure;
  demand(find_hook(&env->hooks, run, argument) == NULL &&
             find_hook(&env->late_hooks, run, argument) == NULL,
         "a cleanup hook was added twice");
  struct hook **list = env->runs_hooks ? &env->late_hooks : &env->hooks;
  struct hook *hook = calloc(1, sizeof *hook);
  *hook = (struct hook){run, argument, *list};
  *list = hook;
  return napi_ok;
}

static napi_status remove_hook(napi_env napi_env, void (*run)(void *), void *argument) {
  struct fake_env *env = (struct fake_env *)(void *)napi_env;
  struct hook **link = find_hook(&env->hooks, run, argument);
  if (link == NULL) return napi_ok;
  struct hook *hook = *link;
  *link = hook->next;
  free(hook);
  return napi_ok;
}

/* A thread-safe function that the runtime itself serves. The core passes all uses of it through. */
static struct {
  struct doorbell doorbell;
  size_t max_queue_size;
} unguarded = {.doorbell.mutex = PTHREAD_MUTEX_INITIALIZER};

static napi_status create_unguarded(size_t max_queue_size, void *context,
                                    napi_threadsafe_function *result) {
  unguarded.max_queue_size = max_queue_size;
  unguarded.doorbell.context = context;
  unguarded.doorbell.thread_count = 1;
  *result = (napi_threadsafe_function)(void *)&unguarded.doorbell;
  return napi_ok;
}

static napi_status get_context(napi_threadsafe_function func, void **result) {
  struct doorbell *doorbell = use(func);
  *result = doorbell->context;
  return done(doorbell, napi_ok);
}

static napi_status create(napi_env napi_env, napi_value func, napi_value resource, napi_value name,
                          size_t max_queue_size, size_t initial_thread_count, void *finalize_data,
                          napi_finalize finalize_cb, void *context,
                          napi_threadsafe_function_call_js call_js_cb,
                          napi_threadsafe_function *result) {
  (void)func;
  (void)resource;
  (void)name;
  if (fake_settings.refuse_create != napi_ok) return fake_settings.refuse_create;
  if (initial_thread_count == 0 || result == NULL || call_js_cb == NULL) return napi_invalid_arg;
  if (call_js_cb != tg_on_dispatch) return create_unguarded(max_queue_size, context, result);
  demand(max_queue_size == 0 && initial_thread_count == 1, "a doorbell has no limit and one count");
  struct fake_env *env = (struct fake_env *)(void *)napi_env;
  struct doorbell *doorbell = calloc(1, sizeof *doorbell);
  pthread_mutex_init(&doorbell->mutex, NULL);
  doorbell->env = env;
  doorbell->thread_count = 1;
  doorbell->finalize_data = finalize_data;
  doorbell->finalize_cb = finalize_cb;
  doorbell->context = context;
  doorbell->call_js_cb = call_js_cb;
  doorbell->next = env->doorbells;
  env->doorbells = doorbell;
  add_hook(napi_env, on_cleanup, doorbell);
  *result = (napi_threadsafe_function)(void *)doorbell;
  return napi_ok;
}

/* Tests set the event while no other thread rings. */
static void happen_once(void (**event)(void)) {
  void (*now)(void) = *event;
  if (now == NULL) return;
  *event = NULL;
  now();
}

static napi_status ring(napi_threadsafe_function func, void *data,
                        napi_threadsafe_function_call_mode mode) {
  struct doorbell *doorbell = use(func);
  if (doorbell == &unguarded.doorbell)
    return done(doorbell,
                ++doorbell->queued > unguarded.max_queue_size ? napi_queue_full : napi_ok);
  demand(data == NULL && mode == napi_tsfn_nonblocking, "a doorbell is only rung");
  if (fake_settings.refuse_ring != napi_ok) return done(doorbell, fake_settings.refuse_ring);
  if (doorbell->closing) {
    if (doorbell->thread_count == 0) return done(doorbell, napi_invalid_arg);
    doorbell->thread_count--;
    return done(doorbell, napi_closing);
  }
  if (fake_settings.forgets_next)
    fake_settings.forgets_next = false; /* set by tests of one thread only */
  else
    doorbell->queued++;
  atomic_fetch_add(&fake_rings, 1);
  return done(doorbell, napi_ok);
}

static napi_status call(napi_threadsafe_function func, void *data,
                        napi_threadsafe_function_call_mode mode) {
  struct doorbell *doorbell = (struct doorbell *)(void *)func;
  atomic_fetch_add(&doorbell->callers, 1);
  happen_once(&fake_settings.before_ring);
  napi_status answer = ring(func, data, mode);
  happen_once(&fake_settings.after_ring);
  atomic_fetch_sub(&doorbell->callers, 1);
  return answer;
}

static napi_status acquire(napi_threadsafe_function func) {
  struct doorbell *doorbell = use(func);
  if (doorbell->closing) return done(doorbell, napi_closing);
  doorbell->thread_count++;
  demand(doorbell->thread_count == 1 || doorbell == &unguarded.doorbell,
         "a doorbell's count is 0 or 1");
  return done(doorbell, napi_ok);
}

static napi_status release(napi_threadsafe_function func,
                           napi_threadsafe_function_release_mode mode) {
  struct doorbell *doorbell = use(func);
  /* When the env ends, the ring of another thread may already have taken the count. */
  if (doorbell->thread_count == 0 && doorbell->handles_closing)
    return done(doorbell, napi_invalid_arg);
  demand(doorbell->thread_count == 1 || doorbell == &unguarded.doorbell,
         "a doorbell was released that was not held");
  doorbell->thread_count--;
  if (mode == napi_tsfn_abort) doorbell->closing = true;
  return done(doorbell, napi_ok);
}

static napi_status count_ref(napi_env env, napi_threadsafe_function func) {
  (void)env;
  atomic_fetch_add(&fake_refs, 1);
  return done(use(func), napi_ok);
}

static napi_status count_unref(napi_env env, napi_threadsafe_function func) {
  (void)env;
  atomic_fetch_add(&fake_unrefs, 1);
  return done(use(func), napi_ok);
}

static void copy_string(napi_env env, napi_value value, char *buffer, size_t size) {
  (void)env;
  snprintf(buffer, size, "%s", (const char *)(void *)value);
}

static void call_js_default(napi_env env, napi_value js_callback, void *context, void *data) {
  (void)env;
  (void)js_callback;
  (void)context;
  (void)data;
}

static bool call_js(napi_env env, napi_value js_callback, void *context, void *data,
                    napi_threadsafe_function_call_js call_js_cb, napi_env owner) {
  (void)owner;
  call_js_cb(env, js_callback, context, data);
  return !fake_settings.throws;
}

static bool keeps_closed(void) {
  return fake_settings.keeps_closed;
}

static bool can_terminate(void) {
  return true;
}

const struct tg_runtime fake_runtime = {
    .create = create,
    .get_context = get_context,
    .call = call,
    .acquire = acquire,
    .release = release,
    .ref = count_ref,
    .unref = count_unref,
    .add_env_cleanup_hook = add_hook,
    .remove_env_cleanup_hook = remove_hook,
    .copy_string = copy_string,
    .call_js_default = call_js_default,
    .call_js = call_js,
    .keeps_closed_functions = keeps_closed,
    .can_terminate = can_terminate,
};

static void *allocate(size_t size) {
  if (fake_settings.allocations_left == 0) return NULL;
  if (fake_settings.allocations_left > 0) fake_settings.allocations_left--;
  return malloc(size);
}

static void *map(size_t size) {
  if (fake_settings.allocations_left == 0) return NULL;
  if (fake_settings.allocations_left > 0) fake_settings.allocations_left--;
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

static void unmap(void *memory, size_t size) {
  munmap(memory, size);
}

static void *reserve(size_t size) {
  if (size > (size_t)1 << fake_settings.reserve_bits_max) return NULL;
  return tg_reserve_below(TG_ADDRESS_LIMIT, size);
}

/* All code below FAR_CODE belongs to `fake_addon`, except code at odd addresses, which belongs to
 * no object. All code from FAR_CODE on belongs to `far_addon`: this is the tests' own code, which
 * may be anywhere. */
static struct tg_addon far_addon;
enum { FAR_CODE = 0x100000 };

static struct tg_addon *addon_at(const void *code) {
  if ((uintptr_t)code >= FAR_CODE) return &far_addon;
  return ((uintptr_t)code & 1) == 0 ? &fake_addon : NULL;
}

static struct tg_addon *register_addon(const void *code) {
  atomic_fetch_add(&fake_lookups, 1);
  return addon_at(code);
}

static bool is_in_addon(const struct tg_addon *addon, const void *code) {
  return addon == addon_at(code);
}

static void join_addons(struct tg_addon *addon, struct tg_addon *other) {
  demand(addon != other, "an addon is joined with itself");
  atomic_fetch_add(&fake_joined, 1);
}

static unsigned long long count_unloads(void) {
  return fake_unloads;
}

static void leave_addon(struct tg_addon *addon) {
  if (addon == &fake_addon) atomic_fetch_add(&fake_left, 1);
}

static void record_thread(struct tg_addon *addon) {
  atomic_fetch_add(&addon->threads, 1);
}

static void on_event(const struct tg_event *event) {
  atomic_store(&fake_quantity[event->kind], event->quantity);
  atomic_fetch_add(&fake_events[event->kind], 1);
}

const struct tg_host fake_host = {
    .allocate = allocate,
    .release = free,
    .map = map,
    .reserve = reserve,
    .unmap = unmap,
    .register_addon = register_addon,
    .is_in_addon = is_in_addon,
    .join_addons = join_addons,
    .count_unloads = count_unloads,
    .leave_addon = leave_addon,
    .record_thread = record_thread,
    .on_event = on_event,
};

struct tg_guard *fake_guard_open(enum tg_deadlock deadlock) {
  struct tg_guard *guard = calloc(1, sizeof *guard);
  /* The kernel may reuse addresses of the last test, so handles of this guard may be equal to
   * handles of that test. This makes the thread forget those. */
  for (uintptr_t forgotten = 1; forgotten <= TG_CLOSING_NOTICES; forgotten++)
    tg_record_closing_notice((napi_threadsafe_function)forgotten);
  const struct tg_guard_options options = {.deadlock = deadlock, .queue_warn = SIZE_MAX};
  demand(tg_guard_open(guard, &fake_runtime, &fake_host, &options), "no address space");
  atomic_store(&guard->reports_hooks, true); /* as in Node */
  return guard;
}

void fake_guard_shrink(struct tg_guard *guard, unsigned index_bits, unsigned generation_bits) {
  struct tg_segment *segment = &guard->table.segments[0];
  segment->index_bits = index_bits;
  segment->handles = (uint64_t)1 << (index_bits + generation_bits);
  fake_settings.reserve_bits_max = 0;
}

void fake_guard_close(struct tg_guard *guard) {
  for (uint32_t i = 0; i < tg_table_used(&guard->table); i++) {
    struct tg_function *function = tg_table_slot(&guard->table, i);
    if (function->cohort != NULL && function->finalized) tg_cohort_leave(function->cohort);
  }
  /* The first segment may have been shrunk. */
  guard->table.segments[0].handles = (uint64_t)1 << (TG_SEGMENT_BITS_MIN - TG_HANDLE_SHIFT);
  tg_guard_close(guard);
  free(guard);
}

struct fake_env *fake_env_open(void) {
  return calloc(1, sizeof(struct fake_env));
}

napi_env fake_napi_env(struct fake_env *env) {
  return (napi_env)(void *)env;
}

unsigned fake_env_live(struct fake_env *env) {
  unsigned live = 0;
  for (struct doorbell *doorbell = env->doorbells; doorbell != NULL; doorbell = doorbell->next)
    if (!doorbell->gone) live++;
  return live;
}

/* One step of Node's DispatchOne. Returns true if it has to look again. */
static bool dispatch_one(struct doorbell *doorbell) {
  pthread_mutex_lock(&doorbell->mutex);
  bool popped = false;
  if (!doorbell->closing) {
    if (doorbell->queued > 0) {
      doorbell->queued--;
      popped = true;
    }
    if (doorbell->queued == 0 && doorbell->thread_count == 0) doorbell->closing = true;
  }
  if (doorbell->closing) doorbell->handles_closing = true;
  pthread_mutex_unlock(&doorbell->mutex);
  if (popped)
    doorbell->call_js_cb(fake_napi_env(doorbell->env), (napi_value)(void *)doorbell,
                         doorbell->context, NULL);
  return popped;
}

static void drain(struct doorbell *doorbell) {
  for (; doorbell->queued > 0; doorbell->queued--)
    doorbell->call_js_cb(NULL, NULL, doorbell->context, NULL);
}

static void finalize(struct doorbell *doorbell) {
  if (!fake_settings.finalizes_first) drain(doorbell);
  doorbell->finalize_cb(fake_napi_env(doorbell->env), doorbell->finalize_data, doorbell->context);
  demand(atomic_load(&doorbell->callers) == 0, "a finalizer was over while a thread was in a call");
  atomic_store(&doorbell->gone, true); /* Node deletes it here */
  if (fake_settings.finalizes_first) drain(doorbell);
  remove_hook(fake_napi_env(doorbell->env), on_cleanup, doorbell);
}

static void run_closing_phase(struct fake_env *env) {
  for (struct doorbell *doorbell = env->doorbells; doorbell != NULL; doorbell = doorbell->next)
    if (doorbell->handles_closing && !doorbell->gone) finalize(doorbell);
}

void fake_env_turn(struct fake_env *env) {
  for (struct doorbell *doorbell = env->doorbells; doorbell != NULL; doorbell = doorbell->next)
    for (int i = 0; i < ITEMS_A_TURN && !doorbell->gone && dispatch_one(doorbell); i++) {
    }
  run_closing_phase(env);
}

/* Node's RunCleanup. */
void fake_env_close(struct fake_env *env) {
  do {
    env->runs_hooks = true;
    while (env->hooks != NULL) {
      struct hook *hook = env->hooks;
      hook->run(hook->argument);
      remove_hook(fake_napi_env(env), hook->run, hook->argument);
    }
    env->runs_hooks = false;
    run_closing_phase(env);
    if (fake_settings.after_finalizers != NULL) fake_settings.after_finalizers();
    env->hooks = env->late_hooks;
    env->late_hooks = NULL;
  } while (env->hooks != NULL);
  while (env->doorbells != NULL) {
    struct doorbell *doorbell = env->doorbells;
    demand(doorbell->gone, "a doorbell outlived its env");
    env->doorbells = doorbell->next;
    pthread_mutex_destroy(&doorbell->mutex);
    free(doorbell);
  }
  free(env);
}
