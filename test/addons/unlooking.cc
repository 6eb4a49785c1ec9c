// An addon with node-addon-api's TypedThreadSafeFunction whose callback does not check its env. If
// no JavaScript can be called, the callback throws an exception of its own. If there is no env,
// node-addon-api ends the process. (If the addon is built for Node-API version 10, node-addon-api
// 8.9.2 itself throws such an exception.)
//
// Exports:
//   create(callback, items): an unref'd function with this many items, which is finalized with its
//     env
//   report(): how many items have come, and how many functions are finalized
#define NODE_ADDON_API_CPP_EXCEPTIONS
// Otherwise node-addon-api would end the process when JavaScript can no longer run, before anything
// is thrown.
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#include <napi.h>

#include <atomic>
#include <stdexcept>

namespace {

std::atomic<int> come, finalized;

void CallJs(Napi::Env env, Napi::Function callback, std::nullptr_t *, int *) {
  come++;
  try {
    callback.Call({Napi::Number::New(env, 1)});
  } catch (const Napi::Error &) {
    throw std::runtime_error("the callback has failed");
  }
}

using Function = Napi::TypedThreadSafeFunction<std::nullptr_t, int, CallJs>;

Napi::Value Create(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto function = Function::New(env, info[0].As<Napi::Function>(), "unlooking", 0, 1, nullptr,
                                [](Napi::Env, void *, std::nullptr_t *) { finalized++; });
  function.Unref(env);
  for (int i = info[1].As<Napi::Number>(); i > 0; i--) function.NonBlockingCall(nullptr);
  return env.Undefined();
}

Napi::Value Report(const Napi::CallbackInfo &info) {
  Napi::Object report = Napi::Object::New(info.Env());
  report.Set("come", come.load());
  report.Set("finalized", finalized.load());
  return report;
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("create", Napi::Function::New(env, Create));
  exports.Set("report", Napi::Function::New(env, Report));
  return exports;
}

}  // namespace

NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)
