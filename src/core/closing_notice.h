/* Remembers for which handles this thread has received `napi_closing`.
 *
 * If threads share one count, only one of them can consume it. Yet each must receive `napi_closing`
 * once (napi-rs asserts this), and must not receive it for ever (lmdb calls again until the answer
 * changes). The memory is thread-local: no lock, no allocation. */
#ifndef TG_CORE_CLOSING_NOTICE_H
#define TG_CORE_CLOSING_NOTICE_H

#include <node_api.h>
#include <stdbool.h>

/* So many handles are remembered. A thread that uses more may receive napi_closing again. */
enum { TG_CLOSING_NOTICES = 16 };

/* Remembers the handle. True: it was remembered already. */
bool tg_record_closing_notice(napi_threadsafe_function handle);

#endif
