/* A runtime and a host for the core that are no Node: small enough to be sure of, strict where Node is
 * lenient.
 *
 * Its thread-safe functions ("doorbells") behave as Node's do: dispatch one item at a time, close when the
 * count is 0 and the queue empty, finalize in the turn's closing phase. Every use of one after its finalizer
 * has run aborts the test. */
#ifndef TEST_FAKE_RUNTIME_H
#define TEST_FAKE_RUNTIME_H

#include <stdatomic.h>
#include <stdbool.h>

#include "core/api.h"
#include "core/callbacks.h"
#include "core/closing_notice.h"
#include "core/environment.h"
#include "core/function.h"
#include "core/handle_table.h"
#include "core/queue.h"

struct fake_env;

/* How this runtime is to be; reset by fake_reset. */
struct fake_settings {
  bool finalizes_first;      /* Node < 24.15: left-over rings are discarded after the finalizer, not before */
  bool keeps_closed;         /* Node >= 24.14 */
  bool forgets_next;         /* the next ring of a doorbell is answered with ok and forgotten */
  napi_status refuse_create; /* not napi_ok: what create answers */
  napi_status refuse_ring;   /* not napi_ok: what a doorbell's call answers */
  void (*before_ring)(
      void); /* what happens just before a doorbell is rung, and just after; each once, NULL: nothing */
  void (*after_ring)(void);
  bool refuses_hooks;             /* no env cleanup hook can be added */
  void (*after_finalizers)(void); /* what happens at the end of an env, where it finalizes what is wrapped */
  bool throws;                    /* call_js finds that each call_js_cb has thrown */
  int allocations_left;           /* negative: no limit; else so many succeed */
  unsigned reserve_bits_max;      /* larger reservations are refused */
};
extern struct fake_settings fake_settings;

/* What has happened since fake_reset. */
extern atomic_uint fake_events[TG_EVENT_KINDS];
extern _Atomic uint64_t fake_quantity[TG_EVENT_KINDS]; /* of the last one */
extern struct tg_addon fake_addon; /* all code below 1 MiB is of this one, but for code at odd addresses */
extern atomic_uint fake_adopted;   /* how often an address was looked up */
extern atomic_uint fake_joined;
extern atomic_uint fake_left; /* envs that have ended in which it has created functions */
extern unsigned long long fake_unloads;
extern atomic_uint fake_refs, fake_unrefs;
extern atomic_uint fake_rings; /* items given to doorbells */

void fake_reset(void);

extern const struct tg_runtime fake_runtime;
extern const struct tg_host fake_host;

/* A guard on this runtime, and its end (the memory is given back, unlike in production). */
struct tg_guard *fake_guard_open(enum tg_deadlock deadlock);

/* Before the first create: gives it only so many slots and generations, and no address space beyond. */
void fake_guard_shrink(struct tg_guard *guard, unsigned index_bits, unsigned generation_bits);

void fake_guard_close(struct tg_guard *guard);

/* The calling thread is its loop thread. */
struct fake_env *fake_env_open(void);
napi_env fake_napi_env(struct fake_env *env);
void fake_env_turn(struct fake_env *env);     /* one turn of the loop; does not wait */
unsigned fake_env_live(struct fake_env *env); /* doorbells that are not finalized */
void fake_env_close(struct fake_env *env); /* cleanup hooks, last first; then the finalizers; frees the env */

#endif
