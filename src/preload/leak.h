/* The quirk leak of named addons: what finalizers would free once the env has ended is not freed,
 * as threads of the addon may still use it.
 *
 * Finalizers of wraps, externals, external buffers and instance data, and those of
 * napi_add_finalizer. Those that run because an object was collected in a live env run as always.
 *
 * Thread safety: on the env's loop thread. */
#ifndef TG_PRELOAD_LEAK_H
#define TG_PRELOAD_LEAK_H

#include <node_api.h>
#include <stdbool.h>

#include "core/types.h"

/* A finalizer that was replaced, and what it was to get. */
struct tg_leak_ticket;

/* Replaces a finalizer that `addon` registers. `is_buffer`: the runtime may run it before the last
 * of the env's cleanup hooks. NULL: it is left as it is, as there is none or no memory. */
struct tg_leak_ticket *tg_leak_replace(napi_env env, const struct tg_addon *addon, bool is_buffer,
                                       napi_finalize *finalize_cb, void **finalize_hint);

/* The runtime has refused to register it. NULL: nothing is done. */
void tg_leak_forget(struct tg_leak_ticket *ticket);

#endif
