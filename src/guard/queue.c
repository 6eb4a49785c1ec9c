/* Implements the ring of queue.h. */
#include "guard/queue.h"

#include <stdint.h>
#include <string.h>

bool tg_queue_reserve(struct tg_queue *queue, const struct tg_host *host) {
  if (queue->length < queue->capacity) return true;
  size_t capacity = queue->capacity == 0 ? TG_QUEUE_CAPACITY_FIRST : queue->capacity * 2;
  if (capacity > SIZE_MAX / sizeof(void *)) return false;
  void **items = host->allocate(capacity * sizeof *items);
  if (items == NULL) return false;
  if (queue->length != 0) {
    /* The ring is full: its items are those from head to the end, then those before head. */
    size_t tail = queue->capacity - queue->head;
    memcpy(items, queue->items + queue->head, tail * sizeof *items);
    memcpy(items + tail, queue->items, queue->head * sizeof *items);
  }
  if (queue->items != NULL) host->release(queue->items);
  queue->items = items;
  queue->capacity = capacity;
  queue->head = 0;
  return true;
}

void tg_queue_push(struct tg_queue *queue, void *item) {
  queue->items[(queue->head + queue->length) & (queue->capacity - 1)] = item;
  queue->length++;
}

void *tg_queue_pop(struct tg_queue *queue, const struct tg_host *host) {
  void *item = queue->items[queue->head];
  queue->head = (queue->head + 1) & (queue->capacity - 1);
  queue->length--;
  if (queue->length == 0 && queue->capacity > TG_QUEUE_CAPACITY_KEPT) tg_queue_free(queue, host);
  return item;
}

void tg_queue_free(struct tg_queue *queue, const struct tg_host *host) {
  if (queue->items != NULL) host->release(queue->items);
  *queue = (struct tg_queue){0};
}
