/* Takes a line out of what others have put around it: docker, journald, a log shipper.
 *
 * Pure functions over the bytes that they are given; whoever wrote these is not trusted. */
#ifndef TG_COMMAND_REPORT_WRAPPER_H
#define TG_COMMAND_REPORT_WRAPPER_H

#include <stddef.h>
#include <stdint.h>

/* A piece of a log, in the line's own bytes. */
struct tg_unwrapped {
  char *text;
  size_t length;
  int64_t time; /* when the line was logged, in milliseconds since 1970; TG_UNKNOWN: not told */
};

/* Knows {"log":"…"} of docker's driver json-file, {"MESSAGE":"…"} of journalctl -o json, and a time at the
 * beginning, as docker logs -t, CRI and journalctl -o short-iso write it. `text` is changed. What is none of
 * these comes back whole. */
struct tg_unwrapped tg_unwrap(char *text, size_t length);

#endif
