/* Implements the verdict. */
#include "command/triage/triage_verdict.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "command/common/affected.h"

/* --- Kinds of frames */

static bool is_any(const struct tg_trace_frame *frame, const char *const *patterns, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (tg_name_fits(frame->function, patterns[i])) return true;
  return false;
}
#define IS(frame, patterns) is_any(frame, patterns, sizeof(patterns) / sizeof((patterns)[0]))

bool tg_is_tsfn_call(const struct tg_trace_frame *frame) {
  static const char *const names[] = {"napi_call_threadsafe_function",
                                      "napi_acquire_threadsafe_function",
                                      "napi_release_threadsafe_function",
                                      "napi_ref_threadsafe_function",
                                      "napi_unref_threadsafe_function",
                                      "napi_get_threadsafe_function_context",
                                      "v8impl::*ThreadSafeFunction::Push*",
                                      "v8impl::*ThreadSafeFunction::Release*",
                                      "v8impl::*ThreadSafeFunction::Acquire*",
                                      "v8impl::*ThreadSafeFunction::Send*",
                                      "ThreadSafeFunction::Push*",
                                      "ThreadSafeFunction::Release*"};
  if (frame->owner == TG_OWNER_ADDON || frame->owner == TG_OWNER_LIBRARY ||
      frame->owner == TG_OWNER_GUARD)
    return false;
  return IS(frame, names);
}

static bool is_waiting(const struct tg_trace_frame *frame) {
  static const char *const names[] = {"*cond_wait*",
                                      "*cond_destroy*",
                                      "*cond_timedwait*",
                                      "futex_wait*",
                                      "__futex_abstimed*",
                                      "*epoll_*wait*",
                                      "*kevent*",
                                      "poll",
                                      "__poll",
                                      "nanosleep",
                                      "*nanosleep*",
                                      "*_join*",
                                      "__lll_lock_wait*",
                                      "*psynch_cvwait",
                                      "*semwait*",
                                      "sem_wait*",
                                      "read",
                                      "__read",
                                      "select",
                                      "*select*",
                                      "syscall",
                                      "*sem_wait*",
                                      "*mach_msg*",
                                      "*workq_kernreturn",
                                      "__libc_read",
                                      "accept*",
                                      "__GI___poll",
                                      "do_futex_wait*",
                                      "*sigwait*",
                                      "NtWaitFor*",
                                      "__new_sem_wait*",
                                      "ppoll",
                                      "pause",
                                      "wait4",
                                      "waitpid",
                                      "*ulock_wait*"};
  return IS(frame, names);
}

/* Frames that may be above the code that matters: signals, aborts, locks, libc, the C++ library. */
static bool is_plumbing(const struct tg_trace_frame *frame) {
  static const char *const names[] = {"uv_mutex_*",
                                      "uv_rwlock_*",
                                      "uv_cond_*",
                                      "uv_sem_*",
                                      "uv_async_send",
                                      "uv__async_send*",
                                      "node::Abort*",
                                      "node::Assert*",
                                      "node::DumpNativeBacktrace*",
                                      "node::DumpBacktrace*",
                                      "node::LibuvMutexTraits*",
                                      "node::MutexBase*",
                                      "node::ConditionVariableBase*",
                                      "node::OnFatalError*",
                                      "node::FatalError*",
                                      "node::OOMErrorHandler*",
                                      "napi_fatal_error",
                                      "*signal handler called*",
                                      "node::TrapHandler*",
                                      "node::*SignalExit*",
                                      "uv__abort*",
                                      "node::*AbortHandler*",
                                      "node::AppendExceptionLine*",
                                      "node::TriggerNodeReport*",
                                      "node::report::*"};
  if (frame->owner == TG_OWNER_SYSTEM) return true;
  if (strstr(frame->object, "segfault-handler") != NULL ||
      strstr(frame->object, "segfault_handler") != NULL)
    return true;
  return IS(frame, names);
}

