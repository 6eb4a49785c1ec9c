// An addon whose call_js_cb throws a C++ exception if it cannot call JavaScript. That is what
// node-addon-api does by default.
//
// Exports:
//   create(callback, always): an unref'd thread-safe function with one count and two items.
//     `always`: call_js_cb throws in any case.
//   throwAtEnd(): a callback that waits until no JavaScript can be called any more, and then throws
//   report(): how many exceptions were thrown, how many still exist, what std::uncaught_exceptions
//     returned in the finalizer, how many items have come, how many functions are finalized,
//     whether throwAtEnd is waiting
#include <node_api.h>

#include <atomic>
#include <cstdlib>
#include <exception>

#include <unistd.h>

namespace {

std::atomic<int> thrown, alive, items, finalized, waiting;
std::atomic<int> uncaught{-1};

struct Thrown : std::exception {
  Thrown() {
    alive++;
  }
  Thrown(const Thrown &other) : std::exception(other) {
    alive++;
  }
  ~Thrown() override {
    alive--;
  }
};

void Check(napi_status status) {
  if (status != napi_ok) abort();
}

bool CallJavaScript(napi_env env, napi_value callback) {
  napi_value undefined;
  return env != nullptr && napi_get_undefined(env, &undefined) == napi_ok &&
         napi_call_function(env, undefined, callback, 0, nullptr, nullptr) == napi_ok;
}

void CallJs(napi_env env, napi_value callback, void *always, void *) {
  struct Undone {  // its destructor also runs when an exception passes this frame and is caught
    ~Undone() {
      items++;
    }
  } undone;
  if (CallJavaScript(env, callback) && always == nullptr) return;
  thrown++;
  throw Thrown();
}

// Runs on the thread that threw the exceptions.
void Finalize(napi_env, void *, void *) {
  uncaught = std::uncaught_exceptions();
  finalized++;
}

napi_value Create(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_threadsafe_function function;
  napi_value arguments[2], name;
  bool always;
  Check(napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr));
  Check(napi_get_value_bool(env, arguments[1], &always));
  Check(napi_create_string_utf8(env, "throwing", NAPI_AUTO_LENGTH, &name));
  Check(napi_create_threadsafe_function(env, arguments[0], nullptr, name, 0, 1, nullptr, Finalize,
                                        always ? &thrown : nullptr, CallJs, &function));
  Check(napi_unref_threadsafe_function(env, function));
  for (int i = 0; i < 2; i++)
    Check(napi_call_threadsafe_function(function, nullptr, napi_tsfn_nonblocking));
  return nullptr;
}

// V8 calls it without a JavaScript frame.
napi_value ThrowAtEnd(napi_env env, napi_callback_info) {
  waiting = 1;
  // While JavaScript may run, this call fails because of its arguments. Once JavaScript may not run
  // any more, it fails with another status.
  while (napi_call_function(env, nullptr, nullptr, 0, nullptr, nullptr) == napi_invalid_arg)
    usleep(1000);
  thrown++;
  throw Thrown();
}

napi_value Report(napi_env env, napi_callback_info) {
  const struct {
    const char *name;
    int value;
  } rows[] = {{"thrown", thrown}, {"alive", alive},         {"uncaught", uncaught},
              {"items", items},   {"finalized", finalized}, {"waiting", waiting}};
  napi_value result;
  Check(napi_create_object(env, &result));
  for (const auto &row : rows) {
    napi_value value;
    Check(napi_create_int32(env, row.value, &value));
    Check(napi_set_named_property(env, result, row.name, value));
  }
  return result;
}

}  // namespace

extern "C" napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  const napi_property_descriptor functions[] = {
      {"create", nullptr, Create, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"throwAtEnd", nullptr, ThrowAtEnd, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"report", nullptr, Report, nullptr, nullptr, nullptr, napi_default, nullptr},
  };
  Check(napi_define_properties(env, exports, sizeof functions / sizeof functions[0], functions));
  return exports;
}
