/* The functions that replace the runtime's seven. */
#ifndef TG_PRELOAD_ENTRY_POINTS_H
#define TG_PRELOAD_ENTRY_POINTS_H

#include "core/api.h"
#include "elf/redirect.h"
#include "preload/runtime_node.h"

/* The only guard of the process. */
extern struct tg_guard tg_the_guard;

/* Names and replacements, for elf/redirect. */
extern struct tg_redirection tg_redirections[TG_FUNCTIONS];

#endif
