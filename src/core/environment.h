/* The records of envs: which addons made thread-safe functions in them, and whether they have
 * ended.
 *
 * A record is made at the env's first create. It registers an env cleanup hook before the first
 * doorbell exists, so the hook runs after the runtime's hooks for all doorbells. */
#ifndef TG_CORE_ENVIRONMENT_H
#define TG_CORE_ENVIRONMENT_H

#include "core/types.h"

/* Returns the env's record. If there is none yet, makes it and registers `hook` as an env cleanup
 * hook, with the record as its argument. NULL: there is no memory, or the runtime refuses the hook
 * (if the env is NULL, for example). Called on the loop thread. Only the loop thread ends the env,
 * so the caller needs no reference. */
struct tg_environment *tg_environment_enter(struct tg_guard *guard, napi_env env,
                                            void (*hook)(void *));

/* The records of all envs that run on the calling thread, linked by next_of_thread. */
extern _Thread_local struct tg_environment *tg_environments_of_thread;

/* To be called once, on the loop thread, when the env has ended: leaves its addons, and drops the
 * list's reference. */
void tg_environment_end(struct tg_environment *environment);

/* Drops a reference. */
void tg_environment_leave(struct tg_environment *environment);

/* Registers the objects that contain the given code addresses, and returns the object of the first
 * one. Addresses that are NULL are skipped. Loop thread, no lock held. */
struct tg_addon *tg_environment_register_code(struct tg_environment *environment,
                                              const void *const places[TG_CODE_PLACES]);

#endif
