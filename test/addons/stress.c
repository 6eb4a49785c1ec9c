/* The stress test: threads, and every environment's own JavaScript thread, use and misuse 200
 * functions at random, while the environments that own the functions come and go. Every item is
 * accounted for.
 *
 * Exports:
 *   begin(seed, threads, patience)  starts the threads and a watchdog. If one of the threads, or
 *                                   the loop, makes no step for `patience` seconds, the watchdog
 *                                   prints what each of them does and all stacks, and aborts
 *   turn(callback)                  creates functions in vacant places, and does some operations on
 *                                   this thread
 *   abortAll(), unrefAll()          aborts or unrefs this environment's functions
 *   stop(), running()               ends the threads; how many still run
 *   stall()                         this environment's turns no longer count as steps (tests the
 *                                   watchdog)
 *   figures(), faults()             what was done; what went wrong, as an object of counters
 *
 * A place holds a record. A record stands for one function, from its create until it is finalized
 * and no thread is inside an operation on it any more. Then its items must match: as many delivered
 * as accepted, and the same ones. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "addon.h"

enum { PLACES = 200, MAX_THREADS = 64, STALE = 1024, RECORDS_KEPT = 4096, TURN_OPERATIONS = 40 };

struct record {
  napi_threadsafe_function tsfn;
  napi_env env;
  uint32_t serial;
  uint32_t place;
  atomic_uint references; /* one for the function until it is finalized, and one for each user */
  atomic_bool finalized;
  atomic_ulong accepted, accepted_sum;
  atomic_ulong delivered, delivered_sum;
  /* of each thread, the last item that was delivered; loop thread only */
  uint32_t newest_of[MAX_THREADS];
  struct record *next;
};

/* What does operations: a thread, or a JavaScript thread during one turn or callback. */
struct actor {
  uint64_t random;
  napi_env env; /* NULL for a thread */
  uint32_t index;
  uint32_t items;
  atomic_ulong steps;
  _Atomic(const char *) doing;
  pthread_t thread;
};

static struct {
  pthread_mutex_t lock; /* never held around Node-API */
  struct record *record;
  bool taken;
} places[PLACES];

static struct {
  pthread_mutex_t lock;
  struct {
    napi_threadsafe_function tsfn;
    void *context;
  } entries[STALE];
  unsigned long count;
  struct record *oldest, *newest; /* reused after a while, so that a late delivery is noticed */
  unsigned kept;
} gone = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct actor actors[MAX_THREADS];
static unsigned actor_count;
static atomic_uint running;
static atomic_bool stopping, stalled;
static atomic_uint patience;
static atomic_ulong loop_steps;
static atomic_uint serials;
static uint64_t seed;

static struct {
  atomic_ulong operations, created, refused, finalized, accepted, live, drained, turned_away;
} figures;

static struct {
  atomic_ulong unbalanced; /* records whose items do not match at the end */
  atomic_ulong foreign, disordered, late, twice_finalized, wrong_answers;
} faults;

/* --- Small things. */

static uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

static uint64_t draw(struct actor *actor) {
  return mix(actor->random += 0x9e3779b97f4a7c15U);
}

static uint32_t below(struct actor *actor, uint32_t limit) {
  return (uint32_t)(draw(actor) % limit);
}

static struct actor visitor(napi_env env) {
  static atomic_uint visits;
  return (struct actor){
      .random = mix(seed + atomic_fetch_add(&visits, 1)), .env = env, .index = MAX_THREADS};
}

static void expect(bool right) {
  if (!right) atomic_fetch_add(&faults.wrong_answers, 1);
}

static void count(atomic_ulong *counter) {
  atomic_fetch_add(counter, 1);
}

/* --- Records. */

static void remember_stale(const struct record *record) {
  unsigned entry = gone.count++ % STALE;
  gone.entries[entry].tsfn = record->tsfn;
  gone.entries[entry].context = (void *)record;
}

static void bury(struct record *record) {
  pthread_mutex_lock(&gone.lock);
  remember_stale(record);
  record->next = NULL;
  if (gone.newest == NULL)
    gone.oldest = record;
  else
    gone.newest->next = record;
  gone.newest = record;
  gone.kept++;
  pthread_mutex_unlock(&gone.lock);
}

