/* Reports events: applies the policy, collects the fields, and writes to the log and the ring.
 *
 * Thread safety: call tg_report_open once, before main. Any thread may call the others if it holds
 * no lock of the core, but not in a signal handler. No allocation, no stdio; errno is preserved. */
#ifndef TG_DIAG_REPORT_H
#define TG_DIAG_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"
#include "core/event.h"
#include "diag/emitter.h"
#include "diag/stacks.h"

enum { TG_REPORT_VERSION = 1 }; /* of the JSON form; see docs/event.schema.json */

enum { TG_SYMBOL_MAX = 96, TG_RUNTIME_MAX = 64 };

/* Queries about the process. Any thread may call them. All but addon_path may take locks of the
 * dynamic linker. */
struct tg_report_source {
  bool (*locate)(const void *code, struct tg_place *place);
  /* The nearest symbol: "name+0x12". */
  bool (*name_symbol)(const void *code, char symbol[TG_SYMBOL_MAX]);
  const char *(*addon_path)(const struct tg_addon *addon);
  bool (*runtime)(char runtime[TG_RUNTIME_MAX]); /* "node 20.20.2" */
};

struct tg_report_options {
  enum tg_format format;
  bool diagnose; /* include stacks and symbols */

  /* Called to keep other parts up to date; NULL: none. */
  void (*counted)(enum tg_event_kind kind); /* an event was counted; the report's lock is held */
  void (*reported)(void);                   /* after an event; no lock is held */
  void (*aborting)(void);                   /* before an abort by on.…=abort; no lock is held */
};

void tg_report_open(const struct tg_report_source *source, const struct tg_report_options *options);

/* Implements the host's on_event. */
void tg_report_event(const struct tg_event *event);

/* The same with an explanation, `detail`. In text form it is the whole message. */
void tg_report_detail(const struct tg_event *event, const char *detail);

/* Reports an event of the process itself, not of a function. `detail` explains it; in text form it
 * is the whole message. */
void tg_report_process(enum tg_event_kind kind, const char *detail);

/* The report's lock, which also guards the policy and the log. */
extern struct tg_lock tg_report_lock;

/* Shared with the summary: emit the fields of a function and its env, or a kept stack. */
void tg_report_emit_function(struct tg_emitter *emitter, const struct tg_snapshot *snapshot);
void tg_report_emit_stack(struct tg_emitter *emitter, const char *name, uint32_t stack);

/* The name of a status in Node-API. */
const char *tg_report_status(napi_status status);

/* Formats a number as "0x12". */
enum { TG_HEX_SIZE = 19 };
const char *tg_report_hex(uint64_t number, char text[TG_HEX_SIZE]);

/* Formats the current time as "2026-11-24T03:04:05.678Z". */
enum { TG_TIME_SIZE = 25 };
void tg_report_time(char time[TG_TIME_SIZE]);

#endif
