/* An addon that calls Node-API in an env that can no longer run JavaScript, and reports the answers
 * as a line of NAME=VALUE pairs.
 *
 * Exports. WHAT is one of: "throws"; "calls", which calls each function that needs JavaScript (not
 * in a cleanup hook); "unwrap"; "loop", which calls one function until it fails; "hold", which
 * registers a finalizer of each kind; "keep", the same for objects that live as long as the env.
 *   now(WHAT): does it at once, and returns the line
 *   whenOver(WHAT): waits until no JavaScript can be called any more, and then does it
 *   whenInterrupted(WHAT, function): calls a JavaScript function that does not return before that,
 *     and then does it
 *   isRunning(): that JavaScript function calls it, to say that it runs and may be terminated
 *   atEnd(WHAT): does it in a cleanup hook of the env, and writes the line to stdout
 *   finalized(): how many of the finalizers of "hold" or "keep" have run
 *   report(): the line of whenOver or whenInterrupted; empty while it waits; undefined if neither
 *     was called */
#include "addon.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

struct line {
  size_t length;
  char text[4096];
};

static struct line over;
static const char *first_exception = ""; /* what napi_throw throws; empty: undefined */
static atomic_int over_state;            /* 0: not called; 1: waiting; 2: `over` is complete */

static void add(struct line *line, const char *name, int value) {
  line->length += (size_t)snprintf(line->text + line->length, sizeof line->text - line->length,
                                   "%s%s=%d", line->length == 0 ? "" : " ", name, value);
}

static void add_pending(napi_env env, struct line *line) {
  bool pending;
  MUST(env, napi_is_exception_pending(env, &pending));
  add(line, "pending", pending);
}

/* Found with dlsym, because some runtimes lack this function. */
static void throw_syntax_error(napi_env env, struct line *line) {
  napi_status (*function)(napi_env, const char *, const char *);
  *(void **)&function = dlsym(RTLD_DEFAULT, "node_api_throw_syntax_error");
  if (function != NULL) add(line, "syntax", function(env, NULL, "from C"));
}

/* In a cleanup hook there is no handle scope, so it throws undefined there. */
static void throw_all(napi_env env, struct line *line) {
  napi_value first;
  if (first_exception[0] == '\0')
    MUST(env, napi_get_undefined(env, &first));
  else
    first = make_string(env, first_exception);
  const napi_extended_error_info *info;
  add(line, "throw", napi_throw(env, first));
  add(line, "error", napi_throw_error(env, "CODE", "from C"));
  MUST(env, napi_get_last_error_info(env, &info));
  add(line, "last", info->error_code);
  add(line, "type", napi_throw_type_error(env, NULL, "from C"));
  add(line, "range", napi_throw_range_error(env, NULL, "from C"));
  throw_syntax_error(env, line);
  add_pending(env, line);
}

/* --- Each function that needs JavaScript. The values are created while JavaScript still runs. */

static napi_value object, array, function, text, script, date, promise;
static napi_deferred deferred;

static napi_value noop(napi_env env, napi_callback_info info) {
  (void)env;
  (void)info;
  return NULL;
}

static int finalized; /* how many finalizers of hold_with have run */

static void count_finalized(napi_env env, void *data, void *hint) {
  (void)env;
  (void)data;
  finalized += hint == (void *)&finalized;
}

static int wrapped = 7;

static void make_values(napi_env env) {
  MUST(env, napi_create_object(env, &object));
  MUST(env, napi_create_array(env, &array));
  MUST(env, napi_create_function(env, "noop", NAPI_AUTO_LENGTH, noop, NULL, &function));
  text = make_string(env, "key");
  script = make_string(env, "undefined");
  MUST(env, napi_create_date(env, 1000, &date));
  MUST(env, napi_create_promise(env, &deferred, &promise));
  MUST(env, napi_wrap(env, object, &wrapped, NULL, NULL, NULL));
}

