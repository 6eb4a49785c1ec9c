/* Implements fast_exit.h with the functions of Node and V8 for embedders, which the runtime
 * exports.
 *
 * process.exit(), an uncaught exception and an unhandled rejection all end in the environment's
 * process exit handler. By then the listeners have run and Node's message is written.
 * node::SetProcessExitHandler replaces that handler.
 *
 * At the natural end that handler is not called. Node calls process.emit('exit'), runs the
 * microtasks, handles unhandled rejections if there are any, and then tears down. V8 reports when
 * the microtasks are done (MicrotasksCompletedCallback). If Node has left the loop by then and no
 * JavaScript is on the stack, the event is over, even if something has replaced process.emit. In
 * any case the script makes Node handle a rejection, and V8 reports when that is done
 * (CallCompletedCallback). So JavaScript sees no listener and no replaced function of ours.
 *
 * The C++ functions are called according to the Itanium C++ ABI. v8::Local is one pointer.
 * std::function is that of libstdc++, because with any other library the mangled name would differ.
 * A runtime that lacks one of the functions keeps its own exit.
 *
 * Nothing is installed before the process opens an addon. The thread that opens it may be a
 * worker's. So that thread only requests an interrupt of the main thread, and everything else runs
 * there. */
#include "preload/fast_exit.h"

#include <node_api.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/glibc_floor.h"
#include "base/text.h"
#include "elf/redirect.h"

/* The time limit for flushing stdio. A thread may hold one of stdio's locks for ever, for example
 * while it reads with fgets. */
enum { FLUSH_SECONDS = 5 };

/* Each attempt to install leaves an env behind. One attempt is enough, except on Node 18 if the
 * interrupt comes while node:vm runs code in a context of its own. */
enum { ATTEMPTS_MAX = 8 };

/* The text of the script's source file, and a NUL. */
__asm__(
    ".pushsection .rodata\n"
    ".type tg_fast_exit_script, %object\n"
    "tg_fast_exit_script:\n"
    ".incbin \"" TG_FAST_EXIT_SCRIPT
    "\"\n"
    ".byte 0\n"
    ".size tg_fast_exit_script, . - tg_fast_exit_script\n"
    ".popsection");
extern const char tg_fast_exit_script[] __attribute__((visibility("hidden")));

/* Classes of Node and V8. Only pointers to them are used. */
struct isolate;
struct environment;
struct context;
struct value;
struct stack_trace;
struct uv_loop_s;

/* std::function<void(node::Environment*, int)> of libstdc++. */
struct exit_handler {
  void *functor[2];
  bool (*manage)(void *to, const void *from, int operation);
  void (*invoke)(const void *functor, struct environment **environment, int *status);
};

static struct {
  struct isolate *(*try_get_current)(void);
  struct context *(*get_current_context)(struct isolate *);
  struct value *(*get_global)(struct context *);
  void (*request_interrupt)(struct isolate *, void (*)(struct isolate *, void *), void *);
  void (*add_microtasks_completed_callback)(struct isolate *, void (*)(struct isolate *, void *),
                                            void *);
  void (*add_call_completed_callback)(struct isolate *, void (*)(struct isolate *));
  struct stack_trace *(*get_stack_trace)(struct isolate *, int limit, int options);
  int (*count_frames)(const struct stack_trace *);
} v8;

static struct {
  struct environment *(*get_current_environment)(struct context *);
  struct context *(*get_main_context)(struct environment *); /* NULL: Node 18 */
  void (*set_process_exit_handler)(struct environment *, struct exit_handler *);
  void (*exit_as_usual)(struct environment *, int status);
  void (*register_addon)(struct value *exports, struct value *module, struct context *,
                         napi_addon_register_func, int version);
  void (*reset_stdio)(void);
} node;

static struct {
  napi_status (*open_handle_scope)(napi_env, napi_handle_scope *);
  napi_status (*close_handle_scope)(napi_env, napi_handle_scope);
  napi_status (*create_string_utf8)(napi_env, const char *, size_t, napi_value *);
  napi_status (*run_script)(napi_env, napi_value, napi_value *);
  napi_status (*call_function)(napi_env, napi_value, napi_value, size_t, const napi_value *,
                               napi_value *);
  napi_status (*create_reference)(napi_env, napi_value, uint32_t, napi_ref *);
  napi_status (*get_reference_value)(napi_env, napi_ref, napi_value *);
  napi_status (*get_value_bool)(napi_env, napi_value, bool *);
  napi_status (*get_value_int32)(napi_env, napi_value, int32_t *);
  napi_status (*get_value_string_utf8)(napi_env, napi_value, char *, size_t, size_t *);
  napi_status (*get_undefined)(napi_env, napi_value *);
  napi_status (*get_and_clear_last_exception)(napi_env, napi_value *);
  napi_status (*get_uv_event_loop)(napi_env, struct uv_loop_s **);
  napi_status (*add_env_cleanup_hook)(napi_env, void (*)(void *), void *);
} napi;

