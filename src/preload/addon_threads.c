/* Implements addon_threads.h with a pthread key, whose destructor runs when a thread ends. */
#include "preload/addon_threads.h"

#include <limits.h>
#include <stdbool.h>

#include "base/glibc_floor.h"

/* If a thread uses more addons than this, it is counted for the surplus ones for ever. They stay
 * mapped, which is safe. */
enum { USED_MAX = 8 };

static bool has_key;
static pthread_key_t key;

static _Thread_local struct {
  struct tg_addon *addons[USED_MAX];
  unsigned count;
  unsigned rounds; /* of destructors that have run on this thread */
  bool ended;
} used_by_thread;

/* pthread runs destructors in rounds, as long as one of them sets a key again. This one decrements
 * the counters in the last round, because the destructor of another key may run the addon's code.
 * Release: the thread that finds a count of 0 and unmaps the code must see everything that ran
 * before. */
static void on_thread_end(void *value) {
  if (++used_by_thread.rounds < PTHREAD_DESTRUCTOR_ITERATIONS) {
    pthread_setspecific(key, value);
    return;
  }
  for (unsigned i = 0; i < used_by_thread.count; i++)
    atomic_fetch_sub_explicit(&used_by_thread.addons[i]->threads, 1, memory_order_release);
  used_by_thread.count = 0;
  used_by_thread.ended = true;
}

void tg_addon_threads_open(void) {
  has_key = pthread_key_create != NULL && pthread_setspecific != NULL &&
            pthread_key_create(&key, on_thread_end) == 0;
}

/* Whether on_thread_end will run for this thread. */
static bool is_watched(void) {
  if (!has_key || used_by_thread.ended) return false;
  return used_by_thread.count != 0 || pthread_setspecific(key, &used_by_thread) == 0;
}

void tg_addon_threads_record(struct tg_addon *addon) {
  for (unsigned i = 0; i < used_by_thread.count; i++)
    if (used_by_thread.addons[i] == addon) return;
  atomic_fetch_add_explicit(&addon->threads, 1, memory_order_relaxed);
  if (used_by_thread.count < USED_MAX && is_watched())
    used_by_thread.addons[used_by_thread.count++] = addon;
}
