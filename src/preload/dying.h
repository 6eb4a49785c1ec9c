/* The quirks dying and leak of named addons (docs/quirks.md): Node-API functions are redirected
 * that need JavaScript, or take a finalizer.
 *
 * TG_QUIRK_DYING: where the env's JavaScript is over, a function that fails is answered as if it
 * had not, with an empty result: undefined, false, 0, or zeroed memory. Never napi_unwrap and
 * napi_remove_wrap, whose NULL would be dereferenced. After TG_FALSE_ANSWERS_MAX such answers in a
 * row a thread is told the truth once, so whoever loops until a call fails ends. TG_QUIRK_LEAK: see
 * leak.h.
 *
 * Nothing is redirected before the runtime opens an addon that has one of the two, and other addons
 * get the runtime's answers. Only on Node. */
#ifndef TG_PRELOAD_DYING_H
#define TG_PRELOAD_DYING_H

#include "elf/image.h"

/* Once, after the seven were redirected. */
void tg_dying_open(const struct tg_image *runtime);

/* The runtime is about to open this file. Any thread. */
void tg_dying_prepare(const char *file);

#endif
