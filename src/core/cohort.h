/* Cohorts: the functions of an env that share one env cleanup hook of ours.
 *
 * A hook that the addon has added before a create must find the function closed, because the
 * runtime's own hook for the doorbell has run by then. For this, one hook of ours is enough if it
 * is added after that hook and before the doorbells of all later functions. So a create makes a new
 * cohort only if an addon has added a hook since the last one, or if the host does not report such
 * hooks. A hook for each function would cost more than everything else that a create does here.
 *
 * The functions are called on the env's loop thread, with no lock held, except tg_cohort_keep and
 * tg_cohort_leave. */
#ifndef TG_CORE_COHORT_H
#define TG_CORE_COHORT_H

#include "core/types.h"

/* Returns the cohort of a function that is about to be created. `hook` is the env cleanup hook of a
 * new cohort, with the cohort as its argument. NULL: there is no memory, or the runtime refuses the
 * hook. */
struct tg_cohort *tg_cohort_join(struct tg_environment *environment, void (*hook)(void *));

/* Records the slot index of the function that has joined last. */
void tg_cohort_include(struct tg_cohort *cohort, uint32_t index);

/* To be called when a function of the cohort is finalized, or could not be created. Removes the
 * hook if it is of no use any more. */
void tg_cohort_end_function(struct tg_cohort *cohort);

/* To be called when the cohort's hook has run. */
void tg_cohort_end(struct tg_cohort *cohort);

/* Takes a reference. */
void tg_cohort_keep(struct tg_cohort *cohort);

/* Drops a reference. Any thread. */
void tg_cohort_leave(struct tg_cohort *cohort);

#endif
