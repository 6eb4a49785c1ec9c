/* What a .node file is: which system it is for, how it registers, and whether it uses thread-safe functions.
 *
 * The file is read, never loaded. Nothing in it is trusted: every table is checked against the size of the file, and the
 * sum of what is read is limited. No state: any thread. */
#ifndef TG_COMMAND_SCAN_ADDON_H
#define TG_COMMAND_SCAN_ADDON_H

#include <stdbool.h>

enum tg_scan_system {
  TG_SYSTEM_UNKNOWN, /* not a file that an operating system would load */
  TG_SYSTEM_LINUX,
  TG_SYSTEM_ANDROID,
  TG_SYSTEM_FREEBSD,
  TG_SYSTEM_MACOS,
  TG_SYSTEM_WINDOWS,
};

enum tg_scan_libc { TG_LIBC_UNKNOWN, TG_LIBC_GLIBC, TG_LIBC_MUSL };

enum { TG_SCAN_FUNCTIONS = 7 };

/* "create", …: the seven functions are napi_create_threadsafe_function and so on, in this order. */
extern const char *const tg_scan_function_names[TG_SCAN_FUNCTIONS];

struct tg_scan_addon {
  /* Why nothing below is known beyond `system` and `machine`; NULL: all of it is known. */
  const char *problem;
  enum tg_scan_system system;
  unsigned machine; /* EM_*; 0: unknown, or 32 bits or big-endian */
  enum tg_scan_libc libc;
  unsigned imports;     /* of the seven functions: bit 0 is create */
  unsigned strings;     /* those that it can look up: it imports dlsym, and contains the names as strings */
  bool has_entry;       /* exports napi_register_module_v1 */
  bool has_constructor; /* imports napi_module_register */
  bool has_v8_entry;    /* imports node_module_register, or exports node_register_module_vN */
  bool uses_node_api;   /* imports a function whose name begins with napi_ or node_api_ */
  bool uses_v8;         /* imports C++ functions of V8 */
};

/* `file` is a descriptor of a regular file. */
void tg_scan_addon_read(int file, struct tg_scan_addon *addon);

/* Whether it uses thread-safe functions, and the guard can guard them: it is for glibc on a machine that has a library. */
bool tg_scan_addon_uses(const struct tg_scan_addon *addon);
bool tg_scan_addon_is_guardable(const struct tg_scan_addon *addon);

#endif
