/* Implements pretended_threads.h: three copies of closing_notice.c, and a pthread_self that depends
 * on the pretended thread. */
#include "pretended_threads.h"

#include <pthread.h>
#include <stdint.h>

#include "core/closing_notice.h"
#include "core/function.h"

#define notices notices_0
#define false_answers false_answers_0
#define tg_record_closing_notice record_closing_notice_0
#define tg_count_false_answer count_false_answer_0
static bool tg_record_closing_notice(napi_threadsafe_function handle);
static bool tg_count_false_answer(void);
#include "../../src/core/closing_notice.c"
#undef notices
#undef false_answers
#undef tg_record_closing_notice
#undef tg_count_false_answer
#define notices notices_1
#define false_answers false_answers_1
#define tg_record_closing_notice record_closing_notice_1
#define tg_count_false_answer count_false_answer_1
static bool tg_record_closing_notice(napi_threadsafe_function handle);
static bool tg_count_false_answer(void);
#include "../../src/core/closing_notice.c"
#undef notices
#undef false_answers
#undef tg_record_closing_notice
#undef tg_count_false_answer
#define notices notices_2
#define false_answers false_answers_2
#define tg_record_closing_notice record_closing_notice_2
#define tg_count_false_answer count_false_answer_2
static bool tg_record_closing_notice(napi_threadsafe_function handle);
static bool tg_count_false_answer(void);
#include "../../src/core/closing_notice.c"
#undef notices
#undef false_answers
#undef tg_record_closing_notice
#undef tg_count_false_answer

unsigned pretended_thread;

bool tg_record_closing_notice(napi_threadsafe_function handle) {
  static bool (*const memories[PRETENDED_THREADS])(napi_threadsafe_function) = {
      record_closing_notice_0, record_closing_notice_1, record_closing_notice_2};
  return memories[pretended_thread](handle);
}

bool tg_count_false_answer(void) {
  static bool (*const counters[PRETENDED_THREADS])(void) = {
      count_false_answer_0, count_false_answer_1, count_false_answer_2};
  return counters[pretended_thread]();
}

pthread_t pthread_self(void) { /* renamed, see the header */
  return (pthread_t)(pretended_thread + 1);
}

void pretend_thread(unsigned thread) {
  pretended_thread = thread;
  tg_last_use = (struct tg_last_use){0};
}

/* A thread remembers only its last TG_CLOSING_NOTICES notices. So as many new ones, for values that
 * were never used before, replace all others. */
void pretended_threads_reset(void) {
  static uintptr_t unused = 1;
  for (pretended_thread = 0; pretended_thread < PRETENDED_THREADS; pretended_thread++)
    for (unsigned i = 0; i < TG_CLOSING_NOTICES; i++)
      tg_record_closing_notice((napi_threadsafe_function)unused++);
  false_answers_0 = false_answers_1 = false_answers_2 = 0;
  pretend_thread(0);
}
