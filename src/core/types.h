/* All structs of the core, and the enums and limits that they need. No functions, so that every other file can include it.
 *
 * The fields of a struct are grouped by what guards them. `constant` means: set before another thread can see the
 * struct. `constant for the generation` means: set by a create, before it gives the handle out. */
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

/* What the core knows of an object file with addon code: how much of it may still run. The host's record of the object
 * begins with this one, and is never freed.
 *
 * Thread safety: the counters are atomic; a function's changes to them are made with its lock held. */
struct tg_addon {
  atomic_uint threads;    /* living threads that have used one of its functions away from that one's loop */
  atomic_uint unreturned; /* its functions that are closing or closed and have counts out */
  atomic_uint foreign_users; /* of these, those that a thread other than the loop thread has used */
};

/* --- The queue (queue.h) */

enum {
  TG_CHUNK_ITEMS_FIRST = 16,
  TG_CHUNK_ITEMS_MAX = 1024, /* each chunk has twice as many items as the last one, up to this */
};

/* Chunks form a ring: behind the one that is pushed into come those that were emptied, the oldest first. */
struct tg_chunk {
  struct tg_chunk *next; /* written under the lock while it is the last; nobody looks beyond that one */
  size_t begin;          /* the number of its first item; written under the lock while no item is in it */
  size_t capacity;       /* constant */
  void *items[];
};

/* Zero is empty. Items are numbered from 0 whenever the queue was empty. */
struct tg_queue {
  /* Written under the lock, by those who push. */
  struct tg_chunk *tail;
  _Atomic size_t pushed;
  /* Written by the loop thread; the owner puts them on another cache line than the two above. Under the lock the others
   * write them while the queue has no chunk, or its env is over. */
  _Atomic size_t popped;
  struct tg_chunk *head;    /* while not empty: the one with the next item */
  uint32_t known_available; /* as many items are known to be there, without a look at `pushed` */
  /* Whether nothing may be popped without the lock. The owner's word, written under the lock. The loop thread reads it
   * without the lock, relaxed: a stale value is harmless, as it is the same as popping slightly earlier. */
  atomic_bool pop_needs_lock;
};

/* --- Environments (environment.h) */

enum { TG_ENVIRONMENT_ADDONS = 16, TG_CODE_PLACES = 3, TG_ENVIRONMENT_BUCKETS = 64 };

/* What the guard remembers of a napi_env that creates thread-safe functions. */
struct tg_environment {
  struct tg_guard *guard;      /* constant */
  napi_env env;                /* constant */
  pthread_t loop_thread;       /* constant */
  uint32_t number;             /* constant; 1 for the process's first */
  bool can_terminate;          /* constant; while its JavaScript runs: a worker's */
  atomic_uint references;      /* one for the list, one for every function that is not free */
  struct tg_environment *next; /* guarded by the guard's environments_lock */

  /* Loop thread only. */
  bool ended;              /* its cleanup hook has run */
  bool reports_unreleased; /* a hook is to run that tells of counts which are out */
  /* The objects that have created functions here, and a cache of where the last create came from. Where code is holds as
   * long as the host has counted as many unloads. */
  unsigned long long unloads;
  struct tg_addon *addons[TG_ENVIRONMENT_ADDONS];
  bool is_located[TG_ENVIRONMENT_ADDONS]; /* since the last unload */
  const void *code[TG_CODE_PLACES];
  struct tg_addon *code_addon[TG_CODE_PLACES];
};

/* --- Guarded functions (function.h) */

enum tg_pending_ref { TG_PENDING_NONE = 0, TG_PENDING_REF, TG_PENDING_UNREF };

/* The guarded function: what stands behind a handle. One lives in each slot of the handle table and is used again and
 * again, a generation each time.
 *
 * Thread safety: every field is guarded by `lock` (rank TG_RANK_FUNCTION), but for those marked otherwise, and the
 * loop thread's part of `queue`. No lock is held while code of the addon runs. The runtime's functions may be called
 * under `lock`: lock order is ours, then the runtime's. (The first versions with nodejs/node#55877 discard left-over
 * rings under their own lock; tg_on_dispatch returns from those before it takes ours.)
 *
 * Three cache lines: what callers write under the lock, what the loop thread uses to take an item without it, and what
 * neither needs often. */
