/* Implements the reference of reference.h. */
#include "reference.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum state { UNUSED, OPEN, CLOSING, CLOSED, STALE };

struct function {
  enum state state;
  unsigned env;
  struct reference_handle handle;
  bool forgotten; /* stale, and its slot serves another function */
  bool finalized;
  bool doomed; /* the loop has decided: the finalizer runs in this turn's closing phase */
  unsigned count, credit, limit;
  bool late; /* its env has ended, and the addon has the quirk */
  /* when it was finalized with counts out: 1, 2, ...; 0: it was not, or is not abandoned any
   * more */
  unsigned abandoned;
  bool referenced;
  enum { NOTHING, REF, UNREF } pending_ref;
  unsigned length;
  unsigned items[REFERENCE_ITEMS]; /* only the first `length` of them are valid */
};

struct slot {
  unsigned generation; /* of its handle, or, if it is free, of its next handle */
  unsigned freed;      /* when it became free: 1, 2, ...; 0: it is not free */
};

static struct reference_settings settings;
static struct reference_addon addon;
static struct function functions[REFERENCE_FUNCTIONS];
static unsigned created[REFERENCE_FUNCTIONS]; /* in order of their creation */
static unsigned created_count;
static struct slot slots[REFERENCE_FUNCTIONS];
static unsigned fresh; /* the first slot that was never used */
static unsigned now;   /* a logical clock, which orders what was freed or abandoned */
static struct {
  struct reference_handle handles[REFERENCE_NOTICES];
  unsigned next;
} notices[REFERENCE_THREADS];

void reference_start(const struct reference_settings *new_settings,
                     const struct reference_addon *new_addon) {
  settings = *new_settings;
  addon = *new_addon;
  memset(slots, 0, sizeof slots);
  created_count = fresh = now = 0;
  for (unsigned thread = 0; thread < REFERENCE_THREADS; thread++) {
    notices[thread].next = 0;
    for (unsigned i = 0; i < REFERENCE_NOTICES; i++) notices[thread].handles[i] = reference_garbage;
  }
}

static bool same(struct reference_handle a, struct reference_handle b) {
  return a.slot == b.slot && a.generation == b.generation;
}

/* NULL: this was never a handle. */
static struct function *find(struct reference_handle handle) {
  for (unsigned i = 0; i < created_count; i++)
    if (same(functions[created[i]].handle, handle)) return &functions[created[i]];
  return NULL;
}

/* ---- Slots ---- */

/* "The oldest free slot is reused first. As long as there are fresh slots and memory for them, no
 * slot is reused before 4096 are free." Silent: what happens when no fresh slot is left. */
static unsigned choose_slot(void) {
  unsigned oldest = ~0U, lie_free = 0;
  for (unsigned i = 0; i < fresh; i++) {
    if (slots[i].freed == 0) continue;
    lie_free++;
    if (oldest == ~0U || slots[i].freed < slots[oldest].freed) oldest = i;
  }
  bool may_reuse = oldest != ~0U && lie_free >= settings.free_slots_min;
  return !may_reuse && fresh < settings.slots ? fresh++ : oldest;
}

static void forget_slot(unsigned slot) {
  for (unsigned i = 0; i < created_count; i++)
    if (functions[created[i]].handle.slot == slot) functions[created[i]].forgotten = true;
}

/* "A slot whose generations are used up waits" for address space, which never comes here. */
static void make_stale(struct function *function) {
  struct slot *slot = &slots[function->handle.slot];
  function->state = STALE;
  function->abandoned = 0;
  slot->generation++;
  if (slot->generation < settings.generations) slot->freed = ++now;
}

static void make_stale_if_over(struct function *function) {
  if (function->finalized && function->state == CLOSED && function->count == 0)
    make_stale(function);
}

/* "A finalized function whose counts never come back keeps its slot until there are N of these.
 * Then the oldest becomes stale, and its counts become release credit. The same happens if no other
 * slot is left." Silent: when this happens. Here it happens at the next create, one function at a
 * time. */
static void reclaim(unsigned most) {
  struct function *oldest = NULL;
  unsigned abandoned = 0;
  for (unsigned i = 0; i < created_count; i++) {
    struct function *function = &functions[created[i]];
    if (function->abandoned == 0) continue;
    abandoned++;
    if (oldest == NULL || function->abandoned < oldest->abandoned) oldest = function;
  }
  if (abandoned <= most) return;
  oldest->credit += oldest->count;
  oldest->count = 0;
  make_stale(oldest);
}

