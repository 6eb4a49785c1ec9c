/* The catalogue of events: what each kind is called, how bad it is, and what to say of it.
 *
 * Constant data. help=1, the docs (scripts/docs.sh) and every report are made from it. */
#ifndef TG_DIAG_CATALOGUE_H
#define TG_DIAG_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/event.h"

/* The worst first. */
enum tg_severity {
  TG_FATAL_AVOIDED, /* natively undefined behaviour or an abort */
  TG_HANG_AVOIDED,  /* natively somebody waits for ever */
  TG_WARN,          /* wrong, and harmless so far */
  TG_LEAK,
  TG_INFO,
  TG_SEVERITIES
};

extern const char *const tg_severity_names[TG_SEVERITIES];

struct tg_catalogue_entry {
  const char *name;        /* with hyphens; never changes */
  const char *explanation; /* one line */
  const char *natively; /* what the runtime would have done; follows its name and version: "would have …" */
  const char *action;   /* what the guard did */
  const char *quantity; /* what the event's quantity counts; NULL: nothing */
  enum tg_severity severity;
  bool only_diagnose; /* noticed with mode=diagnose only */
};

/* By kind; that of TG_EVENT_NONE is empty. */
extern const struct tg_catalogue_entry tg_catalogue[TG_EVENT_KINDS];

enum { TG_CODE_SIZE = sizeof "TSG001" };

/* "TSG001" of a kind. */
void tg_catalogue_code(enum tg_event_kind kind, char code[TG_CODE_SIZE]);

/* The kind with that code or name of `length` bytes; TG_EVENT_NONE: there is none. */
enum tg_event_kind tg_catalogue_find(const char *word, size_t length);

/* The severity with that name; TG_SEVERITIES: there is none. */
enum tg_severity tg_severity_find(const char *word, size_t length);

/* Every kind, a line each, on stderr. */
void tg_catalogue_print(void);

#endif
