/* Addon objects: which file contains some code, how long that file stays mapped, and the exit
 * handlers, which run before the static destructors of such files.
 *
 * An object is unloaded when it would be unloaded without the guard, with one exception: if its
 * code may still run after the runtime has closed it for the last time, it stays mapped for ever.
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

/* Records that a constructor has registered a module. The constructor's object is the one that
 * contains the module; if none does, the one that contains `caller`. */
void tg_addon_registered(const void *caller, const struct tg_registration *registration);

/* Records that the runtime has opened the object that contains `in_it`. `has_registered`: a
 * constructor has registered a module during this open. If the runtime did not have the object
 * open, but it was mapped already, no constructor has run. The module that its constructor had
 * registered, if any, is then registered again. */
void tg_addon_opened(const void *in_it, bool has_registered, bool is_always_kept);

/* The runtime is about to close the object. If this is the last close, keeps those objects mapped
 * whose code may still run, and returns the record; otherwise returns NULL. After the close, the
 * caller must pass the record and `*registrations` to tg_addon_closed. */
struct tg_addon *tg_addon_closing(const char *path, unsigned *registrations);
void tg_addon_closed(struct tg_addon *addon, unsigned registrations);

/* --- Naming code */

/* The record of the object that holds the code; NULL: there is none. Takes no lock. */
struct tg_addon *tg_addon_find(const void *code);

/* The file that the object was loaded from. If a single executable has unpacked the file under a
 * made-up name, this is the name with which the object was linked, if it has one. */
const char *tg_addon_path(const struct tg_addon *addon);

/* The offset of the pointer to that name from the address of a struct tg_addon, for a reader in
 * another process. */
size_t tg_addon_path_offset(void);

/* Finds the file that contains `code`, and names it as tg_addon_path does. For code of the main
 * program, this is the path of the program's file. Does not register the object. False: the file is
 * unknown. */
bool tg_addon_locate(const void *code, struct tg_place *place);

/* Finds the global function of that name in the object that contains `code`. `place` points to the
 * function pointer that receives its address. */
bool tg_addon_lookup_in_same_object(const void *code, const char *name, void *place);

/* The symbol of the object's dynamic symbol table that covers `code`, and the decimal offset in it:
 * "name+18". False: there is none. */
bool tg_addon_name_symbol(const void *code, char symbol[TG_SYMBOL_MAX]);

#endif
