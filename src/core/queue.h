/* The queue of a guarded function: first in, first out, in chunks that are used again and again.
 *
 * Thread safety: many threads push, one at a time: each holds the lock of the function that owns
 * the queue. Only the loop thread pops. It may pop without the lock if it leaves an item behind
 * (tg_queue_pop_unlocked); else it holds the lock. So while a thread holds the lock, the queue does
 * not change between empty and not empty, unless that thread changes it. */
#ifndef TG_CORE_QUEUE_H
#define TG_CORE_QUEUE_H

#include "core/types.h"

/* How many items wait. To be called with the lock held or on the loop thread: other threads could
 * read the two numbers at different times. */
static inline size_t tg_queue_length(const struct tg_queue *queue) {
  /* Never negative: a thread with the lock has seen the last push, and the loop thread has seen the
   * pushes whose items it popped. Relaxed: whoever reads an item because of these numbers holds the
   * lock. */
  size_t popped = atomic_load_explicit(&queue->popped, memory_order_relaxed);
  return atomic_load_explicit(&queue->pushed, memory_order_relaxed) - popped;
}

/* Whether the next push needs no memory. With the lock held. */
static inline bool tg_queue_has_space(const struct tg_queue *queue) {
  const struct tg_chunk *tail = queue->tail;
  size_t pushed = atomic_load_explicit(&queue->pushed, memory_order_relaxed);
  return tail != NULL && pushed - tail->begin < tail->capacity;
}

/* To be called after tg_queue_has_space or tg_queue_reserve returned true. With the lock held. */
static inline void tg_queue_push(struct tg_queue *queue, void *item) {
  size_t pushed = atomic_load_explicit(&queue->pushed, memory_order_relaxed);
  queue->tail->items[pushed - queue->tail->begin] = item;
  /* Release: whoever sees the number sees the item, its chunk, and the links to that chunk. */
  atomic_store_explicit(&queue->pushed, pushed + 1, memory_order_release);
}

/* For tg_queue_unpush: the number of the item that was pushed last, plus one. With the lock
 * held. */
static inline size_t tg_queue_last_number(const struct tg_queue *queue) {
  return atomic_load_explicit(&queue->pushed, memory_order_relaxed);
}

/* Removes the item for which tg_queue_last_number returned `last`. False: it is not the last one
 * any more, and stays. With the lock held, and only if the loop thread has not looked into the
 * queue since the push. */
bool tg_queue_unpush(struct tg_queue *queue, size_t last);

/* Makes sure that the next push succeeds. False: there is no memory, and nothing has changed. With
 * the lock held. */
bool tg_queue_reserve(struct tg_queue *queue, const struct tg_host *host);

/* Whether an item can be popped without the lock: another item waits behind it, and pop_needs_lock
 * is false. Loop thread. */
bool tg_queue_can_pop_unlocked(struct tg_queue *queue);

/* Pops such an item. Loop thread, with or without the lock. */
void *tg_queue_pop_unlocked(struct tg_queue *queue);

/* Pops the only item, and frees all chunks but one. Loop thread, with the lock held. */
void *tg_queue_pop_only(struct tg_queue *queue, const struct tg_host *host);

/* Pops from a queue that is not empty. With the last item, frees all chunks but one. Loop thread,
 * with the lock held. */
void *tg_queue_pop(struct tg_queue *queue, const struct tg_host *host);

/* Moves all items into `to`, which has no memory. With the lock held, and only when nothing is
 * popped without the lock any more. */
void tg_queue_move(struct tg_queue *to, struct tg_queue *from);

/* Frees the memory, even if items wait. No other thread may use the queue any more. */
void tg_queue_free(struct tg_queue *queue, const struct tg_host *host);

#endif
