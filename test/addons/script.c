/* A scriptable addon. JavaScript decides which thread-safe functions to create, with any arguments
 * at all, and which of the seven functions to call with which handle on which thread. It gets the
 * answers.
 *
 * A handle is a BigInt, so that programs can turn it into garbage and post it to other threads. An
 * operation is named by a word (see operation_names). Each event is written to stdout at once, on a
 * line of its own, so the order of the lines is the order of the events. Nothing is ever freed,
 * because the tests are about late callers.
 *
 * Exports:
 *   create(options): {status, handle, code, message}, of create and of the last error info. The
 *     options are:
 *     - func, resource, name: absent means NULL, anything else is passed on as it is;
 *     - max, threads, label;
 *     - callJs: 'function' (default), 'throw' or 'null';
 *     - finalize: 'log' (default), 'silent', 'throw' or 'null'; onFinalize: a function that it
 *       calls;
 *     - drainOps, finalizeOps: operations to do there on the function itself;
 *     - env: 'null', result: 'null';
 *     - tell: 'yes': prints the status and the last error, for answers that get lost in an
 *       exception.
 *   run(handle, operation, item, times): does the operation on this thread.
 *   runOn(thread, handle, operation, item, times): does it on the native thread of that name, and
 *     waits for the answer.
 *   start(thread, handle, operation, item, times, delay): like runOn, but does not wait. The thread
 *     begins after that many milliseconds.
 *   poll(thread): the answer to start, null while there is none.
 *   fuzz(seed, count, handle): passes garbage handles to every operation. Returns "count x answer"
 *     for each answer.
 *   createAtTeardown(label): creates a function in an env cleanup hook, and uses it there.
 *   runAtTeardown(handle, operations): does the operations on it in an env cleanup hook. */
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "addon.h"

/* One write per line, so that lines of several threads never mix. */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  if (length < 0) abort();
  if ((size_t)length > sizeof line - 2) length = sizeof line - 2;
  line[length] = '\n';
  if (write(STDOUT_FILENO, line, (size_t)length + 1) < 0) abort();
}

static const char *status_name(napi_status status) {
  static const char *const names[] = {
      [napi_ok] = "ok",
      [napi_invalid_arg] = "invalid_arg",
      [napi_object_expected] = "object_expected",
      [napi_string_expected] = "string_expected",
      [napi_function_expected] = "function_expected",
      [napi_generic_failure] = "generic_failure",
      [napi_pending_exception] = "pending_exception",
      [napi_queue_full] = "queue_full",
      [napi_closing] = "closing",
      [napi_would_deadlock] = "would_deadlock",
      [napi_cannot_run_js] = "cannot_run_js",
  };
  size_t count = sizeof names / sizeof names[0];
  return (size_t)status < count && names[status] != NULL ? names[status] : "another status";
}

/* ---- Operations ---- */

enum operation {
  CALL,
  CALL_BLOCKING,
  ACQUIRE,
  RELEASE,
  ABORT,
  CONTEXT,
  CONTEXT_NULL,
  REF,
  UNREF,
  OPERATIONS
};

static const char *const operation_names[OPERATIONS] = {
    [CALL] = "call",       [CALL_BLOCKING] = "callBlocking",
    [ACQUIRE] = "acquire", [RELEASE] = "release",
    [ABORT] = "abort",     [CONTEXT] = "getContext",
    [REF] = "ref",         [CONTEXT_NULL] = "getContextNullResult",
    [UNREF] = "unref",
};

enum { LABEL_SIZE = 40, OPS_SIZE = 120 };

/* The object behind a function that we created: it is the function's context and finalize_data. */
struct script {
  napi_threadsafe_function handle;
  char label[LABEL_SIZE];
  char drain_ops[OPS_SIZE];
  char finalize_ops[OPS_SIZE];
  napi_ref on_finalize;
  napi_env env; /* of createAtTeardown only */
};

struct step {
  napi_env env; /* unused by every runtime, but a natural argument of ref and unref */
  napi_threadsafe_function handle;
  enum operation operation;
  uintptr_t item; /* the first; each repetition takes the next number */
  uint32_t times; /* 0: once, and the answer is only the status */
  uint32_t delay; /* milliseconds before the first repetition */
};

