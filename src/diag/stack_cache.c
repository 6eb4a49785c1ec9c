/* Implements the cache of stacks. */
#include "diag/stack_cache.h"

#include <stddef.h>
#include <string.h>
#include <unwind.h>

#include "base/glibc_floor.h"

/* WAYS: a binding creates all functions at one place of its code, so many stacks fall into one set
 * and differ only further outwards. FRAME_MAX: a page, so that no frame spans a page that is not
 * mapped. */
enum { SETS = 16, WAYS = 16, STEPS_MAX = 40, FRAME_MAX = 4096, BUDGET_MAX = 256 };

/* The number of rbp in unwind tables, and the place of the return address in a frame with a frame
 * pointer. */
enum { FRAME_POINTER = 6, RETURN_ADDRESS = 1 };

static struct known_walk {
  struct tg_stack_walk walk;
  const void *caller;
  unsigned long long unloads;
  uint32_t number; /* 0: none */
} known_walks[SETS][WAYS];

/* Adding a stack takes as long as unwinding it. Each added stack costs one unit of the budget, and
 * each recognized one gives a unit back. So if all stacks are different, they take little longer
 * than without a cache. */
static unsigned budget = BUDGET_MAX, misses;

static struct {
  _Unwind_Reason_Code (*backtrace)(_Unwind_Trace_Fn, void *);
  _Unwind_Ptr (*get_ip)(struct _Unwind_Context *);
  _Unwind_Word (*get_cfa)(struct _Unwind_Context *);
  _Unwind_Word (*get_gr)(struct _Unwind_Context *, int);
} unwinder; /* constant after tg_stack_cache_open; NULL: none was found */

static bool find_function(const char *name, void *place) {
  void *address = dlsym == NULL ? NULL : dlsym(RTLD_DEFAULT, name);
  memcpy(place, &address, sizeof address);
  return address != NULL;
}

#ifdef __x86_64__
static const bool is_x86_64 = true;
#else
static const bool is_x86_64 = false;
#endif

void tg_stack_cache_open(void) {
  if (is_x86_64 && find_function("_Unwind_GetIP", &unwinder.get_ip) &&
      find_function("_Unwind_GetCFA", &unwinder.get_cfa) &&
      find_function("_Unwind_GetGR", &unwinder.get_gr))
    find_function("_Unwind_Backtrace", &unwinder.backtrace);
}

static struct known_walk *find_set(const struct tg_stack_key *key) {
  uint64_t hash =
      ((uint64_t)(uintptr_t)key->caller ^ (key->frame[RETURN_ADDRESS] << 1)) * 0x9e3779b97f4a7c15U;
  return known_walks[(hash >> 40) % SETS];
}

/* Reads a word only if all words further inwards were the same. Then the frame that holds the word
 * exists. */
__attribute__((no_sanitize_address)) static bool is_same_walk(const struct tg_stack_walk *walk,
                                                              const uintptr_t *frame) {
  for (unsigned i = 0; i < walk->count; i++) {
    uintptr_t value = frame[walk->words[i].place];
    if (walk->words[i].is_pointer) value -= (uintptr_t)frame;
    if (value != walk->words[i].value) return false;
  }
  return true;
}

uint32_t tg_stack_cache_find(const struct tg_stack_key *key, bool *is_wanted) {
  struct known_walk *set = find_set(key);
  for (struct known_walk *known = set; known < set + WAYS; known++) {
    if (known->number == 0 || known->caller != key->caller || known->unloads != key->unloads)
      continue;
    if (!is_same_walk(&known->walk, key->frame)) continue;
    if (budget < BUDGET_MAX) budget++;
    return known->number;
  }
  misses++;
  /* Without a budget, still add one stack of 16: those that are known may no longer be of use. */
  *is_wanted = unwinder.backtrace != NULL && (budget != 0 || misses % 16 == 0);
  return 0;
}

/* The frames of a walk. `code` is where a frame's function continues: the return address of the
 * next inner frame, which is the word below `start`. `start` is the frame's stack pointer at that
 * moment. The frame begins there, and ends where the next outer one begins. */
