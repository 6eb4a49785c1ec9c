/* Implements the quirks dying and leak of named addons (docs/quirks.md). Redirects the Node-API
 * functions that need JavaScript, and those that take a finalizer.
 *
 * TG_QUIRK_DYING: if a function fails while the env can no longer run JavaScript, it returns
 * napi_ok and an empty result: undefined, false, 0, or zeroed memory. This is a false answer.
 * napi_unwrap and napi_remove_wrap never get one, because the addon would dereference their NULL
 * result. After TG_FALSE_ANSWERS_MAX false answers in a row, a thread gets a true one, so a loop
 * that runs until a call fails comes to an end. TG_QUIRK_LEAK: see leak.h.
 *
 * Nothing is redirected before the runtime opens an addon that has one of the two quirks. Other
 * addons get the runtime's answers. Node only. */
#ifndef TG_PRELOAD_DYING_H
#define TG_PRELOAD_DYING_H

#include "elf/image.h"

/* Call it once, after the seven functions were redirected. */
void tg_dying_open(const struct tg_image *runtime);

/* The runtime is about to open this file. Any thread. */
void tg_dying_prepare(const char *file);

#endif
