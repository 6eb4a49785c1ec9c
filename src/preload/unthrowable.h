/* Throws that nobody can catch: where an env's JavaScript is over, napi_throw and its like answer
 * napi_ok.
 *
 * Node answers an error there, and node-addon-api makes that error fatal
 * (nodejs/node-addon-api#1119), unless the addon was built with
 * NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS. This does the same for addons that were built without
 * it. */
#ifndef TG_PRELOAD_UNTHROWABLE_H
#define TG_PRELOAD_UNTHROWABLE_H

#include "elf/image.h"

/* Redirects the functions with which addons throw, once the seven were redirected. Does nothing in
 * a runtime that is no Node. A function that the runtime lacks, or that cannot be redirected, is
 * left as it is. */
void tg_unthrowable_open(const struct tg_image *runtime);

#endif
