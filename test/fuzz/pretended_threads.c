/* Implements pretended_threads.h: three copies of closing_notice.c, and a pthread_self that returns
 * the wanted value. */
#include "pretended_threads.h"

#include <pthread.h>
#include <stdint.h>

#include "core/closing_notice.h"
#include "core/function.h"

#define told told_0
#define tg_record_closing_notice tg_told_closing_0
static bool tg_record_closing_notice(napi_threadsafe_function handle);
#include "../../src/core/closing_notice.c"
#undef told
#undef tg_record_closing_notice
#define told told_1
#define tg_record_closing_notice tg_told_closing_1
static bool tg_record_closing_notice(napi_threadsafe_function handle);
#include "../../src/core/closing_notice.c"
#undef told
#undef tg_record_closing_notice
#define told told_2
#define tg_record_closing_notice tg_told_closing_2
static bool tg_record_closing_notice(napi_threadsafe_function handle);
#include "../../src/core/closing_notice.c"
#undef told
#undef tg_record_closing_notice

unsigned pretended_thread;

bool tg_record_closing_notice(napi_threadsafe_function handle) {
  static bool (*const memories[PRETENDED_THREADS])(napi_threadsafe_function) = {
      tg_told_closing_0, tg_told_closing_1, tg_told_closing_2};
  return memories[pretended_thread](handle);
}

pthread_t pthread_self(void) { /* renamed, see the header */
  return (pthread_t)(pretended_thread + 1);
}

void pretend_thread(unsigned thread) {
  pretended_thread = thread;
  tg_last_used_handle = NULL;
}

/* Values for which no thread has got a notice push out all others. */
void pretended_threads_reset(void) {
  static uintptr_t never_told = 1;
  for (pretended_thread = 0; pretended_thread < PRETENDED_THREADS; pretended_thread++)
    for (unsigned i = 0; i < TG_CLOSING_NOTICES; i++)
      tg_record_closing_notice((napi_threadsafe_function)never_told++);
  pretend_thread(0);
}
