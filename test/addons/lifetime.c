/* The scriptable addon of the lifetime tests. It creates thread-safe functions and lets threads use
 * and misuse them in several roles. At exit it prints the answers that they got and what happened
 * to their items.
 *
 * JavaScript names a function by a number. Exports:
 *   create({queue, count, callback, joins, probes, locks, releases})  creates a function, and
 *     returns its number. joins: its finalize_cb joins its threads. probes: its callbacks call all
 *     seven functions and print the answers. locks: its callbacks take the addon's mutex. releases:
 *     the number of a function that its finalize_cb releases
 *   start(function, role, threads, amount)   starts threads; the roles are in the table `roles`
 *   abort(function), release(function), acquire(function), unref(function)
 *   waitBlocked(function)                    sleeps until all its threads are blocked inside a call
 *   waitAccepted(function, items)            sleeps until that many items were accepted in total
 *   joinInHook(), joinInAsyncHook()          adds an env cleanup hook that joins the env's threads
 *   joinAllInHook(), joinAllInAsyncHook()    the same with the threads of all envs
 *   joinInNodeHook(), joinInAsyncNodeHook()  the same with Node's C++ interface
 *   wrap(function), instanceData(function)   a finalizer at the env's end releases the function
 *   freeze(function), thaw()                 holds its threads in a signal handler, so that none
 *                                            can return from its sleep; lets them go on
 *   cycle(count), repeatedHandles()          creates and releases that many functions; how many
 *                                            handles were given out twice
 *   tell()                                   joins all threads and prints everything now, for
 *                                            runtimes that end without running destructors
 *
 * Threads live until they have finished their role. The addon's destructor joins them at the
 * latest. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "addon.h"

enum { MAX_THREADS = 256, MAX_SUBJECTS = 16384, STATUSES = 32, AFTERLIFE_MS = 300 };

struct subject {
  napi_threadsafe_function tsfn;
  napi_env env;
  uint32_t number;
  bool joins, probes, locks;
  struct subject *releases;
  atomic_uint threads;  /* started for this function */
  atomic_uint inside;   /* of these, inside a call */
  atomic_uint done;     /* of these, with nothing left to release */
  atomic_uint accepted; /* items */
  atomic_uint delivered;
  atomic_uint drained; /* of these, with NULL env */
  atomic_uint foreign; /* delivered, but of another function */
  atomic_uint disordered;
  atomic_uint late; /* delivered after finalize_cb */
  atomic_uint finalized;
  atomic_uint delivered_of[MAX_THREADS];
};

struct caller {
  pthread_t thread;
  atomic_long id; /* the thread's id in /proc; 0 before it runs */
  struct subject *subject;
  void (*role)(struct caller *);
  uint32_t index;
  uint32_t amount;
  uint32_t accepted;
  unsigned answers[STATUSES]; /* of its calls */
  unsigned wrong;             /* answers that the contract does not allow */
  atomic_bool ended;
  atomic_bool joined;
  struct caller *next;
};

static struct subject *subjects[MAX_SUBJECTS]; /* from 1 on */
static atomic_uint subject_count;
static _Atomic(struct caller *) callers;
static pthread_mutex_t addon_mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool freezing;
static atomic_uint frozen;

static uint64_t now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static void sleep_ms(unsigned ms) {
  struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
  nanosleep(&time, NULL);
}

/* --- Items: which thread sent them to which function, and their place in that thread's order. */

static void *make_item(const struct caller *caller) {
  return (void *)((uintptr_t)caller->subject->number << 48 | (uintptr_t)caller->index << 32 |
                  caller->accepted);
}

static void take_item(struct subject *subject, uintptr_t item) {
  atomic_fetch_add(&subject->delivered, 1);
  if (item >> 48 != subject->number) {
    atomic_fetch_add(&subject->foreign, 1);
    return;
  }
  uint32_t before = atomic_fetch_add(&subject->delivered_of[item >> 32 & 0xffff], 1);
  if (before != (uint32_t)item) atomic_fetch_add(&subject->disordered, 1);
}

/* --- What threads do. */

static void expect(struct caller *caller, bool right) {
  if (!right) caller->wrong++;
}

