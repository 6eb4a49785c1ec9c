/* Addon objects: which file some code is in, keeping that file mapped, and its exit handler.
 *
 * Thread safety: adopt and keep_mapped may be called by any thread with no lock held that the dynamic linker
 * could wait for; the path of a record is constant. Records are never freed. */
#ifndef TG_PRELOAD_ADDON_CODE_H
#define TG_PRELOAD_ADDON_CODE_H

#include <stdbool.h>
#include <stddef.h>

#include "diag/report.h"

struct tg_addon;

/* Once, before all else. `pin`: whether objects may be pinned at all. `on_exit` is called by exit() before
 * the static destructors of every adopted addon. */
void tg_addon_code_open(bool pin, void (*on_exit)(void));

/* The tg_host functions of the same names (guard/runtime.h). */
const struct tg_addon *tg_addon_adopt(const void *code);
bool tg_addon_has_code(const struct tg_addon *addon, const void *code);
bool tg_addon_keep_mapped(const struct tg_addon *addon);

/* The file that the object was loaded from. */
const char *tg_addon_path(const struct tg_addon *addon);

/* The file that some code was loaded from, without adopting it; false: unknown. For the main program the file's
 * own path. */
bool tg_addon_locate(const void *code, struct tg_place *place);

/* The global function of that name in the object that holds `code`; its address is at `place` then, which is a pointer to
 * a function pointer. */
bool tg_addon_find_beside(const void *code, const char *name, void *place);

/* "name+0x12" of the nearest symbol in its dynamic symbol table. */
bool tg_addon_name_symbol(const void *code, char symbol[TG_SYMBOL_MAX]);

#endif