struct outcome {
  napi_status status;
  uint32_t succeeded; /* how many repetitions, until another status or the end */
  void *context;
};

static struct script untouched = {.label = "untouched"};

static napi_status perform_once(const struct step *step, uintptr_t item, void **context) {
  napi_threadsafe_function handle = step->handle;
  switch (step->operation) {
    case CALL:
      return napi_call_threadsafe_function(handle, (void *)item, napi_tsfn_nonblocking);
    case CALL_BLOCKING:
      return napi_call_threadsafe_function(handle, (void *)item, napi_tsfn_blocking);
    case ACQUIRE:
      return napi_acquire_threadsafe_function(handle);
    case RELEASE:
      return napi_release_threadsafe_function(handle, napi_tsfn_release);
    case ABORT:
      return napi_release_threadsafe_function(handle, napi_tsfn_abort);
    case CONTEXT:
      return napi_get_threadsafe_function_context(handle, context);
    case CONTEXT_NULL:
      return napi_get_threadsafe_function_context(handle, NULL);
    case REF:
      return napi_ref_threadsafe_function(step->env, handle);
    case UNREF:
      return napi_unref_threadsafe_function(step->env, handle);
    default:
      abort();
  }
}

/* Exported, so that a symbol lookup finds a name for the code that calls the seven functions. */
struct outcome perform(const struct step *step) __attribute__((noinline, visibility("default")));
struct outcome perform(const struct step *step) {
  struct outcome outcome = {.context = &untouched};
  uint32_t times = step->times == 0 ? 1 : step->times;
  if (step->delay != 0) usleep(step->delay * 1000);
  while (outcome.succeeded < times) {
    outcome.status = perform_once(step, step->item + outcome.succeeded, &outcome.context);
    if (outcome.status != napi_ok) break;
    outcome.succeeded++;
  }
  return outcome;
}

static void describe(const struct step *step, const struct outcome *outcome, char *text,
                     size_t size) {
  const char *name = status_name(outcome->status);
  if (step->times != 0)
    snprintf(text, size, "%u ok, then %s", outcome->succeeded, name);
  else if (step->operation == CONTEXT)
    snprintf(text, size, "%s %s", name,
             outcome->context == NULL ? "NULL" : ((const struct script *)outcome->context)->label);
  else
    snprintf(text, size, "%s", name);
}

static enum operation operation_of(const char *name) {
  for (int i = 0; i < OPERATIONS; i++)
    if (strcmp(operation_names[i], name) == 0) return (enum operation)i;
  fprintf(stderr, "no operation is called %s\n", name);
  abort();
}

/* Does the operations that a text names, and prints the answer of each. */
static void perform_all(napi_env env, const struct script *script, const char *where,
                        const char *operations) {
  char copy[OPS_SIZE], *rest = NULL;
  snprintf(copy, sizeof copy, "%s", operations);
  for (char *name = strtok_r(copy, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest)) {
    struct step step = {
        .env = env, .handle = script->handle, .operation = operation_of(name), .item = 999};
    struct outcome outcome = perform(&step);
    char text[LABEL_SIZE * 2];
    describe(&step, &outcome, text, sizeof text);
    say("%s of %s: %s %s", where, script->label, name, text);
  }
}

/* ---- Reading JavaScript ---- */

static void read_string(napi_env env, napi_value value, char *text, size_t size) {
  size_t length;
  MUST(env, napi_get_value_string_utf8(env, value, text, size, &length));
}

static napi_threadsafe_function read_handle(napi_env env, napi_value value) {
  uint64_t number;
  bool lossless;
  MUST(env, napi_get_value_bigint_uint64(env, value, &number, &lossless));
  return (napi_threadsafe_function)(uintptr_t)number;
}

static napi_value make_handle(napi_env env, napi_threadsafe_function handle) {
  napi_value value;
  MUST(env, napi_create_bigint_uint64(env, (uint64_t)(uintptr_t)handle, &value));
  return value;
}

