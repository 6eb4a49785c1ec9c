/* Removes what docker, journald or a log shipper has put around a line.
 *
 * Pure functions. They do not trust the bytes. */
#ifndef TG_COMMAND_REPORT_WRAPPER_H
#define TG_COMMAND_REPORT_WRAPPER_H

#include <stddef.h>
#include <stdint.h>

/* A part of a line. `text` points into the line's own bytes. */
struct tg_unwrapped {
  char *text;
  size_t length;
  int64_t time; /* when the line was logged, in milliseconds since 1970; TG_UNKNOWN: unknown */
};

/* Knows {"log":"…"} of docker's driver json-file, {"MESSAGE":"…"} of journalctl -o json, and a time
 * at the beginning, as docker logs -t, CRI and journalctl -o short-iso write it. Returns any other
 * line as it is. Changes `text`. */
struct tg_unwrapped tg_unwrap(char *text, size_t length);

#endif