static bool is_death(const struct tg_trace_frame *frame) {
  static const char *const names[] = {"abort",
                                      "*_abort*",
                                      "__GI_abort*",
                                      "raise",
                                      "__GI_raise*",
                                      "gsignal",
                                      "*pthread_kill*",
                                      "*signal handler called*",
                                      "__assert_fail*",
                                      "*malloc_printerr*",
                                      "*__libc_message*",
                                      "std::terminate*",
                                      "node::Abort*",
                                      "node::Assert*",
                                      "node::OnFatalError*",
                                      "__restore_rt",
                                      "*__verbose_terminate*",
                                      "tgkill",
                                      "*__libc_fatal*",
                                      "__stack_chk_fail",
                                      "__fortify_fail",
                                      "uv__abort*",
                                      "V8_Fatal*",
                                      "_abort",
                                      "*CheckFailed*"};
  return IS(frame, names);
}

static bool is_mutex(const struct tg_trace_frame *frame) {
  static const char *const names[] = {"uv_mutex_*",
                                      "*pthread_mutex_*",
                                      "uv_rwlock_*",
                                      "*pthread_rwlock_*",
                                      "std::mutex::*",
                                      "std::__1::mutex::*",
                                      "*pthread_cond_destroy*",
                                      "uv_cond_*",
                                      "absl::*Mutex::*"};
  return IS(frame, names);
}

/* Functions that end environments or the process. */
static bool is_ending(const struct tg_trace_frame *frame) {
  static const char *const names[] = {"node::FreeEnvironment*",
                                      "node::Environment::RunCleanup*",
                                      "node::Environment::CleanupHandles*",
                                      "*CleanupHandles*",
                                      "node::CleanupQueue::Drain*",
                                      "node::Environment::Exit*",
                                      "node::Stop*",
                                      "*RunAtExit*",
                                      "node::worker::Worker::StopThread*",
                                      "napi_env__::DeleteMe*",
                                      "node_napi_env__::DeleteMe*",
                                      "v8impl::RefTracker::FinalizeAll*",
                                      "node::Environment::~Environment*",
                                      "exit",
                                      "__run_exit_handlers",
                                      "__cxa_finalize",
                                      "_dl_fini",
                                      "node::ReallyExit*",
                                      "node::DefaultProcessExitHandler*",
                                      "node::worker::Worker::Exit*",
                                      "*exitAndDeinit*",
                                      "node::worker::WorkerThreadData::~*",
                                      "__GI_exit",
                                      "node::Exit*",
                                      "node::process*ReallyExit*",
                                      "v8::Isolate::Dispose*",
                                      "v8::internal::Isolate::Deinit*",
                                      "node::FreeIsolateData*",
                                      "__cxa_finalize_ranges"};
  return IS(frame, names);
}

/* Functions with which the runtime closes a thread-safe function. */
static bool is_closing(const struct tg_trace_frame *frame) {
  static const char *const names[] = {
      "*ThreadSafeFunction::CloseHandles*", "*ThreadSafeFunction::Finalize*",
      "*ThreadSafeFunction::EmptyQueue*", "*ThreadSafeFunction::~ThreadSafeFunction*"};
  return IS(frame, names);
}

static bool is_exit(const struct tg_trace_frame *frame) {
  static const char *const names[] = {"__run_exit_handlers", "__cxa_finalize", "_dl_fini",
                                      "__GI_exit", "__cxa_finalize_ranges"};
  return IS(frame, names);
}

static bool is_delivery(const struct tg_trace_frame *frame) {
  static const char *const names[] = {"*ThreadSafeFunction::CallJS*",
                                      "*ThreadSafeFunction::CallJs*",
                                      "*ThreadSafeFunction::Dispatch*",
                                      "*ThreadSafeFunction::AsyncCb*",
                                      "*threadsafe_function::call_js_cb*",
                                      "*ThreadSafeFunction*::CallJsInternal*",
                                      "*CallbackInto*CallJS*",
                                      "*CallJsWrapper*",
                                      "*ThreadSafeFunction::*CallbackWrapper*"};
  return IS(frame, names);
}

