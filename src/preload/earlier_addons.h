/* The addons that were loaded before the guard, which stay unguarded.
 *
 * The dynamic linker may have bound some of their functions to the runtime's already, and will bind the rest to the
 * guard's: a guarded function must not come into their hands, as the runtime's functions know no handle of ours.
 *
 * Thread safety: noted once, before the functions are redirected; read-only from then on, by any thread. */
#ifndef TG_PRELOAD_EARLIER_ADDONS_H
#define TG_PRELOAD_EARLIER_ADDONS_H

#include <stdbool.h>

#include "elf/image.h"
#include "elf/redirect.h"

struct tg_earlier_addon {
  const struct tg_earlier_addon *next; /* NULL: the last */
  char file[];                         /* as tg_addon_locate has it */
};

/* Notes the objects that refer to one of these functions, and Node-API addons that refer to dlsym, with which they may look
 * them up. What looks them up and is no such addon is not seen. The first of them; NULL: there is none. */
const struct tg_earlier_addon *tg_earlier_addons_record(const struct tg_image *runtime,
                                                        const struct tg_redirection *redirections,
                                                        size_t count);

/* Whether the code is in one of them. */
bool tg_earlier_addons_have(const void *code);

#endif