static struct record *dig_up(void) {
  struct record *record = NULL;
  pthread_mutex_lock(&gone.lock);
  if (gone.kept > RECORDS_KEPT) {
    record = gone.oldest;
    gone.oldest = record->next;
    gone.kept--;
  }
  pthread_mutex_unlock(&gone.lock);
  if (record == NULL) record = malloc(sizeof *record);
  if (record == NULL) abort();
  memset(record, 0, sizeof *record);
  return record;
}

static void settle(struct record *record) {
  if (atomic_load(&record->accepted) != atomic_load(&record->delivered) ||
      atomic_load(&record->accepted_sum) != atomic_load(&record->delivered_sum))
    count(&faults.unbalanced);
  bury(record);
}

static void give_back(struct record *record) {
  if (atomic_fetch_sub(&record->references, 1) == 1) settle(record);
}

static struct record *borrow(uint32_t place) {
  pthread_mutex_lock(&places[place].lock);
  struct record *record = places[place].record;
  if (record != NULL) atomic_fetch_add(&record->references, 1);
  pthread_mutex_unlock(&places[place].lock);
  return record;
}

/* --- Items: which function, which thread, and its place in that thread's order. */

static uintptr_t make_item(struct actor *actor, const struct record *record) {
  return (uintptr_t)record->serial << 36 | (uintptr_t)actor->index << 28 |
         (++actor->items & 0xfffffff);
}

static void take_item(struct record *record, uintptr_t item) {
  if (item >> 36 != (record->serial & 0xfffffff)) count(&faults.foreign);
  if (atomic_load(&record->finalized)) count(&faults.late);
  uint32_t thread = item >> 28 & 0xff, number = item & 0xfffffff;
  if (thread < MAX_THREADS) {
    if (number <= record->newest_of[thread]) count(&faults.disordered);
    record->newest_of[thread] = number;
  }
  atomic_fetch_add(&record->delivered_sum, mix(item));
  count(&record->delivered);
}

/* --- Operations. */

static void call(struct actor *actor, struct record *record,
                 napi_threadsafe_function_call_mode mode) {
  /* Two JavaScript threads that block on each other would wait for ever, and that would be the
   * addon's own fault. */
  if (actor->env != NULL && actor->env != record->env) mode = napi_tsfn_nonblocking;
  uintptr_t item = make_item(actor, record);
  napi_status status = napi_call_threadsafe_function(record->tsfn, (void *)item, mode);
  if (status == napi_ok) {
    count(&figures.accepted);
    atomic_fetch_add(&record->accepted_sum, mix(item));
    count(&record->accepted);
    return;
  }
  expect(status == napi_closing || status == napi_invalid_arg ||
         (status == napi_queue_full && mode == napi_tsfn_nonblocking));
  if (status != napi_queue_full) count(&figures.turned_away);
}

static void get_context(const struct record *record) {
  void *context = NULL;
  expect(napi_get_threadsafe_function_context(record->tsfn, &context) == napi_ok &&
         context == record);
}

static void use(struct actor *actor, struct record *record) {
  uint32_t what = below(actor, 1000);
  napi_status status = napi_ok;
  if (what < 300)
    call(actor, record, napi_tsfn_nonblocking);
  else if (what < 550)
    call(actor, record, napi_tsfn_blocking);
  else if (what < 680)
    status = napi_acquire_threadsafe_function(record->tsfn);
  else if (what < 812)
    status = napi_release_threadsafe_function(record->tsfn, napi_tsfn_release);
  else if (what < 814)
    status = napi_release_threadsafe_function(record->tsfn, napi_tsfn_abort);
  else if (what < 900)
    get_context(record);
  else if (what < 950)
    status = napi_ref_threadsafe_function(record->env, record->tsfn);
  else
    status = napi_unref_threadsafe_function(record->env, record->tsfn);
  expect(status == napi_ok || status == napi_closing || status == napi_invalid_arg);
}

static void use_place(struct actor *actor) {
  struct record *record = borrow(below(actor, PLACES));
  if (record == NULL) return;
  use(actor, record);
  give_back(record);
}