static napi_value make_null(napi_env env) {
  napi_value value;
  MUST(env, napi_get_null(env, &value));
  return value;
}

/* NULL if the object has no such property. */
static napi_value option(napi_env env, napi_value options, const char *name) {
  bool has;
  napi_value value;
  MUST(env, napi_has_named_property(env, options, name, &has));
  if (!has) return NULL;
  MUST(env, napi_get_named_property(env, options, name, &value));
  return value;
}

static void option_string(napi_env env, napi_value options, const char *name, char *text,
                          size_t size) {
  napi_value value = option(env, options, name);
  text[0] = '\0';
  if (value != NULL) read_string(env, value, text, size);
}

static bool option_is(napi_env env, napi_value options, const char *name, const char *expected) {
  char text[LABEL_SIZE];
  option_string(env, options, name, text, sizeof text);
  return strcmp(text, expected) == 0;
}

static uint32_t option_u32(napi_env env, napi_value options, const char *name, uint32_t otherwise) {
  napi_value value = option(env, options, name);
  uint32_t number;
  if (value == NULL || napi_get_value_uint32(env, value, &number) != napi_ok) return otherwise;
  return number;
}

/* ---- What the functions call ---- */

static void call_function(napi_env env, napi_value js_callback, void *context, void *data) {
  struct script *script = context;
  if (env == NULL) {
    say("drain item %lu of %s%s", (unsigned long)(uintptr_t)data, script->label,
        js_callback == NULL ? "" : ", with function");
    perform_all(NULL, script, "drain", script->drain_ops);
    return;
  }
  if (js_callback == NULL) {
    say("item %lu of %s, no function", (unsigned long)(uintptr_t)data, script->label);
    return;
  }
  napi_value global, arguments[2];
  MUST(env, napi_get_global(env, &global));
  MUST(env, napi_create_uint32(env, (uint32_t)(uintptr_t)data, &arguments[0]));
  arguments[1] = make_string(env, script->label);
  /* An exception stays pending. */
  napi_status status = napi_call_function(env, global, js_callback, 2, arguments, NULL);
  if (status != napi_ok)
    say("item %lu of %s: %s", (unsigned long)(uintptr_t)data, script->label, status_name(status));
}

static void call_throw(napi_env env, napi_value js_callback, void *context, void *data) {
  (void)js_callback;
  (void)context;
  say("item %lu of the throwing one%s", (unsigned long)(uintptr_t)data,
      env == NULL ? ", drained" : "");
  if (env != NULL) napi_throw_error(env, "ERR_TEST", "thrown by call_js_cb");
}

static void finalize_silently(napi_env env, void *data, void *hint) {
  (void)hint;
  struct script *script = data;
  if (script->on_finalize == NULL) return;
  napi_value global, on_finalize;
  MUST(env, napi_get_global(env, &global));
  MUST(env, napi_get_reference_value(env, script->on_finalize, &on_finalize));
  napi_call_function(env, global, on_finalize, 0, NULL, NULL); /* an exception stays pending */
}

static void finalize_log(napi_env env, void *data, void *hint) {
  struct script *script = data;
  say("finalize %s%s%s", script->label, hint == data ? "" : ", context differs",
      env == NULL ? ", no env" : "");
  perform_all(env, script, "finalizer", script->finalize_ops);
  finalize_silently(env, data, hint);
}

static void finalize_throw(napi_env env, void *data, void *hint) {
  finalize_log(env, data, hint);
  napi_throw_error(env, "ERR_TEST", "thrown by finalize_cb");
}

/* ---- Exports ---- */

static napi_threadsafe_function_call_js call_js_option(napi_env env, napi_value options) {
  if (option_is(env, options, "callJs", "null")) return NULL;
  return option_is(env, options, "callJs", "throw") ? call_throw : call_function;
}

static napi_finalize finalize_option(napi_env env, napi_value options) {
  if (option_is(env, options, "finalize", "null")) return NULL;
  if (option_is(env, options, "finalize", "silent")) return finalize_silently;
  return option_is(env, options, "finalize", "throw") ? finalize_throw : finalize_log;
}

