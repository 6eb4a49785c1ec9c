/* The addon that tsfn-guard doctor loads into a runtime. It creates one thread-safe function and
 * one thread, which sends one item. It prints lines "tsfn-guard-probe KEY VALUE…" to stdout.
 *
 * The seven functions are weak symbols, so the addon can print which ones the runtime lacks. The
 * addon must load wherever the library does: glibc 2.28, musl. */
#include <errno.h>
#include <limits.h>
#include <node_api.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/glibc_floor.h"

#if defined(__x86_64__)
__asm__(".symver dladdr, dladdr@GLIBC_2.2.5");
__asm__(".symver pthread_create, pthread_create@GLIBC_2.2.5");
#else
__asm__(".symver dladdr, dladdr@GLIBC_2.17");
__asm__(".symver pthread_create, pthread_create@GLIBC_2.17");
#endif

#pragma weak dladdr
#pragma weak pthread_create
#pragma weak napi_create_threadsafe_function
#pragma weak napi_get_threadsafe_function_context
#pragma weak napi_call_threadsafe_function
#pragma weak napi_acquire_threadsafe_function
#pragma weak napi_release_threadsafe_function
#pragma weak napi_ref_threadsafe_function
#pragma weak napi_unref_threadsafe_function

static void print_fact(const char *key, const char *value) {
  dprintf(STDOUT_FILENO, "tsfn-guard-probe %s %s\n", key, value);
}

/* Writes the name of the object that contains the address: its real path, if it has one. */
static void name_holder(const void *address, char holder[PATH_MAX]) {
  Dl_info info;
  const char *name = dladdr(address, &info) != 0 && info.dli_fname != NULL ? info.dli_fname : "?";
  if (realpath(name, holder) == NULL) snprintf(holder, PATH_MAX, "%s", name);
}

/* Prints for each of the seven functions which object contains it. A function counts as missing if
 * the addon's own binding to it is NULL, or differs from the result of dlsym. Returns false if some
 * are missing. */
static bool print_holders(void) {
  static const struct {
    const char *name;
    void *bound;
  } seven[] = {
      {"napi_create_threadsafe_function", (void *)napi_create_threadsafe_function},
      {"napi_get_threadsafe_function_context", (void *)napi_get_threadsafe_function_context},
      {"napi_call_threadsafe_function", (void *)napi_call_threadsafe_function},
      {"napi_acquire_threadsafe_function", (void *)napi_acquire_threadsafe_function},
      {"napi_release_threadsafe_function", (void *)napi_release_threadsafe_function},
      {"napi_ref_threadsafe_function", (void *)napi_ref_threadsafe_function},
      {"napi_unref_threadsafe_function", (void *)napi_unref_threadsafe_function},
  };
  bool complete = true;
  for (size_t i = 0; i < sizeof seven / sizeof seven[0]; i++) {
    char holder[PATH_MAX];
    if (seven[i].bound == NULL || dlsym(RTLD_DEFAULT, seven[i].name) != seven[i].bound) {
      print_fact("missing", seven[i].name);
      complete = false;
      continue;
    }
    name_holder(seven[i].bound, holder);
    print_fact("holder", holder);
  }
  return complete;
}

static void print_program(void) {
  char program[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
  program[length < 0 ? 0 : length] = '\0';
  print_fact("program", program);
}

static void print_libc(void) {
  const char *(*version)(void);
  void *address = dlsym(RTLD_DEFAULT, "gnu_get_libc_version");
  memcpy(&version, &address, sizeof version);
  print_fact("libc", address == NULL ? "other" : version());
}

/* A handle of the guard is an address in inaccessible memory. Even the kernel cannot read it, so
 * access() fails with EFAULT. A runtime's handle is the address of an object. */
static const char *kind_of(const void *handle) {
  bool untouchable = access(handle, F_OK) != 0 && errno == EFAULT;
  return untouchable ? "guarded" : "native";
}

static void on_finalize(napi_env env, void *data, void *hint) {
  (void)env;
  (void)data;
  (void)hint;
  print_fact("finalized", "1");
}

static void on_item(napi_env env, napi_value function, void *context, void *data) {
  (void)function;
  (void)context;
  if (env != NULL && data == (void *)on_item) print_fact("delivered", "1");
}

static void *produce(void *function) {
  if (napi_call_threadsafe_function(function, (void *)on_item, napi_tsfn_blocking) != napi_ok)
    print_fact("refused", "call");
  if (napi_release_threadsafe_function(function, napi_tsfn_release) != napi_ok)
    print_fact("refused", "release");
  return NULL;
}

/* The limit is 2, because on Bare 1.33 a queue with a limit of 1 takes no item (limit-of-one in
 * docs/affected.md). The probe run without the guard would then not end. */
static void use(napi_env env) {
  napi_value name;
  napi_threadsafe_function function;
  pthread_t thread;
  if (napi_create_string_utf8(env, "tsfn-guard doctor", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_threadsafe_function(env, NULL, NULL, name, 2, 1, NULL, on_finalize, NULL, on_item,
                                      &function) != napi_ok) {
    print_fact("refused", "create");
    return;
  }
  print_fact("handle", kind_of(function));
  if (pthread_create(&thread, NULL, produce, function) != 0) print_fact("refused", "thread");
}

NAPI_MODULE_INIT() {
  print_program();
  print_libc();
  if (print_holders()) use(env);
  return exports;
}
