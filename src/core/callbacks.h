/* The functions that the runtime calls: the callbacks of the doorbells, and the env cleanup hooks.
 *
 * At the end of an env they run in this order:
 *  1. The hook that tg_on_hook_added has registered, if any.
 *  2. For each cohort, the newest first: the runtime's own hooks, which close the doorbells, and
 *     then tg_on_cohort_cleanup.
 *  3. tg_on_env_cleanup.
 *  4. tg_on_finalize for each function.
 *
 * The addon's own hooks run in between. Each runs before the hooks of everything that was created
 * before it was added.
 *
 * All of these functions run on the env's loop thread, with no lock held. */
#ifndef TG_CORE_CALLBACKS_H
#define TG_CORE_CALLBACKS_H

#include "core/types.h"

/* The doorbell's call_js_cb: delivers one item. `context` is the function. */
void tg_on_dispatch(napi_env env, napi_value js_callback, void *context, void *data);

/* The doorbell's finalize_cb. `data` is the function. */
void tg_on_finalize(napi_env env, void *data, void *hint);

/* The env cleanup hook of a cohort: closes its functions. `argument` is the struct tg_cohort. */
void tg_on_cohort_cleanup(void *argument);

/* To be called on the loop thread when an env cleanup hook was added, by an addon or for it. A loop
 * thread has an env for each instance of each addon, and all their hooks run in one order. So this
 * concerns every env of the calling thread: functions that are created later get another cohort. If
 * a function of such an env has a max_queue_size, this makes sure that a hook of ours runs before
 * the added hook. Our hook wakes blocked callers. */
void tg_on_hook_added(void);

/* The env cleanup hook of an env, registered before the first doorbell was made. `argument` is the
 * struct tg_environment. */
void tg_on_env_cleanup(void *argument);

#endif
