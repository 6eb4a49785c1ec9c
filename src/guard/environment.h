/* Env lifetime: what the guard remembers of a napi_env that creates thread-safe functions.
 *
 * A record is made at an env's first create and registers one cleanup hook before the first doorbell exists;
 * so it runs after the runtime's hooks for all doorbells. */
#ifndef TG_GUARD_ENVIRONMENT_H
#define TG_GUARD_ENVIRONMENT_H

#include <node_api.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct tg_guard;
struct tg_addon;

enum { TG_ENVIRONMENT_ADDONS = 16, TG_CODE_PLACES = 3 };

struct tg_environment {
  struct tg_guard *guard;      /* constant */
  napi_env env;                /* constant */
  pthread_t loop_thread;       /* constant */
  uint32_t number;             /* constant; 1 for the process's first */
  bool may_be_ended;           /* constant; while its JavaScript runs: a worker's */
  atomic_uint references;      /* one for the list, one for every function that is not free */
  struct tg_environment *next; /* guarded by the guard's environments_lock */

  bool ended;            /* its cleanup hook has run; loop thread only */
  bool tells_unreleased; /* a hook is to run that tells of counts which are out; loop thread only */

  /* Loop thread only: the objects that have created functions here, and a cache of where the last create came from. Where
   * code is holds as long as the host has counted as many unloads. */
  unsigned long long unloads;
  struct tg_addon *addons[TG_ENVIRONMENT_ADDONS];
  bool is_located[TG_ENVIRONMENT_ADDONS]; /* since the last unload */
  const void *code[TG_CODE_PLACES];
  struct tg_addon *code_addon[TG_CODE_PLACES];
};

/* The env's record, referenced for the caller; made when there is none. Loop thread. NULL: no memory, or the
 * runtime refuses the hook (a NULL env, say). */
struct tg_environment *tg_environment_enter(struct tg_guard *guard, napi_env env);

void tg_environment_leave(struct tg_environment *environment);

/* Adopts the objects that hold the given code; returns the first place's. NULL places are passed over. Loop
 * thread, no lock held. */
struct tg_addon *tg_environment_adopt(struct tg_environment *environment,
                                      const void *const places[TG_CODE_PLACES]);

#endif