/* These add only what is wrong: an answer other than napi_ok, or, as -1, a result that must not
 * come with a false napi_ok. */
static void check(struct line *line, const char *name, napi_status status) {
  if (status != napi_ok) add(line, name, status);
}

static void check_value(napi_env env, struct line *line, const char *name, napi_status status,
                        const napi_value *value) {
  napi_valuetype type;
  check(line, name, status);
  if (status == napi_ok && (napi_typeof(env, *value, &type) != napi_ok || type != napi_undefined))
    add(line, name, -1);
}

static void check_false(struct line *line, const char *name, napi_status status,
                        const bool *value) {
  check(line, name, status);
  if (status == napi_ok && *value) add(line, name, -1);
}

static void check_memory(struct line *line, const char *name, napi_status status,
                         void *const *memory, size_t size) {
  const char *bytes = *memory;
  bool is_zeroed = true;
  check(line, name, status);
  for (size_t i = 0; status == napi_ok && i < size; i++) is_zeroed = is_zeroed && bytes[i] == 0;
  if (!is_zeroed) add(line, name, -1);
}

static void call_properties(napi_env env, struct line *line) {
  napi_value value = NULL;
  bool answer = true;
  const napi_property_descriptor property = {.utf8name = "p", .method = noop};
  check_value(env, line, "get_property", napi_get_property(env, object, text, &value), &value);
  check(line, "set_property", napi_set_property(env, object, text, text));
  check_false(line, "has_property", napi_has_property(env, object, text, &answer), &answer);
  answer = true;
  check_false(line, "has_own_property", napi_has_own_property(env, object, text, &answer), &answer);
  check(line, "delete_property", napi_delete_property(env, object, text, NULL));
  check_value(env, line, "get_named_property", napi_get_named_property(env, object, "key", &value),
              &value);
  check(line, "set_named_property", napi_set_named_property(env, object, "key", text));
  answer = true;
  check_false(line, "has_named_property", napi_has_named_property(env, object, "key", &answer),
              &answer);
  check_value(env, line, "get_element", napi_get_element(env, array, 0, &value), &value);
  check(line, "set_element", napi_set_element(env, array, 0, text));
  answer = true;
  check_false(line, "has_element", napi_has_element(env, array, 1, &answer), &answer);
  check(line, "delete_element", napi_delete_element(env, array, 0, NULL));
  check_value(env, line, "get_property_names", napi_get_property_names(env, object, &value),
              &value);
  uint32_t length = 7;
  check(line, "get_array_length", napi_get_array_length(env, value, &length));
  if (length != 0) add(line, "length", (int)length);
  check(line, "define_properties", napi_define_properties(env, object, 1, &property));
  check_value(env, line, "get_prototype", napi_get_prototype(env, object, &value), &value);
  check(line, "object_freeze", napi_object_freeze(env, array));
}

static void call_values(napi_env env, struct line *line) {
  napi_value value = NULL;
  bool answer = true;
  double time = 7;
  const uint64_t words[] = {1, 2};
  check_value(env, line, "create_function", napi_create_function(env, "f", 1, noop, NULL, &value),
              &value);
  check_value(env, line, "define_class",
              napi_define_class(env, "C", 1, noop, NULL, 0, NULL, &value), &value);
  check_value(env, line, "coerce_to_string", napi_coerce_to_string(env, text, &value), &value);
  check_false(line, "instanceof", napi_instanceof(env, object, function, &answer), &answer);
  answer = true;
  check_false(line, "strict_equals", napi_strict_equals(env, text, text, &answer), &answer);
  check_value(env, line, "create_date", napi_create_date(env, 1, &value), &value);
  check(line, "get_date_value", napi_get_date_value(env, date, &time));
  check_value(env, line, "create_bigint_words", napi_create_bigint_words(env, 0, 2, words, &value),
              &value);
  check(line, "resolve_deferred", napi_resolve_deferred(env, deferred, text));
  check_value(env, line, "create_promise", napi_create_promise(env, &deferred, &value), &value);
  check(line, "reject_deferred", napi_reject_deferred(env, deferred, text));
  napi_ref reference = NULL;
  check(line, "create_reference", napi_create_reference(env, value, 1, &reference));
  if (reference != NULL) check(line, "delete_reference", napi_delete_reference(env, reference));
}