struct tg_function {
  struct tg_lock lock;
  struct tg_gate not_full; /* where callers sleep while the queue is full */
  uint32_t generation;     /* written with the table's free_lock held too, and only while nobody is inside */
  uint32_t waiters;        /* callers asleep in `not_full`: they are inside, the generation must not change */

  uint8_t state : 4; /* enum tg_state */
  uint8_t
      pending_ref : 3; /* enum tg_pending_ref: what another thread asked for, to be done on the loop thread */
  /* Its counts were out when its env began to end: to be told, unless they come back. */
  bool unreleased : 1;
  uint8_t wakeups_in_flight; /* of the sleepers, those that a wake-up is on its way to */
  bool abandoned; /* in the table's list of abandoned slots; guarded by the table's free_lock instead */
  bool wakeup_pending : 1; /* a ring of the doorbell is on its way to the loop thread */
  /* Whether the doorbell's own thread_count is 1, not 0. While OPEN it is 1 exactly as long as somebody holds
   * a count or an item waits; so the runtime decides to close just when it would close the addon's own. */
  bool doorbell_held : 1;
  bool used_off_loop : 1;    /* by a thread other than the loop thread, so that addon code may run on one */
  bool finalized : 1;        /* the finalizer is over */
  bool multiple_waiters : 1; /* more than one caller slept when it closed; the runtime wakes only one */
  bool referenced : 1;       /* keeps the event loop alive, as far as we know */
  bool long_queue_reported : 1; /* the queue was longer than the guard's queue_warn */
  bool threw : 1;               /* an exception was caught from call_js_cb: nothing is drained into it */
  uint32_t release_credit;      /* releases to answer with ok after a call has consumed the count */

  uint32_t index; /* constant for ever */
  /* Threads within tg_function_hand_off, and a bit for who waits until there is none. Grows under the lock and while OPEN
   * only; shrinks without the lock. */
  _Atomic uint32_t ringers;
  size_t thread_count;
  size_t max_queue_size; /* 0: no limit */
  struct tg_queue queue; /* its second half begins the second line */

  napi_threadsafe_function handle; /* constant for the generation */

  /* Touched only until its finalizer has waited for the last ringer, so it cannot be gone: under `lock`; by a
   * ringer, for whom the finalizer waits; or on the loop thread, where the finalizer runs. */
  napi_threadsafe_function doorbell;

  /* Constant for the generation; stale callers read `context`, `addon` and `name`. `context` is read without the lock
   * too, see tg_function_read_context. */
  void *_Atomic context;
  napi_threadsafe_function_call_js call_js_cb; /* NULL: the runtime's default */

  /* Referenced while set: from create until the function is finalized and its env is gone, or it is stale. */
  struct tg_environment *environment;

  napi_finalize finalize_cb; /* these are constant too */
  union {
    void *finalize_data; /* until the finalizer is over */
    /* The list that a slot without use is in, guarded by the table's free_lock: indices, plus one; 0: none. */
    struct {
      uint32_t next;
      uint32_t previous;
    };
  };
  struct tg_addon *addon;
  char name[TG_NAME_SIZE];
  uint32_t env_number;       /* of its environment */
  _Atomic uint32_t readable; /* see tg_function_read_context; written under the lock */
};

_Static_assert(sizeof(struct tg_function) <= 192, "docs/design.md promises at most 192 bytes a handle");
_Static_assert(offsetof(struct tg_function, queue.popped) == 64,
               "the loop thread's part begins a cache line");
_Static_assert(offsetof(struct tg_function, finalize_cb) == 128, "the part for rare use begins another");

/* --- The handle table (handle_table.h) */

