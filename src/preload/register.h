/* What tsfn-guard/register shows to JavaScript: the state of the guard and its last events, as JSON.
 *
 * The two exported functions are for register.node (src/npm/register_node.c) alone, which comes with the library. Why
 * the library is no addon itself: preloaded it would have napi_register_module_v1 in the global scope, where the
 * dynamic linker finds it first for every addon that refers to its own, as those with NAPI_MODULE_INIT of Node 10 to
 * 17's headers do (docs/contract.md).
 *
 * Thread safety: any thread, any time, but not in a signal handler. */
#ifndef TG_PRELOAD_REGISTER_H
#define TG_PRELOAD_REGISTER_H

#include <stdbool.h>
#include <stddef.h>

enum { TSFN_GUARD_JSON_SIZE = 64 * 1024 };

/* One line of JSON; its length. */
size_t tsfn_guard_stats(char json[TSFN_GUARD_JSON_SIZE]);

/* A line of JSON for each event of the ring, the oldest first; the length of all. */
size_t tsfn_guard_events(char json[TSFN_GUARD_JSON_SIZE]);

/* How the guard was loaded: "protect", "diagnose" or "off", and whether it is armed. Once it is known. */
void tg_register_record(const char *mode, bool armed);

#endif
