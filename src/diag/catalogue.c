/* The text of the catalogue. */
#include "diag/catalogue.h"

#include <string.h>

#include "base/text.h"

const char *const tg_severity_names[TG_SEVERITIES] = {
    [TG_FATAL_AVOIDED] = "fatal-avoided",
    [TG_HANG_AVOIDED] = "hang-avoided",
    [TG_WARN] = "warn",
    [TG_LEAK] = "leak",
    [TG_INFO] = "info",
};

#define FREED "would have used freed memory (nodejs/node#55706)"

const struct tg_catalogue_entry tg_catalogue[TG_EVENT_KINDS] = {
    [TG_EVENT_CALL_AFTER_FINALIZE] = {"call-after-finalize",
                                      "a finalized thread-safe function was called", FREED,
                                      "answered napi_closing", NULL, TG_FATAL_AVOIDED, false, NULL},
    [TG_EVENT_ACQUIRE_AFTER_FINALIZE] = {"acquire-after-finalize",
                                         "a finalized thread-safe function was acquired", FREED,
                                         "refused the acquire", NULL, TG_FATAL_AVOIDED, false,
                                         NULL},
    [TG_EVENT_RELEASE_AFTER_FINALIZE] = {"release-after-finalize",
                                         "a finalized thread-safe function was released", FREED,
                                         "accepted the release", NULL, TG_FATAL_AVOIDED, false,
                                         NULL},
    [TG_EVENT_GET_CONTEXT_AFTER_FINALIZE] =
        {"get-context-after-finalize", "a finalized thread-safe function was asked for its context",
         FREED, "answered from its own record", NULL, TG_FATAL_AVOIDED, false, NULL},
    [TG_EVENT_REF_AFTER_FINALIZE] = {"ref-after-finalize",
                                     "ref was called on a finalized thread-safe function", FREED,
                                     "did nothing", NULL, TG_FATAL_AVOIDED, false, NULL},
    [TG_EVENT_UNREF_AFTER_FINALIZE] = {"unref-after-finalize",
                                       "unref was called on a finalized thread-safe function",
                                       FREED, "did nothing", NULL, TG_FATAL_AVOIDED, false, NULL},
    [TG_EVENT_STALE_HANDLE] =
        {"stale-handle", "a thread-safe function was used after its finalizer and its last release",
         FREED, "answered without touching the freed memory", NULL, TG_FATAL_AVOIDED, false, NULL},
    [TG_EVENT_NEVER_A_HANDLE] = {"never-a-handle",
                                 "a value that was never a thread-safe function was used as one",
                                 "would have used the value as an address",
                                 "answered napi_invalid_arg", NULL, TG_FATAL_AVOIDED, false, NULL},
    [TG_EVENT_NULL_HANDLE] = {"null-handle", "NULL was used as a thread-safe function",
                              "would have aborted the process", "answered napi_invalid_arg", NULL,
                              TG_FATAL_AVOIDED, false, NULL},
    [TG_EVENT_NULL_RESULT] = {"null-result", "get_context was called with a NULL result pointer",
                              "would have aborted the process", "answered napi_invalid_arg", NULL,
                              TG_FATAL_AVOIDED, false, NULL},
    [TG_EVENT_RELEASE_AFTER_CLOSING] =
        {"release-after-closing",
         "a thread released its count after napi_closing, which had already released it",
         "would have released another thread's count, or answered napi_invalid_arg",
         "answered napi_ok from release credit", NULL, TG_WARN, false, NULL},
    [TG_EVENT_OVER_RELEASE] =
        {"over-release", "a thread-safe function was released more often than it was acquired",
         "would have answered napi_invalid_arg", "answered napi_invalid_arg", NULL, TG_WARN, false,
         NULL},
    [TG_EVENT_MORE_THREADS_THAN_COUNTS] =
        {"more-threads-than-counts",
         "more living threads call the thread-safe function than it has counts, so some of them "
         "never acquired it",
         "would free the function while these threads still use it",
         "protects all of these threads", "threads", TG_WARN, true, NULL},
    [TG_EVENT_CALL_WITHOUT_COUNT] =
        {"call-without-count", "a thread-safe function was called while no thread held a count",
         "would have closed it while threads still call it", "queued the item", NULL, TG_WARN,
         false, NULL},
    [TG_EVENT_BLOCKING_ON_OWN_LOOP] =
        {"blocking-call-on-own-loop",
         "the loop thread made a blocking call on a full queue that only the loop thread empties",
         "would have hung forever", "followed the option deadlock", NULL, TG_HANG_AVOIDED, false,
         NULL},
    [TG_EVENT_BLOCKED_CALLERS_AT_CLOSE] =
        {"blocked-callers-at-close",
         "several callers were blocked on a full queue when the function closed",
         "would have woken one of them and left the others waiting on freed memory",
         "woke all of them", "callers", TG_FATAL_AVOIDED, false, NULL},
    [TG_EVENT_FOREIGN_REF] = {"foreign-ref",
                              "ref or unref was called from a thread other than the loop thread",
                              "would have raced with the event loop",
                              "passed it on to the loop thread", NULL, TG_WARN, false, NULL},
    [TG_EVENT_ITEMS_UNDELIVERED] =
        {"items-undelivered", "the environment ended before the queue was empty",
         "would have done the same", "passes them to call_js_cb with a NULL env at the end",
         "items", TG_INFO, false,
         "nothing, if these items may be lost; else let the program wait for them before it ends"},
    [TG_EVENT_NEVER_RELEASED] =
        {"never-released",
         "the environment ended while counts of a thread-safe function were still held",
         "would have freed it too early, or never", "keeps the handle valid for its holders",
         "counts", TG_LEAK, false, NULL},
    [TG_EVENT_KEEPS_ALIVE] =
        {"keeps-alive",
         "at exit, only ref'd thread-safe functions (TSFNs) kept the event loop alive",
         "would have done the same", "only reports it", "TSFNs", TG_INFO, true,
         "end what this addon does (close, stop or unref it) where the program is to end"},
    [TG_EVENT_LONG_QUEUE] = {"long-queue", "a queue grew longer than queue_warn",
                             "would have done the same", "only reports it", "items", TG_WARN, true,
                             "make the addon produce less, or raise queue_warn if this is normal"},
    [TG_EVENT_SLOW_FINALIZER] =
        {"slow-finalizer", "the finalizer kept the loop thread busy longer than finalize_warn_ms",
         "would have done the same", "only reports it", "milliseconds", TG_WARN, true,
         "nothing, if this pause is acceptable (finalize_warn_ms sets the limit); else report it "
         "to the authors of the addon"},
    [TG_EVENT_PENDING_EXCEPTION] = {"pending-exception",
                                    "call_js_cb returned while a JavaScript exception was pending",
                                    "would have done the same", "left the exception to the runtime",
                                    NULL, TG_WARN, true, NULL},
    [TG_EVENT_JAVASCRIPT_FORBIDDEN] =
        {"javascript-forbidden",
         "an item was delivered into an environment that can no longer run JavaScript",
         "would have done the same", "delivered it", NULL, TG_INFO, true,
         "nothing; the addon must expect this at the end of a worker or of the process"},
    [TG_EVENT_ADDON_PINNED] = {"addon-pinned",
                               "the addon's code stays in memory because threads may still run it",
                               "would have unloaded it", "keeps it mapped", NULL, TG_INFO, false,
                               "nothing; pin=0 unloads it, as without the guard"},
    [TG_EVENT_NOT_ARMED] = {"not-armed", "the process could not be guarded",
                            "would have done the same", "left the program unchanged", NULL, TG_WARN,
                            false, "do what detail says"},
    [TG_EVENT_HANDLES_USED_UP] = {"handles-used-up", "all handles are used up",
                                  "would have created the function as usual",
                                  "lets the runtime create it and all later ones, unguarded", NULL,
                                  TG_WARN, false,
                                  "raise the limit of the address space (ulimit -v), or restart "
                                  "the process from time to time"},
    [TG_EVENT_EXCEPTION_CAUGHT] =
        {"exception-caught",
         "a C++ exception left call_js_cb in an environment that can no longer run JavaScript",
         "would have ended the process (std::terminate)", "caught it", NULL, TG_FATAL_AVOIDED,
         false, NULL},
    [TG_EVENT_ITEMS_DROPPED] = {"items-dropped",
                                "items were left in the queue of a function whose call_js_cb let a "
                                "C++ exception out (TSG028)",
                                "would have ended before that, because of the exception",
                                "dropped them, so what they point to is not freed", "items",
                                TG_WARN, false, NULL},
    [TG_EVENT_THROW_IGNORED] =
        {"throw-ignored",
         "an exception was thrown in an environment that can no longer run JavaScript",
         "would have answered an error, which node-addon-api makes fatal", "answered napi_ok", NULL,
         TG_INFO, false, "nothing; the guard has made this harmless"},
    [TG_EVENT_FALSE_ANSWER] = {"false-answer",
                               "a function that needs JavaScript was called in an environment that "
                               "can no longer run it (quirk dying)",
                               "would have answered an error, which this addon treats as fatal",
                               "answered napi_ok, with an empty result", NULL, TG_INFO, false,
                               "nothing; the option quirks asks for this"},
    [TG_EVENT_FINALIZER_LEFT_OUT] =
        {"finalizer-left-out",
         "the environment has ended, and a finalizer was skipped (quirk leak)",
         "would have called the finalizer, although threads of this addon may still use the memory",
         "did not call it, so the memory is not freed", NULL, TG_INFO, false,
         "nothing; the option quirks asks for this"},
};

