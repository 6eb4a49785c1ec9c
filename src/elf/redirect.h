/* Redirects functions of a loaded object. Those that it exports: rewrites their entries in its in-memory .dynsym, so that
 * every relocation and every dlsym from then on finds the replacement.
 *
 * Why so: the dynamic linker searches the main program before any preloaded object, so a preloaded definition
 * is never chosen where the main program exports the symbol (docs/design.md).
 *
 * By one thread at a time; others may be binding functions meanwhile, and find either. */
#ifndef TG_ELF_REDIRECT_H
#define TG_ELF_REDIRECT_H

#include <stdbool.h>
#include <stddef.h>

#include "elf/image.h"

struct tg_redirection {
  const char *name;
  void *replacement;
  /* Set by tg_redirect_find: the entry, and where the object's own function is. */
  ElfW(Sym) * symbol;
  void *original;
};

/* Finds the entries; changes nothing. NULL, or the name that the object does not export as a plain function. */
const char *tg_redirect_find(const struct tg_image *image, struct tg_redirection *redirections, size_t count);

/* After a successful find: redirects all, or none. False: a page cannot be made writable; errno says why. */
bool tg_redirect_apply(const struct tg_image *image, const struct tg_redirection *redirections, size_t count);

/* Redirects a function that the object calls and another one defines. False: it does not call it that way. */
bool tg_redirect_import(const struct tg_image *image, const char *name, const void *replacement);

/* Undoes a successful apply. */
void tg_redirect_undo(const struct tg_image *image, const struct tg_redirection *redirections, size_t count);

#endif
