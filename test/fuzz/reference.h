/* What the seven functions answer, written from docs/contract.md alone. It is the slow and simple
 * reference with which fuzz_guard compares the core.
 *
 * It never blocks and knows no real threads. A caller is a number. A call must not be made if
 * reference_would_wait says that it would wait. Comments that begin with "Silent" say what happens
 * where the contract is silent. */
#ifndef TEST_FUZZ_REFERENCE_H
#define TEST_FUZZ_REFERENCE_H

#include <node_api.h>
#include <stdbool.h>

enum {
  REFERENCE_ENVS = 2,    /* thread N is env N's loop thread... */
  REFERENCE_THREADS = 3, /* ...and the last thread is no env's */
  REFERENCE_FUNCTIONS = 128,
  REFERENCE_ITEMS = 512, /* in one queue */
  REFERENCE_NOTICES = 16,
};

enum reference_deadlock { REFERENCE_OVERFLOW, REFERENCE_STATUS, REFERENCE_HANG };

struct reference_settings {
  unsigned slots, generations; /* how many handles there are, slots times generations */
  unsigned free_slots_min, abandoned_max;
  enum reference_deadlock deadlock;
  bool late; /* the addon has the quirk of that name, and all envs are those of workers */
};

/* The addon's callbacks. Both may call the functions below. */
struct reference_addon {
  void (*deliver)(unsigned function, unsigned item, bool live);
  void (*finalize)(unsigned function);
};

struct reference_handle {
  unsigned slot, generation;
};

/* A value that is not a handle. */
static const struct reference_handle reference_garbage = {~0U, ~0U};

void reference_start(const struct reference_settings *settings,
                     const struct reference_addon *addon);

/* `function` is the number that the caller chooses for the function, below REFERENCE_FUNCTIONS and
 * not used yet. `refusal` is the runtime's answer. `no_memory`: an allocation fails. `no_record`:
 * the allocation of the env's record already fails. */
napi_status reference_create(unsigned env, unsigned function, unsigned limit, unsigned count,
                             napi_status refusal, bool no_memory, bool no_record,
                             struct reference_handle *handle);
napi_status reference_call(struct reference_handle handle, unsigned thread, unsigned item,
                           bool blocking, bool no_memory);
napi_status reference_acquire(struct reference_handle handle, unsigned thread);
napi_status reference_release(struct reference_handle handle, unsigned thread, bool abort);
/* *function becomes the number of the function whose context is returned, or -1 for NULL. If
 * `function` is NULL, the caller passes no place for the result. */
napi_status reference_get_context(struct reference_handle handle, unsigned thread, int *function);
napi_status reference_ref(struct reference_handle handle, unsigned thread, bool ref);

/* Whether a blocking call would now wait for ever, because no other thread runs. */
bool reference_would_wait(struct reference_handle handle, unsigned thread);

/* A turn of the env's loop, and the env's end */
void reference_turn(unsigned env);
void reference_end(unsigned env);

/* Whether the function keeps its loop alive. *matters is false if nobody can notice that any
 * more. */
bool reference_is_ref(unsigned function, bool *matters);

/* How many functions of an env still wait for their finalizer. */
unsigned reference_live(unsigned env);

#endif