struct steps {
  uintptr_t first_start;
  unsigned count, count_max;
  bool is_odd; /* the walk is not understood */
  struct {
    uintptr_t code, start, frame_pointer;
  } step[STEPS_MAX];
};

__attribute__((no_sanitize_address)) static _Unwind_Reason_Code take_step(
    struct _Unwind_Context *context, void *argument) {
  struct steps *steps = argument;
  uintptr_t start = unwinder.get_cfa(context), code = unwinder.get_ip(context);
  if (start < steps->first_start) return _URC_NO_REASON; /* frames of this walk itself */
  /* the thread's first function has no caller */
  if (code == 0) return _URC_NORMAL_STOP;
  uintptr_t last = steps->count == 0 ? steps->first_start : steps->step[steps->count - 1].start;
  bool is_next = steps->count == 0 ? start == last : start > last && start - last <= FRAME_MAX;
  if (!is_next || start % sizeof start != 0 || ((const uintptr_t *)start)[-1] != code) {
    steps->is_odd = true;
    return _URC_NORMAL_STOP;
  }
  steps->step[steps->count].code = code;
  steps->step[steps->count].start = start;
  steps->step[steps->count].frame_pointer = unwinder.get_gr(context, FRAME_POINTER);
  return ++steps->count == steps->count_max ? _URC_NORMAL_STOP : _URC_NO_REASON;
}

/* Whether the unwinder may have found a frame by this word. */
static bool leads_to_frame(const struct steps *steps, uintptr_t value) {
  for (unsigned i = 0; i < steps->count; i++) {
    if (value == steps->step[i].start) return true;
    bool is_last = i + 1 == steps->count;
    uintptr_t end = is_last ? steps->step[i].start + FRAME_MAX : steps->step[i + 1].start;
    if (value == steps->step[i].frame_pointer && value >= steps->step[i].start && value < end)
      return true;
  }
  return false;
}

/* False: the walk is full. */
static bool add_word(struct tg_stack_walk *walk, size_t place, bool is_pointer, uintptr_t value) {
  if (walk->count == TG_STACK_WALK_WORDS) return false;
  walk->words[walk->count].place = (uint32_t)place;
  walk->words[walk->count].is_pointer = is_pointer;
  walk->words[walk->count++].value = value;
  return true;
}

/* Adds the words from the innermost one outwards. False: there are too many. */
__attribute__((no_sanitize_address)) static bool add_words(struct tg_stack_walk *walk,
                                                           const uintptr_t *frame,
                                                           const struct steps *steps) {
  const uintptr_t *word = frame;
  for (unsigned i = 0; i < steps->count; i++) {
    const uintptr_t *return_address = (const uintptr_t *)steps->step[i].start - 1;
    for (; word < return_address; word++)
      if (leads_to_frame(steps, *word) &&
          !add_word(walk, (size_t)(word - frame), true, *word - (uintptr_t)frame))
        return false;
    if (!add_word(walk, (size_t)(word++ - frame), false, steps->step[i].code)) return false;
  }
  return true;
}

void tg_stack_walk_take(struct tg_stack_walk *walk, const uintptr_t *frame, unsigned depth) {
  struct steps steps = {.first_start = (uintptr_t)(frame + RETURN_ADDRESS + 1),
                        .count_max = depth < STEPS_MAX ? depth : STEPS_MAX};
  walk->count = 0;
  unwinder.backtrace(take_step, &steps);
  if (steps.is_odd || steps.count == 0 || !add_words(walk, frame, &steps)) walk->count = 0;
}

void tg_stack_cache_add(const struct tg_stack_key *key, const struct tg_stack_walk *walk,
                        uint32_t number) {
  static unsigned turn;
  if (budget != 0) budget--;
  if (walk->count == 0 || number == 0) return;
  struct known_walk *set = find_set(key), *known = &set[turn++ % WAYS];
  for (unsigned i = 0; i < WAYS; i++)
    if (set[i].number == 0 || set[i].unloads != key->unloads) known = &set[i];
  *known = (struct known_walk){
      .walk = *walk, .caller = key->caller, .unloads = key->unloads, .number = number};
}
