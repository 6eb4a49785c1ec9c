/* Implements addresses.h. */
#include "base/addresses.h"

#include <stdbool.h>
#include <sys/mman.h>

enum { STEPS = 64 };

/* The kernel ignores the hint if that place is taken. */
static void *reserve_at(uintptr_t hint, size_t size) {
  void *memory =
      mmap((void *)hint, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

void *tg_reserve_anywhere(size_t size) {
  return reserve_at(0, size);
}

static bool is_above(const void *memory, size_t size, uintptr_t limit) {
  return memory != NULL && (uintptr_t)memory + size > limit;
}

/* Without a hint the kernel returns high addresses first. So this tries hints, from a quarter of
 * the limit upwards. */
void *tg_reserve_below(uintptr_t limit, size_t size) {
  void *memory = reserve_at(0, size);
  for (uintptr_t hint = limit / 4; is_above(memory, size, limit) && hint < limit;
       hint += limit / STEPS) {
    munmap(memory, size);
    memory = reserve_at(hint, size);
  }
  if (!is_above(memory, size, limit)) return memory;
  munmap(memory, size);
  return NULL;
}