static void call_memory(napi_env env, struct line *line) {
  static char data[16];
  napi_value value = NULL;
  void *bytes = NULL;
  check(line, "create_buffer", napi_create_buffer(env, 100, &bytes, &value));
  if (bytes != NULL) memset(bytes, 1, 100);
  check_memory(line, "create_arraybuffer", napi_create_arraybuffer(env, 100, &bytes, &value),
               &bytes, 100);
  check_value(env, line, "create_typedarray",
              napi_create_typedarray(env, napi_uint8_array, 1, value, 0, &value), &value);
  check_value(env, line, "create_external", napi_create_external(env, data, NULL, NULL, &value),
              &value);
  check_value(env, line, "create_external_buffer",
              napi_create_external_buffer(env, sizeof data, data, count_finalized, NULL, &value),
              &value);
  check(line, "wrap", napi_wrap(env, array, data, NULL, NULL, NULL));
}

static void call_all(napi_env env, struct line *line) {
  napi_value value = NULL;
  check_value(env, line, "call_function",
              napi_call_function(env, object, function, 0, NULL, &value), &value);
  check_value(env, line, "new_instance", napi_new_instance(env, function, 0, NULL, &value), &value);
  check_value(env, line, "run_script", napi_run_script(env, script, &value), &value);
  call_properties(env, line);
  call_values(env, line);
  call_memory(env, line);
  if (line->length == 0) add(line, "wrong", 0);
  add_pending(env, line);
}

/* An addon would dereference the result, so there must be no napi_ok with NULL. */
static void unwrap(napi_env env, struct line *line) {
  void *native = NULL;
  add(line, "unwrap", napi_unwrap(env, object, &native));
  add(line, "remove_wrap", napi_remove_wrap(env, object, &native));
}

/* An addon may loop until a call fails. Such a loop must end. */
static void loop(napi_env env, struct line *line) {
  int answers = 0;
  while (napi_set_element(env, array, 0, text) == napi_ok && answers < 1000000) answers++;
  add(line, "answers", answers);
}

static void hold_with(napi_env env, struct line *line, uint32_t references) {
  static char data[5][16];
  napi_value external, buffer;
  napi_ref reference;
  MUST(env, napi_create_external(env, data[0], count_finalized, &finalized, &external));
  MUST(env, napi_create_external_buffer(env, sizeof data[1], data[1], count_finalized, &finalized,
                                        &buffer));
  MUST(env, napi_create_reference(env, external, references, &reference));
  MUST(env, napi_create_reference(env, buffer, references, &reference));
  MUST(env, napi_create_reference(env, array, references, &reference));
  MUST(env, napi_add_finalizer(env, array, data[2], count_finalized, &finalized, NULL));
  MUST(env, napi_wrap(env, array, data[3], count_finalized, &finalized, NULL));
  MUST(env, napi_set_instance_data(env, data[4], count_finalized, &finalized));
  add(line, "held", 5);
}

static void hold(napi_env env, struct line *line) {
  hold_with(env, line, 0);
}

/* The objects live as long as the env. */
static void keep(napi_env env, struct line *line) {
  hold_with(env, line, 1);
}

static void (*action(const char *name))(napi_env, struct line *) {
  const struct {
    const char *name;
    void (*act)(napi_env, struct line *);
  } actions[] = {{"throws", throw_all}, {"calls", call_all}, {"unwrap", unwrap},
                 {"loop", loop},        {"hold", hold},      {"keep", keep}};
  for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
    if (strcmp(name, actions[i].name) == 0) return actions[i].act;
  fprintf(stderr, "dying.c: no such thing to do: %s\n", name);
  abort();
}

