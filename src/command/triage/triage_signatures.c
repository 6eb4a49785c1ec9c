/* Implements the table of signatures. The order matters: certain signatures come before likely
 * ones. */
#include "command/triage/triage_signatures.h"

#include <stdio.h>
#include <string.h>

#include "options/options.h"

const char *const tg_verdict_names[TG_VERDICTS] = {
    "tsfn-use-after-free", "tsfn-other", "unmapped-code", "javascript-forbidden", "v8-wrong-thread",
    "uv-loop-close",       "oom",        "addon-own",     "not-an-addon",         "unknown"};
const char *const tg_helps_names[] = {"yes", "with-option", "no", "unknown"};
const char *const tg_sure_names[] = {"certain", "likely", "possible"};

#define CORE_FIRST \
  "get a stack, and run triage again: ulimit -c unlimited; node app.js; tsfn-guard triage core"
#define UPDATE "update the addon, and report the stack to its maintainers"
#define STOP_FIRST                                                                                \
  "let the addon finish before the worker ends: post a stop and wait, instead of terminate() or " \
  "exit()"
#define LOAD_FIRST \
  "load the addon in the main thread first: its code then stays until the process ends"

/* Sections of docs/javascript.md. */
#define REMEDY_STOP "javascript.md#post-a-stop-message-unsubscribe-then-exit"
#define REMEDY_BUSY "javascript.md#never-terminate-a-busy-worker"
#define REMEDY_LOAD "javascript.md#load-addons-in-the-main-thread-first"
#define REMEDY_EXIT "javascript.md#close-watchers-before-processexit"
#define REMEDY_CATCH "javascript.md#catch-what-your-callbacks-throw"
#define REMEDY_ONE "javascript.md#use-an-addon-in-one-thread"