/* An event loop or JavaScript: this thread runs an environment. */
static bool is_of_environment(const struct tg_trace_frame *frame) {
  static const char *const names[] = {"uv_run",
                                      "uv__run_*",
                                      "node::SpinEventLoop*",
                                      "node::Start*",
                                      "node::NodeMainInstance::*",
                                      "Builtins_*",
                                      "v8::Function::Call*",
                                      "node::worker::Worker::*",
                                      "node::LoadEnvironment*",
                                      "v8::internal::Execution::*",
                                      "node::InternalMakeCallback*",
                                      "v8::internal::*Builtin*",
                                      "uv__io_poll",
                                      "uv__async_io*",
                                      "node::MakeCallback*",
                                      "*electron*",
                                      "__libc_start*",
                                      "napi_call_function",
                                      "v8impl::*FunctionCallbackWrapper*",
                                      "main",
                                      "JSC::*",
                                      "_start"};
  return IS(frame, names);
}

/* Threads that V8 and Node use internally. */
static bool is_of_runtime_thread(const struct tg_trace_frame *frame) {
  static const char *const names[] = {"node::*PlatformWorkerThread*",
                                      "node::WorkerThreadsTaskRunner*",
                                      "v8::platform::*",
                                      "v8::internal::*Task*",
                                      "v8::internal::*Job*",
                                      "node::inspector::*",
                                      "v8::base::Thread*",
                                      "node::*TaskRunner*",
                                      "v8::internal::*OptimizingCompile*",
                                      "node::tracing::*",
                                      "node::*ShutdownWorkers*",
                                      "node::worker::Worker::StartThread*"};
  return IS(frame, names);
}

static bool is_of_pool(const struct tg_trace_frame *frame) {
  static const char *const names[] = {"uv__queue_work",
                                      "node::ThreadPoolWork::*",
                                      "uv__fs_work",
                                      "*AsyncWorker::*Execute*",
                                      "*AsyncWorker::OnExecute*",
                                      "uv__getaddrinfo_work",
                                      "worker",
                                      "uv__worker"};
  return IS(frame, names);
}

static bool is_thread_start(const struct tg_trace_frame *frame) {
  static const char *const names[] = {"start_thread",       "clone",
                                      "__clone*",           "clone3",
                                      "_pthread_start",     "_pthread_body",
                                      "thread_start",       "std::thread::*",
                                      "std::sys::*thread*", "execute_native_thread_routine",
                                      "__GI___clone*",      "std::execute_native_thread_routine*",
                                      "*thread_start*",     "tokio::runtime::*",
                                      "__bionic_clone"};
  return IS(frame, names);
}

static bool is_js_api(const struct tg_trace_frame *frame) {
  static const char *const names[] = {"napi_*", "v8::*", "v8impl::*", "node_api_*"};
  return IS(frame, names) && !tg_is_tsfn_call(frame);
}

static bool is_fatal(const struct tg_trace_frame *frame) {
  static const char *const names[] = {"napi_fatal_error", "Napi::Error::Fatal*",
                                      "Napi::Error::ThrowAsJavaScriptException*",
                                      "napi::*fatal_error*", "neon::*fatal*"};
  return IS(frame, names);
}

static bool is_terminate(const struct tg_trace_frame *frame) {
  static const char *const names[] = {"std::terminate*", "*__verbose_terminate_handler*",
                                      "__cxxabiv1::__terminate*", "*call_unexpected*",
                                      "_Unwind_RaiseException*terminate"};
  return IS(frame, names);
}

static bool is_of_worker(const struct tg_trace_frame *frame) {
  static const char *const names[] = {"node::worker::Worker::*"};
  return IS(frame, names);
}

/* Only addons call these. */
static bool is_node_api(const struct tg_trace_frame *frame) {
  return tg_name_fits(frame->function, "napi_*") && !tg_name_fits(frame->function, "napi_env__*") &&
         !tg_is_tsfn_call(frame) && !is_plumbing(frame) &&
         !tg_name_fits(frame->function, "napi_module_register*");
}