static int (*uv_loop_alive)(const struct uv_loop_s *);
static int (*pthread_create_of_libc)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
                                     void *);

static int (*write_last)(int status); /* NULL: exit=fast is not set, or not possible */
static pid_t process;
/* It lives longer than all workers. NULL: not known yet. */
static struct isolate *_Atomic main_isolate;
/* Whether an interrupt was requested. Reset only for another attempt. */
static atomic_bool is_requested;

/* Used only by the main thread. */
static unsigned attempts;
static napi_env env;    /* NULL: not installed, or the env has ended */
static napi_ref script; /* the function that the script has returned */
static struct uv_loop_s *loop;
static bool is_asking;

struct wanted {
  const char *name;
  void *place;
};

/* Returns the first name that is missing; NULL: all were found. */
static const char *look_up(const struct tg_image *image, const struct wanted *wanted,
                           size_t count) {
  for (size_t i = 0; i < count; i++) {
    const ElfW(Sym) *symbol = tg_image_find(image, wanted[i].name, STT_FUNC);
    if (symbol == NULL) return wanted[i].name;
    void *address = tg_image_address(image, symbol);
    memcpy(wanted[i].place, &address, sizeof address);
  }
  return NULL;
}

static const char *look_up_in_process(const struct wanted *wanted, size_t count) {
  for (size_t i = 0; i < count; i++) {
    void *address = dlsym == NULL ? NULL : dlsym(RTLD_DEFAULT, wanted[i].name);
    if (address == NULL) return wanted[i].name;
    memcpy(wanted[i].place, &address, sizeof address);
  }
  return NULL;
}

static const char *look_all_up(const struct tg_image *image) {
  const struct wanted of_runtime[] = {
      {"_ZN2v87Isolate13TryGetCurrentEv", &v8.try_get_current},
      {"_ZN2v87Isolate17GetCurrentContextEv", &v8.get_current_context},
      {"_ZN2v87Context6GlobalEv", &v8.get_global},
      {"_ZN2v87Isolate16RequestInterruptEPFvPS0_PvES2_", &v8.request_interrupt},
      {"_ZN2v87Isolate30AddMicrotasksCompletedCallbackEPFvPS0_PvES2_",
       &v8.add_microtasks_completed_callback},
      {"_ZN2v87Isolate24AddCallCompletedCallbackEPFvPS0_E", &v8.add_call_completed_callback},
      {"_ZN2v810StackTrace17CurrentStackTraceEPNS_7IsolateEiNS0_17StackTraceOptionsE",
       &v8.get_stack_trace},
      {"_ZNK2v810StackTrace13GetFrameCountEv", &v8.count_frames},
      {"_ZN4node21GetCurrentEnvironmentEN2v85LocalINS0_7ContextEEE", &node.get_current_environment},
      {"_ZN4node21SetProcessExitHandlerEPNS_11EnvironmentEOSt8functionIFvS1_iEE",
       &node.set_process_exit_handler},
      {"_ZN4node25DefaultProcessExitHandlerEPNS_11EnvironmentEi", &node.exit_as_usual},
      {"_Z30napi_module_register_by_symbolN2v85LocalINS_6ObjectEEENS0_INS_5ValueEEENS0_INS_"
       "7ContextEEE"
       "PFP12napi_value__P10napi_env__S8_Ei",
       &node.register_addon},
      {"_ZN4node10ResetStdioEv", &node.reset_stdio},
      {"napi_open_handle_scope", &napi.open_handle_scope},
      {"napi_close_handle_scope", &napi.close_handle_scope},
      {"napi_create_string_utf8", &napi.create_string_utf8},
      {"napi_run_script", &napi.run_script},
      {"napi_call_function", &napi.call_function},
      {"napi_create_reference", &napi.create_reference},
      {"napi_get_reference_value", &napi.get_reference_value},
      {"napi_get_value_bool", &napi.get_value_bool},
      {"napi_get_value_int32", &napi.get_value_int32},
      {"napi_get_value_string_utf8", &napi.get_value_string_utf8},
      {"napi_get_undefined", &napi.get_undefined},
      {"napi_get_and_clear_last_exception", &napi.get_and_clear_last_exception},
      {"napi_get_uv_event_loop", &napi.get_uv_event_loop},
      {"napi_add_env_cleanup_hook", &napi.add_env_cleanup_hook},
  };
  const struct wanted of_process[] = {{"uv_loop_alive", &uv_loop_alive},
                                      {"pthread_create", &pthread_create_of_libc}};
  const struct wanted optional = {"_ZN4node14GetMainContextEPNS_11EnvironmentE",
                                  &node.get_main_context};
  look_up(image, &optional, 1);
  const char *missing = look_up(image, of_runtime, sizeof of_runtime / sizeof of_runtime[0]);
  return missing != NULL ? missing
                         : look_up_in_process(of_process, sizeof of_process / sizeof of_process[0]);
}

