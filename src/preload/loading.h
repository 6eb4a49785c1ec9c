/* Observes how the runtime loads and unloads addons: redirects its imports of dlopen and dlclose,
 * and the functions with which constructors register modules. */
#ifndef TG_PRELOAD_LOADING_H
#define TG_PRELOAD_LOADING_H

#include "elf/image.h"

/* Call it once, after the seven functions were redirected. A function that the runtime lacks is not
 * redirected. */
void tg_loading_open(const struct tg_image *runtime);

#endif
