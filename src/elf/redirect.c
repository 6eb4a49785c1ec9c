/* Implements the redirection of exported functions. */
#include "elf/redirect.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* What the loader left a page with: its segment's protection, less writing where RELRO is applied. RELRO
 * covers whole pages only: both its ends are rounded down. */
static int protection_of(const struct tg_image *image, uintptr_t page, uintptr_t address,
                         uintptr_t page_size) {
  uint32_t flags = 0;
  tg_image_contains(image, address, 1, &flags);
  int protection =
      ((flags & PF_R) ? PROT_READ : 0) | ((flags & PF_W) ? PROT_WRITE : 0) | ((flags & PF_X) ? PROT_EXEC : 0);
  for (size_t i = 0; i < image->header_count; i++) {
    const ElfW(Phdr) *header = &image->headers[i];
    if (header->p_type != PT_GNU_RELRO) continue;
    uintptr_t start = image->base + header->p_vaddr, end = start + header->p_memsz;
    if (page >= (start & ~(page_size - 1)) && page < (end & ~(page_size - 1))) protection &= ~PROT_WRITE;
  }
  return protection;
}

/* Writes a word of the object's, which is 8-byte aligned and so on one page. */
static bool write_word(const struct tg_image *image, uintptr_t *word, uintptr_t value) {
  uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
  uintptr_t address = (uintptr_t)word;
  uintptr_t page = address & ~(page_size - 1);
  int protection = protection_of(image, page, address, page_size);
  /* Executing stays allowed meanwhile: the page may hold code too (Node <= 18 has one read-execute segment). */
  if (!(protection & PROT_WRITE) && mprotect((void *)page, page_size, protection | PROT_WRITE) != 0)
    return false;
  /* At once, as another thread may be binding or calling a function. */
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
  /* Were this to fail the page would stay writable: harmless, and nothing to stop the program for. */
  if (!(protection & PROT_WRITE)) mprotect((void *)page, page_size, protection);
  return true;
}

/* Modulo 2^64, as the loader adds the base again. */
static bool point_to(const struct tg_image *image, ElfW(Sym) * symbol, const void *function) {
  return write_word(image, &symbol->st_value, (uintptr_t)function - image->base);
}

/* A pointer to the function itself, which the loader fills in: of the procedure linkage table, or of data. */
static bool is_slot(const ElfW(Rela) * relocation) {
  uint64_t type = ELF64_R_TYPE(relocation->r_info);
#if defined(__aarch64__)
  return type == R_AARCH64_JUMP_SLOT || type == R_AARCH64_GLOB_DAT;
#else
  return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT;
#endif
}

bool tg_redirect_import(const struct tg_image *image, const char *name, const void *replacement) {
  bool redirected = false;
  const ElfW(Rela) *relocation = NULL;
  while ((relocation = tg_image_relocation(image, name, relocation)) != NULL) {
    uintptr_t slot = image->base + relocation->r_offset;
    if (!is_slot(relocation) || slot % sizeof slot != 0) continue;
    if (!tg_image_contains(image, slot, sizeof slot, NULL)) continue;
    redirected = write_word(image, (uintptr_t *)slot, (uintptr_t)replacement) || redirected;
  }
  return redirected;
}

const char *tg_redirect_find(const struct tg_image *image, struct tg_redirection *redirections,
                             size_t count) {
  for (size_t i = 0; i < count; i++) {
    redirections[i].symbol = (ElfW(Sym) *)tg_image_find(image, redirections[i].name, STT_FUNC);
    if (redirections[i].symbol == NULL) return redirections[i].name;
    redirections[i].original = tg_image_address(image, redirections[i].symbol);
  }
  return NULL;
}

void tg_redirect_undo(const struct tg_image *image, const struct tg_redirection *redirections, size_t count) {
  for (size_t i = 0; i < count; i++) point_to(image, redirections[i].symbol, redirections[i].original);
}

bool tg_redirect_apply(const struct tg_image *image, const struct tg_redirection *redirections,
                       size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (point_to(image, redirections[i].symbol, redirections[i].replacement)) continue;
    int reason = errno;
    tg_redirect_undo(image, redirections, i);
    errno = reason;
    return false;
  }
  return true;
}