static void say_why_not(const char *needed, const char *found) {
  struct tg_text line;
  tg_text_start(&line);
  tg_text_add(&line, "exit=fast: needed ");
  tg_text_add(&line, needed);
  tg_text_add(&line, ", found ");
  tg_text_add(&line, found);
  tg_text_add(&line, "; the process ends as with exit=normal");
  tg_text_write(&line);
}

/* --- The end */

static volatile sig_atomic_t status_of_alarm;

static void end_at_alarm(int number) {
  (void)number;
  _exit(status_of_alarm);
}

/* Flushes what addons have written with stdio. The alarm ends the process if this takes too
 * long. */
static void flush(int status) {
  struct sigaction action = {.sa_handler = end_at_alarm};
  sigset_t alarms;
  status_of_alarm = status;
  sigaction(SIGALRM, &action, NULL);
  sigemptyset(&alarms);
  sigaddset(&alarms, SIGALRM);
  sigprocmask(SIG_UNBLOCK, &alarms, NULL);
  alarm(FLUSH_SECONDS);
  fflush(NULL);
}

/* Callers of thread-safe functions are not rejected, because a caller that is rejected may end the
 * process itself. */
static _Noreturn void end(int status) {
  status = write_last(status);
  /* One of Node's own exit handlers: it restores the modes of terminals, and whether stdio
   * blocks. */
  node.reset_stdio();
  flush(status);
  _exit(status);
}

/* A child that was forked without exec has nothing to write, so it ends as usual. */
static void on_exit_request(const void *functor, struct environment **environment, int *status) {
  (void)functor;
  if (getpid() == process) end(*status);
  node.exit_as_usual(*environment, *status);
}

/* The functor is empty, so there is nothing to copy and nothing to free. */
static bool manage_functor(void *to, const void *from, int operation) {
  (void)to;
  (void)from;
  (void)operation;
  return false;
}

/* --- The natural end */

/* Calls the script's function. NULL: there is no answer. Requires an open handle scope. */
static napi_value ask_script(void) {
  napi_value undefined, function, answer, exception;
  if (napi.get_undefined(env, &undefined) != napi_ok) return NULL;
  if (napi.get_reference_value(env, script, &function) != napi_ok) return NULL;
  is_asking = true;
  napi_status status = napi.call_function(env, undefined, function, 0, NULL, &answer);
  is_asking = false;
  if (status == napi_ok) return answer;
  napi.get_and_clear_last_exception(env, &exception);
  return NULL;
}

static void on_call_completed(struct isolate *isolate) {
  (void)isolate;
  napi_handle_scope scope;
  int status;
  if (env == NULL || is_asking || napi.open_handle_scope(env, &scope) != napi_ok) return;
  napi_value answer = ask_script();
  if (answer != NULL && napi.get_value_int32(env, answer, &status) == napi_ok) end(status);
  napi.close_handle_scope(env, scope);
}

static bool is_javascript_on_stack(struct isolate *isolate) {
  enum { OVERVIEW = 15 };
  return v8.count_frames(v8.get_stack_trace(isolate, 1, OVERVIEW)) != 0;
}

/* Requires an open handle scope. */
static bool is_exit_event_over(struct isolate *isolate) {
  bool is_over = false;
  napi_value answer = is_javascript_on_stack(isolate) ? NULL : ask_script();
  return answer != NULL && napi.get_value_bool(env, answer, &is_over) == napi_ok && is_over;
}

