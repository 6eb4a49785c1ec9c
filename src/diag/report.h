/* Tells people of events: decides with the policy, collects the fields, writes to the log and the ring.
 *
 * Thread safety: tg_report_open once, before main; the rest from any thread, with no lock of the core held, but not
 * in a signal handler. No allocation, no stdio, errno as it was. */
#ifndef TG_DIAG_REPORT_H
#define TG_DIAG_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"
#include "core/event.h"
#include "diag/emitter.h"
#include "diag/stacks.h"

enum { TG_REPORT_VERSION = 1 }; /* of the JSON form; docs/event.schema.json */

enum { TG_SYMBOL_MAX = 96, TG_RUNTIME_MAX = 64 };

/* What the process knows. Any thread; may take locks of the dynamic linker, but for addon_path. */
struct tg_report_source {
  bool (*locate)(const void *code, struct tg_place *place);
  /* "name+0x12" of the nearest symbol. */
  bool (*name_symbol)(const void *code, char symbol[TG_SYMBOL_MAX]);
  const char *(*addon_path)(const struct tg_addon *addon);
  bool (*runtime)(char runtime[TG_RUNTIME_MAX]); /* "node 20.20.2" */
};

struct tg_report_options {
  enum tg_format format;
  bool diagnose; /* with stacks and symbols */

  /* What else is to be kept up to date; NULL: nothing. */
  void (*counted)(enum tg_event_kind kind); /* one more of these was counted; the report's lock is held */
  void (*reported)(void);                   /* after an event; no lock held */
  void (*aborting)(void);                   /* on.…=abort is about to abort; no lock held */
};

void tg_report_open(const struct tg_report_source *source, const struct tg_report_options *options);

/* The host's on_event. */
void tg_report_event(const struct tg_event *event);

/* The same with a sentence that says more; in text it is the whole message. */
void tg_report_detail(const struct tg_event *event, const char *detail);

/* An event of the process itself, no function's. `detail` says more; in text it is the whole message. */
void tg_report_process(enum tg_event_kind kind, const char *detail);

/* The report's lock, which guards policy and log too. */
extern struct tg_lock tg_report_lock;

/* Shared with the summary: the fields of an env, of a guarded function, and a kept stack. */
void tg_report_emit_function(struct tg_emitter *emitter, const struct tg_snapshot *snapshot);
void tg_report_emit_stack(struct tg_emitter *emitter, const char *name, uint32_t stack);

/* Node-API's name of a status. */
const char *tg_report_status(napi_status status);

/* "0x12" */
enum { TG_HEX_SIZE = 19 };
const char *tg_report_hex(uint64_t number, char text[TG_HEX_SIZE]);

/* "2026-11-24T03:04:05.678Z" */
enum { TG_TIME_SIZE = 25 };
void tg_report_time(char time[TG_TIME_SIZE]);

#endif
