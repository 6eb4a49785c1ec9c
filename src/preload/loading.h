/* The guard's part in the runtime's loading and unloading of addons: its imports of dlopen and dlclose, and the functions
 * with which constructors register modules, are redirected. */
#ifndef TG_PRELOAD_LOADING_H
#define TG_PRELOAD_LOADING_H

#include "elf/image.h"

/* Once, after the seven were redirected. A runtime that lacks one of these functions is left as it is there. */
void tg_loading_open(const struct tg_image *runtime);

#endif
