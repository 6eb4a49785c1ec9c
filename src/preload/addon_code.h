/* Addon objects: which file contains some code, how long that file stays mapped, and the exit
 * handlers, which run before the static destructors of such files.
 *
 * An object is unloaded as without the guard, with one exception: if its code may still run after
 * the runtime has closed it for the last time, it stays mapped for ever.
 *
 * Thread safety: any thread may call all functions if it holds no lock that the dynamic linker
 * might wait for. The path of a record is constant. Records are never freed. */
#ifndef TG_PRELOAD_ADDON_CODE_H
#define TG_PRELOAD_ADDON_CODE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/types.h"
#include "diag/report.h"

/* Call it once, before everything else. `pin` is the option of that name. exit() calls `on_exit`
 * before the static destructors of all objects that were loaded when a function was created. */
void tg_addon_code_open(const char *pin, void (*on_exit)(void));

/* The tg_host functions of the same names (core/ports.h). */
struct tg_addon *tg_addon_register(const void *code);
bool tg_addon_has_code(const struct tg_addon *addon, const void *code);
void tg_addon_join(struct tg_addon *addon, struct tg_addon *other);
unsigned long long tg_addon_count_unloads(void);
void tg_addon_leave(struct tg_addon *addon);

/* --- What the runtime loads and unloads (preload/loading.h) */

/* A module that a constructor has registered, and the runtime's function that registers it. */
struct tg_registration {
  void *module; /* NULL: none */
  void (*register_module)(void *module);
};

/* Whether the option `pin` matches this file. */
bool tg_addon_is_always_kept(const char *file);

/* Records that a constructor has registered a module. The module lies in the constructor's object;
 * otherwise `caller` does. */
void tg_addon_registered(const void *caller, const struct tg_registration *registration);

/* Records that the runtime has opened the object that contains `in_it`. `has_registered`: a module
 * was registered meanwhile. If the object was still mapped, no constructor has run: then registers
 * its module again. */
void tg_addon_opened(const void *in_it, bool has_registered, bool is_always_kept);

/* The runtime is about to close the object. If this is the last close, keeps mapped what may still
 * run, and returns the record. The caller must then pass the record and `*registrations` to
 * tg_addon_closed after the close. */
struct tg_addon *tg_addon_closing(const char *path, unsigned *registrations);
void tg_addon_closed(struct tg_addon *addon, unsigned registrations);

/* --- Naming code */

/* The record of the object that holds the code; NULL: there is none. Takes no lock. */
struct tg_addon *tg_addon_find(const void *code);

/* The file that the object was loaded from. For one that a single executable has unpacked under a
 * made-up name, the name with which it was linked, if it has one. */
const char *tg_addon_path(const struct tg_addon *addon);

/* How far the pointer to that name lies behind the address of a struct tg_addon, for a reader in
 * another process. */
size_t tg_addon_path_offset(void);

/* The file that contains some code, named in the same way, without registering its object. False:
 * it is unknown. For the main program, the path of its file. */
bool tg_addon_locate(const void *code, struct tg_place *place);

/* The global function of that name in the object that contains `code`. `place` points to a function
 * pointer that receives its address. */
bool tg_addon_lookup_in_same_object(const void *code, const char *name, void *place);

/* The nearest symbol in the object's dynamic symbol table: "name+0x12". */
bool tg_addon_name_symbol(const void *code, char symbol[TG_SYMBOL_MAX]);

#endif
