/* Implements unthrowable.h. */
#include "preload/unthrowable.h"

#include <node_api.h>
#include <stdatomic.h>
#include <string.h>

#include "base/text.h"
#include "diag/report.h"
#include "elf/redirect.h"
#include "options/quirks.h"
#include "preload/addon_code.h"
#include "preload/earlier_addons.h"
#include "preload/runtime_node.h"

enum { THROW, THROW_ERROR, THROW_TYPE_ERROR, THROW_RANGE_ERROR, THROW_SYNTAX_ERROR, THROWS };

static napi_status throw_value(napi_env env, napi_value error);
static napi_status throw_error(napi_env env, const char *code, const char *message);
static napi_status throw_type_error(napi_env env, const char *code, const char *message);
static napi_status throw_range_error(napi_env env, const char *code, const char *message);
static napi_status throw_syntax_error(napi_env env, const char *code, const char *message);

static struct tg_redirection throws[THROWS] = {
    [THROW] = {.name = "napi_throw", .replacement = (void *)throw_value},
    [THROW_ERROR] = {.name = "napi_throw_error", .replacement = (void *)throw_error},
    [THROW_TYPE_ERROR] = {.name = "napi_throw_type_error", .replacement = (void *)throw_type_error},
    [THROW_RANGE_ERROR] = {.name = "napi_throw_range_error",
                           .replacement = (void *)throw_range_error},
    [THROW_SYNTAX_ERROR] = {.name = "node_api_throw_syntax_error",
                            .replacement = (void *)throw_syntax_error},
};

/* Whether a report should recommend quirks=known: the addon does not have the quirk dying, but the
 * table of known addons has it for the addon. True at most once for each addon. */
static bool is_to_be_recommended(const struct tg_addon *addon) {
  enum { RECOMMENDED_MAX = 8 }; /* the table has fewer addons with this quirk */
  static _Atomic(const struct tg_addon *) recommended[RECOMMENDED_MAX];
  if (addon == NULL || (addon->quirks & TG_QUIRK_DYING) != 0) return false;
  if ((tg_quirks_known_of(tg_addon_path(addon)) & TG_QUIRK_DYING) == 0) return false;
  for (unsigned i = 0; i < RECOMMENDED_MAX; i++) {
    const struct tg_addon *other = NULL;
    if (atomic_compare_exchange_strong_explicit(&recommended[i], &other, addon,
                                                memory_order_relaxed, memory_order_relaxed))
      return true;
    if (other == addon) return false;
  }
  return false;
}

/* The event has no caller, so all ignored throws of an addon count as one call site: they are
 * reported once, and counted in the summary and the metrics. */
static void report_ignored(const char *name, const struct tg_addon *addon) {
  struct tg_text detail = {.length = 0};
  const struct tg_event event = {.kind = TG_EVENT_THROW_IGNORED,
                                 .snapshot = {.addon = addon},
                                 .matters = is_to_be_recommended(addon)};
  tg_text_add(&detail, "TSG030 throw-ignored: ");
  tg_text_add(&detail, addon == NULL ? "unknown code" : tg_addon_path(addon));
  tg_text_add(&detail, " called ");
  tg_text_add(&detail, name);
  tg_text_add(&detail,
              " in an environment that can no longer run JavaScript. Nothing could catch the "
              "exception, so the call returned napi_ok");
  if (event.matters)
    tg_text_add(
        &detail,
        ". This addon is known to crash in this case; quirks=known prevents that (docs/quirks.md)");
  tg_report_detail(&event, tg_text_string(&detail));
}

/* Answers a throw that the runtime has refused. If JavaScript can still run, the refusal is due to
 * an error of the addon (an exception is pending already), so the addon gets Node's status. */
__attribute__((noinline, cold)) static napi_status answer(napi_env env, napi_status status,
                                                          unsigned which, const void *caller) {
  if (status != napi_pending_exception && status != napi_cannot_run_js) return status;
  if (!tg_node_is_on_loop_thread() || tg_earlier_addons_have(caller)) return status;
  if (!tg_node_is_javascript_over(env)) return status;
  tg_node_learn_version(env);
  tg_node_drop_exception(env);
  report_ignored(throws[which].name, tg_addon_find(caller));
  return napi_ok;
}

static napi_status throw_value(napi_env env, napi_value error) {
  napi_status (*original)(napi_env, napi_value);
  memcpy(&original, &throws[THROW].original, sizeof original);
  napi_status status = original(env, error);
  return status == napi_ok ? napi_ok : answer(env, status, THROW, __builtin_return_address(0));
}

static napi_status throw_new(unsigned which, napi_env env, const char *code, const char *message,
                             const void *caller) {
  napi_status (*original)(napi_env, const char *, const char *);
  memcpy(&original, &throws[which].original, sizeof original);
  napi_status status = original(env, code, message);
  return status == napi_ok ? napi_ok : answer(env, status, which, caller);
}

static napi_status throw_error(napi_env env, const char *code, const char *message) {
  return throw_new(THROW_ERROR, env, code, message, __builtin_return_address(0));
}

static napi_status throw_type_error(napi_env env, const char *code, const char *message) {
  return throw_new(THROW_TYPE_ERROR, env, code, message, __builtin_return_address(0));
}

static napi_status throw_range_error(napi_env env, const char *code, const char *message) {
  return throw_new(THROW_RANGE_ERROR, env, code, message, __builtin_return_address(0));
}

static napi_status throw_syntax_error(napi_env env, const char *code, const char *message) {
  return throw_new(THROW_SYNTAX_ERROR, env, code, message, __builtin_return_address(0));
}

void tg_unthrowable_open(const struct tg_image *runtime) {
  if (tg_node_is_node()) tg_redirect_each(runtime, throws, THROWS);
}
