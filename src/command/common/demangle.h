/* Makes mangled names of C++ and Rust readable. */
#ifndef TG_COMMAND_DEMANGLE_H
#define TG_COMMAND_DEMANGLE_H

/* A mangled name of C++ or Rust in readable form, to be freed; NULL: it is none, or this build cannot read it. */
char *tg_demangle(const char *name);

#endif