/* A thread first gets ok, then closing, then invalid_arg. It never gets an earlier one again. */
static napi_status call(struct caller *caller, napi_threadsafe_function_call_mode mode) {
  struct subject *subject = caller->subject;
  atomic_fetch_add(&subject->inside, 1);
  napi_status status = napi_call_threadsafe_function(subject->tsfn, make_item(caller), mode);
  atomic_fetch_sub(&subject->inside, 1);
  caller->answers[status % STATUSES]++;
  if (status == napi_ok) {
    expect(caller, caller->answers[napi_closing] == 0 && caller->answers[napi_invalid_arg] == 0);
    caller->accepted++;
    atomic_fetch_add(&subject->accepted, 1);
  } else if (status == napi_closing) {
    expect(caller, caller->answers[napi_invalid_arg] == 0);
  } else {
    expect(caller, status == napi_invalid_arg && caller->answers[napi_closing] != 0);
  }
  return status;
}

static void release(struct caller *caller, napi_status expected) {
  expect(caller,
         napi_release_threadsafe_function(caller->subject->tsfn, napi_tsfn_release) == expected);
}

static void ask_for_context(struct caller *caller) {
  void *context = NULL;
  expect(caller, napi_get_threadsafe_function_context(caller->subject->tsfn, &context) == napi_ok);
  expect(caller, context == caller->subject);
}

/* The last thread to finish finds that all counts of the function are released. So one more release
 * must fail. */
static void finish_releasing(struct caller *caller) {
  struct subject *subject = caller->subject;
  if (atomic_fetch_add(&subject->done, 1) + 1 == atomic_load(&subject->threads))
    release(caller, napi_invalid_arg);
}

/* Calls, acquires, releases and gets the context, and goes on for `amount` ms after it got
 * napi_closing. */
static void mix(struct caller *caller) {
  napi_threadsafe_function tsfn = caller->subject->tsfn;
  unsigned owned = 1;
  for (unsigned turn = 0; call(caller, napi_tsfn_blocking) == napi_ok; turn++) {
    napi_status status = turn % 4 == 1 ? napi_acquire_threadsafe_function(tsfn) : napi_closing;
    expect(caller, status == napi_ok || status == napi_closing);
    if (status == napi_ok) owned++;
    if (turn % 4 == 3 && owned > 1) {
      release(caller, napi_ok);
      owned--;
    }
    ask_for_context(caller);
    sleep_ms(1);
  }
  for (; owned != 0; owned--) release(caller, napi_ok);
  finish_releasing(caller);
  for (uint64_t end = now_ms() + caller->amount; now_ms() < end; sleep_ms(5)) {
    call(caller, napi_tsfn_blocking);
    expect(caller, napi_acquire_threadsafe_function(tsfn) == napi_closing);
    ask_for_context(caller);
  }
}

/* Calls every millisecond until it is rejected. */
static void call_until_turned_away(struct caller *caller) {
  while (call(caller, napi_tsfn_blocking) == napi_ok) sleep_ms(1);
}

/* Calls at least `amount` times after it got napi_closing, and for at least AFTERLIFE_MS. */
static void hammer(struct caller *caller) {
  call_until_turned_away(caller);
  uint64_t end = now_ms() + AFTERLIFE_MS;
  for (uint32_t i = 0; i < caller->amount || now_ms() < end; i++)
    call(caller, napi_tsfn_nonblocking);
}

/* Passes `amount` items (0: no end), waits for space, and then releases. */
static void produce(struct caller *caller) {
  for (uint32_t i = 0; caller->amount == 0 || i < caller->amount; i++)
    if (call(caller, napi_tsfn_blocking) != napi_ok) return;
  release(caller, napi_ok);
}

/* Sends one item and waits for its delivery, live or drained. Meanwhile it holds its count, as
 * koffi does. */
static void await_delivery(struct caller *caller) {
  if (call(caller, napi_tsfn_blocking) != napi_ok) return;
  while (atomic_load(&caller->subject->delivered_of[caller->index]) == 0) sleep_ms(1);
}