/* Functions that call what addons have registered. If the frame above such a function has neither a
 * file nor a name, its code was unloaded. */
static bool runs_callbacks(const struct tg_trace_frame *frame) {
  static const char *const names[] = {"*InvokeFirstPassWeakCallbacks*",
                                      "*InvokeSecondPassPhantomCallbacks*",
                                      "v8impl::*Reference*",
                                      "v8impl::RefTracker::*",
                                      "v8impl::*Finalizer*",
                                      "napi_env__::CallFinalizer*",
                                      "node_napi_env__::*",
                                      "node::Environment::RunCleanup*",
                                      "node::CleanupQueue::Drain*",
                                      "node::RunAtExit*",
                                      "uv__run_timers",
                                      "uv__async_io*",
                                      "uv__work_done",
                                      "uv__finish_close",
                                      "uv__run_closing_handles",
                                      "uv__run_idle",
                                      "uv__run_check",
                                      "uv__run_prepare",
                                      "v8impl::ThreadSafeFunction::*",
                                      "v8impl::*ThreadSafeFunction::*",
                                      "node::Environment::RunAndClearNativeImmediates*",
                                      "v8impl::*Env*",
                                      "uv__worker",
                                      "*GlobalHandles::*",
                                      "node::BufferFinalizer*",
                                      "*ArrayBufferSweeper*",
                                      "v8::internal::BackingStore::*",
                                      "node::*CallbackInfo*",
                                      "uv__queue_done"};
  return IS(frame, names);
}

static bool runs_thread_locals(const struct tg_trace_frame *frame) {
  static const char *const names[] = {"__nptl_deallocate_tsd*", "__call_tls_dtors",
                                      "_pthread_tsd_cleanup",   "__GI___call_tls_dtors",
                                      "*nptl_deallocate_tsd*",  "__GI___nptl_deallocate_tsd",
                                      "deallocate_tsd"};
  return IS(frame, names);
}

static bool is_addons(const struct tg_trace_frame *frame) {
  return frame->owner == TG_OWNER_ADDON || frame->owner == TG_OWNER_LIBRARY;
}

static bool is_javascript(const struct tg_trace_frame *frame) {
  static const char *const names[] = {"Builtins_JSEntry*", "Builtins_InterpreterEntry*",
                                      "v8::internal::*Execution::*", "v8::Function::Call*",
                                      "LazyCompile:*"};
  return IS(frame, names);
}

/* --- The stack that died */

static bool any(const struct tg_trace *trace, bool (*is)(const struct tg_trace_frame *frame)) {
  for (unsigned i = 0; i < trace->count; i++)
    if (is(&trace->frames[i])) return true;
  return false;
}

/* Whether the thread only waits, as most threads do at the moment when another one dies. */
static bool is_idle(const struct tg_trace *trace) {
  for (unsigned i = 0; i < trace->count && is_plumbing(&trace->frames[i]); i++)
    if (is_waiting(&trace->frames[i])) return true;
  return false;
}

/* The points of a stack. The stack with the most points is most likely the one that died. */
static int score(const struct tg_evidence *evidence, const struct tg_trace *trace) {
  int points = 0;
  if (trace->is_aside) points -= 8;
  if (trace->is_bare) points -= 1;
  if (trace->has_died) points += 6;
  if (evidence->died_thread != TG_NO_NUMBER && trace->thread == evidence->died_thread) points += 4;
  if (evidence->current_thread != TG_NO_NUMBER && trace->thread == evidence->current_thread)
    points += 1;
  for (unsigned i = 0; i < trace->count && i < 12; i++)
    if (is_death(&trace->frames[i])) {
      points += 4;
      break;
    }
  /* gdb prints the first frame alone before it prints the whole stack. */
  if (trace->count == 1) points -= 5;
  if (points < 4 && is_idle(trace)) points -= 6;
  return points;
}

static const struct tg_trace *find_died(const struct tg_evidence *evidence) {
  const struct tg_trace *best = NULL;
  int most = 0;
  for (unsigned i = 0; i < evidence->count; i++) {
    int points = score(evidence, &evidence->traces[i]);
    if (best != NULL && points <= most) continue;
    best = &evidence->traces[i];
    most = points;
  }
  return best;
}

