/* Runs the same sequence of operations on the core, with the fake runtime, and on the reference.
 * Compares every answer, delivery, finalizer, context, handle and ref state. One real thread plays
 * three.
 *
 * Input: two bytes of settings, then four bytes for each step: the operation, the thread, the
 * handle, and an argument. An item or a finalizer may carry an action, which is done in its
 * callback. A call may carry an action that another thread does while the call rings. The result
 * must be the same as if that action came just after the call. If FUZZ_TRACE is set, every step is
 * printed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_runtime.h"
#include "pretended_threads.h"
#include "reference.h"

enum operation {
  CALL,
  CALL_BLOCKING,
  ACQUIRE,
  RELEASE,
  ABORT,
  GET_CONTEXT,
  REF,
  UNREF,
  CREATE,
  OPERATIONS_IN_CALLBACKS,
  /* Only as steps of their own, not as actions: */
  GET_CONTEXT_NULL = OPERATIONS_IN_CALLBACKS,
  TURN,
  END_ENV,
  OPEN_ENV,
  ALLOCATIONS,
  REFUSE_CREATE,
  OPERATIONS,
  /* Not operations, but kinds of events: */
  DELIVER = OPERATIONS,
  FINALIZE,
  KINDS
};

static const char *const kind_names[KINDS] = {
    "call", "call_blocking", "acquire", "release",          "abort",   "get_context",
    "ref",  "unref",         "create",  "get_context_null", "turn",    "end_env",
    "open", "allocations",   "refuse",  "deliver",          "finalize"};

/* What to do, and on which handle. */
struct action {
  uint8_t operation, target, argument;
};

static const struct action no_action = {OPERATIONS, 0, 0};

/* What happened in a world. `value` is the context, the function's number, the item and so on. */
struct event {
  int kind, thread, slot, generation, status, value;
  /* this failed because there was no memory; only the core knows when it allocates */
  bool no_memory;
  bool no_record; /* it failed before the table was asked for a slot */
  bool within;    /* this happened during a call's ring; only the core knows when it rings */
};

enum { NO_CALLBACK = ~0U, EVENTS = 8192, FUNCTIONS = 64, ITEMS = 512, STEPS = 400 };

/* One of two worlds: the core, or the reference. Both get the same actions. */
struct world {
  struct event events[EVENTS];
  unsigned event_count;
  struct reference_handle handles[FUNCTIONS];
  unsigned functions, items;
  struct action item_actions[ITEMS];
  struct action finalizer_actions[FUNCTIONS];
};

static struct world real, model;
static struct world *world; /* the one that acts */
static struct tg_guard *guard;
static unsigned index_bits, generation_bits; /* of the core's table, which has one segment */
static struct fake_env *envs[REFERENCE_ENVS];
static unsigned in_callback_of; /* the function whose callback runs, by number, or NO_CALLBACK */
static bool ending, traced;
static unsigned step_began; /* where this step's events begin, in both worlds */

/* ---- Events ---- */

static void print_events(const char *name, const struct world *from, unsigned first, unsigned end) {
  for (unsigned i = first; i < end; i++) {
    const struct event *event = &from->events[i];
    fprintf(stderr, "%s %3u: thread %d %s %d.%d: %d, value %d%s\n", name, i, event->thread,
            kind_names[event->kind], event->slot, event->generation, event->status, event->value,
            event->no_memory ? ", no memory" : "");
  }
}

static void record_event(struct event event) {
  if (world->event_count == EVENTS) abort();
  event.thread = (int)pretended_thread;
  world->events[world->event_count++] = event;
}

static bool events_equal(void) {
  if (real.event_count != model.event_count) return false;
  for (unsigned i = step_began; i < real.event_count; i++) {
    const struct event *a = &real.events[i], *b = &model.events[i];
    if (a->kind != b->kind || a->thread != b->thread || a->slot != b->slot ||
        a->generation != b->generation || a->status != b->status || a->value != b->value)
      return false;
  }
  return true;
}

static void fail(const char *what) {
  print_events("both     ", &real, 0, step_began);
  print_events("core     ", &real, step_began, real.event_count);
  print_events("reference", &model, step_began, model.event_count);
  fprintf(stderr, "fuzz_guard: %s\n", what);
  abort();
}

static void demand(bool holds, const char *what) {
  if (!holds) fail(what);
}

/* ---- Handles ---- */