/* Calls under the lock that the callbacks take too. */
static void call_locked(struct caller *caller) {
  napi_status status = napi_ok;
  while (status == napi_ok) {
    pthread_mutex_lock(&addon_mutex);
    status = call(caller, napi_tsfn_nonblocking);
    pthread_mutex_unlock(&addon_mutex);
    sched_yield(); /* otherwise no other thread would ever get the lock */
  }
}

static const struct {
  const char *name;
  void (*role)(struct caller *);
} roles[] = {{"call", call_until_turned_away},
             {"mix", mix},
             {"hammer", hammer},
             {"produce", produce},
             {"await", await_delivery},
             {"lock", call_locked}};

static void *run_caller(void *argument) {
  struct caller *caller = argument;
  atomic_store(&caller->id, syscall(SYS_gettid));
  caller->role(caller);
  atomic_store(&caller->ended, true);
  return NULL;
}

/* If subject and env are NULL: all threads. */
static void join(const struct subject *subject, napi_env env) {
  for (struct caller *caller = atomic_load(&callers); caller != NULL; caller = caller->next) {
    if (subject != NULL && caller->subject != subject) continue;
    if (env != NULL && caller->subject->env != env) continue;
    if (!atomic_exchange(&caller->joined, true)) pthread_join(caller->thread, NULL);
  }
}

/* --- The functions' callbacks. */

static napi_status create_tsfn(napi_env env, napi_value callback, uint32_t queue, uint32_t count,
                               void *context, napi_finalize finalize_cb,
                               napi_threadsafe_function_call_js call_js_cb,
                               napi_threadsafe_function *result) {
  napi_handle_scope scope;
  MUST(env, napi_open_handle_scope(env, &scope));
  napi_status status =
      napi_create_threadsafe_function(env, callback, NULL, make_string(env, "lifetime"), queue,
                                      count, context, finalize_cb, context, call_js_cb, result);
  MUST(env, napi_close_handle_scope(env, scope));
  return status;
}

/* Calls all seven functions and prints the answers. */
static void probe(const struct subject *subject, const char *where) {
  napi_threadsafe_function tsfn = subject->tsfn, other = NULL;
  void *context = NULL;
  napi_status create = create_tsfn(subject->env, NULL, 0, 1, NULL, NULL, ignore_call, &other);
  if (create == napi_ok)
    MUST(subject->env, napi_release_threadsafe_function(other, napi_tsfn_release));
  /* One after the other: the order of a call's arguments is not fixed. */
  napi_status acquire = napi_acquire_threadsafe_function(tsfn);
  napi_status nonblocking = napi_call_threadsafe_function(tsfn, NULL, napi_tsfn_nonblocking);
  napi_status blocking = napi_call_threadsafe_function(tsfn, NULL, napi_tsfn_blocking);
  napi_status release = napi_release_threadsafe_function(tsfn, napi_tsfn_release);
  napi_status get = napi_get_threadsafe_function_context(tsfn, &context);
  napi_status ref = napi_ref_threadsafe_function(subject->env, tsfn);
  napi_status unref = napi_unref_threadsafe_function(subject->env, tsfn);
  fprintf(stderr, "%s: create=%d acquire=%d call=%d,%d release=%d context=%d,%s ref=%d unref=%d\n",
          where, (int)create, (int)acquire, (int)nonblocking, (int)blocking, (int)release, (int)get,
          context == subject ? "right" : "wrong", (int)ref, (int)unref);
}

static void call_javascript(napi_env env, napi_value callback) {
  napi_value receiver;
  MUST(env, napi_get_undefined(env, &receiver));
  /* may end the env, so any answer is right */
  napi_call_function(env, receiver, callback, 0, NULL, NULL);
}

static void on_call(napi_env env, napi_value callback, void *context, void *data) {
  struct subject *subject = context;
  if (atomic_load(&subject->finalized) != 0) atomic_fetch_add(&subject->late, 1);
  if (env == NULL) atomic_fetch_add(&subject->drained, 1);
  if (data != NULL) take_item(subject, (uintptr_t)data);
  if (subject->locks) pthread_mutex_lock(&addon_mutex);
  if (subject->probes && data != NULL) probe(subject, env == NULL ? "drain" : "call_js_cb");
  if (subject->locks) pthread_mutex_unlock(&addon_mutex);
  if (env != NULL && callback != NULL) call_javascript(env, callback);
}

