/* The catalogue of events: the name, the severity and the description of each kind.
 *
 * Constant data. help=1, the docs (scripts/docs.sh) and every report use it. */
#ifndef TG_DIAG_CATALOGUE_H
#define TG_DIAG_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/event.h"

/* From worst to mildest. */
enum tg_severity {
  TG_FATAL_AVOIDED, /* undefined behaviour or an abort without the guard */
  TG_HANG_AVOIDED,  /* a thread that waits for ever without the guard */
  TG_WARN,          /* wrong, but harmless so far */
  TG_LEAK,
  TG_INFO,
  TG_SEVERITIES
};

extern const char *const tg_severity_names[TG_SEVERITIES];

struct tg_catalogue_entry {
  const char *name;        /* hyphenated; never changes */
  const char *explanation; /* one line */
  const char *natively;    /* what happens without the guard: "would have …" */
  const char *action;      /* what the guard did */
  const char *quantity;    /* the unit of the event's quantity; NULL: it has none */
  enum tg_severity severity;
  bool only_diagnose; /* detected with mode=diagnose only */
  const char *remedy; /* what to do; NULL: update the addon or report it */
};

/* Indexed by kind; the entry of TG_EVENT_NONE is empty. */
extern const struct tg_catalogue_entry tg_catalogue[TG_EVENT_KINDS];

enum { TG_CODE_SIZE = sizeof "TSG001" };

/* Formats the code of a kind: "TSG001". */
void tg_catalogue_code(enum tg_event_kind kind, char code[TG_CODE_SIZE]);

/* The kind with that code or name of `length` bytes, or TG_EVENT_NONE. */
enum tg_event_kind tg_catalogue_find(const char *word, size_t length);

/* The severity with that name, or TG_SEVERITIES. */
enum tg_severity tg_severity_find(const char *word, size_t length);

/* Prints every kind on stderr, one line each. */
void tg_catalogue_print(void);

#endif
