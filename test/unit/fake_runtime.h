/* A runtime and a host for the core, without Node. They are so small that one can be sure of them,
 * and strict where Node is lenient.
 *
 * The runtime's thread-safe functions ("doorbells") behave like Node's: they dispatch one item at a
 * time, close when the count is 0 and the queue is empty, and are finalized in the turn's closing
 * phase. A use of a doorbell after its finalizer has run aborts the test. */
#ifndef TEST_FAKE_RUNTIME_H
#define TEST_FAKE_RUNTIME_H

#include <stdatomic.h>
#include <stdbool.h>

#include "core/api.h"
#include "core/callbacks.h"
#include "core/closing_notice.h"
#include "core/cohort.h"
#include "core/environment.h"
#include "core/function.h"
#include "core/handle_table.h"
#include "core/queue.h"

struct fake_env;

/* How this runtime behaves. fake_reset resets it. */
struct fake_settings {
  /* Node < 24.15: left-over rings are discarded after the finalizer, not before */
  bool finalizes_first;
  bool keeps_closed;         /* Node >= 24.14 */
  bool forgets_next;         /* the next ring of a doorbell returns ok and is dropped */
  napi_status refuse_create; /* not napi_ok: what create returns */
  napi_status refuse_ring;   /* not napi_ok: what a doorbell's call returns */
  /* run just before and just after a doorbell's next ring, once each; NULL: nothing */
  void (*before_ring)(void);
  void (*after_ring)(void);
  bool refuses_hooks;             /* no env cleanup hook can be added */
  void (*after_finalizers)(void); /* run at the env's end, when wrapped objects are finalized */
  bool throws;                    /* call_js reports that each call_js_cb has thrown */
  int allocations_left;           /* negative: no limit; else this many succeed */
  unsigned reserve_bits_max;      /* larger reservations are refused */
};
extern struct fake_settings fake_settings;

/* What has happened since fake_reset. */
extern atomic_uint fake_events[TG_EVENT_KINDS];
extern _Atomic uint64_t fake_quantity[TG_EVENT_KINDS]; /* of the last event of that kind */
extern struct tg_addon fake_addon; /* has all code below 1 MiB, except code at odd addresses */
extern atomic_uint fake_lookups;   /* how often an address was looked up */
extern atomic_uint fake_joined;
extern atomic_uint fake_left; /* how many envs with functions of fake_addon have ended */
extern unsigned long long fake_unloads;
extern atomic_uint fake_refs, fake_unrefs;
extern atomic_uint fake_rings; /* items given to doorbells */

void fake_reset(void);

extern const struct tg_runtime fake_runtime;
extern const struct tg_host fake_host;

/* A guard on this runtime, and its end. (The memory is given back, unlike in production.) */
struct tg_guard *fake_guard_open(enum tg_deadlock deadlock);

/* Limits the guard to this many slots and generations (as powers of two), and refuses it any more
 * address space. Must be called before the first create. */
void fake_guard_shrink(struct tg_guard *guard, unsigned index_bits, unsigned generation_bits);

void fake_guard_close(struct tg_guard *guard);

/* The calling thread becomes its loop thread. */
struct fake_env *fake_env_open(void);
napi_env fake_napi_env(struct fake_env *env);
void fake_env_turn(struct fake_env *env);     /* one turn of the loop; does not wait */
unsigned fake_env_live(struct fake_env *env); /* doorbells that are not finalized yet */
/* runs the cleanup hooks, the last one first, and then finalizers; frees the env */
void fake_env_close(struct fake_env *env);

#endif
