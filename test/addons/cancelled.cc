// A C++ producer thread that is cancelled while it is blocked on a full queue. The stop() method of
// a C++ addon may do that.
//
// Exports:
//   start(type): an unref'd function with space for one item, and a thread that passes two items.
//     The type of its cancellation is 'deferred', 'asynchronous', or 'disabled' until both items
//     are passed. Returns when the thread is about to be blocked.
//   cancel(): cancels the thread; a second call has no effect
//   stop(): joins the thread, and returns whether it was cancelled
//   release(): gives the count back, and returns the status
//   report(): how many items were accepted and delivered, how many of the thread's objects are
//     left, how many functions are finalized
#include <node_api.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

napi_threadsafe_function function;
pthread_t thread;
std::string type;
std::atomic<int> accepted, delivered, objects, finalized, thread_id;

void Check(bool holds) {
  if (!holds) abort();
}

struct Object {
  Object() {
    objects++;
  }
  ~Object() {
    objects--;
  }
};

void *Produce(void *) {
  Object object;
  if (type == "asynchronous") pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, nullptr);
  if (type == "disabled") pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
  thread_id = gettid();
  for (int i = 0; i < 2; i++)
    if (napi_call_threadsafe_function(function, nullptr, napi_tsfn_blocking) == napi_ok) accepted++;
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, nullptr);
  pthread_testcancel();
  return nullptr;
}

// Whether the thread sleeps. After its first item it can only sleep because the queue is full.
bool IsBlocked() {
  char path[64], line[128] = "";
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread_id.load());
  FILE *file = fopen(path, "r");
  if (file == nullptr) return false;
  bool read = fgets(line, sizeof line, file) != nullptr;
  fclose(file);
  const char *state = strrchr(line, ')');
  return read && state != nullptr && strncmp(state, ") S", 3) == 0;
}

napi_value Start(napi_env env, napi_callback_info info) {
  size_t count = 1, length;
  char text[32];
  napi_value argument, name;
  Check(napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr) == napi_ok);
  Check(napi_get_value_string_utf8(env, argument, text, sizeof text, &length) == napi_ok);
  type = text;
  Check(napi_create_string_utf8(env, "cancelled", NAPI_AUTO_LENGTH, &name) == napi_ok);
  Check(napi_create_threadsafe_function(
            env, nullptr, nullptr, name, 1, 1, nullptr,
            [](napi_env, void *, void *) { finalized++; }, nullptr,
            [](napi_env, napi_value, void *, void *) { delivered++; }, &function) == napi_ok);
  Check(napi_unref_threadsafe_function(env, function) == napi_ok);
  Check(pthread_create(&thread, nullptr, Produce, nullptr) == 0);
  while (accepted == 0 || !IsBlocked()) usleep(1000);
  return nullptr;
}

napi_value Cancel(napi_env, napi_callback_info) {
  pthread_cancel(thread);
  return nullptr;
}

napi_value Stop(napi_env env, napi_callback_info) {
  void *result;
  napi_value value;
  Check(pthread_join(thread, &result) == 0);
  Check(napi_get_boolean(env, result == PTHREAD_CANCELED, &value) == napi_ok);
  return value;
}

napi_value Release(napi_env env, napi_callback_info) {
  napi_value value;
  napi_status status = napi_release_threadsafe_function(function, napi_tsfn_release);
  Check(napi_create_int32(env, status, &value) == napi_ok);
  return value;
}

napi_value Report(napi_env env, napi_callback_info) {
  char line[128];
  napi_value value;
  snprintf(line, sizeof line, "accepted=%d delivered=%d objects=%d finalized=%d", accepted.load(),
           delivered.load(), objects.load(), finalized.load());
  Check(napi_create_string_utf8(env, line, NAPI_AUTO_LENGTH, &value) == napi_ok);
  return value;
}

}  // namespace

extern "C" napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  const napi_property_descriptor functions[] = {
      {"start", nullptr, Start, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"cancel", nullptr, Cancel, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"stop", nullptr, Stop, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"release", nullptr, Release, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"report", nullptr, Report, nullptr, nullptr, nullptr, napi_default, nullptr},
  };
  Check(napi_define_properties(env, exports, sizeof functions / sizeof functions[0], functions) ==
        napi_ok);
  return exports;
}
