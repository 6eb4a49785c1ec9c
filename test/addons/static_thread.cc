// The other half of nodejs/node#55706: a static std::jthread that calls until it gets napi_closing.
// A static destructor joins it. Without the guard it never gets that answer while static
// destructors run.
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
                env, nullptr, nullptr, make_string(env, "static thread"), 0, 1, nullptr, nullptr,
                nullptr, [](napi_env, napi_value, void *, void *) {}, &tsfn));
  caller = std::jthread(call_until_turned_away, tsfn);
  return nullptr;
}

#if defined(__x86_64__)
#include <sys/mman.h>

#include <cstring>

// Makes code that belongs to no file, like that of libffi and JITs. The code calls
// napi_create_threadsafe_function with its own eleven arguments.
static decltype(&napi_create_threadsafe_function) make_code() {
  unsigned char code[128] = {0x55, 0x48, 0x89, 0xe5, 0x48,
                             0x83, 0xec, 0x30, 0x49, 0xba};  // push, sub $48, mov $…, %r10
  size_t at = 10;
  void *target = reinterpret_cast<void *>(&napi_create_threadsafe_function);
  std::memcpy(code + at, &target, sizeof target);
  at += sizeof target;
  for (unsigned char i = 0; i < 5; i++) {  // the five arguments that are on the stack
    const unsigned char copy[] = {0x48, 0x8b, 0x45, (unsigned char)(16 + 8 * i), 0x48,
                                  0x89, 0x44, 0x24, (unsigned char)(8 * i)};
    std::memcpy(code + at, copy, sizeof copy);
    at += sizeof copy;
  }
  const unsigned char end[] = {0x41, 0xff, 0xd2, 0xc9, 0xc3};  // call *%r10; leave; ret
  std::memcpy(code + at, end, sizeof end);
  void *memory =
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  std::memcpy(memory, code, sizeof code);
  return reinterpret_cast<decltype(&napi_create_threadsafe_function)>(memory);
}
#else
static decltype(&napi_create_threadsafe_function) make_code() {
  return napi_create_threadsafe_function;
}
#endif

// Starts a thread that blocks on a queue of one item. The function is created by code that belongs
// to no file, and has no callbacks of the addon.
static napi_value start_anonymous(napi_env env, napi_callback_info info) {
  napi_threadsafe_function tsfn;
  MUST(env, make_code()(env, argument(env, info, 0), nullptr, make_string(env, "anonymous"), 1, 1,
                        nullptr, nullptr, nullptr, nullptr, &tsfn));
  caller = std::jthread(call_until_turned_away, tsfn);
  return nullptr;
}

NAPI_MODULE_INIT() {
  export_function(env, exports, "startAnonymous", start_anonymous);
  export_function(env, exports, "start", start);
  return exports;
}