/* The index of the first frame that is not plumbing; the number of frames if there is none. */
static unsigned find_top(const struct tg_trace *trace) {
  unsigned top = 0;
  while (top < trace->count && is_plumbing(&trace->frames[top])) top++;
  return top;
}

/* Code of the runtime that one of the seven functions may call. None of the seven runs a
 * callback. */
static bool is_within_call(const struct tg_trace_frame *frame) {
  return frame->owner == TG_OWNER_RUNTIME && !is_js_api(frame) && !is_of_environment(frame) &&
         !is_delivery(frame);
}

/* The index of the call of one of the seven functions; the number of frames if there is none. Above
 * the call, only plumbing and the runtime's own code are allowed. In a stripped runtime these
 * frames have no names. */
static unsigned find_tsfn_call(const struct tg_trace *trace, unsigned top) {
  enum { NAMELESS_MAX = 3 };
  for (unsigned nameless = 0; top < trace->count; top++) {
    const struct tg_trace_frame *frame = &trace->frames[top];
    if (tg_is_tsfn_call(frame)) return top;
    if (frame->owner == TG_OWNER_NOBODY && ++nameless <= NAMELESS_MAX) continue;
    if (!is_plumbing(frame) && !is_within_call(frame)) break;
  }
  return trace->count;
}

static bool waits_in_tsfn(const struct tg_trace *trace) {
  for (unsigned i = 0, waits = 0; i < trace->count; i++) {
    waits |= is_waiting(&trace->frames[i]);
    if (tg_is_tsfn_call(&trace->frames[i]))
      return waits && find_tsfn_call(trace, find_top(trace)) == i;
  }
  return false;
}

/* Looks for a frame with neither a file nor a name, at the top of the stack or below the frame of a
 * signal handler. Returns the frame that called it. NULL: there is no such frame. */
static const struct tg_trace_frame *find_no_code(const struct tg_trace *trace) {
  unsigned at = 0;
  for (unsigned i = 0; i < trace->count && i < 6; i++)
    if (tg_name_fits(trace->frames[i].function, "*signal handler called*")) at = i + 1;
  while (at < trace->count && (trace->frames[at].owner == TG_OWNER_SYSTEM &&
                               tg_name_fits(trace->frames[at].function, "__restore_rt")))
    at++;
  if (at + 1 >= trace->count || trace->frames[at].owner != TG_OWNER_NOBODY) return NULL;
  /* An unloaded destructor may have called other unloaded functions. */
  while (at + 1 < trace->count && trace->frames[at + 1].owner == TG_OWNER_NOBODY && at < 3) at++;
  return at + 1 < trace->count ? &trace->frames[at + 1] : NULL;
}

static uint32_t facts_of_top(const struct tg_trace *trace) {
  unsigned top = find_top(trace);
  uint32_t facts = find_tsfn_call(trace, top) < trace->count ? TG_FACT_TSFN_CALL : 0;
  bool mutex = false;
  for (unsigned i = 0; i < top; i++) {
    mutex |= is_mutex(&trace->frames[i]);
    if (tg_name_fits(trace->frames[i].function, "node::Assert*")) facts |= TG_FACT_ASSERTION;
  }
  if (mutex) facts |= TG_FACT_MUTEX;
  if (top == trace->count) return facts;
  /* The runtime destroys the function's mutex while a calling thread still holds it. */
  if (mutex && is_closing(&trace->frames[top])) facts |= TG_FACT_TSFN_CALL;
  if (is_addons(&trace->frames[top])) facts |= TG_FACT_ADDON_TOP;
  if (trace->frames[top].owner == TG_OWNER_RUNTIME) facts |= TG_FACT_RUNTIME_TOP;
  /* In a stripped runtime, a frame without a name may be one of the seven functions. So only a
   * frame that has a name, or that belongs to the system, shows that the addon called something
   * else. */
  bool has_name = false;
  for (unsigned i = top; i < trace->count && !is_javascript(&trace->frames[i]); i++) {
    if (is_addons(&trace->frames[i])) {
      if (has_name) facts |= TG_FACT_ADDON_CALLS;
      break;
    }
    has_name |= trace->frames[i].function[0] != '\0' || trace->frames[i].owner == TG_OWNER_SYSTEM;
  }
  return facts;
}

