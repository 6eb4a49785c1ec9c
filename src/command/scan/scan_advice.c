/* Implements the table of known packages. docs/real-addons.md and docs/quirks.md have the figures behind each row. */
#include "command/scan/scan_advice.h"

#include <fnmatch.h>
#include <stddef.h>

/* Packages come twice: the one that is asked for, and those with the prebuilt file for one system. */
static const char koffi[] =
    "without the guard it dies as a worker or the process ends; with it no run died, unless a timer called "
    "back for so long that max_async_calls was reached";
static const char lightningcss[] =
    "with the guard no run died as a worker ended; its threads may no longer answer after that, which is its "
    "own "
    "fault: let bundleAsync finish before a worker is terminated";
static const char watcher[] =
    "with the guard no run died as a subscribed worker ended; a worker that then watches the same directory "
    "may die by its own fault: unsubscribe first";
static const char pty[] = "the guard catches what it throws if a shell ends together with its worker";
static const char sound[] = "no fault was found, with the guard or without";
static const char lmdb[] =
    "with the guard 3 of 170 runs died as a worker ended in a call of its methods; process.exit() hangs "
    "during a transaction, with the guard or without: wait for it";
static const char impit[] =
    "with the guard a few runs in a hundred died as a worker ended, by its own fault; exit=fast is for the "
    "end of the process";
static const char libsql[] =
    "it takes it for fatal that JavaScript is over; quirks=known is for workers that end, exit=fast for the "
    "process";
static const char edr[] =
    "it aborts if it is answered that a worker has ended, which no option prevents: do not terminate its "
    "workers; exit=fast is for the end of the process";
static const char duckdb[] =
    "process.exit() hangs without exit=fast; it throws through V8 as a worker ends without quirks=known";
static const char old_duckdb[] =
    "not tried; its successor, @duckdb/node-bindings, needs quirks=known and exit=fast";
static const char aws_crt[] =
    "everything but napi_ok is fatal to it; quirks=known is for workers that end, exit=fast for the process";
static const char rspack[] =
    "its threads use what a worker has freed; quirks=known is for workers that end, exit=fast for the "
    "process";

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
};

const struct tg_scan_advice *tg_scan_advice_find(const char *package) {
  for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++)
    if (fnmatch(table[i].package, package, FNM_PATHNAME) == 0) return &table[i];
  return NULL;
}

const struct tg_scan_advice *tg_scan_advice_row(unsigned number) {
  return number < sizeof table / sizeof table[0] ? &table[number] : NULL;
}
