/* The queue of a guarded function: first in, first out, in chunks that are used again and again.
 *
 * Thread safety: many threads push, one at a time, as they hold the lock of the function that owns the queue. One
 * thread pops, the loop thread: without the lock where it leaves an item behind (tg_queue_pop_unlocked), with the lock
 * where it may not. So to whoever holds the lock an empty queue stays empty, and one that is not does not become so. */
#ifndef TG_CORE_QUEUE_H
#define TG_CORE_QUEUE_H

#include "core/types.h"

/* How many wait. With the lock held, or on the loop thread: to others the two may be of different times. */
static inline size_t tg_queue_length(const struct tg_queue *queue) {
  /* Never negative: who holds the lock has seen the last push, and the loop thread the pushes that it popped. Relaxed:
   * what is read by the numbers is read under the lock. */
  size_t popped = atomic_load_explicit(&queue->popped, memory_order_relaxed);
  return atomic_load_explicit(&queue->pushed, memory_order_relaxed) - popped;
}

/* Whether the next push succeeds as it is. With the lock held. */
static inline bool tg_queue_has_space(const struct tg_queue *queue) {
  const struct tg_chunk *tail = queue->tail;
  size_t pushed = atomic_load_explicit(&queue->pushed, memory_order_relaxed);
  return tail != NULL && pushed - tail->begin < tail->capacity;
}

/* After one of the two said that there is room. With the lock held. */
static inline void tg_queue_push(struct tg_queue *queue, void *item) {
  size_t pushed = atomic_load_explicit(&queue->pushed, memory_order_relaxed);
  queue->tail->items[pushed - queue->tail->begin] = item;
  /* Release: who sees the number sees the item, the chunk that it is in and the way there. */
  atomic_store_explicit(&queue->pushed, pushed + 1, memory_order_release);
}

/* The number of the item that was pushed last, plus one; and takes that item back, if it is still the last. False: it is
 * not. With the lock held, and nobody pops; the loop thread has not looked into the queue since the item is there. */
static inline size_t tg_queue_last_number(const struct tg_queue *queue) {
  return atomic_load_explicit(&queue->pushed, memory_order_relaxed);
}
bool tg_queue_unpush(struct tg_queue *queue, size_t last);

/* Sees to it that the next push succeeds. False: no memory; the queue is as it was. With the lock held. */
bool tg_queue_reserve(struct tg_queue *queue, const struct tg_host *host);

/* Whether an item can be taken without the lock: another one lies behind it, and `pop_needs_lock` does not forbid it. Loop
 * thread. */
bool tg_queue_can_pop_unlocked(struct tg_queue *queue);

/* Takes such an item. Loop thread, lock held or not. */
void *tg_queue_pop_unlocked(struct tg_queue *queue);

/* Takes the only item there is, and gives a burst's memory back. Loop thread, with the lock held. */
void *tg_queue_pop_only(struct tg_queue *queue, const struct tg_host *host);

/* From a queue that is not empty; gives a burst's memory back with the last one. Loop thread, with the lock held. */
void *tg_queue_pop(struct tg_queue *queue, const struct tg_host *host);

/* Empties one queue into another, which has no memory of its own. With the lock held, once nothing is popped without
 * it any more. */
void tg_queue_move(struct tg_queue *to, struct tg_queue *from);

/* Frees the memory, whatever is queued. As above. */
void tg_queue_free(struct tg_queue *queue, const struct tg_host *host);

#endif