static const struct tg_signature signatures[] = {
    {.name = "tsfn-null",
     .verdict = TG_VERDICT_TSFN_OTHER,
     .helps = TG_HELPS_YES,
     .words = {"Assertion `(func) != nullptr' failed", "Assertion failed: (func) != nullptr",
               "(func) != nullptr", "napi_get_threadsafe_function_context*(result) != nullptr",
               "(func) != NULL*threadsafe_function"},
     .page = "misuse/TSG009.md",
     .what = "NULL was used as a thread-safe function, and Node ends the process in that case",
     .fault = "the addon: it uses a function that was not created, or that it has cleared already"},
    {.name = "heap-limit",
     .verdict = TG_VERDICT_OOM,
     .helps = TG_HELPS_NO,
     .excludes = TG_FACT_TSFN_CALL,
     .words = {"JavaScript heap out of memory", "Reached heap limit",
               "Ineffective mark-compacts near heap limit", "CALL_AND_RETRY_LAST Allocation failed",
               "Allocation failed - process out of memory", "Allocation failed - JavaScript heap",
               "Zone Allocation failed", "ERR_WORKER_OUT_OF_MEMORY", "Committing semi space failed",
               "terminated due to reaching memory limit", "Fatal process out of memory",
               "Fatal JavaScript out of memory", "invalid table size Allocation failed"},
     .page = "triage.md#heap-limit",
     .what = "the JavaScript heap reached its limit",
     .fault = "the program: it keeps more objects than the limit allows, or the limit is too low",
     .advice = "NODE_OPTIONS=--max-old-space-size=4096, and node --heapsnapshot-near-heap-limit=2 "
               "app.js to "
               "see what grows"},
    {.name = "killed-for-memory",
     .verdict = TG_VERDICT_OOM,
     .helps = TG_HELPS_NO,
     .excludes = TG_FACT_TSFN_CALL,
     .words = {"Out of memory: Kill", "out of memory: Kill", "oom-kill:", "invoked oom-killer",
               "OOMKilled", "oom_reaper", "instance of 'std::bad_alloc'",
               "exception of type std::bad_alloc", "memory allocation of * bytes failed",
               "Array buffer allocation failed", "\"OOMKilled\":true",
               "A process of this unit has been killed by the OOM killer",
               "fatal error: out of memory", "result 'oom-kill'"},
     .page = "triage.md#killed-for-memory",
     .what = "there was no more memory: the kernel ended the process, or an allocation failed",
     .fault = "the program, or the limit of its container",
     .advice =
         "give it more memory, or look at what grows: node --heapsnapshot-signal=SIGUSR2 app.js"},
    {.name = "uv-loop-open-handles",
     .verdict = TG_VERDICT_UV_LOOP_CLOSE,
     .helps = TG_HELPS_NO,
     .words = {"uv loop at [*] has *open handles", "uv loop at * has open handles",
               "uv_loop_close() while having open handles", "(uv_loop_close(&loop_)) == (0)",
               "uv loop at * has active handles", "uv loop at * active handles",
               "CheckedUvLoopClose*Assertion", "node::CheckedUvLoopClose",
               "_ZN4node18CheckedUvLoopClose"},
     .page = "triage.md#uv-loop-open-handles",
     .remedy = REMEDY_ONE,
     .what = "a worker ended while a handle of libuv was open in its loop, and Node ends the "
             "process in that "
             "case",
     .fault = "the addon that opened the handle (uv_async_init and such) and has no cleanup hook "
              "that closes it",
     .advice =
         "use the addon in the main thread only, or close what it opened before the worker ends"},
    {.name = "v8-without-lock",
     .verdict = TG_VERDICT_V8_WRONG_THREAD,
     .helps = TG_HELPS_NO,
     .words = {"HandleScope::HandleScope Entering the V8 API without proper locking",
               "Entering the V8 API without proper locking",
               "Check failed: * == Isolate::*Current()", "Isolate::Current() * isolate",
               "Disposing the isolate that is entered by a thread",
               "heck failed: (isolate) != nullptr", "heck failed: isolate != nullptr"},
     .page = "triage.md#v8-without-lock",
     .remedy = REMEDY_ONE,
     .what = "V8 was used in a thread that does not own it: an addon mixes up threads or workers",
     .fault = "the addon: it keeps an env or an isolate of one thread and uses it in another",
     .advice = "use the addon in one thread of the program only; " UPDATE},
    {.name = "v8-without-scope",
     .verdict = TG_VERDICT_V8_WRONG_THREAD,
     .helps = TG_HELPS_NO,
     .words = {"Cannot create a handle without a HandleScope"},
     .page = "triage.md#v8-without-scope",
     .remedy = REMEDY_ONE,
     .what = "a JavaScript value was created where this is not allowed: in a thread of the addon, "
             "or without "
             "a handle scope",
     .fault = "the addon",
     .advice = UPDATE},
    {.name = "tsfn-assertion",
     .verdict = TG_VERDICT_TSFN_OTHER,
     .helps = TG_HELPS_YES,
     .needs = TG_FACT_TSFN_CALL | TG_FACT_ASSERTION,
     .excludes = TG_FACT_HANG,
     .frames = "`node::Assert`, `napi_release_threadsafe_function` (or another of the seven)",
     .page = "misuse/TSG009.md",
     .what = "NULL was used as a thread-safe function, or as the place for its context",
     .fault = "the addon: it uses a function that was not created, or that it has cleared already"},
    {.name = "tsfn-freed",
     .verdict = TG_VERDICT_TSFN_USE_AFTER_FREE,
     .helps = TG_HELPS_YES,
     .needs = TG_FACT_TSFN_CALL,
     .excludes = TG_FACT_HANG,
     .frames = "`abort`, `uv_mutex_lock`, `napi_call_threadsafe_function` (or another of the "
               "seven), an addon",
     .page = "misuse/TSG001.md",
     .what = "a thread used a thread-safe function that was freed already (nodejs/node#55706)",
     .fault = "the runtime, which frees it while threads still hold it, and the addon, whose "
              "thread outlives it"},
    {.name = "tsfn-loop-blocked",
     .verdict = TG_VERDICT_TSFN_OTHER,
     .helps = TG_HELPS_YES,
     .needs = TG_FACT_TSFN_LOOP | TG_FACT_HANG,
     .frames = "`uv_cond_wait`, `napi_call_threadsafe_function`, …, `uv_run` in one thread",
     .page = "misuse/TSG015.md",
     .what = "the loop thread waits in a blocking call for a queue that only it can empty",
     .fault = "the addon: it calls with napi_tsfn_blocking from the loop thread"},
    {.name = "tsfn-blocked-at-end",
     .verdict = TG_VERDICT_TSFN_OTHER,
     .helps = TG_HELPS_YES,
     .needs = TG_FACT_TSFN_WAIT | TG_FACT_HANG | TG_FACT_ANY_ENDING,
     .frames = "`uv_cond_wait`, `napi_call_threadsafe_function` in one thread; exit or the "
               "environment's end "
               "in another",
     .page = "misuse/TSG016.md",
     .what = "a thread waits for a full queue whose environment or process is ending, and nobody "
             "wakes it",
     .fault = "the runtime, which wakes at most one of several callers; and the addon, if it joins "
              "that thread"},
    {.name = "tsfn-blocked",
     .verdict = TG_VERDICT_TSFN_OTHER,
     .helps = TG_HELPS_UNKNOWN,
     .needs = TG_FACT_TSFN_WAIT | TG_FACT_HANG,
     .sure = TG_SURE_LIKELY,
     .frames = "`uv_cond_wait`, `napi_call_threadsafe_function`",
     .page = "misuse/TSG015.md",
     .remedy = REMEDY_STOP,
     .what = "a thread waits for a full queue to be emptied (a lost wake-up, nodejs/node#58723, or "
             "a busy "
             "loop thread)",
     .fault = "the runtime, if the queue is empty; else whoever keeps the loop thread busy",
     .advice =
         "try it: tsfn-guard --publish node app.js, then tsfn-guard top PID shows the queues"},
    {.name = "exception-in-delivery-at-end",
     .verdict = TG_VERDICT_JAVASCRIPT_FORBIDDEN,
     .helps = TG_HELPS_YES,
     .needs = TG_FACT_TERMINATE | TG_FACT_ENDING | TG_FACT_DELIVERY,
     .frames = "`std::terminate`, …, an addon, `ThreadSafeFunction::CallJs`, …, `CleanupHandles`",
     .page = "misuse/TSG028.md",
     .what =
         "a C++ exception left the callback of a thread-safe function while its environment ended",
     .fault =
         "the addon: JavaScript can no longer run there, and the addon treats that as an error"},
    {.name = "exception-in-delivery-of-worker",
     .verdict = TG_VERDICT_JAVASCRIPT_FORBIDDEN,
     .helps = TG_HELPS_UNKNOWN,
     .needs = TG_FACT_TERMINATE | TG_FACT_WORKER | TG_FACT_DELIVERY,
     .excludes = TG_FACT_JS_MESSAGE,
     .sure = TG_SURE_LIKELY,
     .frames = "`std::terminate`, …, an addon, `ThreadSafeFunction::CallJs`, …, "
               "`node::worker::Worker::Run`",
     .page = "misuse/TSG028.md",
     .remedy = REMEDY_BUSY,
     .what = "a C++ exception left the callback of a thread-safe function in a worker, for example "
             "when the "
             "worker is terminated",
     .fault = "the addon: JavaScript can no longer run in a worker that was terminated",
     .advice = "run it guarded: tsfn-guard node app.js helps if the worker was being terminated"},
    {.name = "napi-error-new",
     .verdict = TG_VERDICT_JAVASCRIPT_FORBIDDEN,
     .helps = TG_HELPS_WITH_OPTION,
     .option = "quirks=known",
     .sure = TG_SURE_LIKELY,
     .words = {"FATAL ERROR: Error::New napi_get_last_error_info",
               "ERROR: Error::New napi_get_last_error_info", "ERROR: Error::New napi_",
               "ERROR: Error::Error napi_", "ERROR: Error::Value napi_", "ERROR: Error::~Error",
               "ERROR: Error::Fatal", "event: napi_get_last_error_info",
               "event: napi_create_reference", "event: napi_create_error", "ERROR: Error::New"},
     .page = "triage.md#napi-error-new",
     .remedy = REMEDY_STOP,
     .what = "node-addon-api could not create an error object, because its environment can no "
             "longer run "
             "JavaScript",
     .fault = "the addon: it goes on working while its worker or process ends, and treats the "
              "refusal as fatal",
     .advice = STOP_FIRST},
    {.name = "napi-throw-refused",
     .verdict = TG_VERDICT_JAVASCRIPT_FORBIDDEN,
     .helps = TG_HELPS_WITH_OPTION,
     .option = "quirks=known",
     .sure = TG_SURE_LIKELY,
     .words = {"Error::ThrowAsJavaScriptException napi_throw",
               "FATAL ERROR: Error::ThrowAsJavaScriptException", "ERROR: Error::*napi_throw",
               "event: napi_throw"},
     .page = "triage.md#napi-throw-refused",
     .remedy = REMEDY_BUSY,
     .what = "node-addon-api could not throw, because its environment can no longer run JavaScript "
             "(node-addon-api#902)",
     .fault = "the addon, built without NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
     .advice = STOP_FIRST},
    {.name = "napi-rs-callback-failed",
     .verdict = TG_VERDICT_ADDON_OWN,
     .helps = TG_HELPS_NO,
     .sure = TG_SURE_LIKELY,
     .words = {"threadsafe_function.rs*Failed to convert return value"},
     .page = "triage.md#napi-rs-callback-failed",
     .remedy = REMEDY_CATCH,
     .what = "a JavaScript function for which a Rust thread waits has thrown, or returned "
             "something unexpected",
     .fault = "that function, and the addon, which treats that as fatal",
     .advice =
         "catch errors within the function that was given to the addon, and return what it wants"},
    {.name = "napi-rs-delivery-failed",
     .verdict = TG_VERDICT_JAVASCRIPT_FORBIDDEN,
     .helps = TG_HELPS_WITH_OPTION,
     .option = "quirks=known",
     .sure = TG_SURE_LIKELY,
     .words = {"FATAL ERROR: *threadsafe_function.rs",
               "Call JavaScript callback failed in threadsafe function",
               "failed to delete napi ref", "Failed to delete reference*napi",
               "failed*napi_resolve_deferred", "failed*napi_reject_deferred",
               "ERROR: *napi_resolve_deferred", "Failed to reject deferred"},
     .page = "real-addons.md",
     .remedy = REMEDY_BUSY,
     .what = "Rust's bindings were refused by an environment that can no longer run JavaScript, "
             "and treat "
             "that as fatal",
     .fault = "the addon, or the version of napi-rs or neon that it was built with",
     .advice = "let its promises settle before the worker ends; " UPDATE},
    {.name = "napi-call-refused",
     .verdict = TG_VERDICT_JAVASCRIPT_FORBIDDEN,
     .helps = TG_HELPS_WITH_OPTION,
     .option = "quirks=known",
     .sure = TG_SURE_POSSIBLE,
     .words = {"FATAL ERROR: * napi_", "napi_*returned with an error: 10"},
     .page = "triage.md#napi-call-refused",
     .remedy = REMEDY_STOP,
     .what = "a call of Node-API failed, usually because its environment can no longer run "
             "JavaScript, and "
             "the addon ended the process",
     .fault = "the addon: it goes on working while its worker or process ends, and treats the "
              "refusal as fatal",
     .advice = STOP_FIRST},
    {.name = "napi-fatal-at-end",
     .verdict = TG_VERDICT_JAVASCRIPT_FORBIDDEN,
     .helps = TG_HELPS_WITH_OPTION,
     .option = "quirks=known",
     .needs = TG_FACT_FATAL | TG_FACT_ENDING,
     .sure = TG_SURE_LIKELY,
     .frames = "`napi_fatal_error`, an addon, …, `node::FreeEnvironment` or `CleanupHandles`",
     .page = "triage.md#napi-error-new",
     .remedy = REMEDY_STOP,
     .what =
         "the addon ended the process (napi_fatal_error) while its environment ended, which can no "
         "longer run JavaScript",
     .fault = "the addon, which treats the refusal as fatal",
     .advice = STOP_FIRST},
    {.name = "napi-error-at-end",
     .verdict = TG_VERDICT_JAVASCRIPT_FORBIDDEN,
     .helps = TG_HELPS_WITH_OPTION,
     .option = "quirks=known",
     .needs = TG_FACT_TERMINATE | TG_FACT_ENDING | TG_FACT_ADDON_IN,
     .excludes = TG_FACT_AT_EXIT,
     .frames = "`std::terminate`, …, an addon, …, `node::FreeEnvironment` or `CleanupHandles`",
     .page = "triage.md#napi-error-at-end",
     .remedy = REMEDY_STOP,
     .what = "a C++ exception of the addon was not caught while its environment ended",
     .fault =
         "the addon: JavaScript can no longer run there, and the addon treats that as an error",
     .advice = STOP_FIRST},
    {.name = "heap-limit-stack",
     .verdict = TG_VERDICT_OOM,
     .helps = TG_HELPS_NO,
     .excludes = TG_FACT_TSFN_CALL | TG_FACT_HANG,
     .sure = TG_SURE_LIKELY,
     .words = {"ReportOOMFailure", "FatalProcessOutOfMemory"},
     .page = "triage.md#heap-limit-stack",
     .what = "V8 ended the process, because there was no more memory",
     .fault = "the program: it keeps more objects than the limit allows, or the limit is too low",
     .advice = "NODE_OPTIONS=--max-old-space-size=4096, and node --heapsnapshot-near-heap-limit=2 "
               "app.js to "
               "see what grows"},
    {.name = "napi-error-of-javascript",
     .verdict = TG_VERDICT_ADDON_OWN,
     .helps = TG_HELPS_NO,
     .needs = TG_FACT_NAPI_ERROR | TG_FACT_JS_MESSAGE,
     .excludes = TG_FACT_ENDING,
     .sure = TG_SURE_LIKELY,
     .words = {"instance of 'Napi::Error'", "instance of 'Napi::TypeError'",
               "instance of 'Napi::RangeError'", "exception of type Napi::"},
     .page = "triage.md#napi-error-of-javascript",
     .remedy = REMEDY_CATCH,
     .what = "a JavaScript exception passed through the addon's C++ code, which did not catch it",
     .fault = "the function from which the message comes, and the addon, which does not expect it "
              "to throw",
     .advice = "catch errors within the function that was given to the addon"},
    {.name = "napi-error-uncaught",
     .verdict = TG_VERDICT_JAVASCRIPT_FORBIDDEN,
     .helps = TG_HELPS_UNKNOWN,
     .needs = TG_FACT_NAPI_ERROR,
     .sure = TG_SURE_POSSIBLE,
     .words = {"instance of 'Napi::Error'", "instance of 'Napi::TypeError'",
               "instance of 'Napi::RangeError'", "exception of type Napi::"},
     .page = "triage.md#napi-error-uncaught",
     .remedy = REMEDY_STOP,
     .what = "an exception of node-addon-api was not caught, usually because its environment was "
             "ending",
     .fault = "the addon",
     .advice =
         "try it guarded: tsfn-guard node app.js catches exceptions that leave a callback at the "
         "end; " UPDATE},
    {.name = "thread-local-after-unload",
     .verdict = TG_VERDICT_UNMAPPED_CODE,
     .helps = TG_HELPS_WITH_OPTION,
     .option = "pin=*",
     .needs = TG_FACT_NO_CODE_TLS,
     .frames = "no name, called by `__nptl_deallocate_tsd` or `__call_tls_dtors`",
     .page = "triage.md#thread-local-after-unload",
     .remedy = REMEDY_LOAD,
     .what = "a thread-local destructor ran whose code was unloaded with its addon when the worker "
             "ended",
     .fault = "the addon, which leaves a destructor behind; the runtime unloads it before the "
              "thread has ended",
     .advice = LOAD_FIRST},
    {.name = "callback-after-unload",
     .verdict = TG_VERDICT_UNMAPPED_CODE,
     .helps = TG_HELPS_WITH_OPTION,
     .option = "pin=*",
     .needs = TG_FACT_NO_CODE,
     .sure = TG_SURE_LIKELY,
     .frames = "no name, called by code that runs finalizers, weak callbacks, cleanup hooks or "
               "libuv's callbacks",
     .page = "triage.md#callback-after-unload",
     .remedy = REMEDY_LOAD,
     .what = "a callback was called whose code was unloaded with its addon",
     .fault = "the addon, which leaves a callback behind that outlives its environment",
     .advice = LOAD_FIRST},
    {.name = "code-is-gone",
     .verdict = TG_VERDICT_UNMAPPED_CODE,
     .helps = TG_HELPS_UNKNOWN,
     .needs = TG_FACT_NO_MEMORY | TG_FACT_STACK,
     .excludes = TG_FACT_HANG,
     .frames = "in a core: the code to run is not in memory",
     .page = "triage.md#code-is-gone",
     .remedy = REMEDY_LOAD,
     .what =
         "a thread ran at an address that has no code any more, for example because its addon was "
         "unloaded when a worker ended",
     .fault = "the addon, which leaves a thread or a callback behind, and the runtime, which "
              "unloads its "
              "code meanwhile",
     .advice = LOAD_FIRST
     "; if it runs guarded, the code also stays if the thread uses a thread-safe function"},
    {.name = "jump-to-no-code",
     .verdict = TG_VERDICT_UNMAPPED_CODE,
     .helps = TG_HELPS_UNKNOWN,
     .sure = TG_SURE_POSSIBLE,
     .excludes = TG_FACT_ADDON_TOP,
     .words = {"Jump to the invalid address stated on the next line"},
     .page = "triage.md#callback-after-unload",
     .remedy = REMEDY_LOAD,
     .what =
         "the process jumped to an address without code, for example of an addon that was unloaded",
     .fault = "the addon that left a thread or a callback behind",
     .advice = LOAD_FIRST},
    {.name = "segfault-without-code",
     .verdict = TG_VERDICT_UNMAPPED_CODE,
     .helps = TG_HELPS_UNKNOWN,
     .needs = TG_FACT_NO_MEMORY,
     .sure = TG_SURE_POSSIBLE,
     .words = {"segfault at "},
     .page = "triage.md#segfault-without-code",
     .remedy = REMEDY_LOAD,
     .what = "the kernel says that the process jumped to an address without code, for example of "
             "an addon "
             "that was unloaded",
     .fault = "the addon that left a thread or a callback behind",
     .advice = LOAD_FIRST "; or " CORE_FIRST},
    {.name = "node-api-in-own-thread",
     .verdict = TG_VERDICT_V8_WRONG_THREAD,
     .helps = TG_HELPS_NO,
     .needs = TG_FACT_RUNTIME_TOP | TG_FACT_JS_API | TG_FACT_OWN_THREAD,
     .excludes = TG_FACT_TSFN_CALL | TG_FACT_HANG,
     .sure = TG_SURE_LIKELY,
     .frames = "`v8::…`, `napi_…`, an addon, `start_thread`",
     .page = "triage.md#node-api-in-own-thread",
     .remedy = REMEDY_STOP,
     .what = "a thread of the addon used Node-API or V8, which only the JavaScript thread may do",
     .fault = "the addon",
     .advice = UPDATE},
    {.name = "node-api-in-pool",
     .verdict = TG_VERDICT_V8_WRONG_THREAD,
     .helps = TG_HELPS_NO,
     .needs = TG_FACT_RUNTIME_TOP | TG_FACT_JS_API | TG_FACT_POOL | TG_FACT_ADDON_IN,
     .excludes = TG_FACT_TSFN_CALL | TG_FACT_HANG,
     .sure = TG_SURE_LIKELY,
     .frames = "`v8::…`, `napi_…`, an addon, `uv__queue_work`, `worker`",
     .page = "triage.md#node-api-in-pool",
     .remedy = REMEDY_STOP,
     .what =
         "work in libuv's thread pool used Node-API or V8, which only the JavaScript thread may do",
     .fault = "the addon",
     .advice = UPDATE},
    {.name = "not-self-registered",
     .verdict = TG_VERDICT_ADDON_OWN,
     .helps = TG_HELPS_NO,
     .words = {"Module did not self-register"},
     .page = "triage.md#not-self-registered",
     .remedy = REMEDY_ONE,
     .what = "an addon that registers itself only once in a process was loaded a second time, or "
             "was built "
             "for another runtime",
     .fault = "the addon: it is not made for workers, or is not the build for this Node",
     .advice = "npm rebuild; if it is loaded in several workers, load it in the main thread only"},
    {.name = "another-node-version",
     .verdict = TG_VERDICT_ADDON_OWN,
     .helps = TG_HELPS_NO,
     .words = {"was compiled against a different Node.js version", "NODE_MODULE_VERSION"},
     .page = "triage.md#another-node-version",
     .what = "the addon was built for another version of Node",
     .fault = "the installation: node_modules was installed for another version of Node",
     .advice = "npm rebuild, with the Node that runs the program"},
    {.name = "cannot-be-loaded",
     .verdict = TG_VERDICT_ADDON_OWN,
     .helps = TG_HELPS_NO,
     .excludes = TG_FACT_STACK,
     .words = {"ERR_DLOPEN_FAILED", "invalid ELF header", ".node: undefined symbol: ",
               "version `GLIBC*' not found", "Error relocating *.node", "wrong ELF class",
               "cannot open shared object file*.node", "Cannot find native binding",
               "Failed to load native binding", "Could not locate the bindings file",
               "Could not load the \"sharp\" module", ".node: cannot open shared object file",
               "No native build was found for", "dlopen(*.node",
               "symbol not found in flat namespace", "cannot open shared object file"},
     .page = "triage.md#cannot-be-loaded",
     .what = "the addon could not be loaded",
     .fault = "the installation: the addon's file is not for this system, or a library that it "
              "needs is missing",
     .advice = "install it again on this system: rm -rf node_modules && npm ci"},
    {.name = "pure-virtual",
     .verdict = TG_VERDICT_ADDON_OWN,
     .helps = TG_HELPS_NO,
     .words = {"pure virtual method called", "Pure virtual function called",
               "pure virtual function call"},
     .sure = TG_SURE_LIKELY,
     .page = "triage.md#pure-virtual",
     .remedy = REMEDY_EXIT,
     .what = "a C++ object was used while it was being destroyed, by another thread or a static "
             "destructor",
     .fault = "the addon, or a library of it",
     .advice = "stop the addon's work before the program exits; " UPDATE},
    {.name = "rust-panic",
     .verdict = TG_VERDICT_ADDON_OWN,
     .helps = TG_HELPS_NO,
     .sure = TG_SURE_LIKELY,
     .excludes = TG_FACT_BUN,
     .words = {"thread '*' panicked at", "thread * panicked at", "panicked at '",
               "fatal runtime error: ", "thread caused non-unwinding panic",
               "panic in a function that cannot unwind"},
     .page = "triage.md#rust-panic",
     .remedy = REMEDY_STOP,
     .what = "Rust code panicked",
     .fault = "the addon, which is written in Rust",
     .advice = "RUST_BACKTRACE=1 shows where; " UPDATE},
    {.name = "joinable-thread",
     .verdict = TG_VERDICT_ADDON_OWN,
     .helps = TG_HELPS_NO,
     .sure = TG_SURE_LIKELY,
     .words = {"terminate called without an active exception"},
     .page = "triage.md#joinable-thread",
     .remedy = REMEDY_EXIT,
     .what = "a C++ thread object was destroyed while its thread ran, usually by a static "
             "destructor at exit",
     .fault = "the addon: it does not join its threads",
     .advice = "stop the addon's work before the program exits; " UPDATE},
    {.name = "napi-fatal",
     .verdict = TG_VERDICT_ADDON_OWN,
     .helps = TG_HELPS_NO,
     .needs = TG_FACT_FATAL | TG_FACT_ADDON_IN,
     .excludes = TG_FACT_HANG,
     .sure = TG_SURE_LIKELY,
     .frames = "`napi_fatal_error`, an addon",
     .page = "triage.md#napi-fatal",
     .remedy = REMEDY_STOP,
     .what = "the addon ended the process itself (napi_fatal_error)",
     .fault = "the addon; its message before that, FATAL ERROR, says why",
     .advice = "give the text that was printed, too: it says more; " UPDATE},
    {.name = "died-at-exit",
     .verdict = TG_VERDICT_ADDON_OWN,
     .helps = TG_HELPS_WITH_OPTION,
     .option = "exit=fast",
     .needs = TG_FACT_AT_EXIT | TG_FACT_ADDON_IN,
     .excludes = TG_FACT_HANG,
     .sure = TG_SURE_LIKELY,
     .frames = "an addon's function, `__run_exit_handlers` or `__cxa_finalize`, `exit`",
     .page = "triage.md#died-at-exit",
     .remedy = REMEDY_EXIT,
     .what = "an exit handler or a static destructor of the addon died",
     .fault = "the addon, or a library of it",
     .advice = "stop the addon's work before the program exits; " UPDATE},
    {.name = "died-in-addon",
     .verdict = TG_VERDICT_ADDON_OWN,
     .helps = TG_HELPS_NO,
     .needs = TG_FACT_ADDON_TOP,
     .excludes = TG_FACT_HANG,
     .sure = TG_SURE_LIKELY,
     .frames = "an addon's function, or one of a library that it brings along, with no frame of "
               "the runtime "
               "above it",
     .page = "triage.md#died-in-addon",
     .remedy = REMEDY_STOP,
     .what = "the addon's own code died, and not in a thread-safe function",
     .fault = "the addon, or a library of it",
     .advice = UPDATE},
    {.name = "cxx-exception",
     .verdict = TG_VERDICT_ADDON_OWN,
     .helps = TG_HELPS_NO,
     .sure = TG_SURE_LIKELY,
     .excludes = TG_FACT_RUNTIME_ONLY,
     .words = {"terminate called after throwing an instance of", "libc++abi: terminating",
               "libc++abi.dylib: terminating", "terminate called recursively"},
     .page = "triage.md#cxx-exception",
     .remedy = REMEDY_CATCH,
     .what = "a C++ exception was not caught",
     .fault = "the addon, or a library of it",
     .advice = UPDATE},
    {.name = "memory-of-addon",
     .verdict = TG_VERDICT_ADDON_OWN,
     .helps = TG_HELPS_NO,
     .needs = TG_FACT_ADDON_ASIDE,
     .excludes = TG_FACT_HANG,
     .sure = TG_SURE_LIKELY,
     .frames = "from a sanitizer or valgrind: an addon is in the stack that freed the memory",
     .page = "triage.md#memory-of-addon",
     .remedy = REMEDY_STOP,
     .what = "memory was used that an addon had freed",
     .fault = "the addon",
     .advice = UPDATE},
    {.name = "segfault-in-addon",
     .verdict = TG_VERDICT_ADDON_OWN,
     .helps = TG_HELPS_NO,
     .sure = TG_SURE_LIKELY,
     .words = {"segfault at *.node[", "general protection*.node[", "trap *.node[",
               "IMAGE_NAME: *.node", "aulting module name: *.node", "ault Module Name: *.node",
               "FAILURE_BUCKET_ID: *.node!"},
     .page = "triage.md#segfault-in-addon",
     .remedy = REMEDY_STOP,
     .what = "the system says that the addon's own code died",
     .fault = "the addon",
     .advice = UPDATE},
    {.name = "died-below-addon",
     .verdict = TG_VERDICT_ADDON_OWN,
     .helps = TG_HELPS_NO,
     .needs = TG_FACT_ADDON_CALLS,
     .excludes = TG_FACT_HANG,
     .sure = TG_SURE_POSSIBLE,
     .frames = "the runtime or a C library, called by an addon",
     .page = "triage.md#died-below-addon",
     .remedy = REMEDY_STOP,
     .what = "the runtime or a C library died in a call that an addon made",
     .fault = "the addon, most likely",
     .advice = UPDATE},
    {.name = "died-near-addon",
     .verdict = TG_VERDICT_ADDON_OWN,
     .helps = TG_HELPS_UNKNOWN,
     .needs = TG_FACT_ADDON_IN | TG_FACT_SIGNAL,
     .excludes = TG_FACT_HANG,
     .sure = TG_SURE_POSSIBLE,
     .frames = "an addon's function somewhere in the stack that died",
     .page = "triage.md#died-below-addon",
     .remedy = REMEDY_STOP,
     .what = "something died with an addon in its stack",
     .fault = "the addon, perhaps",
     .advice = UPDATE},
    {.name = "mutex-of-others",
     .verdict = TG_VERDICT_UNKNOWN,
     .helps = TG_HELPS_UNKNOWN,
     .needs = TG_FACT_MUTEX,
     .excludes = TG_FACT_TSFN_CALL | TG_FACT_HANG,
     .frames = "`abort`, `uv_mutex_lock` or `pthread_mutex_lock`, and none of the seven functions",
     .page = "triage.md#mutex-of-others",
     .remedy = REMEDY_EXIT,
     .what = "a destroyed or damaged mutex was used, and nothing says that it belongs to a "
             "thread-safe function",
     .fault =
         "not known; libuv's own mutexes, and static destructors of addons, look like this too",
     .advice = CORE_FIRST},
    {.name = "mutex-assertion",
     .verdict = TG_VERDICT_UNKNOWN,
     .helps = TG_HELPS_UNKNOWN,
     .excludes = TG_FACT_STACK,
     .sure = TG_SURE_POSSIBLE,
     .words = {"pthread_mutex_*Assertion", "mutex.c:*Assertion",
               "pthread_mutex_lock.c:*: Assertion", "tpp.c:*Assertion",
               "mutex lock failed: Invalid argument"},
     .page = "triage.md#mutex-of-others",
     .remedy = REMEDY_EXIT,
     .what = "a destroyed or damaged mutex was used; only a stack can show whose it is",
     .fault = "not known",
     .advice = CORE_FIRST},
    {.name = "runtime-only",
     .verdict = TG_VERDICT_NOT_AN_ADDON,
     .helps = TG_HELPS_NO,
     .needs = TG_FACT_RUNTIME_ONLY,
     .excludes = TG_FACT_HANG | TG_FACT_MUTEX,
     .sure = TG_SURE_LIKELY,
     .frames = "`node::…` and `v8::…` alone",
     .page = "triage.md#runtime-only",
     .what = "the runtime died by itself: no addon is in the stack that died",
     .fault = "the runtime, or other code that has damaged its memory before",
     .advice = "update the runtime; look for the first lines of the message at "
               "github.com/nodejs/node/issues"},
    {.name = "runtime-assertion",
     .verdict = TG_VERDICT_NOT_AN_ADDON,
     .helps = TG_HELPS_NO,
     .excludes = TG_FACT_ADDON_IN | TG_FACT_MUTEX | TG_FACT_TSFN_CALL,
     .sure = TG_SURE_POSSIBLE,
     .words = {"../src/*node::*Assertion", "../src/*v8impl::*Assertion", "../src/*napi_*Assertion",
               " src\\*.cc:*Assertion", "../src/*Assertion `(env", "\\src\\*Assertion",
               "/node/src/*Assertion", "electron_node/src/*Assertion", "deps/uv/src/*Assertion",
               "Assertion failed: *deps/uv/src/", "uv__*: Assertion",
               "# Fatal error in ../deps/v8"},
     .page = "triage.md#runtime-assertion",
     .what = "the runtime detected a state that must not occur, and no addon is named",
     .fault = "the runtime, most likely",
     .advice = "update the runtime; look for the message at github.com/nodejs/node/issues"},
    {.name = "heap-damaged",
     .verdict = TG_VERDICT_UNKNOWN,
     .helps = TG_HELPS_UNKNOWN,
     .sure = TG_SURE_POSSIBLE,
     .words = {"double free or corruption", "free(): invalid", "free(): double free",
               "malloc(): ", "munmap_chunk(): invalid pointer", "corrupted size vs. prev_size",
               "corrupted double-linked list", "malloc_consolidate(): ", "invalid next size",
               "stack smashing detected", "malloc: *** error for object", "realloc(): invalid",
               "corrupted unsorted chunks", "malloc.c:*Assertion"},
     .page = "triage.md#heap-damaged",
     .remedy = REMEDY_STOP,
     .what =
         "the heap was damaged before this moment; only a sanitizer or valgrind can show by whom",
     .fault = "an addon, most likely",
     .advice = "valgrind node app.js 2>&1 | tsfn-guard triage -"},
    {.name = "assertion-of-addon",
     .verdict = TG_VERDICT_ADDON_OWN,
     .helps = TG_HELPS_NO,
     .excludes = TG_FACT_MUTEX | TG_FACT_TSFN_CALL | TG_FACT_RUNTIME_ONLY,
     .sure = TG_SURE_POSSIBLE,
     .words = {".cc:*Assertion *failed", ".cpp:*Assertion *failed", ".cxx:*Assertion *failed",
               ".hpp:*Assertion *failed", ".c:*Assertion *failed", ".h:*Assertion *failed",
               "Assertion failed: *, file ", "Assertion failed: *.cpp", "Assertion failed: *.cc"},
     .page = "triage.md#assertion-of-addon",
     .remedy = REMEDY_STOP,
     .what = "C or C++ code outside the runtime detected a state that must not occur",
     .fault = "the addon whose source the message names, or a library of it",
     .advice = UPDATE},
    {.name = "guard-freed",
     .verdict = TG_VERDICT_TSFN_USE_AFTER_FREE,
     .helps = TG_HELPS_YES,
     .excludes = TG_FACT_SIGNAL,
     .words = {"TSG001 call-after-finalize", "TSG002 acquire-after-finalize",
               "TSG003 release-after-finalize", "TSG004 get-context-after-finalize",
               "TSG005 ref-after-finalize", "TSG006 unref-after-finalize", "TSG007 stale-handle",
               "misuse/TSG001.md", "misuse/TSG002.md", "misuse/TSG003.md", "misuse/TSG004.md",
               "misuse/TSG005.md", "misuse/TSG006.md", "misuse/TSG007.md"},
     .page = "misuse/README.md",
     .what = "the process was guarded, and the guard kept a thread from using a function that was "
             "finalized",
     .fault = "the addon that the report names",
     .advice = "update the addon, or report it; tsfn-guard report sums up the guard's logs"},
    {.name = "guard-other",
     .verdict = TG_VERDICT_TSFN_OTHER,
     .helps = TG_HELPS_YES,
     .excludes = TG_FACT_SIGNAL,
     .words = {"]: TSG008 ", "]: TSG009 ", "]: TSG010 ", "]: TSG011 ", "]: TSG012 ", "]: TSG015 ",
               "]: TSG016 ", "]: TSG020 ", "misuse/TSG008.md", "misuse/TSG009.md",
               "misuse/TSG010.md", "misuse/TSG011.md", "misuse/TSG012.md", "misuse/TSG015.md",
               "misuse/TSG016.md", "misuse/TSG020.md"},
     .page = "misuse/README.md",
     .what = "the process was guarded, and the guard found a misuse of a thread-safe function",
     .fault = "the addon that the report names",
     .advice = "update the addon, or report it; tsfn-guard report sums up the guard's logs"},
    {.name = "bun-without-addon",
     .verdict = TG_VERDICT_NOT_AN_ADDON,
     .helps = TG_HELPS_NO,
     .needs = TG_FACT_BUN,
     .excludes = TG_FACT_NODE_API,
     .sure = TG_SURE_POSSIBLE,
     .words = {"oh no: Bun has crashed", "panic(main thread)", "panic(thread", "bun.report/"},
     .page = "triage.md#bun-without-addon",
     .what = "Bun died, and nothing says that an addon was loaded",
     .fault = "Bun, most likely",
     .advice = "update Bun; its own link (bun.report) shows the stack to its developers"},
    {.name = "runner-lost-worker",
     .verdict = TG_VERDICT_UNKNOWN,
     .helps = TG_HELPS_UNKNOWN,
     .sure = TG_SURE_POSSIBLE,
     .words = {"Worker exited unexpectedly", "A jest worker process", "Jest worker encountered",
               "Call retries were exceeded", "Worker forks emitted error",
               "Worker threads emitted error", "[vitest-pool]", "Failed to terminate worker",
               "ERR_IPC_CHANNEL_CLOSED", "Timeout terminating forks worker",
               "Jest: a worker process has failed to exit"},
     .page = "triage.md#runner-lost-worker",
     .remedy = REMEDY_BUSY,
     .what = "the test runner lost a worker, and does not say why it died",
     .fault = "not known: an addon, memory (SIGKILL), or process.exit() in a test",
     .advice = "run it in one process, and run triage again: ulimit -c unlimited; npx vitest run "
               "--pool=forks --no-file-parallelism, or npx jest --runInBand"},
    {.name = "does-not-exit",
     .verdict = TG_VERDICT_UNKNOWN,
     .helps = TG_HELPS_UNKNOWN,
     .sure = TG_SURE_POSSIBLE,
     .excludes = TG_FACT_SIGNAL,
     .words = {"Jest did not exit one second after",
               "A worker process has failed to exit gracefully", "close timed out after",
               "Tests closed successfully but something prevents"},
     .page = "misuse/TSG020.md",
     .remedy = REMEDY_EXIT,
     .what = "something keeps the process alive: a timer, a socket, or a thread-safe function that "
             "is not "
             "released",
     .fault = "not known",
     .advice =
         "tsfn-guard --mode diagnose node app.js names the functions that keep it alive (TSG020)"},
    {.name = "javascript-exception",
     .verdict = TG_VERDICT_NOT_AN_ADDON,
     .helps = TG_HELPS_NO,
     .sure = TG_SURE_LIKELY,
     .excludes = TG_FACT_SIGNAL,
     .words = {"Uncaught Exception", "triggerUncaughtException", "UnhandledPromiseRejection",
               "Unhandled 'error' event", "ERR_UNHANDLED_REJECTION",
               "SyntaxError: ", "Cannot find module", "Cannot find package", "EADDRINUSE",
               "Maximum call stack size exceeded", "ReferenceError: ", "TypeError: ",
               "RangeError: ", "ECONNREFUSED", "ENOENT: ", "    throw ", "at Object.<anonymous> (",
               "at Module._compile (", "processTicksAndRejections"},
     .page = "triage.md#javascript-exception",
     .what = "a JavaScript exception ended the program, which is not a crash",
     .fault = "the program",
     .advice = "look at the message, and at the first line of its stack that is yours"},
    {.name = "stack-without-names",
     .verdict = TG_VERDICT_UNKNOWN,
     .helps = TG_HELPS_UNKNOWN,
     .needs = TG_FACT_STACK,
     .sure = TG_SURE_POSSIBLE,
     .page = "triage.md#stack-without-names",
     .frames = "a stack that has too few names, or that fits nothing above",
     .remedy = REMEDY_STOP,
     .what = "there is a stack, but it does not say enough",
     .fault = "not known",
     .advice = "give a whole core: tsfn-guard triage core; the runtime's functions are named from "
               "its own file"},
    {.name = "signal-only",
     .verdict = TG_VERDICT_UNKNOWN,
     .helps = TG_HELPS_UNKNOWN,
     .needs = TG_FACT_SIGNAL,
     .sure = TG_SURE_POSSIBLE,
     .page = "triage.md#signal-only",
     .remedy = REMEDY_STOP,
     .what = "the process died of a signal, and nothing here says why",
     .fault = "not known",
     .advice = CORE_FIRST},
    {.name = "nothing-known",
     .verdict = TG_VERDICT_UNKNOWN,
     .helps = TG_HELPS_UNKNOWN,
     .sure = TG_SURE_POSSIBLE,
     .page = "triage.md#nothing-known",
     .what = "nothing here is known",
     .fault = "not known",
     .advice = CORE_FIRST},
};

