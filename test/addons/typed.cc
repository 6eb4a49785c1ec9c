// Thread-safe functions as C++ addons use them: node-addon-api's TypedThreadSafeFunction and
// ThreadSafeFunction, with a context, a finalizer, and items on the heap. The receiver of an item
// deletes it.
//
// Exports, for kind 'typed' and 'plain':
//   talk(kind, callback, threads, items, max): threads that acquire, call and release; joined by
//     the finalizer
//   flood(kind, callback, threads): detached threads that call, alternately blocking and
//     nonblocking, until they are rejected; the function is unref'd
//   queue(kind, callback, items): calls from this thread and aborts at once
//   report(): what happened so far, and how many items still exist
//
// While an environment ends, JavaScript cannot be called. node-addon-api then wants to throw an
// error, but cannot. Without the macro below the process dies, with and without the guard. The
// documentation of node-addon-api asks addons that may run in workers to define it.
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#include <napi.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

std::atomic<int> alive_items;
std::atomic<int> alive_contexts;
std::atomic<int> accepted;
std::atomic<int> delivered;
std::atomic<int> dropped;  // handed over without an env
std::atomic<int> finalized;
std::atomic<int> running_threads;
std::atomic<int> rejected;       // by napi_closing
std::atomic<int> other_answers;  // neither ok, queue_full nor closing
std::atomic<int> wrong_contexts;

struct Item {
  Item(int thread, int number) : thread(thread), number(number) {
    alive_items++;
  }
  ~Item() {
    alive_items--;
  }
  int thread;
  int number;
};

struct Context {
  Context() {
    alive_contexts++;
  }
  ~Context() {
    alive_contexts--;
  }
  std::vector<std::thread> threads;
};

void Deliver(Napi::Env env, Napi::Function callback, Item *item) {
  std::unique_ptr<Item> owned(item);
  if (env == nullptr || callback.IsEmpty()) {
    dropped++;
    return;
  }
  delivered++;
  callback.Call({Napi::Number::New(env, owned->thread), Napi::Number::New(env, owned->number)});
}

void CallTyped(Napi::Env env, Napi::Function callback, Context *context, Item *item) {
  if (context == nullptr) wrong_contexts++;
  Deliver(env, callback, item);
}

void Finalize(Napi::Env, void *, Context *context) {
  for (std::thread &thread : context->threads) thread.join();
  delete context;
  finalized++;
}

// Typed and Plain have the same interface.
struct Typed {
  using Function = Napi::TypedThreadSafeFunction<Context, Item, CallTyped>;
  static Function New(Napi::Env env, Napi::Function callback, size_t max, size_t threads,
                      Context *context) {
    return Function::New(env, callback, "typed", max, threads, context, Finalize,
                         static_cast<void *>(nullptr));
  }
  static napi_status Call(const Function &function, Item *item, bool blocking) {
    return blocking ? function.BlockingCall(item) : function.NonBlockingCall(item);
  }
};

struct Plain {
  using Function = Napi::ThreadSafeFunction;
  static Function New(Napi::Env env, Napi::Function callback, size_t max, size_t threads,
                      Context *context) {
    return Function::New(env, callback, "plain", max, threads, context, Finalize,
                         static_cast<void *>(nullptr));
  }
  static napi_status Call(const Function &function, Item *item, bool blocking) {
    return blocking ? function.BlockingCall(item, Deliver)
                    : function.NonBlockingCall(item, Deliver);
  }
};

// Returns the status of the call. If the item was accepted, it belongs to its receiver, else it is
// deleted here.
template <class Kind>
napi_status Send(const typename Kind::Function &function, int thread, int number, bool blocking) {
  auto item = std::make_unique<Item>(thread, number);
  napi_status status = Kind::Call(function, item.get(), blocking);
  if (status == napi_ok) {
    accepted++;
    item.release();
  }
  return status;
}