static struct script *new_script(napi_env env, napi_value options) {
  struct script *script = calloc(1, sizeof *script);
  if (script == NULL) abort();
  option_string(env, options, "label", script->label, sizeof script->label);
  option_string(env, options, "drainOps", script->drain_ops, sizeof script->drain_ops);
  option_string(env, options, "finalizeOps", script->finalize_ops, sizeof script->finalize_ops);
  napi_value on_finalize = option(env, options, "onFinalize");
  if (on_finalize != NULL)
    MUST(env, napi_create_reference(env, on_finalize, 1, &script->on_finalize));
  return script;
}

/* The answer of create. It is read at once, because later calls replace the last error info. */
struct answer {
  napi_status status;
  napi_status code;
  const char *message; /* static text, or NULL */
  napi_threadsafe_function handle;
};

static struct answer answer_of(napi_env env, napi_status status, napi_threadsafe_function handle) {
  const napi_extended_error_info *error;
  MUST(env, napi_get_last_error_info(env, &error));
  return (struct answer){status, error->error_code, error->error_message, handle};
}

static napi_value make_answer(napi_env env, const struct answer *answer) {
  napi_value object, exception;
  bool thrown;
  MUST(env, napi_is_exception_pending(env, &thrown));
  if (thrown) MUST(env, napi_get_and_clear_last_exception(env, &exception));
  MUST(env, napi_create_object(env, &object));
  MUST(env, napi_set_named_property(env, object, "status",
                                    make_string(env, status_name(answer->status))));
  MUST(env,
       napi_set_named_property(env, object, "code", make_string(env, status_name(answer->code))));
  MUST(env, napi_set_named_property(
                env, object, "message",
                answer->message == NULL ? make_null(env) : make_string(env, answer->message)));
  MUST(env, napi_set_named_property(env, object, "handle", make_handle(env, answer->handle)));
  if (thrown) MUST(env, napi_set_named_property(env, object, "exception", exception));
  return object;
}

static napi_value create(napi_env env, napi_callback_info info) {
  napi_value options = argument(env, info, 0);
  struct script *script = new_script(env, options);
  napi_value func = option(env, options, "func"), resource = option(env, options, "resource"),
             name = option(env, options, "name");
  size_t max = option_u32(env, options, "max", 0), threads = option_u32(env, options, "threads", 1);
  napi_finalize finalize_cb = finalize_option(env, options);
  napi_threadsafe_function_call_js call_js_cb = call_js_option(env, options);
  napi_env given_env = option_is(env, options, "env", "null") ? NULL : env;
  bool has_place = !option_is(env, options, "result", "null"),
       tell = option_is(env, options, "tell", "yes");

  napi_status status = napi_create_threadsafe_function(
      given_env, func, resource, name, max, threads, script, finalize_cb, script, call_js_cb,
      has_place ? &script->handle : NULL);
  struct answer answer = answer_of(env, status, script->handle);
  if (tell)
    say("  create: %s, last error %s %s", status_name(answer.status), status_name(answer.code),
        answer.message == NULL ? "without message" : answer.message);
  return make_answer(env, &answer);
}

/* Reads handle, operation, item and times. `first` is the index of the handle's argument. */
static struct step read_step(napi_env env, napi_callback_info info, size_t first) {
  char name[LABEL_SIZE];
  read_string(env, argument(env, info, first + 1), name, sizeof name);
  return (struct step){.env = env,
                       .handle = read_handle(env, argument(env, info, first)),
                       .operation = operation_of(name),
                       .item = argument_u32(env, info, first + 2, 0),
                       .times = argument_u32(env, info, first + 3, 0),
                       .delay = argument_u32(env, info, first + 4, 0)};
}

static napi_value make_outcome(napi_env env, const struct step *step,
                               const struct outcome *outcome) {
  char text[LABEL_SIZE * 2];
  describe(step, outcome, text, sizeof text);
  return make_string(env, text);
}

