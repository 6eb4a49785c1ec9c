/* Cohorts: the functions of an env that share one env cleanup hook of ours.
 *
 * A hook that the addon has added before a create must find the function closed, because the
 * runtime's own hook for the doorbell has run by then. For this it suffices that one hook of ours
 * lies between that hook and the doorbells of all later functions. So a create makes a new cohort
 * only if an addon has added a hook since the last one, or if nobody tells us of such hooks. One
 * hook for each function would cost more than all else that a create does here.
 *
 * All functions are for the env's loop thread, with no lock held, except tg_cohort_keep and
 * tg_cohort_leave. */
#ifndef TG_CORE_COHORT_H
#define TG_CORE_COHORT_H

#include "core/types.h"

/* Returns the cohort of a function that is about to be created. `hook` is the env cleanup hook of a
 * new cohort, with the cohort as its argument. NULL: there is no memory, or the runtime refuses the
 * hook. */
struct tg_cohort *tg_cohort_join(struct tg_environment *environment, void (*hook)(void *));

/* The function that has joined last has the slot of this index. */
void tg_cohort_include(struct tg_cohort *cohort, uint32_t index);

/* A function of the cohort is finalized, or could not be created. Removes the hook if it is of no
 * use any more. */
void tg_cohort_end_function(struct tg_cohort *cohort);

/* The cohort's hook has run. */
void tg_cohort_end(struct tg_cohort *cohort);

/* Takes a reference. */
void tg_cohort_keep(struct tg_cohort *cohort);

/* Drops a reference. Any thread. */
void tg_cohort_leave(struct tg_cohort *cohort);

#endif