/* Whether enough frames are known to be the runtime's, and none is known to belong to other code.
 * In V8, frames with neither a name nor a file are JavaScript. */
static bool is_runtime_only(const struct tg_trace *trace) {
  unsigned named = 0;
  for (unsigned i = 0; i < trace->count; i++) {
    const struct tg_trace_frame *frame = &trace->frames[i];
    if (is_addons(frame) || frame->owner == TG_OWNER_GUARD) return false;
    if (frame->owner == TG_OWNER_UNKNOWN && frame->function[0] != '\0' && frame->object[0] == '\0')
      return false;
    named += frame->owner == TG_OWNER_RUNTIME && frame->function[0] != '\0' && !is_plumbing(frame);
  }
  return named >= 2;
}

static uint32_t facts_of(const struct tg_trace *trace) {
  uint32_t facts = TG_FACT_STACK | facts_of_top(trace);
  bool starts = any(trace, is_thread_start);
  bool environment = any(trace, is_of_environment), runtime = any(trace, is_of_runtime_thread);
  if (any(trace, is_ending)) facts |= TG_FACT_ENDING;
  if (any(trace, is_exit)) facts |= TG_FACT_AT_EXIT;
  if (any(trace, is_delivery)) facts |= TG_FACT_DELIVERY;
  if (any(trace, is_addons)) facts |= TG_FACT_ADDON_IN;
  if (any(trace, is_js_api)) facts |= TG_FACT_JS_API;
  if (any(trace, is_fatal)) facts |= TG_FACT_FATAL;
  if (any(trace, is_terminate)) facts |= TG_FACT_TERMINATE;
  if (any(trace, is_of_worker)) facts |= TG_FACT_WORKER;
  if (any(trace, is_of_pool)) facts |= TG_FACT_POOL;
  if (starts && !environment && !runtime && (facts & TG_FACT_POOL) == 0)
    facts |= TG_FACT_OWN_THREAD;
  if (is_runtime_only(trace)) facts |= TG_FACT_RUNTIME_ONLY;
  if (any(trace, is_node_api))
    facts = (facts | TG_FACT_ADDON_IN | TG_FACT_ADDON_CALLS) & ~(uint32_t)TG_FACT_RUNTIME_ONLY;
  if (any(trace, is_death)) facts |= TG_FACT_SIGNAL;
  const struct tg_trace_frame *caller = find_no_code(trace);
  if (caller != NULL && runs_thread_locals(caller)) facts |= TG_FACT_NO_CODE_TLS;
  /* Without debug information, libc's internal functions have no names. Few of them call code
   * outside libc, and those call what others have registered. */
  bool is_nameless_libc =
      caller != NULL && caller->owner == TG_OWNER_SYSTEM && caller->function[0] == '\0';
  if (caller != NULL && (runs_callbacks(caller) || is_nameless_libc)) facts |= TG_FACT_NO_CODE;
  return facts;
}

/* A list of names may be anything, for example a library's exports. If an abort is among the names,
 * the list is a stack. */
static uint32_t facts_of_names(const struct tg_trace *trace) {
  uint32_t facts = facts_of(trace);
  if (trace->count > 2 && any(trace, is_death)) return facts;
  return trace->count > 2 ? facts & (TG_FACT_ENDING | TG_FACT_DELIVERY | TG_FACT_FATAL) : 0;
}

/* Stacks of one frame do not count: gdb prints the first frame alone before it prints the whole
 * stack. */
static bool has_one_stack(const struct tg_evidence *evidence) {
  unsigned stacks = 0;
  for (unsigned i = 0; i < evidence->count; i++) stacks += evidence->traces[i].count > 1;
  return evidence->count == 1 || stacks <= 1;
}