static void on_finalize(napi_env env, void *data, void *hint) {
  struct subject *subject = data;
  (void)env;
  if (hint != subject) abort();
  atomic_fetch_add(&subject->finalized, 1);
  if (subject->locks) pthread_mutex_lock(&addon_mutex);
  if (subject->probes) probe(subject, "finalize_cb");
  if (subject->locks) pthread_mutex_unlock(&addon_mutex);
  if (subject->releases != NULL)
    napi_release_threadsafe_function(subject->releases->tsfn, napi_tsfn_release);
  if (subject->joins) join(subject, NULL);
}

/* --- What JavaScript calls. */

static struct subject *argument_subject(napi_env env, napi_callback_info info, size_t index) {
  uint32_t number = argument_u32(env, info, index, 0);
  if (number == 0 || number > atomic_load(&subject_count)) abort();
  return subjects[number];
}

static napi_value option(napi_env env, napi_value options, const char *name) {
  napi_value value;
  napi_valuetype type;
  MUST(env, napi_get_named_property(env, options, name, &value));
  MUST(env, napi_typeof(env, value, &type));
  return type == napi_undefined ? NULL : value;
}

static uint32_t option_u32(napi_env env, napi_value options, const char *name) {
  napi_value value = option(env, options, name);
  uint32_t number = 0;
  if (value != NULL) MUST(env, napi_get_value_uint32(env, value, &number));
  return number;
}

static struct subject *add_subject(napi_env env) {
  struct subject *subject = calloc(1, sizeof *subject);
  uint32_t number = atomic_fetch_add(&subject_count, 1) + 1;
  if (subject == NULL || number >= MAX_SUBJECTS) abort();
  subject->env = env;
  subject->number = number;
  subjects[number] = subject;
  return subject;
}

static napi_value create(napi_env env, napi_callback_info info) {
  napi_value options = argument(env, info, 0);
  struct subject *subject = add_subject(env);
  uint32_t released = option_u32(env, options, "releases");
  subject->joins = option_u32(env, options, "joins") != 0;
  subject->probes = option_u32(env, options, "probes") != 0;
  subject->locks = option_u32(env, options, "locks") != 0;
  subject->releases = released == 0 ? NULL : subjects[released];
  MUST(env, create_tsfn(env, option(env, options, "callback"), option_u32(env, options, "queue"),
                        option_u32(env, options, "count"), subject, on_finalize, on_call,
                        &subject->tsfn));
  return make_u32(env, subject->number);
}

static void (*find_role(napi_env env, napi_value value))(struct caller *) {
  char name[16];
  MUST(env, napi_get_value_string_utf8(env, value, name, sizeof name, NULL));
  for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
    if (strcmp(roles[i].name, name) == 0) return roles[i].role;
  abort();
}

static void start_caller(struct subject *subject, void (*role)(struct caller *), uint32_t index,
                         uint32_t amount) {
  struct caller *caller = calloc(1, sizeof *caller);
  if (caller == NULL) abort();
  caller->subject = subject;
  caller->role = role;
  caller->index = index;
  caller->amount = amount;
  if (pthread_create(&caller->thread, NULL, run_caller, caller) != 0) abort();
  caller->next = atomic_load(&callers);
  while (!atomic_compare_exchange_weak(&callers, &caller->next, caller)) continue;
}

struct beginning {
  struct subject *subject;
  void (*role)(struct caller *);
  uint32_t threads, amount, accepted;
};

static struct beginning read_beginning(napi_env env, napi_callback_info info) {
  struct beginning beginning = {
      .subject = argument_subject(env, info, 0),
      .role = find_role(env, argument(env, info, 1)),
      .threads = argument_u32(env, info, 2, 1),
      .amount = argument_u32(env, info, 3, 0),
      .accepted = argument_u32(env, info, 4, 0),
  };
  if (beginning.threads > MAX_THREADS) abort();
  return beginning;
}

static void begin(const struct beginning *beginning) {
  atomic_store(&beginning->subject->threads, beginning->threads);
  for (uint32_t i = 0; i < beginning->threads; i++)
    start_caller(beginning->subject, beginning->role, i, beginning->amount);
}

