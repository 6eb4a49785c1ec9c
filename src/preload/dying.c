/* Implements dying.h with a wrapper for each function. A wrapper calls the runtime's function, and
 * acts on its answer only if the call has failed. Before the call, the wrappers of functions that
 * take a finalizer replace that finalizer. */
#include "preload/dying.h"

#include <node_api.h>
#include <stdlib.h>
#include <string.h>

#include "base/lock.h"
#include "base/text.h"
#include "core/closing_notice.h"
#include "diag/report.h"
#include "elf/redirect.h"
#include "options/quirks.h"
#include "preload/addon_code.h"
#include "preload/entry_points.h"
#include "preload/leak.h"
#include "preload/runtime_node.h"

/* A call that the runtime has refused. */
struct refusal {
  napi_env env;
  napi_status status;
  const char *function; /* Node-API's name */
  const void *caller;
};

/* The addon with one of these quirks that holds the code; NULL: there is none. */
static const struct tg_addon *addon_with(unsigned quirks, const void *caller) {
  const struct tg_addon *addon = tg_addon_find(caller);
  return addon != NULL && (addon->quirks & quirks) != 0 ? addon : NULL;
}

static _Thread_local napi_env last_succeeded; /* the env of this thread's last false answer */

/* Whether the call may have failed because the env can no longer run JavaScript: either the status
 * says so, or the addon may have passed an empty result of ours. Other refusals are not examined,
 * because tg_node_is_javascript_over changes the env's last error info. */
static bool may_be_over(const struct refusal *refusal) {
  return refusal->status == napi_pending_exception || refusal->status == napi_cannot_run_js ||
         refusal->env == last_succeeded;
}

/* Whether the call gets a false answer. Counts it if so. */
static bool is_to_succeed(const struct refusal *refusal) {
  return refusal->env != NULL && may_be_over(refusal) &&
         addon_with(TG_QUIRK_DYING, refusal->caller) != NULL && tg_node_is_on_loop_thread() &&
         tg_node_is_javascript_over(refusal->env) && tg_count_false_answer();
}

/* The event has no caller, so all false answers to an addon count as one call site and are reported
 * once. */
static napi_status succeed(const struct refusal *refusal) {
  const struct tg_addon *addon = tg_addon_find(refusal->caller);
  struct tg_text detail = {.length = 0};
  const struct tg_event event = {.kind = TG_EVENT_FALSE_ANSWER, .snapshot = {.addon = addon}};
  tg_node_learn_version(refusal->env);
  tg_node_drop_exception(refusal->env);
  last_succeeded = refusal->env;
  atomic_fetch_add_explicit(&tg_the_guard.by_host.answers, 1, memory_order_relaxed);
  tg_text_add(&detail, "TSG031 false-answer: ");
  tg_text_add(&detail, tg_addon_path(addon));
  tg_text_add(&detail, " has the quirk dying, and called ");
  tg_text_add(&detail, refusal->function);
  tg_text_add(&detail,
              " in an environment that can no longer run JavaScript. The call returned napi_ok");
  tg_report_detail(&event, tg_text_string(&detail));
  return napi_ok;
}

/* --- The answers to a refusal, one function for each kind of result. A pointer to a result that
 * the caller does not want may be NULL if Node-API allows that. Cold: in a live env hardly any call
 * fails. */

#define ANSWER __attribute__((noinline, cold)) static napi_status

ANSWER nothing(const struct refusal *refusal) {
  return is_to_succeed(refusal) ? succeed(refusal) : refusal->status;
}

ANSWER undefined(const struct refusal *refusal, napi_value *result) {
  if (!is_to_succeed(refusal)) return refusal->status;
  if (result != NULL && tg_node_get_undefined(refusal->env, result) != napi_ok)
    return refusal->status;
  return succeed(refusal);
}

/* A bool, or a number. */
ANSWER zeroes(const struct refusal *refusal, void *result, size_t size) {
  if (!is_to_succeed(refusal)) return refusal->status;
  if (result != NULL) memset(result, 0, size);
  return succeed(refusal);
}

/* Memory that the addon may fill, as in a live env. It is never freed, because threads of the addon
 * may use it at any later time. */
