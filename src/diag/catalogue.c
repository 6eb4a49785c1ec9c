/* The catalogue's text. */
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
                                      "a thread called a TSFN that was finalized already", FREED,
                                      "turned the caller away", NULL, TG_FATAL_AVOIDED, false},
    [TG_EVENT_ACQUIRE_AFTER_FINALIZE] = {"acquire-after-finalize",
                                         "a thread acquired a TSFN that was finalized already", FREED,
                                         "refused it", NULL, TG_FATAL_AVOIDED, false},
    [TG_EVENT_RELEASE_AFTER_FINALIZE] = {"release-after-finalize",
                                         "a thread released a TSFN that was finalized already", FREED,
                                         "took the count back", NULL, TG_FATAL_AVOIDED, false},
    [TG_EVENT_GET_CONTEXT_AFTER_FINALIZE] = {"get-context-after-finalize",
                                             "a thread asked a finalized TSFN for its context", FREED,
                                             "answered from the guard's own record", NULL, TG_FATAL_AVOIDED,
                                             false},
    [TG_EVENT_REF_AFTER_FINALIZE] = {"ref-after-finalize", "a finalized TSFN was ref'd", FREED, "did nothing",
                                     NULL, TG_FATAL_AVOIDED, false},
    [TG_EVENT_UNREF_AFTER_FINALIZE] = {"unref-after-finalize", "a finalized TSFN was unref'd", FREED,
                                       "did nothing", NULL, TG_FATAL_AVOIDED, false},
    [TG_EVENT_STALE_HANDLE] = {"stale-handle",
                               "a TSFN was used after it was finalized and its last count given back", FREED,
                               "turned the caller away", NULL, TG_FATAL_AVOIDED, false},
    [TG_EVENT_NEVER_A_HANDLE] = {"never-a-handle", "a value was used as a TSFN that never was one",
                                 "would have used that address as an object", "refused it", NULL,
                                 TG_FATAL_AVOIDED, false},
    [TG_EVENT_NULL_HANDLE] = {"null-handle", "NULL was used as a TSFN", "would have aborted the process",
                              "refused it", NULL, TG_FATAL_AVOIDED, false},
    [TG_EVENT_NULL_RESULT] = {"null-result", "a TSFN's context was asked for without a place for it",
                              "would have aborted the process", "refused it", NULL, TG_FATAL_AVOIDED, false},
    [TG_EVENT_RELEASE_AFTER_CLOSING] =
        {"release-after-closing",
         "a thread released a TSFN after a call had answered napi_closing, which "
         "takes the count with it",
         "would have taken another thread's count, or answered napi_invalid_arg",
         "answered from release credit", NULL, TG_WARN, false},
    [TG_EVENT_OVER_RELEASE] = {"over-release", "a TSFN was released more often than it was acquired",
                               "would have answered napi_invalid_arg", "refused it", NULL, TG_WARN, false},
    [TG_EVENT_MORE_THREADS_THAN_COUNTS] =
        {"more-threads-than-counts",
         "more living threads call the TSFN than it has counts, so some of them "
         "never acquired it",
         "would free it under those threads once the counts are gone", "guarded them all", "threads", TG_WARN,
         true},
    [TG_EVENT_CALL_WITHOUT_COUNT] = {"call-without-count", "a TSFN was called while nobody held a count",
                                     "would have closed it, sooner or later, under its callers",
                                     "queued the item", NULL, TG_WARN, false},
    [TG_EVENT_BLOCKING_ON_OWN_LOOP] = {"blocking-call-on-own-loop",
                                       "a blocking call on a full queue from the thread that empties it",
                                       "would have hung for ever", "did as deadlock= says", NULL,
                                       TG_HANG_AVOIDED, false},
    [TG_EVENT_BLOCKED_CALLERS_AT_CLOSE] =
        {"blocked-callers-at-close", "several callers were blocked on a full queue when the TSFN closed",
         "would have woken one of them and left the others on freed memory", "woke them all", "callers",
         TG_FATAL_AVOIDED, false},
    [TG_EVENT_FOREIGN_REF] = {"foreign-ref", "ref or unref from a thread that is not the loop thread",
                              "would have changed the event loop under its own thread",
                              "left it to the loop thread", NULL, TG_WARN, false},
    [TG_EVENT_ITEMS_UNDELIVERED] = {"items-undelivered",
                                    "the environment ended before the TSFN's queue was empty",
                                    "would have done the same",
                                    "hands them to call_js_cb with a NULL env when the runtime finalizes it",
                                    "items", TG_INFO, false},
    [TG_EVENT_NEVER_RELEASED] = {"never-released", "the environment ended while counts of the TSFN were out",
                                 "would have freed it under whoever holds them, or never",
                                 "keeps the handle for them", "counts", TG_LEAK, false},
    [TG_EVENT_KEEPS_ALIVE] = {"keeps-alive", "nothing but ref'd TSFNs kept the event loop alive at exit",
                              "would have done the same", "only tells", "TSFNs", TG_INFO, true},
    [TG_EVENT_LONG_QUEUE] = {"long-queue", "the queue has grown beyond queue_warn",
                             "would have done the same", "only tells", "items", TG_WARN, true},
    [TG_EVENT_SLOW_FINALIZER] = {"slow-finalizer",
                                 "the finalizer kept the loop thread longer than finalize_warn_ms",
                                 "would have done the same", "only tells", "milliseconds", TG_WARN, true},
    [TG_EVENT_PENDING_EXCEPTION] = {"pending-exception",
                                    "call_js_cb returned with a JavaScript exception pending",
                                    "would have done the same", "left it to the runtime", NULL, TG_WARN,
                                    true},
    [TG_EVENT_JAVASCRIPT_FORBIDDEN] =
        {"javascript-forbidden", "an item is delivered into an environment that runs no JavaScript any more",
         "would have done the same", "delivered it", NULL, TG_INFO, true},
    [TG_EVENT_ADDON_PINNED] = {"addon-pinned",
                               "the addon's code is kept in memory for threads that may still run it",
                               "would have unloaded it under them", "pinned it", NULL, TG_INFO, false},
    [TG_EVENT_NOT_ARMED] = {"not-armed", "the program could not be guarded", "runs as without the guard",
                            "left the program as it is", NULL, TG_WARN, false},
    [TG_EVENT_HANDLES_USED_UP] = {"handles-used-up", "every handle was given out once",
                                  "would have done the same",
                                  "lets the runtime serve this TSFN and those to come, unguarded", NULL,
                                  TG_WARN, false},
    [TG_EVENT_EXCEPTION_CAUGHT] =
        {"exception-caught",
         "a C++ exception left call_js_cb in an environment that runs no JavaScript any more",
         "would have ended the process (std::terminate)", "caught it", NULL, TG_FATAL_AVOIDED, false},
    [TG_EVENT_ITEMS_DROPPED] =
        {"items-dropped", "items were left of a TSFN whose call_js_cb had let a C++ exception out (TSG028)",
         "would have ended before that, with the exception", "dropped them: nobody frees what they point to",
         "items", TG_WARN, false},
};

void tg_catalogue_code(enum tg_event_kind kind, char code[TG_CODE_SIZE]) {
  _Static_assert(TG_EVENT_KINDS <= 1000, "three digits");
  memcpy(code, "TSG000", TG_CODE_SIZE);
  code[3] = (char)('0' + kind / 100);
  code[4] = (char)('0' + kind / 10 % 10);
  code[5] = (char)('0' + kind % 10);
}

static bool equals(const char *name, const char *word, size_t length) {
  return strlen(name) == length && memcmp(name, word, length) == 0;
}

enum tg_event_kind tg_catalogue_find(const char *word, size_t length) {
  for (unsigned kind = 1; kind < TG_EVENT_KINDS; kind++) {
    char code[TG_CODE_SIZE];
    tg_catalogue_code((enum tg_event_kind)kind, code);
    if (equals(code, word, length) || equals(tg_catalogue[kind].name, word, length))
      return (enum tg_event_kind)kind;
  }
  return TG_EVENT_NONE;
}

enum tg_severity tg_severity_find(const char *word, size_t length) {
  unsigned severity = 0;
  while (severity < TG_SEVERITIES && !equals(tg_severity_names[severity], word, length)) severity++;
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