static void await_accepted(const struct subject *subject, uint32_t items) {
  while (atomic_load(&subject->accepted) < items) sleep_ms(1);
}

static napi_value start(napi_env env, napi_callback_info info) {
  const struct beginning beginning = read_beginning(env, info);
  begin(&beginning);
  return NULL;
}

/* A thread that was woken but does not have a processor yet is not asleep. */
static bool is_asleep(const struct caller *caller) {
  char path[64], state = 0;
  snprintf(path, sizeof path, "/proc/self/task/%ld/stat", atomic_load(&caller->id));
  FILE *file = fopen(path, "re");
  if (file == NULL) return false;
  if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1) state = 0;
  fclose(file);
  return state == 'S';
}

/* Whether the threads that have not ended are asleep inside a call. */
static bool all_asleep_inside(const struct subject *subject) {
  unsigned asleep = 0;
  for (struct caller *caller = atomic_load(&callers); caller != NULL; caller = caller->next) {
    if (caller->subject != subject || atomic_load(&caller->ended)) continue;
    if (!is_asleep(caller)) return false;
    asleep++;
  }
  return atomic_load(&subject->inside) == asleep;
}

/* Waits until, for 50 ms, each thread has been asleep or has ended. A thread that sleeps for that
 * long sleeps on the queue, and not on a lock. */
static void await_blocked(const struct subject *subject) {
  for (unsigned steady = 0; steady < 50; sleep_ms(1))
    steady = all_asleep_inside(subject) ? steady + 1 : 0;
}

static void begin_in_hook(void *argument) {
  const struct beginning *beginning = argument;
  begin(beginning);
  await_accepted(beginning->subject, beginning->accepted);
  if (beginning->amount != 0)
    join(beginning->subject, NULL);
  else if (beginning->role == produce)
    await_blocked(beginning->subject);
}

static napi_value start_in_hook(napi_env env, napi_callback_info info) {
  struct beginning *beginning = malloc(sizeof *beginning); /* for the hook; never freed */
  if (beginning == NULL) abort();
  *beginning = read_beginning(env, info);
  MUST(env, napi_add_env_cleanup_hook(env, begin_in_hook, beginning));
  return NULL;
}

static napi_value join_threads(napi_env env, napi_callback_info info) {
  join(argument_subject(env, info, 0), NULL);
  return NULL;
}

static napi_value release_abort(napi_env env, napi_callback_info info) {
  MUST(env,
       napi_release_threadsafe_function(argument_subject(env, info, 0)->tsfn, napi_tsfn_abort));
  return NULL;
}

static napi_value release_one(napi_env env, napi_callback_info info) {
  MUST(env,
       napi_release_threadsafe_function(argument_subject(env, info, 0)->tsfn, napi_tsfn_release));
  return NULL;
}

static napi_value unref(napi_env env, napi_callback_info info) {
  MUST(env, napi_unref_threadsafe_function(env, argument_subject(env, info, 0)->tsfn));
  return NULL;
}

static napi_value wait_accepted(napi_env env, napi_callback_info info) {
  await_accepted(argument_subject(env, info, 0), argument_u32(env, info, 1, 0));
  return NULL;
}

static napi_value wait_blocked(napi_env env, napi_callback_info info) {
  await_blocked(argument_subject(env, info, 0));
  return NULL;
}

static void join_hook(void *env) {
  join(NULL, env);
}

static void join_async_hook(napi_async_cleanup_hook_handle handle, void *env) {
  join(NULL, env);
  napi_remove_async_cleanup_hook(handle);
}

static napi_value join_in_hook(napi_env env, napi_callback_info info) {
  (void)info;
  MUST(env, napi_add_env_cleanup_hook(env, join_hook, env));
  return NULL;
}

static napi_value join_in_async_hook(napi_env env, napi_callback_info info) {
  (void)info;
  MUST(env, napi_add_async_cleanup_hook(env, join_async_hook, env, NULL));
  return NULL;
}

static napi_value join_all_in_hook(napi_env env, napi_callback_info info) {
  (void)info;
  MUST(env, napi_add_env_cleanup_hook(env, join_hook, NULL));
  return NULL;
}