static uint32_t facts_of_all(const struct tg_evidence *evidence, const struct tg_trace *died) {
  uint32_t facts = evidence->facts;
  if (died == NULL) return facts;
  facts |= died->is_bare ? facts_of_names(died) : facts_of(died);
  /* A waiting thread has not died, unless something says that it has. */
  if (score(evidence, died) < 0 || evidence->is_alive) facts |= TG_FACT_HANG;
  if (evidence->signal != 0 && has_one_stack(evidence)) facts &= ~(uint32_t)TG_FACT_HANG;
  for (unsigned i = 0; i < evidence->count; i++) {
    const struct tg_trace *trace = &evidence->traces[i];
    if (trace->is_aside && any(trace, is_addons)) facts |= TG_FACT_ADDON_ASIDE;
    if (any(trace, is_ending) || any(trace, is_closing)) facts |= TG_FACT_ANY_ENDING;
    if (trace->is_bare || !waits_in_tsfn(trace)) continue;
    facts |= TG_FACT_TSFN_WAIT;
    if (any(trace, is_of_environment)) facts |= TG_FACT_TSFN_LOOP;
  }
  return facts;
}

/* --- The answer */

/* Words in the names of frames count only in the stack that died, because the other threads did
 * other things. */
static bool has_words(const struct tg_evidence *evidence, unsigned number,
                      const struct tg_trace *died) {
  const struct tg_hit *hit = &evidence->hits[number];
  return hit->found || (died != NULL && (hit->traces >> (died - evidence->traces) & 1) != 0);
}

static bool fits(const struct tg_evidence *evidence, unsigned number,
                 const struct tg_answer *answer) {
  const struct tg_signature *signature = tg_signature(number);
  uint32_t facts = answer->facts;
  if ((facts & signature->needs) != signature->needs || (facts & signature->excludes) != 0)
    return false;
  return signature->words[0] == NULL || has_words(evidence, number, answer->trace);
}

/* Of Bun and Deno, only the versions that were run with the guard are known. */
static bool is_known_version(const struct tg_evidence *evidence) {
  return evidence->version[0] != '\0' &&
         tg_fault_find(tg_fault(0), evidence->runtime, evidence->version) != TG_NOT_KNOWN;
}

static void decide_help(const struct tg_evidence *evidence, struct tg_answer *answer) {
  const struct tg_signature *signature = answer->signature;
  answer->helps = tg_signature_helps(signature);
  if (answer->helps == TG_HELPS_WITH_OPTION) answer->option = signature->option;
  if (answer->helps != TG_HELPS_YES && answer->helps != TG_HELPS_WITH_OPTION) return;
  bool is_other_runtime = (evidence->facts & TG_FACT_BUN) != 0 ||
                          strcmp(evidence->runtime, "bun") == 0 ||
                          strcmp(evidence->runtime, "deno") == 0;
  bool guards_own = strncmp(signature->name, "guard-", 6) == 0;
  if (evidence->is_mac || evidence->is_windows) {
    answer->helps = TG_HELPS_NO;
    answer->why_not = "the guard is for Linux, and this crash is from another system";
  } else if (evidence->is_guarded && !guards_own) {
    answer->helps = TG_HELPS_UNKNOWN;
    answer->why_not = "it was guarded already; please report it";
  } else if (evidence->is_electron) {
    answer->helps = TG_HELPS_UNKNOWN;
    answer->why_not =
        "Electron has not been run with the guard yet; docs/runtimes.md says how to try it";
  } else if (is_other_runtime && !is_known_version(evidence)) {
    answer->helps = TG_HELPS_UNKNOWN;
    answer->why_not =
        "this version has not been run with the guard yet; docs/runtimes.md says which were";
  }
  if (answer->helps == TG_HELPS_NO) answer->option = NULL;
}