_Static_assert(sizeof signatures / sizeof signatures[0] <= TG_SIGNATURES_MAX,
               "there is room for their hits");

const struct tg_signature *tg_signature(unsigned number) {
  return number < sizeof signatures / sizeof signatures[0] ? &signatures[number] : NULL;
}

/* --- The page */

static void print_words(const struct tg_signature *signature) {
  for (unsigned i = 0; i < TG_WORDS_MAX && signature->words[i] != NULL; i++) {
    printf("%s`", i == 0 ? "Words: " : ", ");
    for (const char *at = signature->words[i]; *at != '\0'; at++)
      if (*at == '*')
        fputs("…", stdout);
      else if (*at == '`')
        putchar('\'');
      else
        putchar(*at);
    putchar('`');
  }
  if (signature->words[0] != NULL) puts(".\n");
}

enum tg_helps tg_signature_helps(const struct tg_signature *signature) {
  struct tg_text needed;
  char key[32] = "";
  if (signature->helps != TG_HELPS_WITH_OPTION) return signature->helps;
  size_t length = strcspn(signature->option, "=");
  if (length < sizeof key) memcpy(key, signature->option, length);
  return tg_options_check(key, signature->option + length + 1, &needed) ? TG_HELPS_WITH_OPTION
                                                                        : TG_HELPS_NO;
}

