/* The functions behind tsfn-guard/register, which shows JavaScript the state of the guard and its
 * last events, as JSON.
 *
 * The two exported functions are for register.node only (src/npm/register_node.c), which is shipped
 * with the library. The library is not an addon itself, because it would then define
 * napi_register_module_v1: in the global scope, if it is preloaded. For every addon that refers to
 * its own definition by name, the dynamic linker would find the library's first. Addons that use
 * NAPI_MODULE_INIT from the headers of Node 10 to 17 refer to it in this way (docs/contract.md).
 *
 * Thread safety: any thread at any time, but not in a signal handler. */
#ifndef TG_PRELOAD_REGISTER_H
#define TG_PRELOAD_REGISTER_H

#include <stdbool.h>
#include <stddef.h>

enum { TSFN_GUARD_JSON_SIZE = 64 * 1024 };

/* Writes one line of JSON and returns its length. */
size_t tsfn_guard_stats(char json[TSFN_GUARD_JSON_SIZE]);

/* Writes a line of JSON for each event in the ring, oldest first, and returns the total length. */
size_t tsfn_guard_events(char json[TSFN_GUARD_JSON_SIZE]);

/* Records the mode ("protect", "diagnose" or "off") and whether the guard is armed. Call it as soon
 * as that is known. */
void tg_register_record(const char *mode, bool armed);

#endif
