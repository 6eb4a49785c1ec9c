/* The queue of a guarded function: a FIFO ring that grows as needed and gives a burst's memory back.
 *
 * Not thread-safe: guarded by the lock of the function that owns it. */
#ifndef TG_GUARD_QUEUE_H
#define TG_GUARD_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "guard/runtime.h"

enum {
  TG_QUEUE_CAPACITY_FIRST = 16,
  /* An empty ring larger than this is freed. Growing back costs less than two copies an item. */
  TG_QUEUE_CAPACITY_KEPT = 1024,
};

/* `capacity` is 0 or a power of two. */
struct tg_queue {
  void **items;
  size_t capacity;
  size_t head;
  size_t length;
};

/* Sees to it that the next push succeeds. False: no memory; the queue is as it was. */
bool tg_queue_reserve(struct tg_queue *queue, const struct tg_host *host);

/* After a successful reserve. */
void tg_queue_push(struct tg_queue *queue, void *item);

/* From a queue that is not empty. */
void *tg_queue_pop(struct tg_queue *queue, const struct tg_host *host);

/* Frees the memory, whatever is queued. */
void tg_queue_free(struct tg_queue *queue, const struct tg_host *host);

#endif
