/* Defines all structs of the core, and the enums and limits that they need. It declares no
 * functions, so every other file can include it.
 *
 * The fields of a struct are grouped by what guards them. `constant` means: set before another
 * thread can see the struct. `constant for the generation` means: set by a create, before it
 * returns the handle. */
#ifndef TG_CORE_TYPES_H
#define TG_CORE_TYPES_H

#include <node_api.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"
#include "core/event.h"
#include "core/ports.h"

/* --- Addons */

/* Remedies for an addon that crashes when the env of a worker ends (docs/quirks.md). The values are
 * the bits of a set. */
enum tg_quirk {
  /* Once the env can run no JavaScript any more, Node-API functions that need it do not fail. The
   * host does this. */
  TG_QUIRK_DYING = 1,
  /* Threads that use a function too late, at or after the end of the env, get napi_ok. The core
   * does this. */
  TG_QUIRK_LATE = 2,
  /* Once the env has ended, finalizers do not run. The host does this. */
  TG_QUIRK_LEAK = 4,
};

/* Counts what may still run code of an object file. The host's record of the object begins with
 * this struct, and is never freed.
 *
 * Thread safety: the counters are atomic. What a function contributes to them changes only with its
 * lock held. */
struct tg_addon {
  atomic_uint threads;    /* living threads that have used one of its functions off the loop */
  atomic_uint unreturned; /* closing or closed functions that have counts out */
  /* of `unreturned`, those used by a thread other than the loop thread */
  atomic_uint foreign_users;
  unsigned quirks; /* a set of enum tg_quirk; constant once the object has created a function */
};

/* --- The queue (queue.h) */

enum {
  TG_CHUNK_ITEMS_FIRST = 16,
  TG_CHUNK_ITEMS_MAX = 1024, /* a chunk has twice as many items as the one before, up to this */
};

/* Chunks form a ring. The chunk after the tail is the oldest one: it is the first to become empty,
 * and the first to be used again. */
struct tg_chunk {
  /* Guarded by the function's lock. */
  /* written only while this chunk is the tail; then nobody reads it without the lock */
  struct tg_chunk *next;
  size_t begin; /* the number of its first item; written only while the chunk is empty */

  size_t capacity; /* constant */
  void *items[];
};

/* A zeroed queue is empty. Items are numbered. When the last item is popped, the numbers start at 0
 * again. */
struct tg_queue {
  /* Written with the function's lock held, by the threads that push. */
  struct tg_chunk *tail;
  _Atomic size_t pushed;

  /* The loop thread writes these fields. They lie on another cache line than the two above. A
   * thread that holds the lock may write them while the queue has no chunk, or once the env is
   * over. */
  _Atomic size_t popped;
  struct tg_chunk *head;    /* the chunk with the next item; undefined while the queue is empty */
  uint32_t known_available; /* at least this many items wait; saves a read of `pushed` */

  /* If true, the loop thread takes the lock for every pop. Written with the lock held. The loop
   * thread reads it without the lock, relaxed: a stale value is harmless. It is as if the pop had
   * happened slightly earlier. */
  atomic_bool pop_needs_lock;
};

/* --- Environments (environment.h) */

enum { TG_ENVIRONMENT_ADDONS = 16, TG_CODE_PLACES = 3, TG_ENVIRONMENT_BUCKETS = 64 };

/* What the guard remembers of a napi_env that creates thread-safe functions. */
struct tg_environment {
  /* Constant. */
  struct tg_guard *guard;
  napi_env env;
  pthread_t loop_thread;
  uint32_t number;    /* 1 for the first one of the process */
  bool can_terminate; /* its JavaScript can be terminated while it runs: it belongs to a worker */

  /* one for the lists of records, one for each cohort, and one while the hook that reports counts
   * is registered */
  atomic_uint references;

  struct tg_environment *next;           /* guarded by the guard's environments_lock */
  struct tg_environment *next_of_thread; /* loop thread only */

  /* The env's cleanup hooks have begun to run, so nobody empties its queues any more. Written by
   * the loop thread. Other threads read it with the lock of one of the env's functions held. After
   * the write, the loop thread takes each of these locks. */
  atomic_bool hooks_run;

