/* Durations for people, short enough for a table cell. */
#ifndef TG_COMMAND_DURATION_H
#define TG_COMMAND_DURATION_H

#include <stdint.h>

enum { TG_DURATION_SIZE = 16 };

/* "59s", "59m59s", "23h59m", "99d" */
const char *tg_format_duration(uint64_t seconds, char text[TG_DURATION_SIZE]);

#endif
