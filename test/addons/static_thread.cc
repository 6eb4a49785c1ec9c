// The other half of nodejs/node#55706: a static std::jthread that calls until it is told closing. Static
// destructors join it, and natively nobody tells it anything then.
#include <chrono>
#include <thread>

#include "addon.h"

static std::jthread caller;

static void call_until_turned_away(napi_threadsafe_function tsfn) {
  napi_status status;
  while ((status = napi_call_threadsafe_function(tsfn, nullptr, napi_tsfn_blocking)) == napi_ok)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::fprintf(stderr, "static thread: %s\n", status == napi_closing ? "closing" : "wrong");
}

static napi_value start(napi_env env, napi_callback_info) {
  napi_threadsafe_function tsfn;
  MUST(env, napi_create_threadsafe_function(
                env, nullptr, nullptr, make_string(env, "static thread"), 0, 1, nullptr, nullptr, nullptr,
                [](napi_env, napi_value, void *, void *) {}, &tsfn));
  caller = std::jthread(call_until_turned_away, tsfn);
  return nullptr;
}

NAPI_MODULE_INIT() {
  export_function(env, exports, "start", start);
  return exports;
}
