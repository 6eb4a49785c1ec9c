// The bench addon, written without trust in Node-API: every use is protected by a mutex and a
// shared_ptr, as proposed in nodejs/node#55706. A call under the lock must not block, because the
// finalizer takes the same lock. So if the queue is full, the thread releases the lock, yields the
// processor and tries again.
//
// It is built twice: with Node-API's C functions, and, if BENCH_TYPED is defined, with
// node-addon-api's TypedThreadSafeFunction.
#include <memory>
#include <mutex>

#ifdef BENCH_TYPED
#include <napi.h>
#else
#include <node_api.h>
#endif
#include <sched.h>

struct Held;
struct run;
using subject = Held *;

static subject subject_create(napi_env env, napi_value callback, size_t limit, size_t counts,
                              struct run *run);
static void subject_call(subject held, void *item, bool blocking);
static void subject_acquire(subject held);
static void subject_release(subject held);
static void subject_unref(napi_env env, subject held);
static void *subject_context(subject held);

#include "workload.h"

static void Deliver(napi_env env, napi_value callback, Held *held, void *item);
static void Finalize(napi_env env, Held *held);

#ifdef BENCH_TYPED
static void CallJs(Napi::Env env, Napi::Function callback, Held *held, void *item) {
  Deliver(env, callback, held, item);
}

using Function = Napi::TypedThreadSafeFunction<Held, void, CallJs>;

static napi_status Call(Function &function, void *item) {
  return function.NonBlockingCall(item);
}

static napi_status Acquire(Function &function) {
  return function.Acquire();
}

static napi_status Release(Function &function) {
  return function.Release();
}

static void Unref(napi_env env, Function &function) {
  function.Unref(env);
}

static void *Context(Function &function) {
  return function.GetContext();
}

static Function Create(napi_env env, napi_value callback, size_t limit, size_t counts, Held *held) {
  return Function::New(
      env, callback == nullptr ? Napi::Function() : Napi::Function(env, callback),
      Napi::Env(env).Global(), "bench", limit, counts, held,
      [](Napi::Env finalize_env, void *, Held *finalized) { Finalize(finalize_env, finalized); },
      static_cast<void *>(nullptr));
}
#else
using Function = napi_threadsafe_function;

static napi_status Call(Function function, void *item) {
  return napi_call_threadsafe_function(function, item, napi_tsfn_nonblocking);
}

static napi_status Acquire(Function function) {
  return napi_acquire_threadsafe_function(function);
}

static napi_status Release(Function function) {
  return napi_release_threadsafe_function(function, napi_tsfn_release);
}

static void Unref(napi_env env, Function function) {
  MUST(env, napi_unref_threadsafe_function(env, function));
}

static void *Context(Function function) {
  void *context = nullptr;
  napi_get_threadsafe_function_context(function, &context);
  return context;
}

static Function Create(napi_env env, napi_value callback, size_t limit, size_t counts, Held *held) {
  napi_value resource, name;
  Function function;
  MUST(env, napi_get_global(env, &resource));
  MUST(env, napi_create_string_utf8(env, "bench", NAPI_AUTO_LENGTH, &name));
  MUST(env, napi_create_threadsafe_function(
                env, callback, resource, name, limit, counts, nullptr,
                [](napi_env finalize_env, void *, void *context) {
                  Finalize(finalize_env, static_cast<Held *>(context));
                },
                held,
                [](napi_env call_env, napi_value js_callback, void *context, void *item) {
                  Deliver(call_env, js_callback, static_cast<Held *>(context), item);
                },
                &function));
  return function;
}
#endif

struct Shared {
  std::mutex mutex;
  Function function;
  bool open = true;
};

struct Held {
  std::shared_ptr<Shared> shared;
  struct run *run;
};

static void Deliver(napi_env env, napi_value callback, Held *held, void *item) {
  deliver(env, callback, held->run, item);
}

static void Finalize(napi_env env, Held *held) {
  struct run *run = held->run;
  {
    std::shared_ptr<Shared> shared = held->shared;
    std::lock_guard<std::mutex> lock(shared->mutex);
    shared->open = false;
  }
  delete held;
  finish(env, run);
}

// Protects one use of the function.
template <class Use>
static napi_status Locked(subject held, Use use) {
  std::shared_ptr<Shared> shared = held->shared;
  std::lock_guard<std::mutex> lock(shared->mutex);
  return shared->open ? use(shared->function) : napi_closing;
}

static void check(napi_status status) {
  if (status != napi_ok) abort();
}

static void subject_call(subject held, void *item, bool) {
  for (;;) {
    napi_status status = Locked(held, [item](Function &function) { return Call(function, item); });
    if (status != napi_queue_full) return check(status);
    sched_yield();
  }
}

static void subject_acquire(subject held) {
  check(Locked(held, [](Function &function) { return Acquire(function); }));
}

static void subject_release(subject held) {
  check(Locked(held, [](Function &function) { return Release(function); }));
}

static void subject_unref(napi_env env, subject held) {
  check(Locked(held, [env](Function &function) { return Unref(env, function), napi_ok; }));
}

static void *subject_context(subject held) {
  void *context = nullptr;
  check(Locked(held,
               [&context](Function &function) { return context = Context(function), napi_ok; }));
  return context;
}

static subject subject_create(napi_env env, napi_value callback, size_t limit, size_t counts,
                              struct run *run) {
  auto *held = new Held{std::make_shared<Shared>(), run};
  held->shared->function = Create(env, callback, limit, counts, held);
  return held;
}

NAPI_MODULE_INIT() {
  export_workload(env, exports);
  return exports;
}
