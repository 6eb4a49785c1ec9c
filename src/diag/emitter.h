/* One walk over named fields, written down as text for people or as one line of JSON.
 *
 * Whoever walks names groups and fields once, and both forms follow. Writes into a buffer that the caller
 * gives; no allocation, no stdio, no locale; safe in a signal handler. What does not fit is left out field by
 * field, so that JSON stays well-formed; it says so then ("truncated": true). Not shared between threads. */
#ifndef TG_DIAG_EMITTER_H
#define TG_DIAG_EMITTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tg_format { TG_FORMAT_TEXT, TG_FORMAT_JSON };

struct tg_emitter {
  enum tg_format format;
  const char *prefix; /* of each line of text */
  char *bytes;
  size_t capacity; /* what may be used; the end of the buffer is kept for closing */
  size_t length;
  bool in_group;
  bool group_lost; /* the group did not fit, so its fields must not stand anywhere else */
  bool in_list;
  bool first; /* the next field is the first of its object or line */
  bool truncated;
  unsigned items; /* of the list */
  size_t kept;    /* by the list, for what comes after it */
  bool list_full;
};

/* `size` is at least 256. In text each line begins with `prefix`, and `headline` is the first; JSON has no use for
 * them. */
void tg_emit_open(struct tg_emitter *emitter, enum tg_format format, char *bytes, size_t size,
                  const char *prefix, const char *headline);

/* What follows belongs to this group: a JSON object, a line of text. Groups are not nested. */
void tg_emit_group(struct tg_emitter *emitter, const char *name);

/* What follows are items of this list: a JSON array, a line of text each. The list leaves `keep` bytes free for what
 * comes after it; from the first item that does not fit, none is written. */
void tg_emit_list(struct tg_emitter *emitter, const char *name, size_t keep);
void tg_emit_item(struct tg_emitter *emitter, const char *value);

/* Fields of the group, or of the event itself before the first group. A NULL string is null in JSON, and left
 * out of text. */
void tg_emit_string(struct tg_emitter *emitter, const char *name, const char *value);
void tg_emit_number(struct tg_emitter *emitter, const char *name, uint64_t value);
void tg_emit_bool(struct tg_emitter *emitter, const char *name, bool value);
void tg_emit_null(struct tg_emitter *emitter, const char *name);

/* Ends the last line; the length of it all. */
size_t tg_emit_close(struct tg_emitter *emitter);

#endif
