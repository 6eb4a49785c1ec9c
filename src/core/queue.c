/* Implements queue.h as a ring of chunks. */
#include "core/queue.h"

static size_t popped_by(const struct tg_queue *queue, memory_order order) {
  return atomic_load_explicit(&queue->popped, order);
}

static struct tg_chunk *make_chunk(const struct tg_host *host, size_t capacity, size_t begin) {
  struct tg_chunk *chunk = host->allocate(sizeof *chunk + capacity * sizeof chunk->items[0]);
  if (chunk == NULL) return NULL;
  chunk->next = chunk;
  chunk->begin = begin;
  chunk->capacity = capacity;
  return chunk;
}

/* Acquire pairs with the release in tg_queue_pop_unlocked: the loop thread has read all items of
 * the chunk, and has moved on to the next chunk. */
static bool is_emptied(const struct tg_queue *queue, const struct tg_chunk *chunk) {
  return popped_by(queue, memory_order_acquire) - chunk->begin >= chunk->capacity;
}

bool tg_queue_reserve(struct tg_queue *queue, const struct tg_host *host) {
  if (tg_queue_has_space(queue)) return true;
  struct tg_chunk *tail = queue->tail;
  size_t pushed = atomic_load_explicit(&queue->pushed, memory_order_relaxed);
  if (tail == NULL) {
    queue->head = queue->tail = make_chunk(host, TG_CHUNK_ITEMS_FIRST, pushed);
    return queue->tail != NULL;
  }
  struct tg_chunk *oldest = tail->next;
  if (oldest != tail && is_emptied(queue, oldest)) {
    oldest->begin = pushed;
    queue->tail = oldest;
    return true;
  }
  size_t capacity = tail->capacity < TG_CHUNK_ITEMS_MAX ? tail->capacity * 2 : TG_CHUNK_ITEMS_MAX;
  struct tg_chunk *chunk = make_chunk(host, capacity, pushed);
  if (chunk == NULL) return false;
  chunk->next = oldest;
  tail->next = chunk;
  queue->tail = chunk;
  return true;
}

bool tg_queue_unpush(struct tg_queue *queue, size_t last) {
  if (tg_queue_length(queue) == 0 || tg_queue_last_number(queue) != last) return false;
  atomic_store_explicit(&queue->pushed, last - 1, memory_order_release);
  return true;
}

/* Whether at least two items wait. */
static bool has_two(struct tg_queue *queue) {
  if (queue->known_available > 1) return true;
  /* Acquire pairs with the release in tg_queue_push. */
  size_t length = atomic_load_explicit(&queue->pushed, memory_order_acquire) -
                  popped_by(queue, memory_order_relaxed);
  queue->known_available = length < UINT32_MAX ? (uint32_t)length : UINT32_MAX;
  return length > 1;
}

bool tg_queue_can_pop_unlocked(struct tg_queue *queue) {
  return !atomic_load_explicit(&queue->pop_needs_lock, memory_order_relaxed) && has_two(queue);
}

void *tg_queue_pop_unlocked(struct tg_queue *queue) {
  struct tg_chunk *chunk = queue->head;
  size_t popped = popped_by(queue, memory_order_relaxed), at = popped - chunk->begin;
  void *item = chunk->items[at];
  /* This comes before `popped` is stored, because from then on the chunk may be used again. */
  if (at + 1 == chunk->capacity) queue->head = chunk->next;
  queue->known_available--;
  /* Release: whoever sees the number may overwrite what was read here. */
  atomic_store_explicit(&queue->popped, popped + 1, memory_order_release);
  return item;
}

/* Frees all chunks but this one. */
static void free_others(struct tg_chunk *chunk, const struct tg_host *host) {
  while (chunk->next != chunk) {
    struct tg_chunk *other = chunk->next;
    chunk->next = other->next;
    host->release(other);
  }
}

void *tg_queue_pop_only(struct tg_queue *queue, const struct tg_host *host) {
  struct tg_chunk *chunk = queue->head;
  void *item = chunk->items[popped_by(queue, memory_order_relaxed) - chunk->begin];
  free_others(chunk, host);
  chunk->begin = 0;
  queue->tail = chunk;
  queue->known_available = 0;
  atomic_store_explicit(&queue->pushed, 0, memory_order_relaxed);
  atomic_store_explicit(&queue->popped, 0, memory_order_relaxed);
  return item;
}

void *tg_queue_pop(struct tg_queue *queue, const struct tg_host *host) {
  return has_two(queue) ? tg_queue_pop_unlocked(queue) : tg_queue_pop_only(queue, host);
}

void tg_queue_move(struct tg_queue *to, struct tg_queue *from) {
  *to = *from;
  *from = (struct tg_queue){0};
}

void tg_queue_free(struct tg_queue *queue, const struct tg_host *host) {
  if (queue->head != NULL) {
    free_others(queue->head, host);
    host->release(queue->head);
  }
  *queue = (struct tg_queue){0};
}