static void use_stale(struct actor *actor) {
  pthread_mutex_lock(&gone.lock);
  unsigned entry = below(actor, STALE);
  napi_threadsafe_function tsfn = gone.entries[entry].tsfn;
  void *right = gone.entries[entry].context, *context = NULL;
  pthread_mutex_unlock(&gone.lock);
  if (tsfn == NULL) return;
  napi_status status = napi_call_threadsafe_function(tsfn, NULL, (int)below(actor, 2));
  expect(status == napi_closing || status == napi_invalid_arg);
  expect(napi_acquire_threadsafe_function(tsfn) == napi_closing);
  status = napi_release_threadsafe_function(tsfn, (int)below(actor, 2));
  expect(status == napi_ok || status == napi_invalid_arg);
  status = napi_get_threadsafe_function_context(tsfn, &context);
  expect(status == napi_ok ? context == right : status == napi_invalid_arg && context == NULL);
  expect(napi_ref_threadsafe_function(actor->env, tsfn) == napi_ok);
  expect(napi_unref_threadsafe_function(actor->env, tsfn) == napi_ok);
}

static napi_threadsafe_function make_garbage(struct actor *actor) {
  struct record *record;
  uintptr_t near = 0;
  switch (below(actor, 4)) {
    case 0:
      return NULL;
    case 1:
      return (napi_threadsafe_function)actor;
    case 2:
      if ((record = borrow(below(actor, PLACES))) == NULL) return NULL;
      near = (uintptr_t)record->tsfn + 1 + below(actor, 15);
      give_back(record);
      return (napi_threadsafe_function)near;
    default:
      return (napi_threadsafe_function)draw(actor);
  }
}

static void use_garbage(struct actor *actor) {
  napi_threadsafe_function tsfn = make_garbage(actor);
  void *context = actor;
  expect(napi_call_threadsafe_function(tsfn, NULL, (int)below(actor, 2)) == napi_invalid_arg);
  expect(napi_acquire_threadsafe_function(tsfn) == napi_invalid_arg);
  expect(napi_release_threadsafe_function(tsfn, (int)below(actor, 2)) == napi_invalid_arg);
  expect(napi_get_threadsafe_function_context(tsfn, &context) == napi_invalid_arg &&
         context == NULL);
  expect(napi_ref_threadsafe_function(actor->env, tsfn) == napi_invalid_arg);
  expect(napi_unref_threadsafe_function(actor->env, tsfn) == napi_invalid_arg);
}

static void operate(struct actor *actor) {
  static const struct {
    uint32_t below;
    const char *name;
    void (*act)(struct actor *);
  } acts[] = {
      {90, "a place", use_place}, {96, "a stale handle", use_stale}, {100, "garbage", use_garbage}};
  uint32_t what = below(actor, 100);
  for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
    if (what >= acts[i].below) continue;
    atomic_store(&actor->doing, acts[i].name);
    acts[i].act(actor);
    break;
  }
  count(&figures.operations);
  count(&actor->steps);
}

static void *run_actor(void *argument) {
  struct actor *actor = argument;
  while (!atomic_load(&stopping)) {
    for (uint32_t i = below(actor, 64); i != 0; i--) operate(actor);
    const struct timespec pause = {.tv_nsec = below(actor, 200000)};
    nanosleep(&pause, NULL);
  }
  atomic_store(&actor->doing, "nothing more");
  atomic_fetch_sub(&running, 1);
  return NULL;
}

/* --- The functions' callbacks. */

static void on_call(napi_env env, napi_value callback, void *context, void *data) {
  struct record *record = context;
  count(env == NULL ? &figures.drained : &figures.live);
  take_item(record, (uintptr_t)data);
  struct actor actor = visitor(record->env);
  if (below(&actor, 8) == 0) use(&actor, record);
  if (below(&actor, 32) == 0) operate(&actor);
  if (env == NULL || callback == NULL || below(&actor, 4) != 0) return;
  napi_value receiver;
  if (napi_get_undefined(env, &receiver) == napi_ok)
    napi_call_function(env, receiver, callback, 0, NULL,
                       NULL); /* the env may be ending, so any answer is allowed */
}

static void on_finalize(napi_env env, void *data, void *context) {
  struct record *record = data;
  (void)env;
  if (context != record) abort();
  struct actor actor = visitor(record->env);
  if (below(&actor, 4) == 0) use(&actor, record);
  if (atomic_exchange(&record->finalized, true)) count(&faults.twice_finalized);
  pthread_mutex_lock(&places[record->place].lock);
  places[record->place].record = NULL;
  places[record->place].taken = false;
  pthread_mutex_unlock(&places[record->place].lock);
  count(&figures.finalized);
  give_back(record);
}

