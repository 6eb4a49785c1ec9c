/* Implements leak.h. */
#include "preload/leak.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/text.h"
#include "diag/report.h"
#include "preload/addon_code.h"
#include "preload/entry_points.h"
#include "preload/runtime_node.h"

/* An env in which a finalizer was replaced. Never freed, because finalizers run after its end. */
struct leaking_env {
  napi_env env;
  struct leaking_env *next; /* in the thread's list, until the env has ended */
  bool has_ended;
};

struct tg_leak_ticket {
  napi_finalize finalize_cb;
  void *finalize_hint;
  const struct tg_addon *addon;
  const struct leaking_env *env;
  bool is_buffer;
};

static _Thread_local struct leaking_env *envs;

/* A cleanup hook. The finalizers of wraps, externals and instance data run after all hooks that an
 * addon can add. */
static void end_env(void *argument) {
  struct leaking_env *ended = argument;
  ended->has_ended = true;
  for (struct leaking_env **place = &envs; *place != NULL; place = &(*place)->next) {
    if (*place != ended) continue;
    *place = ended->next;
    return;
  }
}

/* NULL: there is no memory, or the runtime has refused the hook. */
static const struct leaking_env *find_or_add_env(napi_env env) {
  struct leaking_env *one = envs;
  while (one != NULL && one->env != env) one = one->next;
  if (one != NULL) return one;
  one = malloc(sizeof *one);
  if (one == NULL) return NULL;
  *one = (struct leaking_env){.env = env, .next = envs};
  if (tg_node_add_env_cleanup_hook(env, end_env, one) != napi_ok) {
    free(one);
    return NULL;
  }
  envs = one;
  return one;
}

/* Node calls a buffer's finalizer in a cleanup hook of its own, so it may run before has_ended is
 * set. Therefore the env is queried too, but only for buffers. In a finalizer that runs during a
 * garbage collection the query would be a fatal error; no finalizer of a buffer runs then. */
static bool has_ended(napi_env env, const struct tg_leak_ticket *ticket) {
  return ticket->env->has_ended || (ticket->is_buffer && tg_node_is_javascript_over(env));
}

static void report_left_out(const struct tg_addon *addon) {
  struct tg_text detail = {.length = 0};
  const struct tg_event event = {.kind = TG_EVENT_FINALIZER_LEFT_OUT, .snapshot = {.addon = addon}};
  atomic_fetch_add_explicit(&tg_the_guard.by_host.finalizers, 1, memory_order_relaxed);
  tg_text_add(&detail, "TSG032 finalizer-left-out: ");
  tg_text_add(&detail, tg_addon_path(addon));
  tg_text_add(&detail,
              " has the quirk leak, and its environment has ended. What its finalizers would have "
              "freed stays allocated");
  tg_report_detail(&event, tg_text_string(&detail));
}

static void finalize(napi_env env, void *data, void *hint) {
  const struct tg_leak_ticket ticket = *(const struct tg_leak_ticket *)hint;
  free(hint);
  if (has_ended(env, &ticket))
    report_left_out(ticket.addon);
  else
    ticket.finalize_cb(env, data, ticket.finalize_hint);
}

struct tg_leak_ticket *tg_leak_replace(napi_env env, const struct tg_addon *addon, bool is_buffer,
                                       napi_finalize *finalize_cb, void **finalize_hint) {
  const struct leaking_env *place = *finalize_cb == NULL ? NULL : find_or_add_env(env);
  struct tg_leak_ticket *ticket = place == NULL ? NULL : malloc(sizeof *ticket);
  if (ticket == NULL) return NULL;
  *ticket = (struct tg_leak_ticket){*finalize_cb, *finalize_hint, addon, place, is_buffer};
  *finalize_cb = finalize;
  *finalize_hint = ticket;
  return ticket;
}

void tg_leak_forget(struct tg_leak_ticket *ticket) {
  free(ticket);
}