static napi_value run(napi_env env, napi_callback_info info) {
  struct step step = read_step(env, info, 0);
  struct outcome outcome = perform(&step);
  return make_outcome(env, &step, &outcome);
}

/* A native thread that does one step after another and lives as long as the process. */
struct performer {
  char name[LABEL_SIZE];
  pthread_mutex_t lock;
  pthread_cond_t changed;
  enum { IDLE, BUSY, DONE } state; /* guarded by lock, like the next two */
  struct step step;
  struct outcome outcome;
};

enum { MAX_PERFORMERS = 64 };

static pthread_mutex_t performers_lock = PTHREAD_MUTEX_INITIALIZER;
static struct performer performers[MAX_PERFORMERS];
static size_t performer_count;

static void *perform_steps(void *argument) {
  struct performer *performer = argument;
  pthread_setname_np(pthread_self(), performer->name); /* at most 15 bytes */
  pthread_mutex_lock(&performer->lock);
  for (;;) {
    while (performer->state != BUSY) pthread_cond_wait(&performer->changed, &performer->lock);
    struct step step = performer->step;
    pthread_mutex_unlock(&performer->lock);
    struct outcome outcome = perform(&step);
    pthread_mutex_lock(&performer->lock);
    performer->outcome = outcome;
    performer->state = DONE;
    pthread_cond_broadcast(&performer->changed);
  }
  return NULL;
}

static struct performer *performer_named(const char *name) {
  pthread_mutex_lock(&performers_lock);
  size_t i = 0;
  while (i < performer_count && strcmp(performers[i].name, name) != 0) i++;
  if (i == MAX_PERFORMERS) abort();
  struct performer *performer = &performers[i];
  if (i == performer_count) {
    performer_count++;
    snprintf(performer->name, sizeof performer->name, "%s", name);
    pthread_mutex_init(&performer->lock, NULL);
    pthread_cond_init(&performer->changed, NULL);
    pthread_t thread;
    if (pthread_create(&thread, NULL, perform_steps, performer) != 0) abort();
    pthread_detach(thread);
  }
  pthread_mutex_unlock(&performers_lock);
  return performer;
}

static struct performer *performer_argument(napi_env env, napi_callback_info info) {
  char name[LABEL_SIZE];
  read_string(env, argument(env, info, 0), name, sizeof name);
  return performer_named(name);
}

static napi_value start(napi_env env, napi_callback_info info) {
  struct performer *performer = performer_argument(env, info);
  pthread_mutex_lock(&performer->lock);
  if (performer->state != IDLE) abort();
  performer->step = read_step(env, info, 1);
  performer->state = BUSY;
  pthread_cond_broadcast(&performer->changed);
  pthread_mutex_unlock(&performer->lock);
  return NULL;
}

static napi_value take_outcome(napi_env env, struct performer *performer, bool wait) {
  pthread_mutex_lock(&performer->lock);
  while (wait && performer->state == BUSY) pthread_cond_wait(&performer->changed, &performer->lock);
  bool done = performer->state == DONE;
  if (done) performer->state = IDLE;
  struct step step = performer->step;
  struct outcome outcome = performer->outcome;
  pthread_mutex_unlock(&performer->lock);
  return done ? make_outcome(env, &step, &outcome) : make_null(env);
}

static napi_value poll_outcome(napi_env env, napi_callback_info info) {
  return take_outcome(env, performer_argument(env, info), false);
}

static napi_value run_on(napi_env env, napi_callback_info info) {
  start(env, info);
  return take_outcome(env, performer_argument(env, info), true);
}

static uint64_t next_random(uint64_t *state) { /* xorshift64* */
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * 0x2545F4914F6CDD1DULL;
}

/* A value of some sort that an addon may hold by mistake, but never a handle that was given out.
 * Handles are 16-byte aligned, so a value near the given handle is either misaligned or far from
 * every slot in use. */
