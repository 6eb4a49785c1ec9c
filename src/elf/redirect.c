/* Implements the redirection of exported functions. */
#include "elf/redirect.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* The protection that the loader gave a page: that of its segment, without write permission where
 * RELRO is applied. RELRO covers whole pages only, so both ends are rounded down. */
static int page_protection(const struct tg_image *image, uintptr_t page, uintptr_t address,
                           uintptr_t page_size) {
  uint32_t flags = 0;
  tg_image_contains(image, address, 1, &flags);
  int protection = ((flags & PF_R) ? PROT_READ : 0) | ((flags & PF_W) ? PROT_WRITE : 0) |
                   ((flags & PF_X) ? PROT_EXEC : 0);
  for (size_t i = 0; i < image->header_count; i++) {
    const ElfW(Phdr) *header = &image->headers[i];
    if (header->p_type != PT_GNU_RELRO) continue;
    uintptr_t start = image->base + header->p_vaddr, end = start + header->p_memsz;
    if (page >= (start & ~(page_size - 1)) && page < (end & ~(page_size - 1)))
      protection &= ~PROT_WRITE;
  }
  return protection;
}

/* Writes a word of the object. The word is 8-byte aligned, so it lies on one page. */
static bool write_object_word(const struct tg_image *image, uintptr_t *word, uintptr_t value) {
  uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
  uintptr_t address = (uintptr_t)word;
  uintptr_t page = address & ~(page_size - 1);
  int protection = page_protection(image, page, address, page_size);
  /* Keep the execute permission meanwhile: the page may also hold code (Node <= 18 has one
   * read-execute segment). */
  if (!(protection & PROT_WRITE) && mprotect((void *)page, page_size, protection | PROT_WRITE) != 0)
    return false;
  /* One atomic store, because another thread may be binding or calling the function. Release: that
   * thread sees the state of the guard that was set up before. */
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
  /* If this fails, the page stays writable, which is harmless and no reason to stop the program. */
  if (!(protection & PROT_WRITE)) mprotect((void *)page, page_size, protection);
  return true;
}

/* The subtraction wraps modulo 2^64, and the loader's addition of the base wraps back. */
static bool point_symbol_to(const struct tg_image *image, ElfW(Sym) * symbol,
                            const void *function) {
  return write_object_word(image, &symbol->st_value, (uintptr_t)function - image->base);
}

/* A relocation whose target is a plain function pointer that the loader fills in: an entry of the
 * procedure linkage table or of the global offset table. */
static bool is_pointer_slot(const ElfW(Rela) * relocation) {
  uint64_t type = ELF64_R_TYPE(relocation->r_info);
#if defined(__aarch64__)
  return type == R_AARCH64_JUMP_SLOT || type == R_AARCH64_GLOB_DAT;
#else
  return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT;
#endif
}

bool tg_redirect_import(const struct tg_image *image, const char *name, const void *replacement) {
  const ElfW(Sym) *symbol = tg_image_symbol(image, name);
  if (symbol == NULL) return false;
  bool redirected = false;
  const ElfW(Rela) *relocation = NULL;
  while ((relocation = tg_image_relocation(image, symbol, relocation)) != NULL) {
    uintptr_t slot = image->base + relocation->r_offset;
    if (!is_pointer_slot(relocation) || slot % sizeof slot != 0) continue;
    if (!tg_image_contains(image, slot, sizeof slot, NULL)) continue;
    redirected = write_object_word(image, (uintptr_t *)slot, (uintptr_t)replacement) || redirected;
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

void tg_redirect_undo(const struct tg_image *image, const struct tg_redirection *redirections,
                      size_t count) {
  for (size_t i = 0; i < count; i++)
    point_symbol_to(image, redirections[i].symbol, redirections[i].original);
}

bool tg_redirect_apply(const struct tg_image *image, const struct tg_redirection *redirections,
                       size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (point_symbol_to(image, redirections[i].symbol, redirections[i].replacement)) continue;
    int reason = errno;
    tg_redirect_undo(image, redirections, i);
    errno = reason;
    return false;
  }
  return true;
}

void tg_redirect_each(const struct tg_image *image, struct tg_redirection *redirections,
                      size_t count) {
  for (size_t i = 0; i < count; i++)
    if (tg_redirect_find(image, &redirections[i], 1) == NULL)
      tg_redirect_apply(image, &redirections[i], 1);
}
