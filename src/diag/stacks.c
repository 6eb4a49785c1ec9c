/* Implements the stacks with glibc's backtrace(). */
#include "diag/stacks.h"

#include <execinfo.h>
#include <stdatomic.h>
#include <string.h>

#include "base/lock.h"
#include "base/text.h"

/* musl has none. Its loader refuses a library for one function that is missing, and then the program. */
#pragma weak backtrace

/* Frames of our own that stand before the caller's. */
enum { OWN_FRAMES_MAX = 8, BUCKETS = 8192 };

_Static_assert(BUCKETS >= 2 * TG_STACKS_MAX, "a free bucket is always found soon");

static unsigned depth_max;
static bool (*locate)(const void *code, struct tg_place *place);
static unsigned long long (*count_unloads)(void);

/* Guards the writing of what follows; rank TG_RANK_STACKS. A stack and a file never change once counted. */
static struct tg_lock lock;
static struct kept {
  struct tg_stack stack;
  unsigned long long unloads; /* as many objects were unloaded when its addresses last meant these places */
  struct {
    uint16_t file; /* one more than its place; 0: none */
    uint64_t offset;
  } places[TG_STACK_DEPTH_MAX];
} kept[TG_STACKS_MAX];
static uint16_t buckets[BUCKETS]; /* one more than the stack's place; 0: free */
static _Atomic uint32_t count;    /* released after the stack was written */
static char files[TG_FILES_MAX][TG_FILE_MAX];
static uint16_t file_count;

void tg_stacks_open(unsigned depth, bool (*locate_code)(const void *code, struct tg_place *place),
                    unsigned long long (*unloads_so_far)(void)) {
  locate = locate_code;
  count_unloads = unloads_so_far;
  depth_max = depth < TG_STACK_DEPTH_MAX ? depth : TG_STACK_DEPTH_MAX;
  if (backtrace == NULL) depth_max = 0;
  void *frame;
  if (depth_max != 0) backtrace(&frame, 1);
}

/* Where this library is in memory; the linker defines both. */
extern const char __ehdr_start __attribute__((visibility("hidden")));
extern const char _end __attribute__((visibility("hidden")));

static bool is_own(const void *frame) {
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
    for (first = 0; first < taken && is_own(frames[first]);) first++;
  }
  for (int i = first; i < taken && stack->depth < depth_max; i++) stack->frames[stack->depth++] = frames[i];
}

static unsigned find_bucket(const struct tg_stack *stack) {
  uint64_t hash = stack->depth;
  for (unsigned i = 0; i < stack->depth; i++)
    hash = (hash ^ (uint64_t)(uintptr_t)stack->frames[i]) * 0x9e3779b97f4a7c15U;
  unsigned bucket = (unsigned)(hash >> 40) % BUCKETS;
  for (; buckets[bucket] != 0; bucket = (bucket + 1) % BUCKETS) {
    const struct tg_stack *other = &kept[buckets[bucket] - 1].stack;
    if (other->depth == stack->depth &&
        memcmp(other->frames, stack->frames, stack->depth * sizeof stack->frames[0]) == 0)
      break;
  }
  return bucket;
}

/* With the lock held. */
static uint16_t keep_file(const char *path) {
  for (uint16_t i = 0; i < file_count; i++)
    if (strcmp(files[i], path) == 0) return (uint16_t)(i + 1);
  if (file_count == TG_FILES_MAX) return 0;
  tg_copy_string(files[file_count], TG_FILE_MAX, path);
  return ++file_count;
}

/* The stack, if its addresses still mean what they did. */
static uint32_t find(const struct tg_stack *stack, unsigned long long unloads) {
  tg_lock_acquire(&lock, TG_RANK_STACKS);
  uint32_t number = buckets[find_bucket(stack)];
  if (number != 0 && kept[number - 1].unloads != unloads) number = 0;
  tg_lock_release(&lock, TG_RANK_STACKS);
  return number;
}

/* Where the frames of a stack are. */
struct places {
  struct tg_place place[TG_STACK_DEPTH_MAX];
  bool located[TG_STACK_DEPTH_MAX];
};

/* With the lock held. */
static bool means(const struct kept *one, const struct places *places) {
  for (unsigned i = 0; i < one->stack.depth; i++) {
    uint16_t file = one->places[i].file;
    if ((file != 0) != places->located[i]) return false;
    if (file == 0) continue;
    if (one->places[i].offset != places->place[i].offset) return false;
    if (strcmp(files[file - 1], places->place[i].file) != 0) return false;
  }
  return true;
}

/* With the lock held, and a place free. */
static uint16_t fill(const struct tg_stack *stack, const struct places *places, unsigned long long unloads) {
  uint32_t used = atomic_load_explicit(&count, memory_order_relaxed);
  struct kept *one = &kept[used];
  one->stack = *stack;
  one->unloads = unloads;
  for (unsigned i = 0; i < stack->depth; i++) {
    one->places[i].file = places->located[i] ? keep_file(places->place[i].file) : 0;
    one->places[i].offset =
        one->places[i].file != 0 ? places->place[i].offset : (uint64_t)(uintptr_t)stack->frames[i];
  }
  atomic_store_explicit(&count, used + 1, memory_order_release);
  return (uint16_t)(used + 1);
}

/* The caller has looked for it in vain; or another thread has just kept the same; or an object was unloaded since, which
 * says little: most addresses still mean the same places. */
static uint32_t add(const struct tg_stack *stack, const struct places *places, unsigned long long unloads) {
  tg_lock_acquire(&lock, TG_RANK_STACKS);
  unsigned bucket = find_bucket(stack);
  uint32_t number = buckets[bucket];
  bool has_place = atomic_load_explicit(&count, memory_order_relaxed) < TG_STACKS_MAX;
  if (number != 0 && means(&kept[number - 1], places))
    kept[number - 1].unloads = unloads;
  else
    number = has_place ? fill(stack, places, unloads) : 0;
  if (number != 0) buckets[bucket] = (uint16_t)number;
  tg_lock_release(&lock, TG_RANK_STACKS);
  return number;
}

/* Unwinding ends at code that V8 has made, whose address says nothing to anybody but is another one in each worker:
 * with it, workers that come and go would use up all places. */
static void drop_code_of_no_file(struct tg_stack *stack) {
  struct tg_place place;
  while (stack->depth != 0 && !locate(stack->frames[stack->depth - 1], &place)) stack->depth--;
}

uint32_t tg_stack_keep(struct tg_stack *stack) {
  drop_code_of_no_file(stack);
  if (stack->depth == 0) return 0;
  unsigned long long unloads = count_unloads();
  uint32_t number = find(stack, unloads);
  if (number != 0) return number;
  struct places places;
  for (unsigned i = 0; i < stack->depth; i++) places.located[i] = locate(stack->frames[i], &places.place[i]);
  return add(stack, &places, unloads);
}

static const struct kept *find_kept(uint32_t number) {
  if (number == 0 || number > atomic_load_explicit(&count, memory_order_acquire)) return NULL;
  return &kept[number - 1];
}

unsigned tg_stack_depth(uint32_t number) {
  const struct kept *found = find_kept(number);
  return found == NULL ? 0 : found->stack.depth;
}

const char *tg_stack_frame(uint32_t number, unsigned depth, uint64_t *offset) {
  const struct kept *found = find_kept(number);
  if (found == NULL || depth >= found->stack.depth) return NULL;
  *offset = found->places[depth].offset;
  return found->places[depth].file == 0 ? NULL : files[found->places[depth].file - 1];
}
