/* What the core tells of guarded functions: misuse that it absorbed, and what else somebody may want to know.
 *
 * Plain data, valid only while the host's on_event runs. */
#ifndef TG_CORE_EVENT_H
#define TG_CORE_EVENT_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TG_NAME_SIZE = 32 }; /* bytes kept of a thread-safe function's async resource name, with the NUL */

/* A kind's number is that of its code, TSG001 and so on; both stay for ever. New kinds come last. What each
 * means to people is in diag/catalogue.c. */
enum tg_event_kind {
  TG_EVENT_NONE = 0,

  /* The function is finalized, and the runtime has freed it by now, but the handle still has counts. */
  TG_EVENT_CALL_AFTER_FINALIZE = 1,
  TG_EVENT_ACQUIRE_AFTER_FINALIZE,
  TG_EVENT_RELEASE_AFTER_FINALIZE,
  TG_EVENT_GET_CONTEXT_AFTER_FINALIZE,
  TG_EVENT_REF_AFTER_FINALIZE,
  TG_EVENT_UNREF_AFTER_FINALIZE,

  TG_EVENT_STALE_HANDLE,   /* finalized, and its last count was given back */
  TG_EVENT_NEVER_A_HANDLE, /* the value was never given out */
  TG_EVENT_NULL_HANDLE,
  TG_EVENT_NULL_RESULT,           /* get_context without a place for the result */
  TG_EVENT_RELEASE_AFTER_CLOSING, /* the count was consumed by a call that answered napi_closing */
  TG_EVENT_OVER_RELEASE,
  TG_EVENT_MORE_THREADS_THAN_COUNTS,
  TG_EVENT_CALL_WITHOUT_COUNT,
  TG_EVENT_BLOCKING_ON_OWN_LOOP,     /* a blocking call on a full queue from the thread that empties it */
  TG_EVENT_BLOCKED_CALLERS_AT_CLOSE, /* more callers blocked on a full queue than the runtime wakes */
  TG_EVENT_FOREIGN_REF,              /* ref or unref from a thread that is not the loop thread */
  TG_EVENT_ITEMS_UNDELIVERED,        /* at the end of the env; they are delivered with a NULL env */
  TG_EVENT_NEVER_RELEASED,           /* counts are out at the end of the env */
  TG_EVENT_KEEPS_ALIVE,              /* it alone kept the process alive */
  TG_EVENT_LONG_QUEUE,
  TG_EVENT_SLOW_FINALIZER,
  TG_EVENT_PENDING_EXCEPTION,    /* call_js_cb has left one */
  TG_EVENT_JAVASCRIPT_FORBIDDEN, /* an item is delivered into an env that cannot run JavaScript any more */
  TG_EVENT_ADDON_PINNED,
  TG_EVENT_NOT_ARMED,
  TG_EVENT_HANDLES_USED_UP, /* the table has no handle left, the runtime serves the function itself */
  TG_EVENT_EXCEPTION_CAUGHT, /* a C++ exception left call_js_cb in an env that cannot run JavaScript any more */
  TG_EVENT_ITEMS_DROPPED,    /* what was left of a function after such an exception */
  TG_EVENT_KINDS
};

enum tg_state {
  TG_FREE = 0, /* the slot waits for its next generation, and remembers its last */
  TG_CREATING, /* a create has begun, or was refused: the last generation is forgotten, the next unknown */
  TG_OPEN,
  TG_CLOSING, /* callers are turned away; the finalizer is to come */
  TG_CLOSED,  /* the finalizer has begun */
};

struct tg_addon;

/* A guarded function as it was at one moment. */
struct tg_snapshot {
  uint64_t number; /* unique in the process: generation and slot */
  uint32_t index;  /* its slot, and how often that was used before */
  uint32_t generation;
  uint32_t env; /* the env's number */
  enum tg_state state;
  bool finalized; /* the finalizer is over */
  bool referenced;
  size_t thread_count;
  size_t release_credit;
  size_t queue_length;
  size_t max_queue_size;        /* 0: no limit */
  size_t waiters;               /* callers blocked on the full queue */
  const struct tg_addon *addon; /* who created it; NULL: unknown */
  char name[TG_NAME_SIZE];      /* empty: none, or unknown */
};

struct tg_event {
  enum tg_event_kind kind;
  const char *function; /* Node-API's name of the entry point; NULL: not within a call */
  napi_threadsafe_function handle;
  const char *mode;   /* of a call or release: Node-API's name; NULL: it has none */
  const void *caller; /* code address in the addon; NULL: unknown */
  bool answered;      /* whether `answer` means something */
  napi_status answer;
  bool known; /* whether `snapshot` is more than a number */
  struct tg_snapshot snapshot;
  uint64_t quantity; /* how many, how long: what it counts depends on the kind (diag/catalogue.c) */
  bool matters;      /* it has changed what the program does: reported even where its severity is not */
};

#endif
