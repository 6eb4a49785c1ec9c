/* Implements register.h. */
#include "preload/register.h"

#include <stdatomic.h>

#include "diag/catalogue.h"
#include "diag/emitter.h"
#include "diag/log.h"
#include "diag/metrics.h"
#include "diag/policy.h"
#include "diag/report.h"
#include "diag/ring.h"
#include "preload/entry_points.h"
#include "preload/runtime_node.h"
#include "tsfn_guard/tsfn_guard.h"

static const char *guard_mode;
static bool is_armed;

void tg_register_record(const char *word, bool armed) {
  guard_mode = word;
  is_armed = armed;
}

static void emit_runtime(struct tg_emitter *emitter) {
  char runtime[TG_RUNTIME_MAX];
  if (is_armed) tg_node_learn_version_early();
  tg_emit_string(emitter, "runtime", tg_node_version(runtime) ? runtime : NULL);
}

static void emit_handles(struct tg_emitter *emitter) {
  struct tg_handle_tally tally = tg_metrics_count_handles(&tg_the_guard);
  tg_emit_number(emitter, "queued", tally.queued_items);
  tg_emit_group(emitter, "functions");
  for (unsigned state = 0; state < TG_HANDLE_STATES; state++)
    tg_emit_number(emitter, tg_handle_state_names[state], tally.handles[state]);
}

static void emit_event_counts(struct tg_emitter *emitter) {
  char code[TG_CODE_SIZE];
  tg_emit_group(emitter, "events");
  tg_lock_acquire(&tg_report_lock, TG_RANK_REPORT);
  for (enum tg_event_kind kind = TG_EVENT_NONE + 1; kind < TG_EVENT_KINDS; kind++) {
    if (tg_policy_seen(kind) == 0) continue;
    tg_catalogue_code(kind, code);
    tg_emit_number(emitter, code, tg_policy_seen(kind));
  }
  tg_lock_release(&tg_report_lock, TG_RANK_REPORT);
}

__attribute__((visibility("default"))) size_t tsfn_guard_stats(char json[TSFN_GUARD_JSON_SIZE]) {
  struct tg_emitter emitter;
  tg_emit_open(&emitter, TG_FORMAT_JSON, json, TSFN_GUARD_JSON_SIZE, "", "");
  tg_emit_string(&emitter, "version", TSFN_GUARD_VERSION);
  tg_emit_bool(&emitter, "armed", is_armed);
  tg_emit_string(&emitter, "mode", guard_mode);
  emit_runtime(&emitter);
  /* Relaxed: a counter. */
  tg_emit_number(&emitter, "created",
                 atomic_load_explicit(&tg_the_guard.table.taken, memory_order_relaxed));
  tg_emit_number(&emitter, "not_logged", tg_log_missed());
  emit_handles(&emitter);
  emit_event_counts(&emitter);
  return tg_emit_close(&emitter);
}

static size_t emit_ring_event(const struct tsfn_guard_ring_record *record, char *json,
                              size_t size) {
  enum tg_event_kind kind = (enum tg_event_kind)record->kind;
  const struct tg_catalogue_entry *entry = &tg_catalogue[kind];
  struct tg_emitter emitter;
  char code[TG_CODE_SIZE], hex[TG_HEX_SIZE];
  tg_catalogue_code(kind, code);
  tg_emit_open(&emitter, TG_FORMAT_JSON, json, size, "", "");
  tg_emit_number(&emitter, "sequence", record->sequence);
  tg_emit_number(&emitter, "time", record->time / 1000000);
  tg_emit_string(&emitter, "code", code);
  tg_emit_string(&emitter, "kind", entry->name);
  tg_emit_string(&emitter, "severity", tg_severity_names[entry->severity]);
  tg_emit_string(&emitter, "explanation", entry->explanation);
  tg_emit_number(&emitter, "thread", (uint64_t)record->thread);
  tg_emit_string(&emitter, "func", record->handle == 0 ? NULL : tg_report_hex(record->handle, hex));
  tg_emit_string(&emitter, "answered",
                 record->answer < 0 ? NULL : tg_report_status((napi_status)record->answer));
  tg_emit_string(&emitter, "addon", record->file[0] == '\0' ? NULL : record->file);
  tg_emit_string(&emitter, "caller",
                 record->caller == 0 ? NULL : tg_report_hex(record->caller, hex));
  tg_emit_number(&emitter, "number", record->number);
  tg_emit_string(&emitter, "name", record->name[0] == '\0' ? NULL : record->name);
  if (record->env == 0)
    tg_emit_null(&emitter, "env");
  else
    tg_emit_number(&emitter, "env", record->env);
  if (entry->quantity == NULL)
    tg_emit_null(&emitter, "quantity");
  else
    tg_emit_number(&emitter, "quantity", record->quantity);
  return tg_emit_close(&emitter);
}

__attribute__((visibility("default"))) size_t tsfn_guard_events(char json[TSFN_GUARD_JSON_SIZE]) {
  enum { EVENT_SIZE = TSFN_GUARD_JSON_SIZE / TSFN_GUARD_RING_RECORDS };
  tg_lock_acquire(&tg_report_lock, TG_RANK_REPORT);
  const struct tsfn_guard_ring ring = tsfn_guard_ring;
  tg_lock_release(&tg_report_lock, TG_RANK_REPORT);
  size_t length = 0;
  for (uint64_t i = 0; i < TSFN_GUARD_RING_RECORDS; i++) {
    const struct tsfn_guard_ring_record *record =
        &ring.record[(ring.next - 1 + i) % TSFN_GUARD_RING_RECORDS];
    if (record->sequence != 0) length += emit_ring_event(record, json + length, EVENT_SIZE);
  }
  return length;
}
