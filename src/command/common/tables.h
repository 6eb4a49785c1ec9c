/* Tables that grow up to a limit: numbers by hash, and strings of which one copy is kept.
 *
 * One thread. Nothing is taken out again. Where the memory of the machine ends, the process ends with a message. */
#ifndef TG_COMMAND_TABLES_H
#define TG_COMMAND_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Hashes are taken for what they are of: 64 bits. Whoever must be sure compares, and goes on with hash + 1. */
struct tg_map {
  struct tg_map_entry {
    uint64_t hash; /* never 0 */
    uint32_t value;
  } * entries;
  size_t capacity; /* a power of two, or 0 */
  size_t count;
  size_t most;
};

/* The value at that hash; NULL: there is none. Valid until something is put. */
uint32_t *tg_map_get(const struct tg_map *map, uint64_t hash);

/* Puts a value where there was none. False: the map is full. */
bool tg_map_put(struct tg_map *map, uint64_t hash, uint32_t value);

struct tg_pool {
  struct tg_map map;
  const char **strings;
  size_t allocated; /* strings */
  char *block;
  size_t block_used;
  size_t bytes, most; /* in all */
};

/* The pool's copy of a string, equal ones the same; NULL: of NULL, or the pool is full. */
const char *tg_pool_keep(struct tg_pool *pool, const char *string);

/* `hash` goes on with some bytes; begin with TG_HASH_START. */
#define TG_HASH_START UINT64_C(0xcbf29ce484222325)
uint64_t tg_hash(uint64_t hash, const void *bytes, size_t size);

/* As realloc, for `count` things of `size` bytes. */
void *tg_resize(void *memory, size_t count, size_t size);

#endif
