/* Makes mangled names of C++ and Rust readable. */
#ifndef TG_COMMAND_DEMANGLE_H
#define TG_COMMAND_DEMANGLE_H

/* Returns the readable form of a mangled C++ or Rust name, to be freed. NULL: the name is not
 * mangled, or this build cannot read it. */
char *tg_demangle(const char *name);

#endif
