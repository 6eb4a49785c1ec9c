/* Finds out what a .node file is: which system it is for, how it registers, and whether it uses
 * thread-safe functions.
 *
 * The file is read, never loaded. Nothing in it is trusted: every table is checked against the size
 * of the file, and the total amount that is read is limited. There is no state, so any thread may
 * call these functions. */
#ifndef TG_COMMAND_SCAN_ADDON_H
#define TG_COMMAND_SCAN_ADDON_H

#include <stdbool.h>

enum tg_scan_system {
  TG_SYSTEM_UNKNOWN, /* none of the systems below loads this file */
  TG_SYSTEM_LINUX,
  TG_SYSTEM_ANDROID,
  TG_SYSTEM_FREEBSD,
  TG_SYSTEM_MACOS,
  TG_SYSTEM_WINDOWS,
};

enum tg_scan_libc { TG_LIBC_UNKNOWN, TG_LIBC_GLIBC, TG_LIBC_MUSL };

enum { TG_SCAN_FUNCTIONS = 7 };

/* "create", … for napi_create_threadsafe_function and so on. The bits below have the same order. */
extern const char *const tg_scan_function_names[TG_SCAN_FUNCTIONS];

struct tg_scan_addon {
  /* Why only `system` and `machine` are known. NULL: everything is known. */
  const char *problem;
  enum tg_scan_system system;
  unsigned machine; /* EM_*; 0: unknown, 32 bits, or big-endian */
  enum tg_scan_libc libc;
  unsigned imports; /* which of the seven functions it imports: bit 0 is create */
  /* which it can look up: it imports dlsym, but not create, and contains the name as a string */
  unsigned strings;
  bool has_entry;       /* exports napi_register_module_v1 */
  bool has_constructor; /* imports napi_module_register */
  bool has_v8_entry;    /* imports node_module_register, or exports node_register_module_vN */
  bool uses_node_api;   /* imports a function whose name begins with napi_ or node_api_ */
  bool uses_v8;         /* imports C++ functions of V8 */
};

/* `file` is a descriptor of a regular file. */
void tg_scan_addon_read(int file, struct tg_scan_addon *addon);

/* Whether the addon uses thread-safe functions, and whether the guard can guard them. The guard can
 * if the addon is for Linux, not for musl, and for a machine for which there is a library. */
bool tg_scan_addon_uses(const struct tg_scan_addon *addon);
bool tg_scan_addon_is_guardable(const struct tg_scan_addon *addon);

#endif
