/* Implements the table of known packages. The figures behind each row are in docs/real-addons.md
 * and docs/quirks.md. */
#include "command/scan/scan_advice.h"

#include <fnmatch.h>
#include <stddef.h>

/* Many addons have two kinds of packages: the one that people install, and one for each system,
 * which contains the prebuilt file. */
static const char koffi[] =
    "without the guard it dies when a worker or the process ends; with the guard no run crashed, "
    "unless a timer called back for so long that max_async_calls was reached";
static const char lightningcss[] =
    "with the guard no run crashed when a worker ended; after that its threads may no longer "
    "answer, which is a fault of the addon: let bundleAsync finish before a worker is terminated";
static const char watcher[] =
    "with the guard no run crashed when a subscribed worker ended; one that then watches the same "
    "directory may die by a fault of the addon: unsubscribe first";
static const char pty[] =
    "the guard catches what it throws if a shell ends together with its worker";
static const char sound[] = "no fault was found, with the guard or without";
static const char lmdb[] =
    "with the guard 3 of 170 runs died when a worker ended in a call of one of its methods; "
    "process.exit() hangs during a transaction, with the guard or without: wait for it";
static const char impit[] =
    "with the guard a few runs in a hundred died when a worker ended, by a fault of the addon; "
    "exit=fast is for the end of the process";
static const char libsql[] =
    "it treats the end of JavaScript as fatal; quirks=known is for workers that end, exit=fast for "
    "the process";
static const char edr[] =
    "it aborts when a call is refused because a worker has ended; no option prevents this: do not "
    "terminate its workers; exit=fast is for the end of the process";
static const char duckdb[] =
    "without exit=fast process.exit() hangs; without quirks=known it throws through V8 when a "
    "worker ends";
static const char old_duckdb[] =
    "not tried; its successor, @duckdb/node-bindings, needs quirks=known and exit=fast";
static const char aws_crt[] =
    "it treats every answer but napi_ok as fatal; quirks=known is for workers that end, exit=fast "
    "for the process";
static const char rspack[] =
    "its threads use memory that an ended worker has freed; quirks=known is for workers that end, "
    "exit=fast for the process";
static const char borrows[] =
    "its threads use memory that an ended worker has freed; quirks=known is for workers that end "
    "and for the end of the process";
static const char datachannel[] =
    "without quirks=known it throws where nothing can catch, when a worker ends; only the first "
    "thread that loads it can use it";
static const char ffi_rs[] =
    "it aborts if its functions are called at the moment when a worker is ended: let the worker "
    "end by itself";
static const char temporal[] =
    "with the guard alone a few runs in a hundred died when a worker ended; quirks=known is for "
    "such workers";

#define QUIRKS "quirks=known"
#define EXIT "exit=fast"

static const struct tg_scan_advice table[] = {
    {"koffi", {NULL}, koffi},
    {"@koromix/koffi-*", {NULL}, koffi},
    {"lightningcss", {NULL}, lightningcss},
    {"lightningcss-*", {NULL}, lightningcss},
    {"@parcel/watcher", {NULL}, watcher},
    {"@parcel/watcher-*", {NULL}, watcher},
    {"node-pty", {NULL}, pty},
    {"@lydell/node-pty", {NULL}, pty},
    {"@lydell/node-pty-*", {NULL}, pty},
    {"rolldown", {NULL}, sound},
    {"@rolldown/binding-*", {NULL}, sound},
    {"nx", {NULL}, sound},
    {"@nx/nx-*", {NULL}, sound},
    {"@ast-grep/napi", {NULL}, sound},
    {"@ast-grep/napi-*", {NULL}, sound},
    {"@livekit/rtc-node", {NULL}, sound},
    {"@livekit/rtc-*-bindings-*", {NULL}, sound},
    {"lmdb", {NULL}, lmdb},
    {"@lmdb/lmdb-*", {NULL}, lmdb},
    {"impit", {EXIT}, impit},
    {"impit-*", {EXIT}, impit},
    {"libsql", {QUIRKS, EXIT}, libsql},
    {"@libsql/*", {QUIRKS, EXIT}, libsql},
    {"@nomicfoundation/edr", {EXIT}, edr},
    {"@nomicfoundation/edr-*", {EXIT}, edr},
    {"duckdb", {NULL}, old_duckdb},
    {"@duckdb/node-bindings", {QUIRKS, EXIT}, duckdb},
    {"@duckdb/node-bindings-*", {QUIRKS, EXIT}, duckdb},
    {"aws-crt", {QUIRKS, EXIT}, aws_crt},
    {"@rspack/binding", {QUIRKS, EXIT}, rspack},
    {"@rspack/binding-*", {QUIRKS, EXIT}, rspack},
    {"@number0/iroh", {QUIRKS}, borrows},
    {"@number0/iroh-*", {QUIRKS}, borrows},
    {"@lancedb/lancedb", {QUIRKS}, borrows},
    {"@lancedb/lancedb-*", {QUIRKS}, borrows},
    {"node-datachannel", {QUIRKS, EXIT}, datachannel},
    {"@node-datachannel/*", {QUIRKS, EXIT}, datachannel},
    {"ffi-rs", {NULL}, ffi_rs},
    {"@yuuang/ffi-rs-*", {NULL}, ffi_rs},
    {"node-web-audio-api", {NULL}, sound},
    {"@temporalio/core-bridge", {QUIRKS}, temporal},
};

const struct tg_scan_advice *tg_scan_advice_find(const char *package) {
  for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++)
    if (fnmatch(table[i].package, package, FNM_PATHNAME) == 0) return &table[i];
  return NULL;
}

const struct tg_scan_advice *tg_scan_advice_row(unsigned number) {
  return number < sizeof table / sizeof table[0] ? &table[number] : NULL;
}
