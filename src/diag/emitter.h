/* Writes named fields as text for people or as one line of JSON.
 *
 * The caller names groups and fields once, and the emitter produces either form. It writes into a
 * buffer of the caller: no allocation, no stdio, no locale; safe in a signal handler. A field that
 * does not fit is left out as a whole, so JSON stays well-formed and says so ("truncated": true).
 * Not shared between threads. */
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
  size_t capacity; /* what may be used so far; the rest of the buffer is reserved for closing */
  size_t length;
  bool in_group;
  bool group_lost; /* the group did not fit, so its fields must not appear elsewhere */
  bool in_list;
  bool first; /* the next field is the first one of its object or line */
  bool truncated;
  unsigned items; /* of the current list */
  size_t kept;    /* reserved by the list for what follows it */
  bool list_full;
};

/* `size` must be at least 256. In text form each line begins with `prefix`, and `headline` is the
 * first line; JSON uses neither. */
void tg_emit_open(struct tg_emitter *emitter, enum tg_format format, char *bytes, size_t size,
                  const char *prefix, const char *headline);

/* Starts a group for the following fields: a JSON object, or a line of text. Groups are not
 * nested. */
void tg_emit_group(struct tg_emitter *emitter, const char *name);

/* Starts a list for the following items: a JSON array, or a line of text each. The list leaves
 * `keep` bytes free for what follows it. After the first item that does not fit, no further items
 * are written. */
void tg_emit_list(struct tg_emitter *emitter, const char *name, size_t keep);
void tg_emit_item(struct tg_emitter *emitter, const char *value);

/* Fields of the current group, or of the event itself before the first group. A NULL string is null
 * in JSON, and is left out of text. */
void tg_emit_string(struct tg_emitter *emitter, const char *name, const char *value);
void tg_emit_number(struct tg_emitter *emitter, const char *name, uint64_t value);
void tg_emit_bool(struct tg_emitter *emitter, const char *name, bool value);
void tg_emit_null(struct tg_emitter *emitter, const char *name);

/* Ends the last line and returns the total length. */
size_t tg_emit_close(struct tg_emitter *emitter);

#endif
