/* An "addon" that only calls the seven functions, through its PLT, and prints who answered. It is
 * built twice: one is bound at load, the other lazily. */
#include <node_api.h>
#include <stdio.h>

#include "answers.h"

static const char *who(napi_status status) {
  switch ((int)status) {
    case GUARD_ANSWERS:
      return "guard";
    case FAKE_NODE_ANSWERS:
      return "runtime";
    case INTRUDER_ANSWERS:
      return "intruder";
    default:
      return "nobody known";
  }
}

void probe(const char *library);
void probe(const char *library) {
  (void)library;
  int target;
  napi_threadsafe_function never_a_handle = (napi_threadsafe_function)(void *)&target, made;
  void *context;
  printf("create: %s\n", who(napi_create_threadsafe_function(NULL, NULL, NULL, NULL, 0, 1, NULL,
                                                             NULL, NULL, NULL, &made)));
  printf("get_context: %s\n", who(napi_get_threadsafe_function_context(never_a_handle, &context)));
  printf("call: %s\n",
         who(napi_call_threadsafe_function(never_a_handle, NULL, napi_tsfn_nonblocking)));
  printf("acquire: %s\n", who(napi_acquire_threadsafe_function(never_a_handle)));
  printf("release: %s\n", who(napi_release_threadsafe_function(never_a_handle, napi_tsfn_release)));
  printf("ref: %s\n", who(napi_ref_threadsafe_function(NULL, never_a_handle)));
  printf("unref: %s\n", who(napi_unref_threadsafe_function(NULL, never_a_handle)));
}