  /* Loop thread only. */
  struct tg_cohort *cohort; /* the newest, if its hook is registered; NULL: none */
  bool hook_added;          /* an addon has added a hook since that cohort was made */
  uint32_t bounded;         /* how many functions with a max_queue_size are not finalized */
  bool awaits_hooks;        /* tg_on_hook_added has registered a hook */
  bool ended;               /* its cleanup hook has run */
  bool reports_unreleased;  /* a hook is registered that will report the counts that are out */
  /* The objects that have created functions here, and a cache that says where the last create came
   * from. The cache is valid until the host counts another unload. */
  unsigned long long unloads;
  struct tg_addon *addons[TG_ENVIRONMENT_ADDONS];
  bool is_located[TG_ENVIRONMENT_ADDONS]; /* looked up since the last unload */
  const void *code[TG_CODE_PLACES];
  struct tg_addon *code_addon[TG_CODE_PLACES];
};

/* Functions of an env that were created one after the other, while the addon added no cleanup hook
 * of its own. One hook of ours serves them all. It is older than their doorbells, and newer than
 * every hook that the addon has added before them. */
struct tg_cohort {
  /* Constant. */
  struct tg_guard *guard;
  struct tg_environment *environment; /* holds a reference */
  pthread_t loop_thread;
  void (*hook)(void *); /* its env cleanup hook */

  /* one for the loop thread, and one for each finalized function that is not free */
  atomic_uint references;

  /* Loop thread only. The loop thread holds its reference while one of the first two is not 0. */
  bool is_hooked;       /* its hook is registered */
  uint32_t unfinalized; /* how many of its functions are not finalized */
  uint32_t first_index; /* no function of it has a lower index, ... */
  uint32_t last_index;  /* ... and none has a higher one */
};

/* --- Guarded functions (function.h) */

enum tg_pending_ref { TG_PENDING_NONE = 0, TG_PENDING_REF, TG_PENDING_UNREF };

/* The guarded function: the object behind a handle. One lives in each slot of the handle table. The
 * slot is used again and again, for one generation each time.
 *
 * Thread safety: `lock` (rank TG_RANK_FUNCTION) guards every field that does not say otherwise,
 * except for the loop thread's part of `queue`. No lock is held while addon code runs. Functions of
 * the runtime may be called with `lock` held: the lock order is ours, then the runtime's. (The
 * first versions with nodejs/node#55877 discard left-over rings with their own lock held.
 * tg_on_dispatch returns in that case before it takes our lock.)
 *
 * The struct has three cache lines: what callers write, what the loop thread needs to take an item
 * without the lock, and what both rarely need. */
struct tg_function {
  struct tg_lock lock;
  struct tg_gate not_full; /* callers sleep here while the queue is full */
  /* written with the table's free_lock held as well, and while no caller is inside */
  uint32_t generation;
  /* callers asleep in `not_full`; the generation must not change meanwhile */
  uint32_t waiters;

  uint8_t state : 3; /* enum tg_state */
  /* the env ends, and the runtime has closed the doorbell before our hook ran */
  bool ended_first : 1;
  uint8_t pending_ref : 2; /* enum tg_pending_ref: what the loop thread still has to do */
  bool is_late : 1;        /* TG_QUIRK_LATE applies: a worker's env is ending or has ended */
  /* counts were out when the env began to end; reported if they stay out */
  bool unreleased : 1;
  uint8_t wakeups_in_flight; /* how many of the waiters were signalled and do not run yet */
  bool abandoned;            /* in the table's list of abandoned slots; guarded by its free_lock */
  bool wakeup_pending : 1;   /* the doorbell was rung, or a ringer is about to ring it */
  /* The doorbell's own thread_count is 1, not 0. While OPEN, this is true exactly if somebody holds
   * a count or an item waits. So the runtime closes the doorbell exactly when it would close the
   * addon's own function. */
  bool doorbell_held : 1;
  bool used_off_loop : 1;       /* a thread other than the loop thread has used it */
  bool finalized : 1;           /* the finalizer is over */
  bool multiple_waiters : 1;    /* several callers slept when it closed; Node wakes only one */
  bool referenced : 1;          /* keeps the event loop alive, as far as we know */
  bool long_queue_reported : 1; /* the queue was longer than the option queue_warn */
  /* an exception from call_js_cb was caught, so the drain drops items instead of calling it */
  bool threw : 1;
  /* how many more releases get napi_ok after a call consumed the count */
  uint32_t release_credit;