/* ---- The seven functions ---- */

napi_status reference_create(unsigned env, unsigned number, unsigned limit, unsigned count,
                             napi_status refusal, bool no_memory, bool no_record,
                             struct reference_handle *handle) {
  /* Silent: the env's record is allocated before the table is asked for a slot. If only a later
   * allocation fails, the create has already reclaimed a slot. */
  if (no_record) return napi_generic_failure;
  reclaim(settings.abandoned_max);
  if (no_memory && fresh == settings.slots && choose_slot() == ~0U) reclaim(0);
  if (no_memory) return napi_generic_failure;
  if (refusal == napi_ok && count == 0) refusal = napi_invalid_arg; /* the runtime says so */
  unsigned slot = choose_slot();
  if (slot == ~0U) {
    reclaim(0);
    slot = choose_slot();
  }
  /* "If every handle is used up and no address space is available, the runtime serves new functions
   * itself": the runtime of this fuzz target refuses to. */
  if (slot == ~0U) return refusal != napi_ok ? refusal : napi_generic_failure;
  /* Silent: a refused create clears what the slot knew, too, and the slot rests again. */
  forget_slot(slot);
  if (refusal != napi_ok) {
    slots[slot].freed = ++now;
    return refusal;
  }
  slots[slot].freed = 0;
  *handle = (struct reference_handle){slot, slots[slot].generation};
  struct function *function = &functions[number];
  memset(function, 0, offsetof(struct function, items));
  function->state = OPEN;
  function->env = env;
  function->handle = *handle;
  function->count = count;
  function->limit = limit;
  function->referenced = true;
  created[created_count++] = number;
  return napi_ok;
}

/* "Each thread gets napi_closing the first time and napi_invalid_arg from then on. A thread
 * remembers its last 16 such handles." Silent: an answer that consumes a count also counts as the
 * first time, and the same answer again does not make the handle newer. */
static bool was_reported(unsigned thread, struct reference_handle handle) {
  for (unsigned i = 0; i < REFERENCE_NOTICES; i++)
    if (same(notices[thread].handles[i], handle)) return true;
  notices[thread].handles[notices[thread].next] = handle;
  notices[thread].next = (notices[thread].next + 1) % REFERENCE_NOTICES;
  return false;
}

static bool is_full(const struct function *function) {
  return function->limit != 0 && function->length >= function->limit;
}

/* The quirk `late`: "call, acquire and release return napi_ok". But not once the slot remembers
 * nothing of the function. */
static bool is_late(const struct function *function) {
  return function->late && !function->forgotten;
}

static napi_status reject_closing(struct function *function, unsigned thread) {
  if (is_late(function)) return napi_ok;
  bool before = was_reported(thread, function->handle);
  if (function->count != 0) {
    function->count--;
    function->credit++;
    make_stale_if_over(function);
    return napi_closing;
  }
  return before ? napi_invalid_arg : napi_closing;
}

bool reference_would_wait(struct reference_handle handle, unsigned thread) {
  const struct function *function = find(handle);
  if (function == NULL || function->state != OPEN || !is_full(function)) return false;
  return thread != function->env || settings.deadlock == REFERENCE_HANG;
}

napi_status reference_call(struct reference_handle handle, unsigned thread, unsigned item,
                           bool blocking, bool no_memory) {
  struct function *function = find(handle);
  if (function == NULL) return napi_invalid_arg;
  /* Silent: which answer wins if the loop has decided and no memory is left. */
  if (no_memory && function->doomed) return napi_generic_failure;
  if (function->state != OPEN) return reject_closing(function, thread);
  if (is_full(function)) {
    if (!blocking) return napi_queue_full;
    if (settings.deadlock == REFERENCE_STATUS) return napi_would_deadlock;
  }
  if (no_memory) return napi_generic_failure;
  if (function->length == REFERENCE_ITEMS) abort();
  function->items[function->length++] = item;
  return napi_ok;
}

napi_status reference_acquire(struct reference_handle handle, unsigned thread) {
  (void)thread;
  struct function *function = find(handle);
  if (function == NULL) return napi_invalid_arg;
  if (function->state != OPEN) {
    if (!is_late(function)) return napi_closing;
    if (function->state != STALE) function->count++;
    return napi_ok;
  }
  function->count++;
  return napi_ok;
}

