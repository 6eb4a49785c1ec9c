/* Reads a loaded ELF object: finds its dynamic symbols by name, and trusts nothing that it reads.
 *
 * Every table is checked to lie inside the object's readable segments before it is read, so a
 * corrupt object yields "not found", never a fault. Read-only and stateless: any thread, no
 * allocation. */
#ifndef TG_ELF_IMAGE_H
#define TG_ELF_IMAGE_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tg_image {
  uintptr_t base; /* the load bias: memory address minus address in the file */
  const ElfW(Phdr) * headers;
  size_t header_count;
  const ElfW(Sym) * symbols;
  size_t symbols_room;  /* how many fit before the end of their segment */
  size_t gnu_hash_room; /* the same for the words of the hash tables */
  size_t sysv_hash_room;
  uintptr_t strings;
  size_t strings_size;
  uintptr_t soname;    /* the offset of the object's name in the strings; 0: it has none */
  uintptr_t gnu_hash;  /* 0: none */
  uintptr_t sysv_hash; /* 0: none */
  struct {
    uintptr_t start; /* 0: none */
    size_t size;
  } relocations[2]; /* of data and of the procedure linkage table */
};

/* Reads the dynamic section. `headers`, and all memory that the PT_LOAD headers describe, must be
 * readable. False: the object has no usable dynamic symbol table. */
bool tg_image_open(struct tg_image *image, uintptr_t base, const ElfW(Phdr) * headers,
                   size_t header_count);

/* The object's own global definition with that name and type (STT_FUNC, STT_OBJECT), or NULL. */
const ElfW(Sym) * tg_image_find(const struct tg_image *image, const char *name, unsigned type);

/* The symbol with that name that the object imports, or else its own; NULL: it has none. */
const ElfW(Sym) * tg_image_symbol(const struct tg_image *image, const char *name);

/* Iterates over the object's relocations for one of its symbols: returns the first one after `last`
 * (NULL: the first of all), or NULL at the end. */
const ElfW(Rela) * tg_image_relocation(const struct tg_image *image, const ElfW(Sym) * symbol,
                                       const ElfW(Rela) * last);

/* Whether the object refers to that name: one of its relocations is for it. */
bool tg_image_refers_to(const struct tg_image *image, const char *name);

/* The address of the definition in memory. */
void *tg_image_address(const struct tg_image *image, const ElfW(Sym) * symbol);

/* The object's own named definition that covers `address`, or NULL. Scans all symbols. */
const ElfW(Sym) * tg_image_covering(const struct tg_image *image, uintptr_t address);

/* Copies a symbol's name, truncated to `size` bytes including its NUL. */
void tg_image_copy_name(const struct tg_image *image, const ElfW(Sym) * symbol, char *name,
                        size_t size);

/* Copies the name that the object was linked with (DT_SONAME), truncated in the same way. False: it
 * has none. */
bool tg_image_copy_soname(const struct tg_image *image, char *name, size_t size);

/* Whether [address, address + size) lies within one loaded segment. Its PF_* flags are stored in
 * *flags unless that is NULL. */
bool tg_image_contains(const struct tg_image *image, uintptr_t address, size_t size,
                       uint32_t *flags);

#endif