static void read_name(napi_env env, napi_callback_info info, char name[64]) {
  size_t length;
  MUST(env, napi_get_value_string_utf8(env, argument(env, info, 0), name, 64, &length));
}

/* The pending exception if there is one. It is a string. */
static void add_caught(napi_env env, struct line *line) {
  napi_value exception;
  char text[64];
  size_t length;
  bool pending;
  MUST(env, napi_is_exception_pending(env, &pending));
  if (!pending) return;
  MUST(env, napi_get_and_clear_last_exception(env, &exception));
  MUST(env, napi_get_value_string_utf8(env, exception, text, sizeof text, &length));
  line->length += (size_t)snprintf(line->text + line->length, sizeof line->text - line->length,
                                   " caught=%s", text);
}

static napi_value now(napi_env env, napi_callback_info info) {
  struct line line = {.length = 0};
  char name[64];
  read_name(env, info, name);
  make_values(env);
  first_exception = "the first";
  action(name)(env, &line);
  first_exception = "";
  add_caught(env, &line);
  return make_string(env, line.text);
}

static napi_value when_over(napi_env env, napi_callback_info info) {
  char name[64];
  read_name(env, info, name);
  make_values(env);
  over_state = 1;
  /* While JavaScript may run, this call fails because of its arguments. Once JavaScript may not run
   * any more, it fails with another status. */
  while (napi_call_function(env, NULL, NULL, 0, NULL, NULL) == napi_invalid_arg) usleep(1000);
  action(name)(env, &over);
  over_state = 2;
  return NULL;
}

/* The JavaScript that whenInterrupted has called runs now. The test may terminate it. */
static napi_value is_running(napi_env env, napi_callback_info info) {
  (void)env;
  (void)info;
  over_state = 1;
  return NULL;
}

/* If JavaScript is terminated while it runs, the call ends with an exception, which then is
 * pending. */
static napi_value when_interrupted(napi_env env, napi_callback_info info) {
  napi_value function = argument(env, info, 1), undefined;
  char name[64];
  read_name(env, info, name);
  MUST(env, napi_get_undefined(env, &undefined));
  napi_status status = napi_call_function(env, undefined, function, 0, NULL, NULL);
  add(&over, "interrupted", status);
  add_pending(env, &over);
  action(name)(env, &over);
  over_state = 2;
  return NULL;
}

/* What a hook must do, and in which env. */
struct end {
  napi_env env;
  void (*act)(napi_env, struct line *);
};

static void at_hook(void *argument) {
  struct end *end = argument;
  struct line line = {.length = 0};
  end->act(end->env, &line);
  dprintf(STDOUT_FILENO, "%s\n", line.text);
  free(end);
}

static napi_value at_end(napi_env env, napi_callback_info info) {
  struct end *end = malloc(sizeof *end);
  char name[64];
  read_name(env, info, name);
  *end = (struct end){env, action(name)};
  MUST(env, napi_add_env_cleanup_hook(env, at_hook, end));
  return NULL;
}

static napi_value report(napi_env env, napi_callback_info info) {
  (void)info;
  if (over_state == 0) return NULL;
  return make_string(env, over_state == 2 ? over.text : "");
}

static napi_value count(napi_env env, napi_callback_info info) {
  (void)info;
  return make_u32(env, (uint32_t)finalized);
}

NAPI_MODULE_INIT(/* env, exports */) {
  export_function(env, exports, "now", now);
  export_function(env, exports, "whenOver", when_over);
  export_function(env, exports, "whenInterrupted", when_interrupted);
  export_function(env, exports, "isRunning", is_running);
  export_function(env, exports, "atEnd", at_end);
  export_function(env, exports, "finalized", count);
  export_function(env, exports, "report", report);
  return exports;
}