static napi_value join_all_in_async_hook(napi_env env, napi_callback_info info) {
  (void)info;
  MUST(env, napi_add_async_cleanup_hook(env, join_async_hook, NULL, NULL));
  return NULL;
}

/* Functions of Node's C++ interface. Other runtimes lack them. */
extern void *current_isolate(void) __asm__("_ZN2v87Isolate10GetCurrentEv") __attribute__((weak));
extern void add_node_hook(void *isolate, void (*hook)(void *), void *argument) __asm__(
    "_ZN4node25AddEnvironmentCleanupHookEPN2v87IsolateEPFvPvES3_") __attribute__((weak));
typedef void async_hook(void *argument, void (*done)(void *), void *done_argument);
extern void *add_async_node_hook(void *isolate, async_hook *hook, void *argument) __asm__(
    "_ZN4node33AddEnvironmentCleanupHookInternalEPN2v87IsolateEPFvPvPFvS3_ES3_ES3_")
    __attribute__((weak));

static void join_async_node_hook(void *env, void (*done)(void *), void *argument) {
  join(NULL, env);
  done(argument);
}

static napi_value join_in_node_hook(napi_env env, napi_callback_info info) {
  (void)info;
  add_node_hook(current_isolate(), join_hook, env);
  return NULL;
}

static napi_value join_in_async_node_hook(napi_env env, napi_callback_info info) {
  (void)info;
  add_async_node_hook(current_isolate(), join_async_node_hook, env);
  return NULL;
}

static void release_in_finalizer(napi_env env, void *data, void *hint) {
  const struct subject *subject = data;
  (void)env;
  (void)hint;
  fprintf(stderr, "finalizer: release=%d\n",
          (int)napi_release_threadsafe_function(subject->tsfn, napi_tsfn_release));
}

static napi_value wrap(napi_env env, napi_callback_info info) {
  napi_value object;
  MUST(env, napi_create_object(env, &object));
  MUST(env,
       napi_wrap(env, object, argument_subject(env, info, 0), release_in_finalizer, NULL, NULL));
  return object;
}

static napi_value instance_data(napi_env env, napi_callback_info info) {
  MUST(env,
       napi_set_instance_data(env, argument_subject(env, info, 0), release_in_finalizer, NULL));
  return NULL;
}

/* A signal handler. It interrupts a thread that sleeps inside a call, and holds it until thaw. */
static void freeze_here(int signal) {
  int saved = errno;
  (void)signal;
  atomic_fetch_add(&frozen, 1);
  while (atomic_load(&freezing)) sleep_ms(1);
  errno = saved;
}

static napi_value freeze(napi_env env, napi_callback_info info) {
  const struct subject *subject = argument_subject(env, info, 0);
  const struct sigaction action = {.sa_handler = freeze_here, .sa_flags = SA_RESTART};
  if (sigaction(SIGUSR2, &action, NULL) != 0) abort();
  atomic_store(&freezing, true);
  for (struct caller *caller = atomic_load(&callers); caller != NULL; caller = caller->next)
    if (caller->subject == subject && pthread_kill(caller->thread, SIGUSR2) != 0) abort();
  while (atomic_load(&frozen) != atomic_load(&subject->threads)) sleep_ms(1);
  return NULL;
}

static napi_value thaw(napi_env env, napi_callback_info info) {
  (void)env;
  (void)info;
  atomic_store(&freezing, false);
  return NULL;
}

/* --- Handles by the million. */

static uintptr_t *handles;
static uint32_t handle_count, handle_capacity;
static atomic_uint cycles_finalized;

static void on_cycle_finalize(napi_env env, void *data, void *hint) {
  (void)env;
  (void)data;
  (void)hint;
  atomic_fetch_add(&cycles_finalized, 1);
}

static void keep_handle(napi_threadsafe_function tsfn) {
  if (handle_count == handle_capacity) {
    handle_capacity = handle_capacity == 0 ? 1 << 20 : handle_capacity * 2;
    handles = realloc(handles, handle_capacity * sizeof *handles);
    if (handles == NULL) abort();
  }
  handles[handle_count++] = (uintptr_t)tsfn;
}

