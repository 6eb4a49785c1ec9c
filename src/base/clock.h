/* Reads a clock as one number.
 *
 * Callable by any thread and in a signal handler; errno is preserved. */
#ifndef TG_BASE_CLOCK_H
#define TG_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds since the clock's epoch; 64 bits hold 584 years. 0, and errno is set: there is no such
 * clock, because the thread that it belongs to has ended. */
static inline uint64_t tg_nanoseconds(clockid_t clock) {
  struct timespec time = {0};
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

#endif
