/* The records of envs: who made thread-safe functions there, and when the env has ended.
 *
 * A record is made at an env's first create and registers one cleanup hook before the first doorbell exists;
 * so it runs after the runtime's hooks for all doorbells. */
#ifndef TG_CORE_ENVIRONMENT_H
#define TG_CORE_ENVIRONMENT_H

#include "core/types.h"

/* The env's record, referenced for the caller; made when there is none, with `hook` as the env's cleanup hook, whose
 * argument it is. Loop thread. NULL: no memory, or the runtime refuses the hook (a NULL env, say). */
struct tg_environment *tg_environment_enter(struct tg_guard *guard, napi_env env, void (*hook)(void *));

/* The env has ended: leaves its addons, and gives up the reference of the list. Loop thread, once. */
void tg_environment_end(struct tg_environment *environment);

void tg_environment_leave(struct tg_environment *environment);

/* Adopts the objects that hold the given code; returns the first place's. NULL places are passed over. Loop
 * thread, no lock held. */
struct tg_addon *tg_environment_register_code(struct tg_environment *environment,
                                              const void *const places[TG_CODE_PLACES]);

#endif