static uintptr_t make_garbage(uint64_t *random, uintptr_t handle) {
  static const int object_in_data = 1;
  void *memory;
  uintptr_t address;
  switch (next_random(random) % 8) {
    case 0:
      return (uintptr_t)next_random(random);
    case 1: /* canonical */
      return (uintptr_t)next_random(random) & ((1ULL << 47) - 1);
    case 2: /* misaligned, near a real one */
      return handle + 1 + (uintptr_t)(next_random(random) % 15);
    case 3: /* aligned, above every slot in use */
      return handle + (((uintptr_t)next_random(random) % 1000 + 100000) << 4);
    case 4: /* below and above the reservation, perhaps in it */
      return handle - ((uintptr_t)1 << (20 + next_random(random) % 28));
    case 5:
      return 1 + (uintptr_t)next_random(random) % 65536;
    case 6:
      memory = malloc(1 + next_random(random) % 4096);
      address = (uintptr_t)memory;
      free(memory); /* a dangling pointer, like one to a freed wrapper */
      return address;
    default:
      return (next_random(random) & 1) ? (uintptr_t)&object_in_data : (uintptr_t)&memory;
  }
}

static napi_value fuzz(napi_env env, napi_callback_info info) {
  uint64_t random = argument_u32(env, info, 0, 1) | 1;
  uint32_t count = argument_u32(env, info, 1, 1000);
  uintptr_t handle = (uintptr_t)read_handle(env, argument(env, info, 2));
  unsigned seen[OPERATIONS][32] = {{0}};
  unsigned touched = 0;
  for (uint32_t i = 0; i < count; i++) {
    struct step step = {.env = env,
                        .handle = (napi_threadsafe_function)make_garbage(&random, handle)};
    for (int operation = 0; operation < OPERATIONS; operation++) {
      step.operation = (enum operation)operation;
      struct outcome outcome = perform(&step);
      seen[operation][(unsigned)outcome.status % 32]++;
      if (operation == CONTEXT && outcome.context != NULL) touched++;
    }
  }
  for (int operation = 0; operation < OPERATIONS; operation++)
    for (unsigned status = 0; status < 32; status++)
      if (seen[operation][status] != 0)
        say("garbage: %s %u x %s", operation_names[operation], seen[operation][status],
            status_name((napi_status)status));
  say("garbage: %u contexts", touched);
  return NULL;
}

static void create_late(void *data) {
  struct script *script = data;
  napi_env env = script->env;
  napi_handle_scope scope;
  MUST(env, napi_open_handle_scope(env, &scope));
  napi_value name = make_string(env, "late");
  napi_status status = napi_create_threadsafe_function(
      env, NULL, NULL, name, 0, 2, script, finalize_log, script, call_function, &script->handle);
  say("create at teardown: %s", status_name(status));
  if (status == napi_ok)
    perform_all(env, script, "teardown", "call getContext acquire release release");
  MUST(env, napi_close_handle_scope(env, scope));
}

static napi_value create_at_teardown(napi_env env, napi_callback_info info) {
  struct script *script = calloc(1, sizeof *script);
  if (script == NULL) abort();
  read_string(env, argument(env, info, 0), script->label, sizeof script->label);
  script->env = env;
  MUST(env, napi_add_env_cleanup_hook(env, create_late, script));
  return NULL;
}

static void run_late(void *data) {
  struct script *script = data;
  perform_all(script->env, script, "teardown", script->drain_ops);
}

static napi_value run_at_teardown(napi_env env, napi_callback_info info) {
  struct script *script = calloc(1, sizeof *script);
  if (script == NULL) abort();
  script->env = env;
  script->handle = read_handle(env, argument(env, info, 0));
  read_string(env, argument(env, info, 1), script->drain_ops, sizeof script->drain_ops);
  MUST(env, napi_add_env_cleanup_hook(env, run_late, script));
  return NULL;
}

NAPI_MODULE_INIT() {
  export_function(env, exports, "create", create);
  export_function(env, exports, "run", run);
  export_function(env, exports, "runOn", run_on);
  export_function(env, exports, "start", start);
  export_function(env, exports, "poll", poll_outcome);
  export_function(env, exports, "fuzz", fuzz);
  export_function(env, exports, "createAtTeardown", create_at_teardown);
  export_function(env, exports, "runAtTeardown", run_at_teardown);
  return exports;
}
