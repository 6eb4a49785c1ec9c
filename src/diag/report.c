/* Implements the report lines. */
#include "diag/report.h"

#include <stdatomic.h>
#include <stddef.h>

static const struct tg_report_source *source;
static atomic_uint told; /* a bit a kind */

_Static_assert(TG_FAULT_KINDS <= 32, "one bit a kind");

static const struct {
  const char *kind;
  const char *natively; /* what the runtime would have done */
} catalogue[TG_FAULT_KINDS] = {
    [TG_FAULT_USE_AFTER_FINALIZE] = {"use after finalize",
                                     "would have used freed memory (nodejs/node#55706)"},
    [TG_FAULT_NEVER_A_HANDLE] = {"never a handle", "would have used that address as an object"},
    [TG_FAULT_NULL_HANDLE] = {"NULL handle", "would have aborted the process"},
    [TG_FAULT_NULL_RESULT] = {"NULL result", "would have aborted the process"},
    [TG_FAULT_BLOCKED_AT_CLOSE] = {"several callers blocked at close",
                                   "would have woken one of them and left the others on freed memory"},
    [TG_FAULT_OWN_LOOP_BLOCKING] = {"blocking call on a full queue from the thread that empties it",
                                    "would have hung for ever"},
    [TG_FAULT_FOREIGN_REF] = {"ref or unref from a thread that is not the loop thread",
                              "would have changed the event loop under its own thread"},
    [TG_FAULT_HANDLES_USED_UP] = {"every handle is used up",
                                  "serves this one and those to come without the guard"},
};

static const char *status_name(napi_status status) {
  switch (status) {
    case napi_ok:
      return "napi_ok";
    case napi_invalid_arg:
      return "napi_invalid_arg";
    case napi_queue_full:
      return "napi_queue_full";
    case napi_closing:
      return "napi_closing";
    case napi_would_deadlock:
      return "napi_would_deadlock";
    default:
      return "napi_generic_failure";
  }
}

void tg_report_open(const struct tg_report_source *report_source) {
  source = report_source;
}

void tg_report_fault(const struct tg_fault *fault) {
  unsigned bit = 1U << fault->kind;
  if (atomic_load_explicit(&told, memory_order_relaxed) & bit) return;
  if (atomic_fetch_or_explicit(&told, bit, memory_order_relaxed) & bit) return;

  char caller_path[512];
  const char *path = "(unknown)";
  if (fault->caller != NULL && source->find_path(fault->caller, caller_path, sizeof caller_path))
    path = caller_path;
  else if (fault->addon != NULL)
    path = source->addon_path(fault->addon);
  struct tg_text line;
  tg_text_start(&line);
  tg_text_add(&line, fault->function);
  tg_text_add(&line, ": ");
  tg_text_add(&line, catalogue[fault->kind].kind);
  tg_text_add(&line, "; addon ");
  tg_text_add(&line, path);
  tg_text_add(&line, ", TSFN ");
  tg_text_add(&line, fault->name[0] != '\0' ? fault->name : "(unknown)");
  tg_text_add(&line, "; ");
  if (!source->add_runtime(&line)) tg_text_add(&line, "this runtime");
  tg_text_add(&line, " ");
  tg_text_add(&line, catalogue[fault->kind].natively);
  tg_text_add(&line, "; answered ");
  tg_text_add(&line, status_name(fault->answer));
  tg_text_add(&line, ". Told once a process and kind.");
  tg_text_write(&line);
}
