/* Redirects functions of a loaded object. If the object exports a function, its entry in the
 * object's .dynsym is rewritten in memory, so that every later relocation and every later dlsym
 * finds the replacement.
 *
 * Reason: the dynamic linker searches the main program before any preloaded object, so a preloaded
 * definition is never chosen if the main program exports the symbol (docs/contract.md).
 *
 * Only one thread at a time may redirect. Other threads may bind functions meanwhile; each gets
 * either the original or the replacement. */
#ifndef TG_ELF_REDIRECT_H
#define TG_ELF_REDIRECT_H

#include <stdbool.h>
#include <stddef.h>

#include "elf/image.h"

struct tg_redirection {
  const char *name;
  void *replacement;
  /* Set by tg_redirect_find: the symbol table entry and the object's own function. */
  ElfW(Sym) * symbol;
  void *original;
};

/* Finds the entries and changes nothing. Returns NULL, or the first name that the object does not
 * export as a plain function. */
const char *tg_redirect_find(const struct tg_image *image, struct tg_redirection *redirections,
                             size_t count);

/* Call it after a successful find. Redirects all functions or none. False: a page could not be made
 * writable; errno says why. */
bool tg_redirect_apply(const struct tg_image *image, const struct tg_redirection *redirections,
                       size_t count);

/* Redirects those functions that the object exports, one by one. One that is missing or cannot be
 * redirected is left out. */
void tg_redirect_each(const struct tg_image *image, struct tg_redirection *redirections,
                      size_t count);

/* Redirects a function that the object imports from another object. False: the object does not
 * import it through a pointer slot. */
bool tg_redirect_import(const struct tg_image *image, const char *name, const void *replacement);

/* Reverts a successful apply. */
void tg_redirect_undo(const struct tg_image *image, const struct tg_redirection *redirections,
                      size_t count);

#endif