/* docs/design.md: base + 16 * (generation * slots + index). */
static napi_threadsafe_function real_handle(struct reference_handle handle) {
  uintptr_t number = (uintptr_t)handle.generation << index_bits | handle.slot;
  return (napi_threadsafe_function)(guard->table.segments[0].base + (number << TG_HANDLE_SHIFT));
}

/* The handle that a target byte stands for, in both worlds. Mostly it is one of the handles that
 * were given out, and most often one of the latest. Otherwise it is any slot and generation, or a
 * value that is not a handle at all (NULL and others). In a callback 0 stands for the function
 * itself. */
struct value {
  struct reference_handle handle;
  napi_threadsafe_function bits;
};

static struct value no_handle(unsigned choice) {
  const struct tg_segment *segment = &guard->table.segments[0];
  uintptr_t base = segment->base, end = base + (segment->handles << TG_HANDLE_SHIFT);
  const uintptr_t bits[] = {0,   base + 1, base + 8, base - 16,
                            end, end + 16, 16,       UINTPTR_MAX & ~(uintptr_t)15};
  /* Once every handle is used up, values outside the reservation go to the runtime. */
  unsigned choices = atomic_load(&guard->passes_through) ? 3 : 8;
  return (struct value){reference_garbage, (napi_threadsafe_function)bits[choice % choices]};
}

static struct value value_of(uint8_t target) {
  if (target >= 0xf0) return no_handle(target);
  if (target == 0 && in_callback_of != NO_CALLBACK) {
    struct reference_handle own = world->handles[in_callback_of];
    return (struct value){own, real_handle(own)};
  }
  struct reference_handle handle = {target & 7, target >> 3 & 3};
  if (target >= 0xe0) {
    if (handle.slot >= 1U << index_bits || handle.generation >= 1U << generation_bits)
      return no_handle(0);
  } else {
    if (world->functions == 0) return no_handle(0);
    /* the latest handles more often than the others */
    unsigned back = target < 0x80 ? target % 4 : target;
    handle = world->handles[world->functions - 1 - back % world->functions];
  }
  return (struct value){handle, real_handle(handle)};
}

/* ---- What both worlds call back ---- */

static void perform(struct action action);

static void perform_in_callback(struct action action, unsigned function) {
  unsigned outer = in_callback_of;
  in_callback_of = function;
  perform(action);
  in_callback_of = outer;
}

static void deliver(unsigned function, unsigned item, bool live) {
  record_event(
      (struct event){.kind = DELIVER, .slot = (int)function, .status = live, .value = (int)item});
  struct action action = world->item_actions[item];
  world->item_actions[item] = no_action;
  perform_in_callback(action, function);
}

static void finalize(unsigned function) {
  record_event((struct event){.kind = FINALIZE, .slot = (int)function});
  perform_in_callback(world->finalizer_actions[function], function);
}

/* ---- The core's world ---- */

enum { NO_JS = 1, NO_FINALIZER = 2 };

/* a function's context is the address of the entry at the function's number */
static char contexts[FUNCTIONS];
static uint8_t flags[FUNCTIONS];
static unsigned creating; /* the number of the function that is being created */
static struct {
  napi_threadsafe_function doorbell;
  bool referenced;
} doorbells[FUNCTIONS];
static struct tg_runtime runtime;

static unsigned number_of(const void *context) {
  return (unsigned)((const char *)context - contexts);
}

static void real_call_js(napi_env env, napi_value js_callback, void *context, void *data) {
  demand((env == NULL) == (js_callback == NULL),
         "a function without an env, or the other way round");
  deliver(number_of(context), (unsigned)(uintptr_t)data, env != NULL);
}

static void real_finalize(napi_env env, void *data, void *hint) {
  demand(env != NULL && data == hint, "the finalizer got wrong arguments");
  finalize(number_of(data));
}

static napi_status record_doorbell(napi_env env, napi_value func, napi_value resource,
                                   napi_value name, size_t max, size_t count, void *data,
                                   napi_finalize finalize_cb, void *context,
                                   napi_threadsafe_function_call_js call_js_cb,
                                   napi_threadsafe_function *result) {
  bool unguarded = call_js_cb != tg_on_dispatch;
  if (unguarded && fake_settings.refuse_create == napi_ok && count != 0)
    return napi_generic_failure;
  napi_status status = fake_runtime.create(env, func, resource, name, max, count, data, finalize_cb,
                                           context, call_js_cb, result);
  if (status != napi_ok) return status;
  doorbells[creating].doorbell = *result;
  doorbells[creating].referenced = true;
  return napi_ok;
}

