/* Implements the records of environment.h, and their cache of code addresses. */
#include "core/environment.h"

#include <string.h>

void tg_environment_leave(struct tg_environment *environment) {
  /* Release: all uses by this thread come before the free. Acquire: the free comes after the uses
   * by others. */
  if (atomic_fetch_sub_explicit(&environment->references, 1, memory_order_acq_rel) == 1)
    environment->guard->host->release(environment);
}

_Thread_local struct tg_environment *tg_environments_of_thread;

/* An env is a heap address, so its lowest bits say nothing. */
static struct tg_environment **bucket_of(struct tg_guard *guard, napi_env env) {
  return &guard->environments[((uintptr_t)env >> 6) % TG_ENVIRONMENT_BUCKETS];
}

static void remove_from_list(struct tg_environment *environment) {
  struct tg_guard *guard = environment->guard;
  tg_lock_acquire(&guard->environments_lock, TG_RANK_ENVIRONMENTS);
  struct tg_environment **link = bucket_of(guard, environment->env);
  while (*link != environment) link = &(*link)->next;
  *link = environment->next;
  tg_lock_release(&guard->environments_lock, TG_RANK_ENVIRONMENTS);
}

/* False: an embedder ends the env on another thread than the one that used it. The record stays for
 * ever in the list of the thread that used it. */
static bool remove_from_thread(struct tg_environment *environment) {
  struct tg_environment **link = &tg_environments_of_thread;
  while (*link != NULL && *link != environment) link = &(*link)->next_of_thread;
  if (*link == NULL) return false;
  *link = environment->next_of_thread;
  return true;
}

void tg_environment_end(struct tg_environment *environment) {
  environment->ended = true;
  for (unsigned i = 0; i < TG_ENVIRONMENT_ADDONS && environment->addons[i] != NULL; i++)
    environment->guard->host->leave_addon(environment->addons[i]);
  remove_from_list(environment);
  if (remove_from_thread(environment)) tg_environment_leave(environment);
}

/* NULL: there is none. */
static struct tg_environment *find_environment(struct tg_guard *guard, napi_env env) {
  tg_lock_acquire(&guard->environments_lock, TG_RANK_ENVIRONMENTS);
  struct tg_environment *found = *bucket_of(guard, env);
  while (found != NULL && found->env != env) found = found->next;
  tg_lock_release(&guard->environments_lock, TG_RANK_ENVIRONMENTS);
  return found;
}

struct tg_environment *tg_environment_enter(struct tg_guard *guard, napi_env env,
                                            void (*hook)(void *)) {
  struct tg_environment *environment = find_environment(guard, env);
  if (environment != NULL) return environment;

  environment = guard->host->allocate(sizeof *environment);
  if (environment == NULL) return NULL;
  memset(environment, 0, sizeof *environment);
  environment->guard = guard;
  environment->env = env;
  environment->loop_thread = pthread_self();
  environment->can_terminate = guard->runtime->can_terminate();
  environment->number =
      1 + atomic_fetch_add_explicit(&guard->environments_made, 1, memory_order_relaxed);
  atomic_init(&environment->references, 1);
  if (guard->runtime->add_env_cleanup_hook(env, hook, environment) != napi_ok) {
    guard->host->release(environment);
    return NULL;
  }
  /* Only the env's own thread makes its record, so no other thread has made one meanwhile. */
  tg_lock_acquire(&guard->environments_lock, TG_RANK_ENVIRONMENTS);
  struct tg_environment **bucket = bucket_of(guard, env);
  environment->next = *bucket;
  *bucket = environment;
  tg_lock_release(&guard->environments_lock, TG_RANK_ENVIRONMENTS);
  environment->next_of_thread = tg_environments_of_thread;
  tg_environments_of_thread = environment;
  const struct tg_observer *observer = guard->observer;
  if (observer != NULL && observer->env_entered != NULL)
    observer->env_entered(env, environment->number);
  return environment;
}

/* After an unload, another object may be at the same address, or the same object may be loaded
 * again. So nothing that is known about code addresses is valid any more. */
static void invalidate_after_unload(struct tg_environment *environment) {
  unsigned long long unloads = environment->guard->host->count_unloads();
  if (unloads == environment->unloads) return;
  environment->unloads = unloads;
  memset(environment->is_located, 0, sizeof environment->is_located);
  memset(environment->code, 0, sizeof environment->code);
  memset(environment->code_addon, 0, sizeof environment->code_addon);
}

/* If there are more objects than places, the last ones are not remembered and are looked up each
 * time. */
static void remember_addon(struct tg_environment *environment, struct tg_addon *addon) {
  for (unsigned i = 0; i < TG_ENVIRONMENT_ADDONS; i++) {
    if (environment->addons[i] != NULL && environment->addons[i] != addon) continue;
    environment->addons[i] = addon;
    environment->is_located[i] = true;
    return;
  }
}

static struct tg_addon *find_known_addon(const struct tg_environment *environment,
                                         const void *code) {
  for (unsigned i = 0; i < TG_ENVIRONMENT_ADDONS && environment->addons[i] != NULL; i++)
    if (environment->is_located[i] &&
        environment->guard->host->is_in_addon(environment->addons[i], code))
      return environment->addons[i];
  return NULL;
}

static struct tg_addon *find_addon(struct tg_environment *environment, const void *code) {
  struct tg_addon *addon = find_known_addon(environment, code);
  if (addon == NULL) addon = environment->guard->host->register_addon(code);
  if (addon != NULL) remember_addon(environment, addon);
  return addon;
}

struct tg_addon *tg_environment_register_code(struct tg_environment *environment,
                                              const void *const places[TG_CODE_PLACES]) {
  invalidate_after_unload(environment);
  struct tg_addon *first = NULL;
  for (unsigned i = 0; i < TG_CODE_PLACES; i++) {
    if (places[i] == NULL) continue;
    bool known = places[i] == environment->code[i];
    if (!known) {
      environment->code_addon[i] = find_addon(environment, places[i]);
      environment->code[i] = places[i];
    }
    struct tg_addon *addon = environment->code_addon[i];
    if (i == 0) first = addon;
    if (first != NULL && addon != NULL && addon != first && !known)
      environment->guard->host->join_addons(first, addon);
  }
  return first;
}