enum {
  TG_SEGMENT_BITS_MIN = 25, /* 32 MiB, the first one: 8,192 slots of 256 generations */
  TG_SEGMENT_BITS_MAX = 43, /* 8 TiB, the largest */
  TG_SEGMENTS_MAX = 32,
  TG_HANDLE_SHIFT = 4, /* handles are 16-byte aligned */
  TG_INDEX_BITS_MIN = 13,
  /* 4 million slots at most. A handle's number is its generation, and its slot's index in so many bits. */
  TG_INDEX_BITS = 22,
  TG_GENERATION_BITS_MIN = 2, /* of a segment */
  TG_CHUNK_SLOTS = 1024,
  TG_CHUNKS_MAX = (1 << TG_INDEX_BITS) / TG_CHUNK_SLOTS,
  TG_TAKES_BEFORE_RETRY = 1024, /* once address space was refused */

  /* So many slots lie free before the oldest of them is used again: a late caller finds the truth for longer. */
  TG_FREE_SLOTS_MIN = 4096,

  /* So many finalized functions may wait for counts that never come back (a leak that Node, which frees them
   * under their threads, does not have); then the oldest becomes stale all the same. 3 MiB. So it does where no other
   * slot is left. */
  TG_ABANDONED_MAX = 16384,
};

/* A list of slots, oldest first, linked by their `next` and `previous`. */
struct tg_slots {
  uint32_t oldest;
  uint32_t newest;
  uint32_t count;
};

/* A reservation: for each slot below 2^index_bits the addresses of some generations. The one after it begins with the
 * generation after its last, and has as many slots or more. A slot that came with a later segment begins in that one. */
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
  _Atomic uint32_t
      fresh; /* the first slot that was never used; the exit handler must not wait for the lock */

  _Atomic uint64_t taken; /* how often a slot was asked for; guarded by nothing */

  struct tg_lock free_lock;  /* guards what follows; rank TG_RANK_FREE_SLOTS */
  uint64_t grows_at;         /* `taken` from which on address space is asked for again */
  struct tg_slots free;      /* no handle of theirs is valid */
  uint32_t spent_in_free;    /* how many of them have no generation left, and are not set aside yet */
  struct tg_slots spent;     /* free too, but without generations as long as there is no other segment */
  struct tg_slots abandoned; /* finalized, but counts are out */
};

/* What the table says of a bit pattern that an addon hands in. */
enum tg_lookup {
  TG_LOOKUP_INVALID,
  TG_LOOKUP_VALID,  /* the slot is in this handle's generation */
  TG_LOOKUP_STALE,  /* was a handle; the slot still remembers it */
  TG_LOOKUP_REUSED, /* was a handle; the slot serves another by now */
};

/* --- The guard (api.h) */

/* What a blocking call on a full queue does on the thread that alone could empty the queue. */
enum tg_deadlock {
  TG_DEADLOCK_OVERFLOW, /* queue past the limit, answer napi_ok */
  TG_DEADLOCK_STATUS,   /* answer napi_would_deadlock */
  TG_DEADLOCK_HANG,     /* wait for ever, as Node does */
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
  const struct tg_observer *observer; /* NULL: nobody watches */
  struct tg_guard_options options;
  bool watches_calls; /* the observer wants to know of each */

  /* Once the table has no handle left, functions are the runtime's own, unguarded: better than none. From
   * then on a value outside the table's reservation may be one of those. Relaxed: whoever holds such a handle
   * has it from the create that set this. Set from the start where addons were loaded before the guard. */
  atomic_bool passes_through;
  _Atomic uint64_t taken_at_exit; /* the table's `taken` when an exit handler last walked it */
  atomic_uint environments_made;  /* relaxed: only to number them */
  struct tg_table table;

  struct tg_lock environments_lock; /* guards the lists; rank TG_RANK_ENVIRONMENTS */
  struct tg_environment *environments[TG_ENVIRONMENT_BUCKETS];
};

/* The arguments of napi_create_threadsafe_function, less the result. */
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