static void print_signature(const struct tg_signature *signature) {
  printf("### %s\n\n", signature->name);
  printf("Verdict `%s`; the guard helps: %s", tg_verdict_names[signature->verdict],
         tg_helps_names[tg_signature_helps(signature)]);
  if (tg_signature_helps(signature) == TG_HELPS_WITH_OPTION) printf(" `%s`", signature->option);
  printf("; %s.\n\n", tg_sure_names[signature->sure]);
  print_words(signature);
  if (signature->frames != NULL) printf("Stack: %s.\n\n", signature->frames);
  printf("- What it is: %s.\n- Whose fault: %s.\n", signature->what, signature->fault);
  if (signature->advice == NULL)
    puts("- What to do: `tsfn-guard node app.js`.");
  else
    printf("- What to do: %s.\n", signature->advice);
  if (signature->remedy != NULL)
    printf("- In your own JavaScript: [%s](%s).\n", signature->remedy, signature->remedy);
  if (strncmp(signature->page, "triage.md", 9) != 0)
    printf("- More: [%s](%s).\n", signature->page, signature->page);
  putchar('\n');
}

void tg_signatures_print(void) {
  puts("| verdict | signatures |\n|---|---|");
  for (unsigned verdict = 0; verdict < TG_VERDICTS; verdict++) {
    const struct tg_signature *signature;
    printf("| `%s` | ", tg_verdict_names[verdict]);
    const char *separator = "";
    for (unsigned i = 0; (signature = tg_signature(i)) != NULL; i++) {
      if (signature->verdict != verdict) continue;
      printf("%s[%s](#%s)", separator, signature->name, signature->name);
      separator = ", ";
    }
    puts(" |");
  }
  putchar('\n');
  const struct tg_signature *signature;
  for (unsigned i = 0; (signature = tg_signature(i)) != NULL; i++) print_signature(signature);
}