static bool take_place(uint32_t place) {
  pthread_mutex_lock(&places[place].lock);
  bool vacant = !places[place].taken;
  places[place].taken = true;
  pthread_mutex_unlock(&places[place].lock);
  return vacant;
}

static void create_in(struct actor *actor, uint32_t place, napi_value callback) {
  static const uint32_t limits[] = {0, 0, 1, 4, 50};
  struct record *record = dig_up();
  record->env = actor->env;
  record->serial = atomic_fetch_add(&serials, 1) & 0xfffffff;
  record->place = place;
  atomic_init(&record->references, 1);
  napi_status status = napi_create_threadsafe_function(
      actor->env, below(actor, 2) == 0 ? callback : NULL, NULL, make_string(actor->env, "stress"),
      limits[below(actor, 5)], 1 + below(actor, 4), record, on_finalize, record, on_call,
      &record->tsfn);
  if (status == napi_ok) count(&figures.created);
  pthread_mutex_lock(&places[place].lock);
  if (status == napi_ok) places[place].record = record;
  places[place].taken = status == napi_ok;
  pthread_mutex_unlock(&places[place].lock);
  if (status == napi_ok) return;
  free(record);
  count(&figures.refused);
}

static void for_each_own(napi_env env, void (*act)(struct record *)) {
  for (uint32_t place = 0; place < PLACES; place++) {
    struct record *record = borrow(place);
    if (record == NULL) continue;
    if (record->env == env) act(record);
    give_back(record);
  }
}

static void abort_one(struct record *record) {
  /* An abort may give a count back only if there is one. */
  napi_acquire_threadsafe_function(record->tsfn);
  napi_release_threadsafe_function(record->tsfn, napi_tsfn_abort);
}

static void unref_one(struct record *record) {
  napi_unref_threadsafe_function(record->env, record->tsfn);
}

/* --- The watchdog. */

static void print_stacks(void) {
  for (unsigned i = 0; i < actor_count; i++)
    fprintf(stderr, "stress: thread %u: %lu steps, now at %s\n", i, atomic_load(&actors[i].steps),
            atomic_load(&actors[i].doing));
  char pid[16];
  snprintf(pid, sizeof pid, "%d", (int)getpid());
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
  pid_t child = fork();
  if (child == 0) {
    unsetenv("LD_PRELOAD");
    fcntl(STDERR_FILENO, F_SETFD, 0); /* Node has marked it close-on-exec */
    dup2(STDERR_FILENO, STDOUT_FILENO);
    execlp("gdb", "gdb", "-p", pid, "-batch", "-nx", "-ex", "thread apply all backtrace",
           (char *)NULL);
    _exit(127);
  }
  while (waitpid(child, NULL, 0) < 0 && errno == EINTR) continue;
}

static bool stands_still(unsigned long *seen, unsigned long steps, unsigned *still) {
  *still = *seen == steps ? *still + 1 : 0;
  *seen = steps;
  return *still > atomic_load(&patience);
}

/* Checks once a second. A thread that has ended makes no steps, so it is not checked. */
static void *watch(void *argument) {
  (void)argument;
  unsigned long seen[MAX_THREADS + 1] = {0};
  unsigned still[MAX_THREADS + 1] = {0};
  for (;; sleep(1)) {
    bool hung = stands_still(&seen[MAX_THREADS], atomic_load(&loop_steps), &still[MAX_THREADS]);
    for (unsigned i = 0; i < actor_count && atomic_load(&running) != 0; i++)
      if (strcmp(atomic_load(&actors[i].doing), "nothing more") != 0)
        hung |= stands_still(&seen[i], atomic_load(&actors[i].steps), &still[i]);
    if (!hung) continue;
    fprintf(stderr, "stress: nothing moves for %u s\n", atomic_load(&patience));
    print_stacks();
    abort();
  }
}

/* --- What JavaScript calls. */

static void start_thread(pthread_t *thread, void *(*run)(void *), void *argument) {
  if (pthread_create(thread, NULL, run, argument) != 0) abort();
}

static napi_value begin(napi_env env, napi_callback_info info) {
  seed = mix(argument_u32(env, info, 0, 1));
  actor_count = argument_u32(env, info, 1, 16);
  if (actor_count > MAX_THREADS) abort();
  atomic_store(&patience, argument_u32(env, info, 2, 20));
  atomic_store(&running, actor_count);
  for (unsigned i = 0; i < actor_count; i++) {
    actors[i].random = mix(seed ^ i);
    actors[i].index = i;
    atomic_store(&actors[i].doing, "its start");
    start_thread(&actors[i].thread, run_actor, &actors[i]);
  }
  pthread_t watchdog;
  start_thread(&watchdog, watch, NULL);
  pthread_detach(watchdog);
  return NULL;
}