  uint32_t index; /* constant */
  /* Twice the number of threads within tg_function_hand_off, plus 1 if the finalizer waits until
   * there are none. Raised with the lock held and while OPEN, lowered without the lock. */
  _Atomic uint32_t ringers;
  size_t thread_count;
  size_t max_queue_size; /* 0: no limit */
  struct tg_queue queue; /* its second half begins the second cache line */

  napi_threadsafe_function handle; /* constant for the generation */

  /* Used with the lock held, by ringers, and on the loop thread. The finalizer runs on the loop
   * thread, and waits for the last ringer, so the doorbell exists whenever it is used. */
  napi_threadsafe_function doorbell;

  /* Constant for the generation. Callers with a stale handle read `context`, `addon` and `name`.
   * `context` is also read without the lock: see tg_function_read_context. */
  void *_Atomic context;
  napi_threadsafe_function_call_js call_js_cb; /* NULL: the runtime's default */

  /* Set by the create. NULL from the finalizer's end on, with one exception: if counts are out or
   * callers wait, and the env has not ended, the function holds a reference to the cohort until its
   * handle is stale. */
  struct tg_cohort *cohort;

  /* constant for the generation, as is each field below that does not say otherwise */
  napi_finalize finalize_cb;
  union {
    void *finalize_data; /* until the finalizer is over */
    /* Once the finalizer is over: links of the table's list that holds the slot (free, spent or
     * abandoned). Each link is a slot's index plus one, or 0 for none. Guarded by the table's
     * free_lock. */
    struct {
      uint32_t next;
      uint32_t previous;
    };
  };
  struct tg_addon *addon;
  char name[TG_NAME_SIZE];
  uint32_t env_number;       /* the number of its environment */
  _Atomic uint32_t readable; /* written with the lock held: see tg_function_read_context */
};

_Static_assert(sizeof(struct tg_function) <= 192,
               "docs/design.md promises at most 192 bytes a handle");
_Static_assert(offsetof(struct tg_function, queue.popped) == 64,
               "the loop thread's part begins a cache line");
_Static_assert(offsetof(struct tg_function, finalize_cb) == 128,
               "the part for rare use begins another");

/* --- The handle table (handle_table.h) */

enum {
  TG_SEGMENT_BITS_MIN = 25, /* 32 MiB, the first one: 8,192 slots of 256 generations */
  TG_SEGMENT_BITS_MAX = 43, /* 8 TiB, the largest */
  TG_SEGMENTS_MAX = 32,
  TG_HANDLE_SHIFT = 4, /* handles are 16-byte aligned */
  TG_INDEX_BITS_MIN = 13,
  /* 4 million slots at most. A handle's number consists of its generation and, below it, this many
   * bits of its slot's index. */
  TG_INDEX_BITS = 22,
  TG_GENERATION_BITS_MIN = 2, /* log2 of the fewest generations in a segment */
  TG_CHUNK_SLOTS = 1024,
  TG_CHUNKS_MAX = (1 << TG_INDEX_BITS) / TG_CHUNK_SLOTS,
  TG_TAKES_BEFORE_RETRY = 1024, /* until address space is requested again after a refusal */

  /* As long as there are fresh slots and memory for them, the oldest free slot is reused only if at
   * least this many are free. The longer a slot rests, the longer a late caller still finds there
   * what its handle was. */
  TG_FREE_SLOTS_MIN = 4096,

  /* At most this many finalized functions (3 MiB) wait for counts that may never come back. If
   * there are more, or if no other slot is left, the oldest becomes stale. Without the limit the
   * guard would leak where Node does not: Node frees such a function. */
  TG_ABANDONED_MAX = 16384,
};

/* A list of slots, oldest first, linked by their `next` and `previous`. */
struct tg_slots {
  uint32_t oldest;
  uint32_t newest;
  uint32_t count;
};

/* A reservation of address space. It has a range of generations. For each of them it contains one
 * address for each slot below 2^index_bits. The next segment continues with the generation after
 * this segment's last one, and has at least as many slots. A slot that first exists in a later
 * segment starts with that segment's first generation. */
struct tg_segment {
  uintptr_t base;
  uint64_t handles; /* how many */
  uint32_t index_bits;
  uint32_t first_generation;
};

struct tg_table {
  /* Constant. Tests set their own limits. */
  const struct tg_host *host;
  uint32_t free_slots_min;
  uint32_t abandoned_max;

