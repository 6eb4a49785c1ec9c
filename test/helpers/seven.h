/* The seven functions, and which objects define them as an addon sees it. The test addon and the
 * probe use this. */
#ifndef TEST_SEVEN_H
#define TEST_SEVEN_H

#include <dlfcn.h>
#include <node_api.h>
#include <stdio.h>
#include <string.h>

#define FOR_EACH_OF_SEVEN(X)              \
  X(napi_create_threadsafe_function)      \
  X(napi_get_threadsafe_function_context) \
  X(napi_call_threadsafe_function)        \
  X(napi_acquire_threadsafe_function)     \
  X(napi_release_threadsafe_function)     \
  X(napi_ref_threadsafe_function)         \
  X(napi_unref_threadsafe_function)

enum { SEVEN = 7 };

#define SEVEN_NAME(name) #name,
static const char *const seven_names[SEVEN] = {FOR_EACH_OF_SEVEN(SEVEN_NAME)};

/* Weak, so that an addon can be loaded even if the runtime lacks one of them. */
#define SEVEN_WEAK(name) extern __typeof__(name) name __attribute__((weak));
FOR_EACH_OF_SEVEN(SEVEN_WEAK)

/* Volatile, so that the compiler leaves the addresses to the dynamic linker: these relocations are
 * bound when the addon is loaded. */
#define SEVEN_ADDRESS(name) (void *)name,
static void *const volatile seven_bound_at_load[SEVEN] = {FOR_EACH_OF_SEVEN(SEVEN_ADDRESS)};

/* Finds one of the seven functions. `way` is "load" (bound at load), "default"
 * (dlsym(RTLD_DEFAULT)), "program" (dlsym(dlopen(NULL))), or the name of a library that is already
 * loaded (dlsym on its handle). */
static inline void *seven_find(const char *way, unsigned index) {
  if (strcmp(way, "load") == 0) return seven_bound_at_load[index];
  if (strcmp(way, "default") == 0) return dlsym(RTLD_DEFAULT, seven_names[index]);
  void *handle = dlopen(strcmp(way, "program") == 0 ? NULL : way, RTLD_LAZY | RTLD_NOLOAD);
  return handle == NULL ? NULL : dlsym(handle, seven_names[index]);
}

static inline const char *seven_holder(const void *address) {
  Dl_info info;
  if (address == NULL || dladdr(address, &info) == 0) return "nothing";
  const char *slash = strrchr(info.dli_fname, '/');
  return slash == NULL ? info.dli_fname : slash + 1;
}

/* Writes "7 in OBJECT", or the object of each function if they differ. */
static inline void seven_describe(const char *way, char *text, size_t size) {
  const char *first = seven_holder(seven_find(way, 0));
  unsigned same = 0;
  while (same < SEVEN && strcmp(seven_holder(seven_find(way, same)), first) == 0) same++;
  if (same == SEVEN) {
    snprintf(text, size, "7 in %s", first);
    return;
  }
  for (unsigned i = 0, used = 0; i < SEVEN && used < size; i++)
    used += (unsigned)snprintf(text + used, size - used, "%s%s", i == 0 ? "" : " ",
                               seven_holder(seven_find(way, i)));
}

#endif