static void set_referenced(napi_threadsafe_function doorbell, bool referenced) {
  for (unsigned i = 0; i < FUNCTIONS; i++)
    if (doorbells[i].doorbell == doorbell) doorbells[i].referenced = referenced;
}

static napi_status record_ref(napi_env env, napi_threadsafe_function doorbell) {
  set_referenced(doorbell, true);
  return fake_runtime.ref(env, doorbell);
}

static napi_status record_unref(napi_env env, napi_threadsafe_function doorbell) {
  set_referenced(doorbell, false);
  return fake_runtime.unref(env, doorbell);
}

static napi_status real_create(unsigned env, unsigned limit, unsigned count,
                               struct reference_handle *handle) {
  creating = world->functions;
  char *context = &contexts[creating];
  const struct tg_create_arguments arguments = {
      .env = fake_napi_env(envs[env]),
      .func = (napi_value)(void *)context,
      .async_resource_name = (napi_value)(void *)"fuzz",
      .max_queue_size = limit,
      .initial_thread_count = count,
      .thread_finalize_data = context,
      .thread_finalize_cb = flags[creating] & NO_FINALIZER ? NULL : real_finalize,
      .context = context,
      .call_js_cb = flags[creating] & NO_JS ? NULL : real_call_js,
  };
  napi_threadsafe_function func = NULL;
  napi_status status = tg_create(guard, &arguments, (const void *)0x1000, &func);
  if (status != napi_ok) return status;
  uintptr_t number = ((uintptr_t)func - guard->table.segments[0].base) >> TG_HANDLE_SHIFT;
  *handle = (struct reference_handle){(unsigned)(number & ((1U << index_bits) - 1)),
                                      (unsigned)(number >> index_bits)};
  demand(real_handle(*handle) == func, "a handle is misaligned or out of the reservation");
  return napi_ok;
}

static napi_status real_get_context(napi_threadsafe_function func, int *value) {
  void *context = &context;
  napi_status status = tg_get_context(guard, func, NULL, &context);
  *value = context == NULL ? -1 : (int)number_of(context);
  return status;
}

static napi_status real_perform(enum operation operation, napi_threadsafe_function func,
                                unsigned item, int *value) {
  switch (operation) {
    case CALL:
      return tg_call(guard, func, NULL, (void *)(uintptr_t)item, napi_tsfn_nonblocking);
    case CALL_BLOCKING:
      return tg_call(guard, func, NULL, (void *)(uintptr_t)item, napi_tsfn_blocking);
    case ACQUIRE:
      return tg_acquire(guard, func, NULL);
    case RELEASE:
      return tg_release(guard, func, NULL, napi_tsfn_release);
    case ABORT:
      return tg_release(guard, func, NULL, napi_tsfn_abort);
    case GET_CONTEXT:
      return real_get_context(func, value);
    case GET_CONTEXT_NULL:
      return tg_get_context(guard, func, NULL, NULL);
    case REF:
      return tg_ref(guard, NULL, func, NULL);
    case UNREF:
      return tg_unref(guard, NULL, func, NULL);
    default:
      abort();
  }
}

/* ---- The reference's world ---- */

static void model_finalize(unsigned function) {
  if (!(flags[function] & NO_FINALIZER)) finalize(function);
}

static void model_deliver(unsigned function, unsigned item, bool live) {
  if (!(flags[function] & NO_JS)) deliver(function, item, live);
}

static napi_status model_perform(enum operation operation, struct reference_handle handle,
                                 unsigned item, bool no_memory, int *value) {
  switch (operation) {
    case CALL:
    case CALL_BLOCKING:
      return reference_call(handle, pretended_thread, item, operation == CALL_BLOCKING, no_memory);
    case ACQUIRE:
      return reference_acquire(handle, pretended_thread);
    case RELEASE:
    case ABORT:
      return reference_release(handle, pretended_thread, operation == ABORT);
    case GET_CONTEXT:
      return reference_get_context(handle, pretended_thread, value);
    case GET_CONTEXT_NULL:
      return reference_get_context(handle, pretended_thread, NULL);
    case REF:
    case UNREF:
      return reference_ref(handle, pretended_thread, operation == REF);
    default:
      abort();
  }
}

