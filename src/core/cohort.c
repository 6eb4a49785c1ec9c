/* Implements cohort.h. */
#include "core/cohort.h"

#include "core/environment.h"

void tg_cohort_leave(struct tg_cohort *cohort) {
  /* Release: all uses by this thread come before the free. Acquire: the free comes after the uses
   * by others. */
  if (atomic_fetch_sub_explicit(&cohort->references, 1, memory_order_acq_rel) != 1) return;
  struct tg_environment *environment = cohort->environment;
  environment->guard->host->release(cohort);
  tg_environment_leave(environment);
}

/* Relaxed: the caller's own reference keeps the cohort meanwhile. */
void tg_cohort_keep(struct tg_cohort *cohort) {
  atomic_fetch_add_explicit(&cohort->references, 1, memory_order_relaxed);
}

/* To be called after is_hooked or `unfinalized` has changed. */
static void leave_if_unused(struct tg_cohort *cohort) {
  if (!cohort->is_hooked && cohort->unfinalized == 0) tg_cohort_leave(cohort);
}

/* To be called when the cohort has no functions, and will get none. */
static void remove_hook(struct tg_cohort *cohort) {
  if (cohort->is_hooked)
    cohort->guard->runtime->remove_env_cleanup_hook(cohort->environment->env, cohort->hook, cohort);
  cohort->is_hooked = false;
  leave_if_unused(cohort);
}

static struct tg_cohort *make_cohort(struct tg_environment *environment, void (*hook)(void *)) {
  struct tg_guard *guard = environment->guard;
  struct tg_cohort *cohort = guard->host->allocate(sizeof *cohort);
  if (cohort == NULL) return NULL;
  *cohort = (struct tg_cohort){.guard = guard,
                               .environment = environment,
                               .loop_thread = environment->loop_thread,
                               .hook = hook,
                               .is_hooked = true};
  atomic_init(&cohort->references, 1);
  if (guard->runtime->add_env_cleanup_hook(environment->env, hook, cohort) != napi_ok) {
    guard->host->release(cohort);
    return NULL;
  }
  atomic_fetch_add_explicit(&environment->references, 1, memory_order_relaxed);
  return cohort;
}

/* Makes later functions join this cohort. The previous cohort is of no use any more once its
 * functions are finalized. */
static void replace_newest(struct tg_environment *environment, struct tg_cohort *cohort) {
  struct tg_cohort *before = environment->cohort;
  environment->cohort = cohort;
  environment->hook_added = false;
  if (before != NULL && before->unfinalized == 0) remove_hook(before);
}

static struct tg_cohort *find_or_make_cohort(struct tg_environment *environment,
                                             void (*hook)(void *)) {
  if (environment->cohort != NULL && !environment->hook_added) return environment->cohort;
  /* Relaxed: a create that still reads false makes a cohort of its own, which does no harm. */
  bool is_shared = atomic_load_explicit(&environment->guard->reports_hooks, memory_order_relaxed);
  struct tg_cohort *cohort = make_cohort(environment, hook);
  if (cohort != NULL && is_shared) replace_newest(environment, cohort);
  return cohort;
}

struct tg_cohort *tg_cohort_join(struct tg_environment *environment, void (*hook)(void *)) {
  struct tg_cohort *cohort = find_or_make_cohort(environment, hook);
  if (cohort != NULL) cohort->unfinalized++;
  return cohort;
}

void tg_cohort_include(struct tg_cohort *cohort, uint32_t index) {
  bool is_first = cohort->unfinalized == 1;
  if (is_first || index < cohort->first_index) cohort->first_index = index;
  if (is_first || index > cohort->last_index) cohort->last_index = index;
}

void tg_cohort_end_function(struct tg_cohort *cohort) {
  cohort->unfinalized--;
  if (cohort->unfinalized == 0 && cohort->environment->cohort != cohort) remove_hook(cohort);
}

void tg_cohort_end(struct tg_cohort *cohort) {
  if (cohort->environment->cohort == cohort) cohort->environment->cohort = NULL;
  cohort->is_hooked = false;
  leave_if_unused(cohort);
}
