/* What all test addons share: checked Node-API calls, argument readers, exporting a function. */
#ifndef TEST_ADDON_H
#define TEST_ADDON_H

#include <node_api.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* A macro, because the message contains the text of the failing call. */
#define MUST(env, call) must((env), (call), #call, __FILE__, __LINE__)

static inline void must(napi_env env, napi_status status, const char *what, const char *file,
                        int line) {
  (void)env;
  if (status == napi_ok) return;
  fprintf(stderr, "%s:%d: %s answered %d\n", file, line, what, (int)status);
  abort();
}

enum { MAX_ARGUMENTS = 16 };

static inline napi_value argument(napi_env env, napi_callback_info info, size_t index) {
  napi_value arguments[MAX_ARGUMENTS];
  size_t count = MAX_ARGUMENTS;
  MUST(env, napi_get_cb_info(env, info, &count, arguments, NULL, NULL));
  return index < count ? arguments[index] : NULL;
}

static inline uint32_t argument_u32(napi_env env, napi_callback_info info, size_t index,
                                    uint32_t otherwise) {
  napi_value value = argument(env, info, index);
  uint32_t number;
  if (value == NULL || napi_get_value_uint32(env, value, &number) != napi_ok) return otherwise;
  return number;
}

static inline napi_value make_u32(napi_env env, uint32_t number) {
  napi_value value;
  MUST(env, napi_create_uint32(env, number, &value));
  return value;
}

static inline napi_value make_string(napi_env env, const char *text) {
  napi_value value;
  MUST(env, napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value));
  return value;
}

/* A call_js_cb that does nothing. */
static inline void ignore_call(napi_env env, napi_value js_callback, void *context, void *data) {
  (void)env;
  (void)js_callback;
  (void)context;
  (void)data;
}

static inline void export_function(napi_env env, napi_value exports, const char *name,
                                   napi_callback callback) {
  napi_value function;
  MUST(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, NULL, &function));
  MUST(env, napi_set_named_property(env, exports, name, function));
}

#endif
