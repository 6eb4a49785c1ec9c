/* Remembers for which handles this thread has received `napi_closing`, and how often it has
 * received a false `napi_ok` (TG_QUIRK_LATE) instead.
 *
 * If threads share one count, only one of them can consume it. Yet each must receive `napi_closing`
 * once (napi-rs asserts this), and must not receive it for ever (lmdb calls again until the answer
 * changes). The memory is thread-local: no lock, no allocation. */
#ifndef TG_CORE_CLOSING_NOTICE_H
#define TG_CORE_CLOSING_NOTICE_H

#include <node_api.h>
#include <stdbool.h>

/* How many handles each thread remembers. A thread that uses more may receive napi_closing
 * again. */
enum { TG_CLOSING_NOTICES = 16 };

/* Remembers the handle. True: it was remembered already. */
bool tg_record_closing_notice(napi_threadsafe_function handle);

/* A thread that loops until a call fails must end. So after this many false answers a thread gets a
 * true one. A loop that does nothing else reaches this number within a hundredth of a second. */
enum { TG_FALSE_ANSWERS_MAX = 65536 };

/* Counts a false answer of this thread. False: the next answer must be true. */
bool tg_count_false_answer(void);

#endif
