/* Implements the quirk leak of named addons: once the env has ended, finalizers are not called.
 * What they would free stays allocated, because threads of the addon may still use it.
 *
 * This concerns the finalizers of wraps, externals, external buffers and instance data, and those
 * of napi_add_finalizer. A finalizer that runs because an object was collected in a live env is
 * called as always.
 *
 * Thread safety: call the functions on the env's loop thread. */
#ifndef TG_PRELOAD_LEAK_H
#define TG_PRELOAD_LEAK_H

#include <node_api.h>
#include <stdbool.h>

#include "core/types.h"

/* A finalizer that was replaced, and its hint. */
struct tg_leak_ticket;

/* Replaces a finalizer that `addon` registers. `is_buffer`: the runtime may run it before the last
 * of the env's cleanup hooks. NULL: it was not replaced, because there is none, there is no memory,
 * or the runtime has refused a cleanup hook. */
struct tg_leak_ticket *tg_leak_replace(napi_env env, const struct tg_addon *addon, bool is_buffer,
                                       napi_finalize *finalize_cb, void **finalize_hint);

/* Frees the ticket of a finalizer that the runtime has refused to register. NULL: does nothing. */
void tg_leak_forget(struct tg_leak_ticket *ticket);

#endif