template <class Kind>
void Talk(typename Kind::Function function, const Context *context, int thread, int items) {
  if (function.GetContext() != context) wrong_contexts++;
  for (int number = 0; number < items;) {
    napi_status status = Send<Kind>(function, thread, number, number % 2 == 0);
    if (status == napi_ok)
      number++;
    else if (status != napi_queue_full)
      other_answers++;
    else
      std::this_thread::yield();
  }
  if (function.Release() != napi_ok) other_answers++;
}

template <class Kind>
Napi::Value StartTalk(const Napi::CallbackInfo &info) {
  int threads = info[2].As<Napi::Number>(), items = info[3].As<Napi::Number>(),
      max = info[4].As<Napi::Number>();
  auto *context = new Context;
  auto function = Kind::New(info.Env(), info[1].As<Napi::Function>(), max, 1, context);
  for (int thread = 0; thread < threads; thread++) {
    if (function.Acquire() != napi_ok) other_answers++;
    context->threads.emplace_back(Talk<Kind>, function, context, thread, items);
  }
  function.Unref(info.Env());
  function.Ref(info.Env());
  if (function.Release() != napi_ok) other_answers++;
  return info.Env().Undefined();
}

template <class Kind>
void Flood(typename Kind::Function function, int thread) {
  napi_status status;
  for (int number = 0; (status = Send<Kind>(function, thread, number, number % 2 == 0)) == napi_ok;
       number++)
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  if (status == napi_closing)
    rejected++;
  else
    other_answers++;
  running_threads--;
}

template <class Kind>
Napi::Value StartFlood(const Napi::CallbackInfo &info) {
  int threads = info[2].As<Napi::Number>();
  auto function = Kind::New(info.Env(), info[1].As<Napi::Function>(), 0, threads, new Context);
  running_threads += threads;
  for (int thread = 0; thread < threads; thread++)
    std::thread(Flood<Kind>, function, thread).detach();
  function.Unref(info.Env());
  return info.Env().Undefined();
}

template <class Kind>
Napi::Value QueueAndAbort(const Napi::CallbackInfo &info) {
  int items = info[2].As<Napi::Number>();
  auto function = Kind::New(info.Env(), info[1].As<Napi::Function>(), 0, 2, new Context);
  for (int number = 0; number < items; number++) Send<Kind>(function, 0, number, number % 2 == 0);
  if (function.Abort() != napi_ok) other_answers++;
  if (Send<Kind>(function, 0, items, false) == napi_closing) rejected++;
  if (function.Acquire() != napi_closing) other_answers++;
  return info.Env().Undefined();
}

Napi::Value Report(const Napi::CallbackInfo &info) {
  Napi::Object report = Napi::Object::New(info.Env());
  const std::pair<const char *, const std::atomic<int> &> counts[] = {
      {"accepted", accepted},
      {"delivered", delivered},
      {"dropped", dropped},
      {"items", alive_items},
      {"contexts", alive_contexts},
      {"finalized", finalized},
      {"running", running_threads},
      {"rejected", rejected},
      {"otherAnswers", other_answers},
      {"wrongContexts", wrong_contexts},
  };
  for (const auto &[name, count] : counts) report.Set(name, count.load());
  return report;
}

using Method = Napi::Value (*)(const Napi::CallbackInfo &);

template <Method typed, Method plain>
Napi::Value ByKind(const Napi::CallbackInfo &info) {
  return info[0].As<Napi::String>().Utf8Value() == "typed" ? typed(info) : plain(info);
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("talk", Napi::Function::New(env, ByKind<StartTalk<Typed>, StartTalk<Plain>>));
  exports.Set("flood", Napi::Function::New(env, ByKind<StartFlood<Typed>, StartFlood<Plain>>));
  exports.Set("queue",
              Napi::Function::New(env, ByKind<QueueAndAbort<Typed>, QueueAndAbort<Plain>>));
  exports.Set("report", Napi::Function::New(env, Report));
  return exports;
}

}  // namespace

NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)