/* ---- Actions ---- */

/* Whether the core failed at this event because there was no memory. The core does each step first,
 * and then the reference. */
static bool core_had_no_memory(void) {
  return model.event_count < real.event_count && real.events[model.event_count].no_memory;
}

static bool core_had_no_record(void) {
  return model.event_count < real.event_count && real.events[model.event_count].no_record;
}

static bool lacks_memory(napi_status status) {
  return status == napi_generic_failure && fake_settings.allocations_left == 0;
}

static void create(struct action action) {
  unsigned env = pretended_thread, limit = action.argument & 3,
           count = (action.argument >> 2 & 7) % 5;
  if (env >= REFERENCE_ENVS || envs[env] == NULL || ending || world->functions == FUNCTIONS) return;
  struct event event = {.kind = CREATE, .value = (int)world->functions};
  struct reference_handle handle = reference_garbage;
  if (world == &real) {
    flags[world->functions] = action.argument >> 6;
    uint64_t taken = guard->table.taken;
    event.status = (int)real_create(env, limit, count, &handle);
    event.no_memory = lacks_memory((napi_status)event.status);
    event.no_record = event.no_memory && guard->table.taken == taken;
  } else {
    event.status =
        (int)reference_create(env, world->functions, limit, count, fake_settings.refuse_create,
                              core_had_no_memory(), core_had_no_record(), &handle);
  }
  event.slot = (int)handle.slot;
  event.generation = (int)handle.generation;
  record_event(event);
  if (event.status != napi_ok) return;
  world->handles[world->functions] = handle;
  const struct action at_the_end = {action.target % OPERATIONS, action.target / OPERATIONS, 0};
  world->finalizer_actions[world->functions] =
      at_the_end.operation < OPERATIONS_IN_CALLBACKS ? at_the_end : no_action;
  world->functions++;
}

static unsigned new_item(uint8_t argument) {
  if (world->items == ITEMS - 1) return ITEMS - 1;
  struct action action = no_action;
  if (in_callback_of == NO_CALLBACK && (argument & 15) < OPERATIONS_IN_CALLBACKS)
    action = (struct action){argument & 15, argument >> 4, argument};
  world->item_actions[world->items] = action;
  return world->items++;
}

/* ---- What another thread does while a call rings ---- */

static struct {
  struct action action; /* no_action: nothing */
  napi_threadsafe_function bits;
  bool before, now;
} interruption = {.action = {OPERATIONS, 0, 0}};

/* Reads the other thread's action from a call's argument, if the argument does not give the item an
 * action. */
static void choose_interruption(struct action call) {
  static const enum operation operations[16] = {
      CALL,        ACQUIRE,     RELEASE, ABORT,   REF,     UNREF,   RELEASE, CALL,
      GET_CONTEXT, GET_CONTEXT, RELEASE, ACQUIRE, RELEASE, RELEASE, CALL,    ABORT};
  interruption.action = no_action;
  if (in_callback_of != NO_CALLBACK || (call.argument & 15) < 12) return;
  interruption.action = (struct action){(uint8_t)operations[call.argument >> 4], call.target,
                                        OPERATIONS_IN_CALLBACKS};
  interruption.before = call.argument & 1;
}

static void interrupt(void) {
  unsigned thread = pretended_thread;
  struct action action = interruption.action;
  interruption.action = no_action;
  interruption.now = true;
  pretend_thread((thread + 1) % PRETENDED_THREADS);
  perform(action);
  pretend_thread(thread);
  interruption.now = false;
}

/* If the core rings with the lock held, no other thread can do anything, so nothing happens
 * here. */
static void interrupt_ring(void) {
  uint32_t generation;
  struct tg_function *function = tg_table_locate(&guard->table, interruption.bits, &generation);
  if (function == NULL || !tg_lock_try(&function->lock)) return;
  tg_lock_release_tried(&function->lock);
  interrupt();
}

static napi_status real_call(enum operation operation, napi_threadsafe_function func,
                             unsigned item) {
  bool may_ring = interruption.action.operation < OPERATIONS;
  interruption.bits = func;
  if (may_ring && interruption.before) fake_settings.before_ring = interrupt_ring;
  if (may_ring && !interruption.before) fake_settings.after_ring = interrupt_ring;
  napi_status status = real_perform(operation, func, item, NULL);
  fake_settings.before_ring = fake_settings.after_ring = NULL;
  interruption.action = no_action;
  return status;
}

