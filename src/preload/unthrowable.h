/* Throws that nobody can catch: if an env can no longer run JavaScript, napi_throw and its like
 * return napi_ok.
 *
 * Node returns an error then, and node-addon-api makes that error fatal
 * (nodejs/node-addon-api#1119), unless the addon was built with
 * NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS. The redirection has the same effect for addons that were
 * built without it. */
#ifndef TG_PRELOAD_UNTHROWABLE_H
#define TG_PRELOAD_UNTHROWABLE_H

#include "elf/image.h"

/* Redirects the functions with which addons throw. Call it after the seven functions were
 * redirected. Does nothing in a runtime other than Node. A function that the runtime lacks, or that
 * cannot be redirected, is left as it is. */
void tg_unthrowable_open(const struct tg_image *runtime);

#endif