ANSWER memory(const struct refusal *refusal, size_t size, void **data, napi_value *result) {
  if (!is_to_succeed(refusal)) return refusal->status;
  if (result != NULL && tg_node_get_undefined(refusal->env, result) != napi_ok)
    return refusal->status;
  if (data != NULL) *data = calloc(1, size == 0 ? 1 : size);
  if (data != NULL && *data == NULL) return refusal->status;
  return succeed(refusal);
}

/* A reference that can be used and deleted like any other. */
ANSWER reference(const struct refusal *refusal, uint32_t count, napi_ref *result) {
  if (!is_to_succeed(refusal)) return refusal->status;
  if (result != NULL && !tg_node_create_empty_reference(refusal->env, count, result))
    return refusal->status;
  return succeed(refusal);
}

/* The addon can pass the napi_deferred only to functions that fail here, and those are answered
 * falsely too. So any address will do for it. */
ANSWER promise(const struct refusal *refusal, napi_deferred *promised, napi_value *result) {
  static char nobody;
  if (!is_to_succeed(refusal)) return refusal->status;
  if (result != NULL && tg_node_get_undefined(refusal->env, result) != napi_ok)
    return refusal->status;
  if (promised != NULL) *promised = (napi_deferred)(void *)&nobody;
  return succeed(refusal);
}

/* --- The wrappers. FUNCTION(name, parameters, arguments, the answer to a refusal) */

#define DECLARE(api, parameters)                                                                   \
  static napi_status wrap_##api parameters;                                                        \
  static struct tg_redirection redirect_##api = {.name = #api, .replacement = (void *)wrap_##api}; \
  static napi_status wrap_##api parameters

/* ELF systems represent function pointers and data pointers alike, but C has no conversion between
 * them. */
