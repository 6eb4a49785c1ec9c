/* Tables that grow up to a limit: numbers by hash, and a pool that keeps one copy of each string.
 *
 * For one thread. Nothing is ever removed. If the machine has no memory left, the process ends with
 * a message. */
#ifndef TG_COMMAND_TABLES_H
#define TG_COMMAND_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A 64-bit hash identifies its key. Callers that must be sure compare the keys, and try hash + 1 if
 * they differ. */
struct tg_map {
  struct tg_map_entry {
    uint64_t hash; /* never 0 */
    uint32_t value;
  } * entries;
  size_t capacity; /* a power of two, or 0 */
  size_t count;
  size_t most;
};

/* The value for this hash. NULL: there is none. Valid until the next put. */
uint32_t *tg_map_get(const struct tg_map *map, uint64_t hash);

/* Adds a value for a hash that has none. False: the map is full. */
bool tg_map_put(struct tg_map *map, uint64_t hash, uint32_t value);

struct tg_pool {
  struct tg_map map;
  const char **strings;
  size_t allocated; /* elements of `strings` */
  char *block;
  size_t block_used;
  size_t bytes, most; /* of all strings */
};

/* The pool's copy of a string. Equal strings have the same copy. NULL: `string` is NULL, or the
 * pool is full. */
const char *tg_pool_keep(struct tg_pool *pool, const char *string);

/* Continues `hash` with these bytes. The first call begins with TG_HASH_START. */
#define TG_HASH_START UINT64_C(0xcbf29ce484222325)
uint64_t tg_hash(uint64_t hash, const void *bytes, size_t size);

/* Like realloc, for `count` elements of `size` bytes. */
void *tg_resize(void *memory, size_t count, size_t size);

/* Makes space for one more element in an array that has `count` of them. It may move the array. */
void *tg_room(void *array, size_t count, size_t *allocated, size_t size);

#endif
