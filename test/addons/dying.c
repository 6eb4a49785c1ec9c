/* An addon that calls Node-API in an env whose JavaScript is over, and says what was answered.
 *
 * Exports (WHAT: "throws"):
 *   now(WHAT): does that at once; the line
 *   whenOver(WHAT): waits until no JavaScript can be called any more, and does it then
 *   whenInterrupted(WHAT, function): calls a function that does not return before, and does it then
 *   atEnd(WHAT): does it in a cleanup hook of the env, and writes the line to stdout
 *   report(): the line of these two, an empty one as long as it waits; undefined where neither was called */
#include "addon.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

struct line {
  size_t length;
  char text[1024];
};

static struct line over;
static const char *first_exception = ""; /* what napi_throw throws; empty: undefined */
static atomic_int over_state;            /* 0: not called; 1: it waits; 2: `over` is there */

static void add(struct line *line, const char *name, int value) {
  line->length += (size_t)snprintf(line->text + line->length, sizeof line->text - line->length, "%s%s=%d",
                                   line->length == 0 ? "" : " ", name, value);
}

static void add_pending(napi_env env, struct line *line) {
  bool pending;
  MUST(env, napi_is_exception_pending(env, &pending));
  add(line, "pending", pending);
}

/* Some runtimes lack it. */
static void throw_syntax_error(napi_env env, struct line *line) {
  napi_status (*function)(napi_env, const char *, const char *);
  *(void **)&function = dlsym(RTLD_DEFAULT, "node_api_throw_syntax_error");
  if (function != NULL) add(line, "syntax", function(env, NULL, "from C"));
}

/* In a cleanup hook there is no scope for handles, so undefined it is there. */
static void throw_all(napi_env env, struct line *line) {
  napi_value first;
  if (first_exception[0] == '\0')
    MUST(env, napi_get_undefined(env, &first));
  else
    first = make_string(env, first_exception);
  const napi_extended_error_info *info;
  add(line, "throw", napi_throw(env, first));
  MUST(env, napi_get_last_error_info(env, &info));
  add(line, "last", info->error_code);
  add(line, "error", napi_throw_error(env, "CODE", "from C"));
  add(line, "type", napi_throw_type_error(env, NULL, "from C"));
  add(line, "range", napi_throw_range_error(env, NULL, "from C"));
  throw_syntax_error(env, line);
  add_pending(env, line);
}

static void (*action(const char *name))(napi_env, struct line *) {
  if (strcmp(name, "throws") == 0) return throw_all;
  fprintf(stderr, "dying.c: no such thing to do: %s\n", name);
  abort();
}

static void read_name(napi_env env, napi_callback_info info, char name[64]) {
  size_t length;
  MUST(env, napi_get_value_string_utf8(env, argument(env, info, 0), name, 64, &length));
}

/* The exception that is pending, a string, if there is one. */
static void add_caught(napi_env env, struct line *line) {
  napi_value exception;
  char text[64];
  size_t length;
  bool pending;
  MUST(env, napi_is_exception_pending(env, &pending));
  if (!pending) return;
  MUST(env, napi_get_and_clear_last_exception(env, &exception));
  MUST(env, napi_get_value_string_utf8(env, exception, text, sizeof text, &length));
  line->length +=
      (size_t)snprintf(line->text + line->length, sizeof line->text - line->length, " caught=%s", text);
}

static napi_value now(napi_env env, napi_callback_info info) {
  struct line line = {.length = 0};
  char name[64];
  read_name(env, info, name);
  first_exception = "the first";
  action(name)(env, &line);
  first_exception = "";
  add_caught(env, &line);
  return make_string(env, line.text);
}

static napi_value when_over(napi_env env, napi_callback_info info) {
  char name[64];
  read_name(env, info, name);
  over_state = 1;
  /* Refused for its arguments as long as JavaScript may run, and then because that may not. */
  while (napi_call_function(env, NULL, NULL, 0, NULL, NULL) == napi_invalid_arg) usleep(1000);
  action(name)(env, &over);
  over_state = 2;
  return NULL;
}

/* Where JavaScript is ended while it runs, that is an exception, which is pending afterwards. */
static napi_value when_interrupted(napi_env env, napi_callback_info info) {
  napi_value function = argument(env, info, 1), undefined;
  char name[64];
  read_name(env, info, name);
  MUST(env, napi_get_undefined(env, &undefined));
  over_state = 1;
  napi_status status = napi_call_function(env, undefined, function, 0, NULL, NULL);
  add(&over, "interrupted", status);
  add_pending(env, &over);
  action(name)(env, &over);
  over_state = 2;
  return NULL;
}

/* What a hook is to do in which env. */
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

NAPI_MODULE_INIT(/* env, exports */) {
  export_function(env, exports, "now", now);
  export_function(env, exports, "whenOver", when_over);
  export_function(env, exports, "whenInterrupted", when_interrupted);
  export_function(env, exports, "atEnd", at_end);
  export_function(env, exports, "report", report);
  return exports;
}
