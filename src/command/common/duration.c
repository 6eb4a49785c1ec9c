/* Implements duration.h. */
#include "command/common/duration.h"

#include <inttypes.h>
#include <stdio.h>

const char *tg_format_duration(uint64_t seconds, char text[TG_DURATION_SIZE]) {
  enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR };
  if (seconds < MINUTE)
    snprintf(text, TG_DURATION_SIZE, "%" PRIu64 "s", seconds);
  else if (seconds < HOUR)
    snprintf(text, TG_DURATION_SIZE, "%" PRIu64 "m%02" PRIu64 "s", seconds / MINUTE,
             seconds % MINUTE);
  else if (seconds < DAY)
    snprintf(text, TG_DURATION_SIZE, "%" PRIu64 "h%02" PRIu64 "m", seconds / HOUR,
             seconds % HOUR / MINUTE);
  else
    snprintf(text, TG_DURATION_SIZE, "%" PRIu64 "d",
             seconds / DAY % 100000000); /* so that it fits */
  return text;
}
