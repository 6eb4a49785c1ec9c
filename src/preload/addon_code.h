/* Addon objects: which file some code is in, how long that file stays mapped, and its exit handler.
 *
 * An object is unloaded as without the guard, but where something of it may still run once the runtime has closed it for
 * the last time: then it is kept mapped for ever.
 *
 * Thread safety: all functions may be called by any thread with no lock held that the dynamic linker could wait for;
 * the path of a record is constant. Records are never freed. */
#ifndef TG_PRELOAD_ADDON_CODE_H
#define TG_PRELOAD_ADDON_CODE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/types.h"
#include "diag/report.h"

/* Once, before all else. `pin` is the option of that name. `on_exit` is called by exit() before the static destructors
 * of whatever was loaded when a function was created. */
void tg_addon_code_open(const char *pin, void (*on_exit)(void));

/* The tg_host functions of the same names (core/ports.h). */
struct tg_addon *tg_addon_register(const void *code);
bool tg_addon_has_code(const struct tg_addon *addon, const void *code);
void tg_addon_join(struct tg_addon *addon, struct tg_addon *other);
unsigned long long tg_addon_count_unloads(void);
void tg_addon_leave(struct tg_addon *addon);

/* --- What the runtime loads and unloads (preload/loading.h) */

/* A module that a constructor has registered, and the runtime's function for that. */
struct tg_registration {
  void *module; /* NULL: none */
  void (*register_module)(void *module);
};

/* Whether the option `pin` names this file. */
bool tg_addon_is_always_kept(const char *file);

/* A constructor has registered a module that lies in its object, or else has called from `caller`. */
void tg_addon_registered(const void *caller, const struct tg_registration *registration);

/* The runtime has opened the object that holds that address; `has_registered`: it has registered a module meanwhile. Where
 * the object was mapped all the time, and so no constructor has run, registers its module again. */
void tg_addon_opened(const void *in_it, bool has_registered, bool is_always_kept);

/* The runtime is about to close the object. If that is the last time, keeps what may still run, and answers the record;
 * tg_addon_closed is to be called afterwards with the number that is at `registrations` then. */
struct tg_addon *tg_addon_closing(const char *path, unsigned *registrations);
void tg_addon_closed(struct tg_addon *addon, unsigned registrations);

/* --- Naming code */

/* The record of the object that holds the code; NULL: there is none. Takes no lock. */
struct tg_addon *tg_addon_find(const void *code);

/* The file that the object was loaded from. */
const char *tg_addon_path(const struct tg_addon *addon);

/* The file that some code was loaded from, without adopting it; false: unknown. For the main program the file's
 * own path. */
bool tg_addon_locate(const void *code, struct tg_place *place);

/* The global function of that name in the object that holds `code`; its address is at `place` then, which is a pointer to
 * a function pointer. */
bool tg_addon_lookup_in_same_object(const void *code, const char *name, void *place);

/* "name+0x12" of the nearest symbol in its dynamic symbol table. */
bool tg_addon_name_symbol(const void *code, char symbol[TG_SYMBOL_MAX]);

#endif