  /* Written with free_lock held, read without it. */
  _Atomic(const struct tg_segment *) newest;   /* of the segments */
  struct tg_segment segments[TG_SEGMENTS_MAX]; /* constant, up to the newest */
  _Atomic(struct tg_function *) chunks[TG_CHUNKS_MAX];
  _Atomic uint32_t fresh;           /* the first slot that was never used */
  _Atomic uint64_t taken;           /* how often a slot was requested */
  _Atomic uint32_t abandoned_count; /* a copy of abandoned.count */

  struct tg_lock free_lock;  /* guards all fields below; rank TG_RANK_FREE_SLOTS */
  uint64_t grows_at;         /* the value of `taken` at which address space is requested again */
  struct tg_slots free;      /* slots without a valid handle */
  uint32_t spent_in_free;    /* how many of `free` have no generation left */
  struct tg_slots spent;     /* free slots that need a new segment before they can be used */
  struct tg_slots abandoned; /* finalized functions with counts out */
};

/* What an addon has passed as a handle. */
enum tg_lookup {
  TG_LOOKUP_INVALID, /* was never a handle */
  TG_LOOKUP_VALID,   /* the slot is in the handle's generation */
  TG_LOOKUP_STALE,   /* was a handle; the slot still remembers it */
  TG_LOOKUP_REUSED,  /* was a handle; the slot serves another function by now */
};

/* The function that a thread used last, and for which it is recorded as a user. Slots are never
 * freed, so the next use of the same handle finds its slot here, without the table. */
struct tg_last_use {
  napi_threadsafe_function handle; /* NULL: none */
  struct tg_function *function;
  uint32_t generation; /* of the handle */
};

/* --- The guard (api.h) */

/* What a blocking call on a full queue does on the loop thread, the only thread that could empty
 * the queue. */
enum tg_deadlock {
  TG_DEADLOCK_OVERFLOW, /* queues beyond the limit and returns napi_ok */
  TG_DEADLOCK_STATUS,   /* returns napi_would_deadlock */
  TG_DEADLOCK_HANG,     /* waits for ever, as Node does */
};

struct tg_guard_options {
  enum tg_deadlock deadlock;
  size_t queue_warn;   /* a longer queue is an event; SIZE_MAX: never */
  bool passes_through; /* the runtime has given out handles of its own already */
};

struct tg_guard {
  /* Constant once the first function is created. */
  const struct tg_runtime *runtime;
  const struct tg_host *host;
  const struct tg_observer *observer; /* NULL: none */
  struct tg_guard_options options;
  bool watches_calls; /* the observer has `called` or `used`, which see each call */

  /* True once the runtime has given out handles of its own: the table had no handle left, or addons
   * were loaded before the guard. From then on a value outside the table's reservations may be such
   * a handle. Relaxed: a thread that holds such a handle got it from the create that set this. */
  atomic_bool passes_through;
  _Atomic uint64_t taken_at_exit; /* the table's `taken` when an exit handler last walked it */
  atomic_uint environments_made;  /* relaxed: only to number them */
  atomic_bool reports_hooks;      /* the host calls tg_on_hook_added; relaxed, see cohort.c */

  /* What TG_QUIRK_LATE has done. Relaxed: only used in reports. */
  struct {
    _Atomic uint64_t answers;    /* napi_ok instead of the truth */
    _Atomic uint64_t items;      /* dropped, not delivered */
    _Atomic uint64_t finalizers; /* finalize_cb left out */
  } late;

  /* What the host has done for the other quirks. Relaxed: only used in reports. */
  struct {
    _Atomic uint64_t answers;    /* TG_QUIRK_DYING */
    _Atomic uint64_t finalizers; /* TG_QUIRK_LEAK */
  } by_host;
  struct tg_table table;

  struct tg_lock environments_lock; /* guards the lists; rank TG_RANK_ENVIRONMENTS */
  struct tg_environment *environments[TG_ENVIRONMENT_BUCKETS];
};

/* The arguments of napi_create_threadsafe_function, without the result. */
struct tg_create_arguments {
  napi_env env;
  napi_value func;
  napi_value async_resource;
  napi_value async_resource_name;
  size_t max_queue_size;
  size_t initial_thread_count;
  void *thread_finalize_data;
  napi_finalize thread_finalize_cb;
  void *context;
  napi_threadsafe_function_call_js call_js_cb;
};

#endif