/* Whether another thread's action interrupted this call in the core, which has already done the
 * step. In the core's events that action comes before the call itself. */
static bool core_was_interrupted(void) {
  return model.event_count < real.event_count && real.events[model.event_count].within &&
         !interruption.now;
}

static napi_status model_call(enum operation operation, struct reference_handle handle,
                              unsigned item) {
  bool interrupted = core_was_interrupted();
  napi_status status =
      model_perform(operation, handle, item, !interrupted && core_had_no_memory(), NULL);
  if (interrupted) interrupt();
  interruption.action = no_action;
  return status;
}

static void perform(struct action action) {
  if (action.operation == CREATE) create(action);
  if (action.operation > GET_CONTEXT_NULL || action.operation == CREATE) return;
  struct value value = value_of(action.target);
  enum operation operation = (enum operation)action.operation;
  /* The call must not wait, because there is no other thread that would end the wait. In a callback
   * the reference and the core have not done the same steps, so reference_would_wait can be used
   * only for a call that is a step of its own. */
  if (operation == CALL_BLOCKING &&
      (in_callback_of != NO_CALLBACK || reference_would_wait(value.handle, pretended_thread)))
    operation = CALL;
  bool is_call = operation == CALL || operation == CALL_BLOCKING;
  unsigned item = is_call ? new_item(action.argument) : 0;
  bool within = interruption.now;
  if (is_call && !within) choose_interruption(action);
  struct event event = {.kind = (int)operation,
                        .slot = (int)value.handle.slot,
                        .generation = (int)value.handle.generation,
                        .value = -1,
                        .within = within};
  if (world == &real) {
    event.status =
        (int)(is_call && !within ? real_call(operation, value.bits, item)
                                 : real_perform(operation, value.bits, item, &event.value));
    event.no_memory = lacks_memory((napi_status)event.status);
  } else if (is_call && !within) {
    event.status = (int)model_call(operation, value.handle, item);
  } else {
    event.status =
        (int)model_perform(operation, value.handle, item, core_had_no_memory(), &event.value);
  }
  record_event(event);
}

static void turn(unsigned env) {
  record_event((struct event){.kind = TURN, .value = (int)env});
  if (world == &real)
    fake_env_turn(envs[env]);
  else
    reference_turn(env);
}

static void end_env(unsigned env) {
  struct event event = {.kind = END_ENV, .value = (int)env};
  ending = true;
  if (world == &real) {
    fake_env_close(envs[env]);
    envs[env] = NULL;
  } else {
    reference_end(env);
  }
  ending = false;
  record_event(event);
}

/* ---- Steps ---- */

static void compare(void) {
  demand(events_equal(), "the core and the reference differ");
  for (unsigned i = 0; i < real.functions; i++) {
    bool matters, referenced = reference_is_ref(i, &matters);
    demand(!matters || referenced == doorbells[i].referenced, "a function's ref state is wrong");
  }
  for (unsigned env = 0; env < REFERENCE_ENVS; env++)
    demand(envs[env] == NULL || fake_env_live(envs[env]) == reference_live(env),
           "functions live too long or short");
  if (traced) print_events("both     ", &real, step_began, real.event_count);
  step_began = real.event_count;
}

static void in_both(void (*act)(unsigned), unsigned argument) {
  unsigned thread = pretended_thread;
  world = &real;
  act(argument);
  pretend_thread(thread);
  world = &model;
  act(argument);
  compare();
}

static struct action step_action;

static void act_on_step(unsigned unused) {
  (void)unused;
  perform(step_action);
}

static void on_env(enum operation operation, unsigned env) {
  pretend_thread(env);
  if (operation == OPEN_ENV && envs[env] == NULL) envs[env] = fake_env_open();
  if (envs[env] == NULL) return;
  if (operation == TURN) in_both(turn, env);
  if (operation == END_ENV) in_both(end_env, env);
}

/* The operation that a step's first byte stands for. Common operations have more values than rare
 * ones. */