void tg_catalogue_code(enum tg_event_kind kind, char code[TG_CODE_SIZE]) {
  _Static_assert(TG_EVENT_KINDS <= 1000, "three digits");
  memcpy(code, "TSG000", TG_CODE_SIZE);
  code[3] = (char)('0' + kind / 100);
  code[4] = (char)('0' + kind / 10 % 10);
  code[5] = (char)('0' + kind % 10);
}

static bool word_equals(const char *name, const char *word, size_t length) {
  return strlen(name) == length && memcmp(name, word, length) == 0;
}

enum tg_event_kind tg_catalogue_find(const char *word, size_t length) {
  for (unsigned kind = 1; kind < TG_EVENT_KINDS; kind++) {
    char code[TG_CODE_SIZE];
    tg_catalogue_code((enum tg_event_kind)kind, code);
    if (word_equals(code, word, length) || word_equals(tg_catalogue[kind].name, word, length))
      return (enum tg_event_kind)kind;
  }
  return TG_EVENT_NONE;
}

enum tg_severity tg_severity_find(const char *word, size_t length) {
  unsigned severity = 0;
  while (severity < TG_SEVERITIES && !word_equals(tg_severity_names[severity], word, length))
    severity++;
  return (enum tg_severity)severity;
}

void tg_catalogue_print(void) {
  for (unsigned kind = 1; kind < TG_EVENT_KINDS; kind++) {
    char code[TG_CODE_SIZE];
    tg_catalogue_code((enum tg_event_kind)kind, code);
    struct tg_text line;
    tg_text_start(&line);
    tg_text_add(&line, code);
    tg_text_add(&line, " ");
    tg_text_add(&line, tg_catalogue[kind].name);
    tg_text_add(&line, " (");
    tg_text_add(&line, tg_severity_names[tg_catalogue[kind].severity]);
    tg_text_add(&line, tg_catalogue[kind].only_diagnose ? ", mode=diagnose): " : "): ");
    tg_text_add(&line, tg_catalogue[kind].explanation);
    tg_text_write(&line);
  }
}
