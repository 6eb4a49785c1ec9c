/* Implements pretended_threads.h: three copies of told.c, and a pthread_self that answers as wanted. */
#include "pretended_threads.h"

#include <pthread.h>
#include <stdint.h>

#include "guard/guarded_function.h"
#include "guard/told.h"

#define told told_0
#define tg_told_closing tg_told_closing_0
static bool tg_told_closing(napi_threadsafe_function handle);
#include "../../src/guard/told.c"
#undef told
#undef tg_told_closing
#define told told_1
#define tg_told_closing tg_told_closing_1
static bool tg_told_closing(napi_threadsafe_function handle);
#include "../../src/guard/told.c"
#undef told
#undef tg_told_closing
#define told told_2
#define tg_told_closing tg_told_closing_2
static bool tg_told_closing(napi_threadsafe_function handle);
#include "../../src/guard/told.c"
#undef told
#undef tg_told_closing

unsigned pretended_thread;

bool tg_told_closing(napi_threadsafe_function handle) {
  static bool (*const memories[PRETENDED_THREADS])(napi_threadsafe_function) = {
      tg_told_closing_0, tg_told_closing_1, tg_told_closing_2};
  return memories[pretended_thread](handle);
}

pthread_t pthread_self(void) { /* renamed, see the header */
  return (pthread_t)(pretended_thread + 1);
}

void pretend_thread(unsigned thread) {
  pretended_thread = thread;
  tg_noted_handle = NULL;
}

/* Values that nobody was told of before push out all others. */
void pretended_threads_reset(void) {
  static uintptr_t never_told = 1;
  for (pretended_thread = 0; pretended_thread < PRETENDED_THREADS; pretended_thread++)
    for (unsigned i = 0; i < TG_TOLD_HANDLES; i++) tg_told_closing((napi_threadsafe_function)never_told++);
  pretend_thread(0);
}