/* That microtasks are done does not prove that the event is over: a listener may run microtasks
 * itself, as the package deasync does. But then JavaScript is on the stack. */
static void on_microtasks_completed(struct isolate *isolate, void *unused) {
  (void)unused;
  napi_handle_scope scope;
  if (env == NULL || is_asking || uv_loop_alive(loop) || getpid() != process) return;
  if (napi.open_handle_scope(env, &scope) != napi_ok) return;
  if (is_exit_event_over(isolate)) v8.add_call_completed_callback(isolate, on_call_completed);
  napi.close_handle_scope(env, scope);
}

/* --- Installing */

static void forget_env(void *unused) {
  (void)unused;
  env = NULL;
}

/* The obstacle that the script has found. NULL: its value is not a text. */
static const char *read_obstacle(napi_env script_env, napi_value value) {
  static char obstacle[128];
  size_t length;
  return napi.get_value_string_utf8(script_env, value, obstacle, sizeof obstacle, &length) ==
                 napi_ok
             ? obstacle
             : NULL;
}

static bool keep_function(napi_env script_env, napi_value function) {
  if (napi.create_reference(script_env, function, 1, &script) != napi_ok) return false;
  if (napi.get_uv_event_loop(script_env, &loop) != napi_ok) return false;
  if (napi.add_env_cleanup_hook(script_env, forget_env, NULL) != napi_ok) return false;
  env = script_env;
  return true;
}

/* Registered as an addon's init function, so that it gets an env of its own. */
static napi_value run_script(napi_env script_env, napi_value exports) {
  napi_value source, value, exception;
  napi_status status =
      napi.create_string_utf8(script_env, tg_fast_exit_script, NAPI_AUTO_LENGTH, &source);
  if (status == napi_ok) status = napi.run_script(script_env, source, &value);
  if (status != napi_ok) {
    napi.get_and_clear_last_exception(script_env, &exception);
    return exports;
  }
  const char *obstacle = read_obstacle(script_env, value);
  if (obstacle != NULL)
    say_why_not("a program for which Node.js has nothing to write at its end", obstacle);
  bool is_settled = obstacle != NULL || keep_function(script_env, value);
  if (!is_settled && attempts < ATTEMPTS_MAX)
    atomic_store_explicit(&is_requested, false, memory_order_relaxed);
  return exports;
}

/* V8 calls it in the main thread as soon as JavaScript runs there, with a handle scope open. */
static void install(struct isolate *isolate, void *unused) {
  (void)unused;
  enum { NODE_API_VERSION = 8 };
  struct context *context = v8.get_current_context(isolate);
  struct environment *environment = node.get_current_environment(context);
  if (environment == NULL) return;
  attempts++;
  /* The current context may be one of node:vm, which has no `process`. */
  if (node.get_main_context != NULL) context = node.get_main_context(environment);
  struct value *global = v8.get_global(context);
  node.register_addon(global, global, context, run_script, NODE_API_VERSION);
  if (env == NULL) return;
  struct exit_handler handler = {.manage = manage_functor, .invoke = on_exit_request};
  node.set_process_exit_handler(environment, &handler);
  v8.add_microtasks_completed_callback(isolate, on_microtasks_completed, NULL);
}

static void learn_main_isolate(void) {
  if (syscall(SYS_gettid) == process)
    atomic_store_explicit(&main_isolate, v8.try_get_current(), memory_order_relaxed);
}

/* Learns the main isolate even if the main thread opens no addon. The main thread starts the
 * workers, and before them a thread of the inspector. */
static int create_thread(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                         void *argument) {
  learn_main_isolate();
  return pthread_create_of_libc(thread, attributes, run, argument);
}

void tg_fast_exit_addon_opens(void) {
  if (write_last == NULL) return;
  learn_main_isolate();
  struct isolate *isolate = atomic_load_explicit(&main_isolate, memory_order_relaxed);
  if (isolate == NULL || atomic_exchange_explicit(&is_requested, true, memory_order_relaxed))
    return;
  v8.request_interrupt(isolate, install, NULL);
}

void tg_fast_exit_open(const struct tg_image *runtime, int (*write)(int status)) {
  const char *missing = look_all_up(runtime);
  if (missing != NULL) {
    say_why_not("a Node.js that exports its functions for embedders", missing);
    return;
  }
  process = getpid();
  write_last = write;
  learn_main_isolate(); /* an isolate exists if tsfn-guard/register loads us */
  tg_redirect_import(runtime, "pthread_create", (const void *)create_thread);
}