#define CALL_ORIGINAL(api, arguments)                           \
  __typeof__(wrap_##api) *original;                             \
  memcpy(&original, &redirect_##api.original, sizeof original); \
  napi_status status = original arguments

#define RETURN(api, answer)                                                        \
  if (status == napi_ok) return napi_ok;                                           \
  const struct refusal refusal = {env, status, #api, __builtin_return_address(0)}; \
  return answer

#define FUNCTION(api, parameters, arguments, answer) \
  DECLARE(api, parameters) {                         \
    CALL_ORIGINAL(api, arguments);                   \
    RETURN(api, answer);                             \
  }

/* The same for a function that takes a finalizer (TG_QUIRK_LEAK). The parameters must be named
 * finalize_cb and finalize_hint. */
#define FINALIZED(api, is_buffer, parameters, arguments, answer)                                   \
  DECLARE(api, parameters) {                                                                       \
    struct tg_leak_ticket *ticket = replace_finalizer(env, __builtin_return_address(0), is_buffer, \
                                                      &finalize_cb, &finalize_hint);               \
    CALL_ORIGINAL(api, arguments);                                                                 \
    if (status != napi_ok) tg_leak_forget(ticket);                                                 \
    RETURN(api, answer);                                                                           \
  }

__attribute__((noinline)) static struct tg_leak_ticket *replace_finalizer(
    napi_env env, const void *caller, bool is_buffer, napi_finalize *finalize_cb,
    void **finalize_hint) {
  const struct tg_addon *addon = addon_with(TG_QUIRK_LEAK, caller);
  return addon == NULL ? NULL : tg_leak_replace(env, addon, is_buffer, finalize_cb, finalize_hint);
}

/* Calls of JavaScript. */
FUNCTION(napi_call_function,
         (napi_env env, napi_value receiver, napi_value function, size_t argc,
          const napi_value *argv, napi_value *result),
         (env, receiver, function, argc, argv, result), undefined(&refusal, result))
FUNCTION(napi_new_instance,
         (napi_env env, napi_value constructor, size_t argc, const napi_value *argv,
          napi_value *result),
         (env, constructor, argc, argv, result), undefined(&refusal, result))
FUNCTION(napi_make_callback,
         (napi_env env, napi_async_context context, napi_value receiver, napi_value function,
          size_t argc, const napi_value *argv, napi_value *result),
         (env, context, receiver, function, argc, argv, result), undefined(&refusal, result))
FUNCTION(napi_run_script, (napi_env env, napi_value script, napi_value *result),
         (env, script, result), undefined(&refusal, result))
FUNCTION(napi_fatal_exception, (napi_env env, napi_value error), (env, error), nothing(&refusal))

/* Properties. */
FUNCTION(napi_get_property, (napi_env env, napi_value object, napi_value key, napi_value *result),
         (env, object, key, result), undefined(&refusal, result))
FUNCTION(napi_set_property, (napi_env env, napi_value object, napi_value key, napi_value value),
         (env, object, key, value), nothing(&refusal))
FUNCTION(napi_has_property, (napi_env env, napi_value object, napi_value key, bool *result),
         (env, object, key, result), zeroes(&refusal, result, sizeof *result))
FUNCTION(napi_has_own_property, (napi_env env, napi_value object, napi_value key, bool *result),
         (env, object, key, result), zeroes(&refusal, result, sizeof *result))
FUNCTION(napi_delete_property, (napi_env env, napi_value object, napi_value key, bool *result),
         (env, object, key, result), zeroes(&refusal, result, sizeof *result))
FUNCTION(napi_get_named_property,
         (napi_env env, napi_value object, const char *key, napi_value *result),
         (env, object, key, result), undefined(&refusal, result))
FUNCTION(napi_set_named_property,
         (napi_env env, napi_value object, const char *key, napi_value value),
         (env, object, key, value), nothing(&refusal))
FUNCTION(napi_has_named_property, (napi_env env, napi_value object, const char *key, bool *result),
         (env, object, key, result), zeroes(&refusal, result, sizeof *result))
FUNCTION(napi_get_element, (napi_env env, napi_value object, uint32_t index, napi_value *result),
         (env, object, index, result), undefined(&refusal, result))
FUNCTION(napi_set_element, (napi_env env, napi_value object, uint32_t index, napi_value value),
         (env, object, index, value), nothing(&refusal))
FUNCTION(napi_has_element, (napi_env env, napi_value object, uint32_t index, bool *result),
         (env, object, index, result), zeroes(&refusal, result, sizeof *result))
FUNCTION(napi_delete_element, (napi_env env, napi_value object, uint32_t index, bool *result),
         (env, object, index, result), zeroes(&refusal, result, sizeof *result))
FUNCTION(napi_get_property_names, (napi_env env, napi_value object, napi_value *result),
         (env, object, result), undefined(&refusal, result))
FUNCTION(napi_get_all_property_names,
         (napi_env env, napi_value object, napi_key_collection_mode mode, napi_key_filter filter,
          napi_key_conversion conversion, napi_value *result),
         (env, object, mode, filter, conversion, result), undefined(&refusal, result))
FUNCTION(napi_define_properties,
         (napi_env env, napi_value object, size_t count,
          const napi_property_descriptor *properties),
         (env, object, count, properties), nothing(&refusal))
FUNCTION(napi_get_prototype, (napi_env env, napi_value object, napi_value *result),
         (env, object, result), undefined(&refusal, result))
FUNCTION(napi_object_freeze, (napi_env env, napi_value object), (env, object), nothing(&refusal))
FUNCTION(napi_object_seal, (napi_env env, napi_value object), (env, object), nothing(&refusal))
FUNCTION(napi_type_tag_object, (napi_env env, napi_value object, const napi_type_tag *tag),
         (env, object, tag), nothing(&refusal))
FUNCTION(napi_check_object_type_tag,
         (napi_env env, napi_value object, const napi_type_tag *tag, bool *result),
         (env, object, tag, result), zeroes(&refusal, result, sizeof *result))

/* Functions and classes. */
FUNCTION(napi_create_function,
         (napi_env env, const char *name, size_t length, napi_callback callback, void *data,
          napi_value *result),
         (env, name, length, callback, data, result), undefined(&refusal, result))
FUNCTION(napi_define_class,
         (napi_env env, const char *name, size_t length, napi_callback constructor, void *data,
          size_t count, const napi_property_descriptor *properties, napi_value *result),
         (env, name, length, constructor, data, count, properties, result),
         undefined(&refusal, result))

/* Values. */
FUNCTION(napi_coerce_to_bool, (napi_env env, napi_value value, napi_value *result),
         (env, value, result), undefined(&refusal, result))
FUNCTION(napi_coerce_to_number, (napi_env env, napi_value value, napi_value *result),
         (env, value, result), undefined(&refusal, result))
FUNCTION(napi_coerce_to_object, (napi_env env, napi_value value, napi_value *result),
         (env, value, result), undefined(&refusal, result))
FUNCTION(napi_coerce_to_string, (napi_env env, napi_value value, napi_value *result),
         (env, value, result), undefined(&refusal, result))
FUNCTION(napi_instanceof, (napi_env env, napi_value object, napi_value constructor, bool *result),
         (env, object, constructor, result), zeroes(&refusal, result, sizeof *result))
FUNCTION(napi_strict_equals, (napi_env env, napi_value left, napi_value right, bool *result),
         (env, left, right, result), zeroes(&refusal, result, sizeof *result))
FUNCTION(napi_get_array_length, (napi_env env, napi_value array, uint32_t *result),
         (env, array, result), zeroes(&refusal, result, sizeof *result))
FUNCTION(napi_create_date, (napi_env env, double time, napi_value *result), (env, time, result),
         undefined(&refusal, result))
FUNCTION(napi_get_date_value, (napi_env env, napi_value date, double *result), (env, date, result),
         zeroes(&refusal, result, sizeof *result))
FUNCTION(napi_create_bigint_words,
         (napi_env env, int sign, size_t count, const uint64_t *words, napi_value *result),
         (env, sign, count, words, result), undefined(&refusal, result))

/* Functions that fail because the addon passes an empty result of ours: undefined is neither an
 * object nor a number. */
FUNCTION(napi_create_reference, (napi_env env, napi_value value, uint32_t count, napi_ref *result),
         (env, value, count, result), reference(&refusal, count, result))

/* Promises. */
FUNCTION(napi_create_promise, (napi_env env, napi_deferred *promised, napi_value *result),
         (env, promised, result), promise(&refusal, promised, result))
FUNCTION(napi_resolve_deferred, (napi_env env, napi_deferred promised, napi_value value),
         (env, promised, value), nothing(&refusal))
FUNCTION(napi_reject_deferred, (napi_env env, napi_deferred promised, napi_value value),
         (env, promised, value), nothing(&refusal))

/* Memory. */
FUNCTION(napi_create_arraybuffer, (napi_env env, size_t size, void **data, napi_value *result),
         (env, size, data, result), memory(&refusal, size, data, result))
FUNCTION(napi_create_buffer, (napi_env env, size_t size, void **data, napi_value *result),
         (env, size, data, result), memory(&refusal, size, data, result))
FUNCTION(napi_create_buffer_copy,
         (napi_env env, size_t size, const void *from, void **data, napi_value *result),
         (env, size, from, data, result), memory(&refusal, size, data, result))
FUNCTION(napi_create_typedarray,
         (napi_env env, napi_typedarray_type type, size_t length, napi_value buffer, size_t offset,
          napi_value *result),
         (env, type, length, buffer, offset, result), undefined(&refusal, result))
FUNCTION(napi_create_dataview,
         (napi_env env, size_t length, napi_value buffer, size_t offset, napi_value *result),
         (env, length, buffer, offset, result), undefined(&refusal, result))

/* Functions that take a finalizer. */
FINALIZED(napi_create_external_arraybuffer, true,
          (napi_env env, void *data, size_t size, napi_finalize finalize_cb, void *finalize_hint,
           napi_value *result),
          (env, data, size, finalize_cb, finalize_hint, result), undefined(&refusal, result))
FINALIZED(napi_create_external_buffer, true,
          (napi_env env, size_t size, void *data, napi_finalize finalize_cb, void *finalize_hint,
           napi_value *result),
          (env, size, data, finalize_cb, finalize_hint, result), undefined(&refusal, result))
FINALIZED(napi_create_external, false,
          (napi_env env, void *data, napi_finalize finalize_cb, void *finalize_hint,
           napi_value *result),
          (env, data, finalize_cb, finalize_hint, result), undefined(&refusal, result))
FINALIZED(napi_wrap, false,
          (napi_env env, napi_value object, void *native, napi_finalize finalize_cb,
           void *finalize_hint, napi_ref *result),
          (env, object, native, finalize_cb, finalize_hint, result), reference(&refusal, 0, result))
FINALIZED(napi_add_finalizer, false,
          (napi_env env, napi_value object, void *data, napi_finalize finalize_cb,
           void *finalize_hint, napi_ref *result),
          (env, object, data, finalize_cb, finalize_hint, result), reference(&refusal, 0, result))
FINALIZED(napi_set_instance_data, false,
          (napi_env env, void *data, napi_finalize finalize_cb, void *finalize_hint),
          (env, data, finalize_cb, finalize_hint), nothing(&refusal))

/* Newer functions. */
FUNCTION(node_api_create_buffer_from_arraybuffer,
         (napi_env env, napi_value buffer, size_t offset, size_t size, napi_value *result),
         (env, buffer, offset, size, result), undefined(&refusal, result))
FUNCTION(node_api_create_object_with_properties,
         (napi_env env, napi_value prototype, const napi_value *names, const napi_value *values,
          size_t count, napi_value *result),
         (env, prototype, names, values, count, result), undefined(&refusal, result))
FUNCTION(node_api_set_prototype, (napi_env env, napi_value object, napi_value value),
         (env, object, value), nothing(&refusal))

static struct tg_redirection *const redirections[] = {
    &redirect_napi_call_function,
    &redirect_napi_new_instance,
    &redirect_napi_make_callback,
    &redirect_napi_run_script,
    &redirect_napi_fatal_exception,
    &redirect_napi_get_property,
    &redirect_napi_set_property,
    &redirect_napi_has_property,
    &redirect_napi_has_own_property,
    &redirect_napi_delete_property,
    &redirect_napi_get_named_property,
    &redirect_napi_set_named_property,
    &redirect_napi_has_named_property,
    &redirect_napi_get_element,
    &redirect_napi_set_element,
    &redirect_napi_has_element,
    &redirect_napi_delete_element,
    &redirect_napi_get_property_names,
    &redirect_napi_get_all_property_names,
    &redirect_napi_define_properties,
    &redirect_napi_get_prototype,
    &redirect_napi_object_freeze,
    &redirect_napi_object_seal,
    &redirect_napi_type_tag_object,
    &redirect_napi_check_object_type_tag,
    &redirect_napi_create_function,
    &redirect_napi_define_class,
    &redirect_napi_coerce_to_bool,
    &redirect_napi_coerce_to_number,
    &redirect_napi_coerce_to_object,
    &redirect_napi_coerce_to_string,
    &redirect_napi_instanceof,
    &redirect_napi_strict_equals,
    &redirect_napi_get_array_length,
    &redirect_napi_create_date,
    &redirect_napi_get_date_value,
    &redirect_napi_create_bigint_words,
    &redirect_napi_create_reference,
    &redirect_napi_create_promise,
    &redirect_napi_resolve_deferred,
    &redirect_napi_reject_deferred,
    &redirect_napi_create_arraybuffer,
    &redirect_napi_create_buffer,
    &redirect_napi_create_buffer_copy,
    &redirect_napi_create_typedarray,
    &redirect_napi_create_dataview,
    &redirect_napi_create_external_arraybuffer,
    &redirect_napi_create_external_buffer,
    &redirect_napi_create_external,
    &redirect_napi_wrap,
    &redirect_napi_add_finalizer,
    &redirect_napi_set_instance_data,
    &redirect_node_api_create_buffer_from_arraybuffer,
    &redirect_node_api_create_object_with_properties,
    &redirect_node_api_set_prototype,
};

/* --- Redirecting */

static struct tg_image runtime_image;
static bool is_open;
static struct tg_lock lock; /* guards what follows */
static bool are_redirected;

void tg_dying_open(const struct tg_image *runtime) {
  if (!tg_node_is_node() || !tg_quirks_are_wanted()) return;
  runtime_image = *runtime;
  is_open = true;
}

/* One by one, so that a function that the runtime lacks is left out. */
static void redirect_all(void) {
  for (size_t i = 0; i < sizeof redirections / sizeof redirections[0]; i++)
    tg_redirect_each(&runtime_image, redirections[i], 1);
}

void tg_dying_prepare(const char *file) {
  if (!is_open || (tg_quirks_of(file) & (TG_QUIRK_DYING | TG_QUIRK_LEAK)) == 0) return;
  tg_lock_acquire(&lock, TG_RANK_ADDONS);
  if (!are_redirected) redirect_all();
  are_redirected = true;
  tg_lock_release(&lock, TG_RANK_ADDONS);
}
