/* Implements addon_threads.h with a key of pthread's, whose destructor runs as a thread ends. */
#include "preload/addon_threads.h"

#include <limits.h>
#include <stdbool.h>

#include "base/glibc_floor.h"

/* A thread that uses more addons stays counted among the others' for ever: those stay mapped, which is safe. */
enum { USED_MAX = 8 };

static bool has_key;
static pthread_key_t key;

static _Thread_local struct {
  struct tg_addon *addons[USED_MAX];
  unsigned count;
  unsigned rounds; /* of destructors that this thread has begun */
  bool ended;
} used;

/* Destructors run in rounds as long as one of them sets a key again. Ours is done in the last round, as another key's may
 * run the addon's code. Release: whoever finds no thread left unmaps that code, after all that ran before. */
static void on_thread_end(void *value) {
  if (++used.rounds < PTHREAD_DESTRUCTOR_ITERATIONS) {
    pthread_setspecific(key, value);
    return;
  }
  for (unsigned i = 0; i < used.count; i++)
    atomic_fetch_sub_explicit(&used.addons[i]->threads, 1, memory_order_release);
  used.count = 0;
  used.ended = true;
}

void tg_addon_threads_open(void) {
  has_key = pthread_key_create != NULL && pthread_setspecific != NULL &&
            pthread_key_create(&key, on_thread_end) == 0;
}

/* Whether the thread's end will be seen. */
static bool is_watched(void) {
  if (!has_key || used.ended) return false;
  return used.count != 0 || pthread_setspecific(key, &used) == 0;
}

void tg_addon_threads_record(struct tg_addon *addon) {
  for (unsigned i = 0; i < used.count; i++)
    if (used.addons[i] == addon) return;
  atomic_fetch_add_explicit(&addon->threads, 1, memory_order_relaxed);
  if (used.count < USED_MAX && is_watched()) used.addons[used.count++] = addon;
}
