/* Implements the stacks with glibc's backtrace(). */
#include "diag/stacks.h"

#include <execinfo.h>
#include <stdatomic.h>
#include <string.h>

#include "base/lock.h"
#include "base/text.h"
#include "diag/stack_cache.h"

/* musl has no backtrace(). If a library needs a missing function, the musl loader refuses to load
 * the library and to start the program. */
#pragma weak backtrace

/* The number of our own frames that may precede the caller's. */
enum { OWN_FRAMES_MAX = 8, BUCKETS = 8192 };

_Static_assert(BUCKETS >= 2 * TG_STACKS_MAX, "a free bucket is always found soon");

/* Constant after tg_stacks_open. */
static unsigned depth_max;
static bool (*locate)(const void *code, struct tg_place *place);
static unsigned long long (*count_unloads)(void);

/* Guarded by stacks_lock (rank TG_RANK_STACKS) for writing. Readers need no lock: a stack's frames
 * and places, and a file, never change once stack_count includes the stack. The lock also guards
 * the cache. */
static struct tg_lock stacks_lock;
static struct kept_stack {
  struct tg_stack stack;
  unsigned long long unloads; /* the places were right at this number of unloads */
  struct {
    uint16_t file; /* its index plus 1; 0: none */
    uint64_t offset;
  } places[TG_STACK_DEPTH_MAX];
} kept_stacks[TG_STACKS_MAX];
static _Atomic uint32_t stack_count;    /* stored with release order after the stack was written */
static uint16_t stack_buckets[BUCKETS]; /* the index of a stack plus 1; 0: free */
static char kept_files[TG_FILES_MAX][TG_FILE_MAX];
static uint16_t kept_file_count;

void tg_stacks_open(unsigned depth, bool (*locate_code)(const void *code, struct tg_place *place),
                    unsigned long long (*unloads_so_far)(void)) {
  locate = locate_code;
  count_unloads = unloads_so_far;
  depth_max = depth < TG_STACK_DEPTH_MAX ? depth : TG_STACK_DEPTH_MAX;
  if (backtrace == NULL) depth_max = 0;
  void *frame;
  if (depth_max == 0) return;
  backtrace(&frame, 1);
  tg_stack_cache_open();
}

/* The bounds of this library in memory; the linker defines both symbols. */
extern const char __ehdr_start __attribute__((visibility("hidden")));
extern const char _end __attribute__((visibility("hidden")));

static bool is_own_frame(const void *frame) {
  return (uintptr_t)frame >= (uintptr_t)&__ehdr_start && (uintptr_t)frame < (uintptr_t)&_end;
}

void tg_stack_take(struct tg_stack *stack, const void *caller) {
  stack->depth = 0;
  if (depth_max == 0) return;
  void *frames[TG_STACK_DEPTH_MAX + OWN_FRAMES_MAX];
  int taken = backtrace(frames, (int)depth_max + OWN_FRAMES_MAX);
  int first = 0;
  while (first < taken && frames[first] != caller) first++;
  if (first >= taken) {
    for (first = 0; first < taken && is_own_frame(frames[first]);) first++;
  }
  for (int i = first; i < taken && stack->depth < depth_max; i++)
    stack->frames[stack->depth++] = frames[i];
}

static unsigned find_stack_bucket(const struct tg_stack *stack) {
  uint64_t hash = stack->depth;
  for (unsigned i = 0; i < stack->depth; i++)
    hash = (hash ^ (uint64_t)(uintptr_t)stack->frames[i]) * 0x9e3779b97f4a7c15U;
  unsigned bucket = (unsigned)(hash >> 40) % BUCKETS;
  for (; stack_buckets[bucket] != 0; bucket = (bucket + 1) % BUCKETS) {
    const struct tg_stack *other = &kept_stacks[stack_buckets[bucket] - 1].stack;
    if (other->depth == stack->depth &&
        memcmp(other->frames, stack->frames, stack->depth * sizeof stack->frames[0]) == 0)
      break;
  }
  return bucket;
}

/* Called with stacks_lock held. */
static uint16_t keep_file(const char *path) {
  for (uint16_t i = 0; i < kept_file_count; i++)
    if (strcmp(kept_files[i], path) == 0) return (uint16_t)(i + 1);
  if (kept_file_count == TG_FILES_MAX) return 0;
  tg_copy_string(kept_files[kept_file_count], TG_FILE_MAX, path);
  return ++kept_file_count;
}

/* The number of an equal stack whose addresses still mean the same code; 0: there is none. */
static uint32_t find_stack(const struct tg_stack *stack, unsigned long long unloads) {
  tg_lock_acquire(&stacks_lock, TG_RANK_STACKS);
  uint32_t number = stack_buckets[find_stack_bucket(stack)];
  if (number != 0 && kept_stacks[number - 1].unloads != unloads) number = 0;
  tg_lock_release(&stacks_lock, TG_RANK_STACKS);
  return number;
}

/* The locations of a stack's frames. */
struct places {
  struct tg_place place[TG_STACK_DEPTH_MAX];
  bool located[TG_STACK_DEPTH_MAX];
};