static napi_value turn(napi_env env, napi_callback_info info) {
  struct actor actor = visitor(env);
  napi_value callback = argument(env, info, 0);
  for (uint32_t i = 0; i < PLACES; i++) {
    uint32_t place = below(&actor, PLACES);
    napi_handle_scope scope;
    if (atomic_load(&stopping) || !take_place(place)) continue;
    MUST(env, napi_open_handle_scope(env, &scope));
    create_in(&actor, place, callback);
    MUST(env, napi_close_handle_scope(env, scope));
  }
  for (uint32_t i = 0; i < TURN_OPERATIONS; i++) operate(&actor);
  if (!atomic_load(&stalled)) count(&loop_steps);
  return NULL;
}

static napi_value abort_all(napi_env env, napi_callback_info info) {
  (void)info;
  for_each_own(env, abort_one);
  return NULL;
}

static napi_value unref_all(napi_env env, napi_callback_info info) {
  (void)info;
  for_each_own(env, unref_one);
  return NULL;
}

static napi_value stop(napi_env env, napi_callback_info info) {
  (void)env;
  (void)info;
  atomic_store(&stopping, true);
  return NULL;
}

static napi_value get_running(napi_env env, napi_callback_info info) {
  (void)info;
  return make_u32(env, atomic_load(&running));
}

static napi_value stall(napi_env env, napi_callback_info info) {
  (void)env;
  (void)info;
  atomic_store(&stalled, true);
  return NULL;
}

static void set_number(napi_env env, napi_value object, const char *name, unsigned long number) {
  napi_value value;
  MUST(env, napi_create_double(env, (double)number, &value));
  MUST(env, napi_set_named_property(env, object, name, value));
}

#define SET(env, object, counters, name) \
  set_number(env, object, #name, atomic_load(&(counters).name))

static napi_value get_figures(napi_env env, napi_callback_info info) {
  napi_value object;
  (void)info;
  MUST(env, napi_create_object(env, &object));
  SET(env, object, figures, operations);
  SET(env, object, figures, created);
  SET(env, object, figures, refused);
  SET(env, object, figures, finalized);
  SET(env, object, figures, accepted);
  SET(env, object, figures, live);
  SET(env, object, figures, drained);
  SET(env, object, figures, turned_away);
  return object;
}

static napi_value get_faults(napi_env env, napi_callback_info info) {
  napi_value object;
  (void)info;
  MUST(env, napi_create_object(env, &object));
  SET(env, object, faults, unbalanced);
  SET(env, object, faults, foreign);
  SET(env, object, faults, disordered);
  SET(env, object, faults, late);
  SET(env, object, faults, twice_finalized);
  SET(env, object, faults, wrong_answers);
  return object;
}

__attribute__((constructor)) static void make_places(void) {
  for (uint32_t place = 0; place < PLACES; place++) pthread_mutex_init(&places[place].lock, NULL);
}

/* A worker may be terminated while it loads this. Then nothing can be exported, and nothing needs
 * to be. */
NAPI_MODULE_INIT() {
  const napi_property_descriptor functions[] = {
      {"begin", NULL, begin, NULL, NULL, NULL, napi_default, NULL},
      {"turn", NULL, turn, NULL, NULL, NULL, napi_default, NULL},
      {"abortAll", NULL, abort_all, NULL, NULL, NULL, napi_default, NULL},
      {"unrefAll", NULL, unref_all, NULL, NULL, NULL, napi_default, NULL},
      {"stop", NULL, stop, NULL, NULL, NULL, napi_default, NULL},
      {"running", NULL, get_running, NULL, NULL, NULL, napi_default, NULL},
      {"stall", NULL, stall, NULL, NULL, NULL, napi_default, NULL},
      {"figures", NULL, get_figures, NULL, NULL, NULL, napi_default, NULL},
      {"faults", NULL, get_faults, NULL, NULL, NULL, napi_default, NULL},
  };
  napi_define_properties(env, exports, sizeof functions / sizeof functions[0], functions);
  return exports;
}