static const uint8_t operation_of[32] = {CALL,
                                         CALL,
                                         CALL,
                                         CALL,
                                         CALL_BLOCKING,
                                         CALL_BLOCKING,
                                         ACQUIRE,
                                         ACQUIRE,
                                         ACQUIRE,
                                         RELEASE,
                                         RELEASE,
                                         RELEASE,
                                         RELEASE,
                                         ABORT,
                                         REF,
                                         REF,
                                         UNREF,
                                         UNREF,
                                         CREATE,
                                         CREATE,
                                         CREATE,
                                         CREATE,
                                         TURN,
                                         TURN,
                                         TURN,
                                         TURN,
                                         TURN,
                                         END_ENV,
                                         OPEN_ENV,
                                         GET_CONTEXT,
                                         GET_CONTEXT_NULL,
                                         ALLOCATIONS};

static void step(const uint8_t bytes[4]) {
  enum operation operation = (enum operation)operation_of[bytes[0] % 32];
  if (operation == ALLOCATIONS && bytes[2] % 4 == 0) operation = REFUSE_CREATE;
  pretend_thread(bytes[1] % PRETENDED_THREADS);
  step_action = (struct action){(uint8_t)operation, bytes[2], bytes[3]};
  if (operation == CREATE) pretended_thread %= REFERENCE_ENVS; /* only these threads have an env */
  switch (operation) {
    case TURN:
    case END_ENV:
    case OPEN_ENV:
      on_env(operation, bytes[1] % REFERENCE_ENVS);
      break;
    case ALLOCATIONS:
      fake_settings.allocations_left = bytes[1] % 8 == 7 ? -1 : bytes[1] % 4;
      break;
    case REFUSE_CREATE:
      fake_settings.refuse_create = bytes[1] % 2 == 0 ? napi_ok : napi_pending_exception;
      break;
    default:
      in_both(act_on_step, 0);
  }
}

/* ---- A run ---- */

static void begin(const uint8_t bytes[2]) {
  traced = getenv("FUZZ_TRACE") != NULL;
  fake_reset();
  fake_settings.finalizes_first = bytes[0] & 1;
  enum tg_deadlock deadlock = (enum tg_deadlock)((bytes[0] >> 1 & 3) % 3);
  pretended_threads_reset();
  guard = fake_guard_open(deadlock);
  runtime = fake_runtime;
  runtime.create = record_doorbell;
  runtime.ref = record_ref;
  runtime.unref = record_unref;
  guard->runtime = &runtime;
  struct tg_table *table = &guard->table;
  index_bits = 2 + (bytes[0] >> 3 & 3);
  generation_bits = 1 + (bytes[0] >> 5 & 1);
  fake_guard_shrink(guard, index_bits, generation_bits);
  table->free_slots_min = 1 + (bytes[1] & 3);
  table->abandoned_max = bytes[1] >> 2 & 3;
  bool late = bytes[1] & 16;
  fake_addon.quirks = late ? TG_QUIRK_LATE : 0;
  const struct reference_settings settings = {.slots = 1U << index_bits,
                                              .generations = 1U << generation_bits,
                                              .free_slots_min = table->free_slots_min,
                                              .abandoned_max = table->abandoned_max,
                                              .deadlock = (enum reference_deadlock)deadlock,
                                              .late = late};
  const struct reference_addon addon = {model_deliver, model_finalize};
  reference_start(&settings, &addon);
  real.event_count = real.functions = real.items = 0;
  model.event_count = model.functions = model.items = 0;
  memset(doorbells, 0, sizeof doorbells);
  step_began = 0;
  in_callback_of = NO_CALLBACK;
  ending = false;
  for (unsigned env = 0; env < REFERENCE_ENVS; env++) envs[env] = fake_env_open();
}

static void end(void) {
  for (unsigned env = 0; env < REFERENCE_ENVS; env++) on_env(END_ENV, env);
  /* Whatever the sequence was, every kind of late call follows: the right half of the contract's
   * table. */
  pretend_thread(PRETENDED_THREADS - 1);
  for (unsigned i = 0; i < real.functions; i++) {
    static const enum operation late[] = {CALL, ACQUIRE, GET_CONTEXT, RELEASE, CALL, REF};
    for (unsigned j = 0; j < sizeof late / sizeof late[0]; j++) {
      step_action = (struct action){(uint8_t)late[j], (uint8_t)i, OPERATIONS};
      in_both(act_on_step, 0);
    }
  }
  fake_guard_close(guard);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return -1;
  begin(data);
  data += 2;
  size -= 2;
  for (unsigned i = 0; i < STEPS && size >= 4; i++, data += 4, size -= 4) step(data);
  end();
  return 0;
}
