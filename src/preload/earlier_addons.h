/* The addons that were loaded before the guard. They stay unguarded.
 *
 * The dynamic linker may already have bound some of their imports to the runtime's functions, and
 * will bind the rest to the guard's. Such an addon must never get a guarded function, because the
 * runtime's functions do not know our handles.
 *
 * Thread safety: recorded once, before the functions are redirected; read-only after that, by any
 * thread. */
#ifndef TG_PRELOAD_EARLIER_ADDONS_H
#define TG_PRELOAD_EARLIER_ADDONS_H

#include <stdbool.h>

#include "elf/image.h"
#include "elf/redirect.h"

struct tg_earlier_addon {
  const struct tg_earlier_addon *next; /* NULL: the last */
  char file[];                         /* as tg_addon_locate reports it */
};

/* Records the objects that refer to one of these functions. Also records the Node-API addons that
 * refer to dlsym, because these may look the functions up. Any other object that looks them up is
 * missed. Returns the first one; NULL: there is none. */
const struct tg_earlier_addon *tg_earlier_addons_record(const struct tg_image *runtime,
                                                        const struct tg_redirection *redirections,
                                                        size_t count);

/* Whether one of them contains the code. */
bool tg_earlier_addons_have(const void *code);

#endif