static void find_addon(const struct tg_evidence *evidence, struct tg_answer *answer) {
  const struct tg_trace *trace = answer->trace;
  for (unsigned i = 0; trace != NULL && i < trace->count; i++)
    if (trace->frames[i].owner == TG_OWNER_ADDON && trace->frames[i].object[0] != '\0') {
      memcpy(answer->addon, trace->frames[i].object, sizeof answer->addon);
      return;
    }
  if (answer->signature->verdict != TG_VERDICT_NOT_AN_ADDON &&
      answer->signature->verdict != TG_VERDICT_OOM)
    memcpy(answer->addon, evidence->addon, sizeof answer->addon);
}

static void add_reason(struct tg_answer *answer, uint64_t line, const char *text) {
  if (answer->reason_count == TG_REASONS_MAX) return;
  struct tg_reason *reason = &answer->reasons[answer->reason_count++];
  reason->line = line;
  tg_copy_string(reason->text, sizeof reason->text, text);
}

static void add_frame_reason(struct tg_answer *answer, const struct tg_trace *trace,
                             unsigned place) {
  const struct tg_trace_frame *frame = &trace->frames[place];
  char text[TG_QUOTE_MAX];
  const char *where =
      frame->object[0] != '\0' ? tg_base_name(frame->object) : tg_base_name(frame->source);
  snprintf(text, sizeof text, "#%u %.120s%s%.60s%s", place,
           frame->function[0] == '\0' ? "(no name)" : frame->function, where[0] == '\0' ? "" : " [",
           where, where[0] == '\0' ? "" : "]");
  add_reason(answer, trace->line, text);
}

/* Adds the frames that decided. These are the call of one of the seven functions, or else the first
 * frame that is not plumbing; the frame above it; its caller; and the first addon below it. */
static void add_frames(const struct tg_evidence *evidence, struct tg_answer *answer) {
  const struct tg_trace *trace = answer->trace;
  uint32_t needs = answer->signature->needs;
  if ((needs & TG_FACT_TSFN_WAIT) != 0 || (needs & TG_FACT_TSFN_LOOP) != 0)
    for (unsigned i = 0; i < evidence->count; i++)
      if (waits_in_tsfn(&evidence->traces[i])) trace = &evidence->traces[i];
  if (trace == NULL) return;
  unsigned top = find_top(trace), call = find_tsfn_call(trace, top);
  if ((needs & (TG_FACT_NO_CODE | TG_FACT_NO_CODE_TLS)) != 0) {
    const struct tg_trace_frame *caller = find_no_code(trace);
    if (caller != NULL) top = (unsigned)(caller - trace->frames) - 1;
    call = trace->count;
  }
  if (call < trace->count) top = call;
  if (top > 0 && top < trace->count) add_frame_reason(answer, trace, top - 1);
  if (top < trace->count) add_frame_reason(answer, trace, top);
  for (unsigned i = top + 1; i < trace->count; i++) {
    if (i != top + 1 && !is_addons(&trace->frames[i])) continue;
    add_frame_reason(answer, trace, i);
    if (is_addons(&trace->frames[i])) break;
  }
}

void tg_answer_find(const struct tg_evidence *evidence, struct tg_answer *answer) {
  memset(answer, 0, sizeof *answer);
  answer->trace = find_died(evidence);
  answer->facts = facts_of_all(evidence, answer->trace);
  unsigned number = 0;
  while (tg_signature(number + 1) != NULL && !fits(evidence, number, answer)) number++;
  answer->signature = tg_signature(number);
  answer->sure = answer->signature->sure;
  decide_help(evidence, answer);
  find_addon(evidence, answer);
  if (answer->signature->words[0] != NULL && evidence->hits[number].found)
    add_reason(answer, evidence->hits[number].line, evidence->hits[number].text);
  else
    add_frames(evidence, answer);
  if (evidence->ring[0] != '\0') {
    char text[TG_QUOTE_MAX];
    snprintf(text, sizeof text, "the guard's ring: %.160s", evidence->ring);
    if (answer->reason_count == TG_REASONS_MAX) answer->reason_count--;
    add_reason(answer, 0, text);
  }
}