/* Called with stacks_lock held. */
static bool has_same_places(const struct kept_stack *one, const struct places *places) {
  for (unsigned i = 0; i < one->stack.depth; i++) {
    uint16_t file = one->places[i].file;
    if ((file != 0) != places->located[i]) return false;
    if (file == 0) continue;
    if (one->places[i].offset != places->place[i].offset) return false;
    if (strcmp(kept_files[file - 1], places->place[i].file) != 0) return false;
  }
  return true;
}

/* Called with stacks_lock held, and only if there is space for a stack. */
static uint16_t fill_stack(const struct tg_stack *stack, const struct places *places,
                           unsigned long long unloads) {
  uint32_t used = atomic_load_explicit(&stack_count, memory_order_relaxed);
  struct kept_stack *one = &kept_stacks[used];
  one->stack = *stack;
  one->unloads = unloads;
  for (unsigned i = 0; i < stack->depth; i++) {
    one->places[i].file = places->located[i] ? keep_file(places->place[i].file) : 0;
    one->places[i].offset =
        one->places[i].file != 0 ? places->place[i].offset : (uint64_t)(uintptr_t)stack->frames[i];
  }
  atomic_store_explicit(&stack_count, used + 1, memory_order_release);
  return (uint16_t)(used + 1);
}

/* Called after find_stack has failed. The stack may still be there: another thread may have added
 * it meanwhile, or an object may have been unloaded since it was kept. Most addresses mean the same
 * code even after an unload. */
static uint32_t add_stack(const struct tg_stack *stack, const struct places *places,
                          unsigned long long unloads) {
  tg_lock_acquire(&stacks_lock, TG_RANK_STACKS);
  unsigned bucket = find_stack_bucket(stack);
  uint32_t number = stack_buckets[bucket];
  bool has_place = atomic_load_explicit(&stack_count, memory_order_relaxed) < TG_STACKS_MAX;
  if (number != 0 && has_same_places(&kept_stacks[number - 1], places))
    kept_stacks[number - 1].unloads = unloads;
  else
    number = has_place ? fill_stack(stack, places, unloads) : 0;
  if (number != 0) stack_buckets[bucket] = (uint16_t)number;
  tg_lock_release(&stacks_lock, TG_RANK_STACKS);
  return number;
}

/* Unwinding ends at code that V8 has generated. The addresses of such code mean nothing to a
 * reader, and differ in each worker. If they were kept, short-lived workers would fill the
 * table. */
static void drop_frames_without_file(struct tg_stack *stack) {
  struct tg_place place;
  while (stack->depth != 0 && !locate(stack->frames[stack->depth - 1], &place)) stack->depth--;
}

uint32_t tg_stack_keep(struct tg_stack *stack) {
  drop_frames_without_file(stack);
  if (stack->depth == 0) return 0;
  unsigned long long unloads = count_unloads();
  uint32_t number = find_stack(stack, unloads);
  if (number != 0) return number;
  struct places places;
  for (unsigned i = 0; i < stack->depth; i++)
    places.located[i] = locate(stack->frames[i], &places.place[i]);
  return add_stack(stack, &places, unloads);
}

static uint32_t recall(const struct tg_stack_key *key, bool *is_wanted) {
  tg_lock_acquire(&stacks_lock, TG_RANK_STACKS);
  uint32_t number = tg_stack_cache_find(key, is_wanted);
  tg_lock_release(&stacks_lock, TG_RANK_STACKS);
  return number;
}

/* Called while the function of key->frame has not returned. */
static void remember(const struct tg_stack_key *key, uint32_t number) {
  struct tg_stack_walk walk;
  tg_stack_walk_take(&walk, key->frame, depth_max + OWN_FRAMES_MAX);
  tg_lock_acquire(&stacks_lock, TG_RANK_STACKS);
  tg_stack_cache_add(key, &walk, number);
  tg_lock_release(&stacks_lock, TG_RANK_STACKS);
}

/* noinline: the function needs a frame of its own, because the key contains the frame's address. */
__attribute__((noinline)) uint32_t tg_stack_take_and_keep(const void *caller) {
  if (depth_max == 0) return 0;
  const struct tg_stack_key key = {__builtin_frame_address(0), caller, count_unloads()};
  bool is_wanted;
  uint32_t number = recall(&key, &is_wanted);
  if (number != 0) return number;
  struct tg_stack stack;
  tg_stack_take(&stack, caller);
  number = tg_stack_keep(&stack);
  if (is_wanted) remember(&key, number);
  return number;
}

static const struct kept_stack *find_kept_stack(uint32_t number) {
  if (number == 0 || number > atomic_load_explicit(&stack_count, memory_order_acquire)) return NULL;
  return &kept_stacks[number - 1];
}

unsigned tg_stack_depth(uint32_t number) {
  const struct kept_stack *found = find_kept_stack(number);
  return found == NULL ? 0 : found->stack.depth;
}

const char *tg_stack_frame(uint32_t number, unsigned depth, uint64_t *offset) {
  const struct kept_stack *found = find_kept_stack(number);
  if (found == NULL || depth >= found->stack.depth) return NULL;
  *offset = found->places[depth].offset;
  return found->places[depth].file == 0 ? NULL : kept_files[found->places[depth].file - 1];
}