/* Silent: whether a release with abort closes if the count is 0. Here, as in Node, it does not. */
napi_status reference_release(struct reference_handle handle, unsigned thread, bool abort) {
  (void)thread;
  struct function *function = find(handle);
  if (function == NULL) return napi_invalid_arg;
  if (function->count != 0) {
    function->count--;
    if (abort && function->state == OPEN) function->state = CLOSING;
    make_stale_if_over(function);
    return napi_ok;
  }
  if (function->state == OPEN) return napi_invalid_arg;
  if (is_late(function)) return napi_ok;
  /* Silent: the credit ends when the slot is reused. */
  if (function->forgotten || function->credit == 0) return napi_invalid_arg;
  function->credit--;
  return napi_ok;
}

napi_status reference_get_context(struct reference_handle handle, unsigned thread, int *number) {
  (void)thread;
  struct function *function = find(handle);
  if (number == NULL) return napi_invalid_arg;
  *number = -1;
  if (function == NULL || function->forgotten) return napi_invalid_arg;
  *number = (int)(function - functions);
  return napi_ok;
}

/* Silent: if there are two requests before the loop's next turn, the later one counts, no matter
 * which thread made it. */
napi_status reference_ref(struct reference_handle handle, unsigned thread, bool ref) {
  struct function *function = find(handle);
  if (function == NULL) return napi_invalid_arg;
  if (function->state != OPEN) return napi_ok;
  if (thread != function->env) {
    function->pending_ref = ref ? REF : UNREF;
    return napi_ok;
  }
  function->pending_ref = NOTHING;
  function->referenced = ref;
  return napi_ok;
}

bool reference_is_ref(unsigned function, bool *matters) {
  *matters = functions[function].state == OPEN;
  return functions[function].referenced;
}

/* ---- The loop. As in the fake runtime, the newest function comes first. ---- */

static unsigned pop(struct function *function) {
  unsigned item = function->items[0];
  function->length--;
  memmove(function->items, function->items + 1, function->length * sizeof function->items[0]);
  return item;
}

/* "The loop thread decides when it takes the last item, before that item's callback runs." */
static void decide(struct function *function) {
  if (function->count == 0 && function->length == 0) function->state = CLOSING;
}

static void visit(struct function *function) {
  if (function->state == OPEN && function->pending_ref != NOTHING)
    function->referenced = function->pending_ref == REF;
  function->pending_ref = NOTHING;
  while (function->state == OPEN && function->length != 0) {
    unsigned item = pop(function);
    decide(function);
    addon.deliver((unsigned)(function - functions), item, true);
  }
  if (function->state == OPEN) decide(function);
  if (function->state == CLOSING) function->doomed = true;
}

static void finalize(struct function *function) {
  unsigned number = (unsigned)(function - functions);
  function->state = CLOSED;
  /* "If counts of a function are still held at its end, the function is not drained or
   * finalized." */
  bool leave_out = function->late && function->count != 0;
  while (function->length != 0) {
    unsigned item = pop(function);
    if (!leave_out) addon.deliver(number, item, false);
  }
  if (!leave_out) addon.finalize(number);
  function->finalized = true;
  if (function->count != 0) function->abandoned = ++now;
  make_stale_if_over(function);
}

/* Visits the functions that existed when it began, the newest first. */
static void for_each(unsigned env, void (*act)(struct function *)) {
  for (unsigned i = created_count; i-- > 0;)
    if (functions[created[i]].env == env) act(&functions[created[i]]);
}

static void finalize_if_doomed(struct function *function) {
  if (function->doomed && function->state == CLOSING) finalize(function);
}

void reference_turn(unsigned env) {
  for_each(env, visit);
  for_each(env, finalize_if_doomed);
}

static void tear_down(struct function *function) {
  if (function->state == OPEN) function->state = CLOSING;
  if (function->state == CLOSING) function->doomed = true;
  function->late = settings.late && !function->finalized;
}

void reference_end(unsigned env) {
  for_each(env, tear_down);
  for_each(env, finalize_if_doomed);
  /* The next env in this place is another env, so its functions must not be confused with these. */
  for (unsigned i = 0; i < created_count; i++)
    if (functions[created[i]].env == env) functions[created[i]].env = REFERENCE_ENVS + env;
}

unsigned reference_live(unsigned env) {
  unsigned live = 0;
  for (unsigned i = 0; i < created_count; i++) {
    const struct function *function = &functions[created[i]];
    if (function->env == env && !function->finalized) live++;
  }
  return live;
}