static napi_value cycle(napi_env env, napi_callback_info info) {
  for (uint32_t i = 0, count = argument_u32(env, info, 0, 1); i < count; i++) {
    napi_threadsafe_function tsfn;
    MUST(env, create_tsfn(env, NULL, 0, 1, NULL, on_cycle_finalize, ignore_call, &tsfn));
    keep_handle(tsfn);
    MUST(env, napi_release_threadsafe_function(tsfn, napi_tsfn_release));
  }
  return NULL;
}

static int compare_handles(const void *left, const void *right) {
  uintptr_t a = *(const uintptr_t *)left, b = *(const uintptr_t *)right;
  return (a > b) - (a < b);
}

static napi_value repeated_handles(napi_env env, napi_callback_info info) {
  (void)info;
  uint32_t repeated = 0;
  qsort(handles, handle_count, sizeof *handles, compare_handles);
  for (uint32_t i = 1; i < handle_count; i++)
    if (handles[i] == handles[i - 1]) repeated++;
  return make_u32(env, repeated);
}

static napi_value get_cycles_finalized(napi_env env, napi_callback_info info) {
  (void)info;
  return make_u32(env, atomic_load(&cycles_finalized));
}

/* --- The end. */

static void print_functions(void) {
  unsigned count = atomic_load(&subject_count), once = 0, accepted = 0, delivered = 0, drained = 0;
  unsigned foreign = 0, disordered = 0, late = 0;
  for (unsigned i = 1; i <= count; i++) {
    const struct subject *subject = subjects[i];
    once += atomic_load(&subject->finalized) == 1;
    accepted += atomic_load(&subject->accepted);
    delivered += atomic_load(&subject->delivered);
    drained += atomic_load(&subject->drained);
    foreign += atomic_load(&subject->foreign);
    disordered += atomic_load(&subject->disordered);
    late += atomic_load(&subject->late);
  }
  fprintf(stderr, "functions=%u finalized_once=%u foreign=%u disordered=%u late=%u lost=%d\n",
          count, once, foreign, disordered, late, (int)(accepted - delivered));
  fprintf(stderr, "delivered=%u drained=%u\n", delivered, drained);
}

static void print_threads(void) {
  unsigned threads = 0, closing = 0, closing_once = 0, wrong = 0;
  for (const struct caller *caller = atomic_load(&callers); caller != NULL; caller = caller->next) {
    threads++;
    closing += caller->answers[napi_closing] != 0;
    closing_once += caller->answers[napi_closing] == 1;
    wrong += caller->wrong;
  }
  fprintf(stderr, "threads=%u closing=%u closing_once=%u wrong=%u\n", threads, closing,
          closing_once, wrong);
}

__attribute__((destructor)) static void join_and_tell(void) {
  static bool printed;
  if (atomic_load(&subject_count) == 0 || printed) return;
  printed = true;
  join(NULL, NULL);
  print_functions();
  print_threads();
}

static napi_value tell(napi_env env, napi_callback_info info) {
  (void)env;
  (void)info;
  join_and_tell();
  return NULL;
}

NAPI_MODULE_INIT() {
  static const struct {
    const char *name;
    napi_callback callback;
  } functions[] = {
      {"create", create},
      {"start", start},
      {"startInHook", start_in_hook},
      {"join", join_threads},
      {"abort", release_abort},
      {"release", release_one},
      {"unref", unref},
      {"waitAccepted", wait_accepted},
      {"waitBlocked", wait_blocked},
      {"joinInHook", join_in_hook},
      {"joinInAsyncHook", join_in_async_hook},
      {"joinAllInHook", join_all_in_hook},
      {"joinAllInAsyncHook", join_all_in_async_hook},
      {"joinInNodeHook", join_in_node_hook},
      {"joinInAsyncNodeHook", join_in_async_node_hook},
      {"wrap", wrap},
      {"instanceData", instance_data},
      {"freeze", freeze},
      {"thaw", thaw},
      {"cycle", cycle},
      {"repeatedHandles", repeated_handles},
      {"cyclesFinalized", get_cycles_finalized},
      {"tell", tell},
  };
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
    export_function(env, exports, functions[i].name, functions[i].callback);
  return exports;
}
