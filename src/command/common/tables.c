/* Implements the tables. */
#include "command/common/tables.h"

#include <stdlib.h>
#include <string.h>

#include "command/common/complain.h"

enum { FIRST_CAPACITY = 1024, BLOCK_SIZE = 65536, STRING_MAX = BLOCK_SIZE / 4 };

void *tg_resize(void *memory, size_t count, size_t size) {
  void *resized = reallocarray(memory, count, size);
  if (resized != NULL || count == 0) return resized;
  exit(tg_complain(TG_EXIT_FAILED, "more memory", "none",
                   "raise the limit (ulimit -v), or read fewer logs at a time"));
}

void *tg_room(void *array, size_t count, size_t *allocated, size_t size) {
  if (count < *allocated) return array;
  *allocated = *allocated == 0 ? 64 : *allocated * 2;
  return tg_resize(array, *allocated, size);
}

/* FNV-1a with a final mixing step, because the tables use the low bits. */
uint64_t tg_hash(uint64_t hash, const void *bytes, size_t size) {
  const unsigned char *byte = bytes;
  for (size_t i = 0; i < size; i++) hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
  return hash ^ hash >> 32;
}

/* --- Numbers */

/* The entry with this hash, or the place where it would be. */
static struct tg_map_entry *find(struct tg_map_entry *entries, size_t capacity, uint64_t hash) {
  size_t i = hash & (capacity - 1);
  while (entries[i].hash != 0 && entries[i].hash != hash) i = (i + 1) & (capacity - 1);
  return &entries[i];
}

static void grow(struct tg_map *map) {
  size_t capacity = map->capacity == 0 ? FIRST_CAPACITY : map->capacity * 2;
  struct tg_map_entry *entries = tg_resize(NULL, capacity, sizeof *entries);
  memset(entries, 0, capacity * sizeof *entries);
  for (size_t i = 0; i < map->capacity; i++)
    if (map->entries[i].hash != 0) *find(entries, capacity, map->entries[i].hash) = map->entries[i];
  free(map->entries);
  map->entries = entries;
  map->capacity = capacity;
}

uint32_t *tg_map_get(const struct tg_map *map, uint64_t hash) {
  if (map->capacity == 0) return NULL;
  if (hash == 0) hash = 1;
  struct tg_map_entry *entry = find(map->entries, map->capacity, hash);
  return entry->hash == 0 ? NULL : &entry->value;
}

bool tg_map_put(struct tg_map *map, uint64_t hash, uint32_t value) {
  if (map->count == map->most) return false;
  if (map->count * 3 >= map->capacity * 2) grow(map);
  if (hash == 0) hash = 1;
  *find(map->entries, map->capacity, hash) = (struct tg_map_entry){hash, value};
  map->count++;
  return true;
}

/* --- Strings */

static const char *copy(struct tg_pool *pool, const char *string, size_t size) {
  if (pool->block == NULL || pool->block_used + size > BLOCK_SIZE) {
    if (pool->bytes + BLOCK_SIZE > pool->most) return NULL;
    pool->block = tg_resize(NULL, BLOCK_SIZE, 1);
    pool->block_used = 0;
    pool->bytes += BLOCK_SIZE;
  }
  char *to = pool->block + pool->block_used;
  pool->block_used += size;
  return memcpy(to, string, size);
}

const char *tg_pool_keep(struct tg_pool *pool, const char *string) {
  if (string == NULL) return NULL;
  size_t size = strlen(string) + 1;
  if (size > STRING_MAX) return NULL;
  uint64_t hash = tg_hash(TG_HASH_START, string, size);
  uint32_t *found;
  for (; (found = tg_map_get(&pool->map, hash)) != NULL; hash++)
    if (strcmp(pool->strings[*found], string) == 0) return pool->strings[*found];
  size_t count = pool->map.count;
  if (count == pool->map.most) return NULL;
  const char *kept = copy(pool, string, size);
  if (kept == NULL) return NULL;
  if (count == pool->allocated) {
    pool->allocated = count == 0 ? FIRST_CAPACITY : count * 2;
    pool->strings = tg_resize(pool->strings, pool->allocated, sizeof *pool->strings);
  }
  pool->strings[count] = kept;
  tg_map_put(&pool->map, hash, (uint32_t)count);
  return kept;
}
