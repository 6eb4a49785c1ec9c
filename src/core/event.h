/* The events that the core reports: misuse that it absorbed, and other facts that a user may want
 * to know.
 *
 * Events are plain data, valid only while the host's on_event runs. */
#ifndef TG_CORE_EVENT_H
#define TG_CORE_EVENT_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* how many bytes of a thread-safe function's async resource name are kept, with the NUL */
enum { TG_NAME_SIZE = 32 };

/* The number of a kind is the number in its code (TSG001 is 1). Numbers never change, and new kinds
 * come last. diag/catalogue.c explains each kind to users. */
enum tg_event_kind {
  TG_EVENT_NONE = 0,

  /* The function is finalized, and the runtime would have freed it by now, but the handle is still
   * valid. */
  TG_EVENT_CALL_AFTER_FINALIZE = 1,
  TG_EVENT_ACQUIRE_AFTER_FINALIZE,
  TG_EVENT_RELEASE_AFTER_FINALIZE,
  TG_EVENT_GET_CONTEXT_AFTER_FINALIZE,
  TG_EVENT_REF_AFTER_FINALIZE,
  TG_EVENT_UNREF_AFTER_FINALIZE,

  TG_EVENT_STALE_HANDLE,   /* finalized, and its last count was given back */
  TG_EVENT_NEVER_A_HANDLE, /* the value was never given out */
  TG_EVENT_NULL_HANDLE,
  TG_EVENT_NULL_RESULT,           /* get_context with a NULL result pointer */
  TG_EVENT_RELEASE_AFTER_CLOSING, /* a call that returned napi_closing has consumed the count */
  TG_EVENT_OVER_RELEASE,
  TG_EVENT_MORE_THREADS_THAN_COUNTS,
  TG_EVENT_CALL_WITHOUT_COUNT,
  /* a blocking call on a full queue from the thread that empties it */
  TG_EVENT_BLOCKING_ON_OWN_LOOP,
  /* more callers blocked on a full queue than the runtime wakes */
  TG_EVENT_BLOCKED_CALLERS_AT_CLOSE,
  TG_EVENT_FOREIGN_REF, /* ref or unref from a thread that is not the loop thread */
  /* items wait at the end of the env; they are drained with a NULL env */
  TG_EVENT_ITEMS_UNDELIVERED,
  TG_EVENT_NEVER_RELEASED, /* counts are out at the end of the env */
  TG_EVENT_KEEPS_ALIVE,    /* it alone kept the process alive */
  TG_EVENT_LONG_QUEUE,
  TG_EVENT_SLOW_FINALIZER,
  TG_EVENT_PENDING_EXCEPTION, /* call_js_cb has left an exception pending */
  /* an item is delivered into an env that cannot run JavaScript any more */
  TG_EVENT_JAVASCRIPT_FORBIDDEN,
  TG_EVENT_ADDON_PINNED,
  TG_EVENT_NOT_ARMED,
  TG_EVENT_HANDLES_USED_UP, /* no handle is left; the runtime serves the function itself */
  /* a C++ exception left call_js_cb in an env that cannot run JavaScript any more */
  TG_EVENT_EXCEPTION_CAUGHT,
  TG_EVENT_ITEMS_DROPPED, /* items that were left after such an exception */
  /* an exception was thrown in an env that cannot run JavaScript any more */
  TG_EVENT_THROW_IGNORED,
  /* TG_QUIRK_DYING: a call that needs JavaScript was answered without it */
  TG_EVENT_FALSE_ANSWER,
  /* TG_QUIRK_LEAK: the env has ended, and its finalizers do not run */
  TG_EVENT_FINALIZER_LEFT_OUT,
  TG_EVENT_KINDS
};

enum tg_state {
  TG_FREE = 0, /* the slot waits for its next generation, and remembers its last one */
  TG_CREATING, /* a create has begun or was refused: the last generation is forgotten */
  TG_OPEN,
  TG_CLOSING, /* callers are rejected; the finalizer has not begun */
  TG_CLOSED,  /* the finalizer has begun */
};

struct tg_addon;

/* A guarded function as it was at one moment. */
struct tg_snapshot {
  uint64_t number;     /* unique in the process: generation and slot */
  uint32_t index;      /* of its slot */
  uint32_t generation; /* how often the slot was used before */
  uint32_t env;        /* the env's number */
  enum tg_state state;
  bool finalized; /* the finalizer is over */
  bool referenced;
  size_t thread_count;
  size_t release_credit;
  size_t queue_length;
  size_t max_queue_size;        /* 0: no limit */
  size_t waiters;               /* callers blocked on the full queue */
  const struct tg_addon *addon; /* the creator; NULL: unknown */
  char name[TG_NAME_SIZE];      /* empty: none, or unknown */
};

struct tg_event {
  enum tg_event_kind kind;
  const char *function; /* Node-API's name of the called function; NULL: there is none */
  napi_threadsafe_function handle;
  const char *mode;   /* Node-API's name of the mode of a call or release; NULL: there is none */
  const void *caller; /* code address in the addon; NULL: unknown */
  bool answered;      /* `answer` is set */
  napi_status answer;
  bool known; /* `snapshot` is complete; else at most its number, generation and addon are set */
  struct tg_snapshot snapshot;
  uint64_t quantity; /* how many or how long; diag/catalogue.c says what it counts for each kind */
  /* the program behaves differently, so this is reported whatever its severity is */
  bool matters;
};

#endif
