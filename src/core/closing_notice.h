/* Remembers which handles this thread was told `napi_closing` for.
 *
 * Threads that share one count cannot all consume it, yet each must hear `napi_closing` once (napi-rs asserts
 * it) and not for ever (lmdb calls again until the answer changes). Thread-local: no lock, no allocation. */
#ifndef TG_CORE_CLOSING_NOTICE_H
#define TG_CORE_CLOSING_NOTICE_H

#include <node_api.h>
#include <stdbool.h>

/* The last so many handles are remembered; who juggles more is told napi_closing again. */
enum { TG_CLOSING_NOTICES = 16 };

/* Remembers the handle; true if it was remembered already. */
bool tg_record_closing_notice(napi_threadsafe_function handle);

#endif
