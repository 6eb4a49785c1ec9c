/* Loads any ELF file, even a corrupt one, as a loader would, but skips program headers that make no
 * sense. Then the ELF reader looks up symbols in it. Whatever the reader finds must be a symbol of
 * that name and type. Memory of the image that no readable segment covers is poisoned. The seeds
 * are built from image_seed.c. */
#include <elf.h>
#include <link.h>
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf/image.h"

enum { HEADERS_MAX = 16, IMAGE_MAX = 1 << 16 };

static const char *const wanted[] = {"napi_call_threadsafe_function",
                                     "napi_create_threadsafe_function", "an_object", "not_there",
                                     ""};

struct file {
  const uint8_t *bytes;
  size_t size;
};

/* The headers of an image, and its memory. */
struct loaded {
  ElfW(Phdr) * headers;
  size_t count;
  uint8_t *memory;
  size_t size;
};

static void demand(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "fuzz_image: %s\n", what);
  abort();
}

/* Whether a loader would map the segment: it is inside the image, and after the earlier
 * segments. */
static bool loads(const ElfW(Phdr) * header, size_t mapped) {
  return header->p_vaddr >= mapped && header->p_memsz != 0 && header->p_memsz <= IMAGE_MAX &&
         header->p_vaddr <= IMAGE_MAX - header->p_memsz;
}

/* Returns false if not even the file's own header makes sense. */
static bool read_headers(const struct file *file, struct loaded *loaded) {
  ElfW(Ehdr) start;
  if (file->size < sizeof start) return false;
  memcpy(&start, file->bytes, sizeof start);
  size_t count = start.e_phnum < HEADERS_MAX ? start.e_phnum : HEADERS_MAX;
  ElfW(Phdr) headers[HEADERS_MAX];
  size_t kept = 0, mapped = 0;
  for (size_t i = 0; i < count; i++) {
    uint64_t offset = start.e_phoff + i * sizeof headers[0];
    if (offset > file->size || file->size - offset < sizeof headers[0]) break;
    memcpy(&headers[kept], file->bytes + offset, sizeof headers[0]);
    if (headers[kept].p_type == PT_LOAD) {
      if (!loads(&headers[kept], mapped)) continue;
      mapped = headers[kept].p_vaddr + headers[kept].p_memsz;
    }
    kept++;
  }
  loaded->size = mapped;
  loaded->count = kept;
  /* of exactly that size, so that ASan notices an access beyond the end */
  loaded->headers = malloc(kept * sizeof headers[0] + 1);
  memcpy(loaded->headers, headers, kept * sizeof headers[0]);
  return true;
}

static void load_segment(const struct file *file, const ElfW(Phdr) * header, uint8_t *memory) {
  if (header->p_offset >= file->size) return;
  size_t size = file->size - header->p_offset;
  if (size > header->p_filesz) size = header->p_filesz;
  if (size > header->p_memsz) size = header->p_memsz;
  memcpy(memory + header->p_vaddr, file->bytes + header->p_offset, size);
}

static bool load(const struct file *file, struct loaded *loaded) {
  if (!read_headers(file, loaded)) return false;
  loaded->memory = calloc(1, loaded->size + 1);
  for (size_t i = 0; i < loaded->count; i++)
    if (loaded->headers[i].p_type == PT_LOAD)
      load_segment(file, &loaded->headers[i], loaded->memory);
  return true;
}

/* Puts real addresses into the dynamic section, as glibc does. */
static void relocate(const struct loaded *loaded) {
  for (size_t i = 0; i < loaded->count; i++) {
    const ElfW(Phdr) *header = &loaded->headers[i];
    if (header->p_type != PT_DYNAMIC) continue;
    for (size_t at = header->p_vaddr; at <= loaded->size && loaded->size - at >= sizeof(ElfW(Dyn));
         at += sizeof(ElfW(Dyn))) {
      ElfW(Dyn) entry;
      memcpy(&entry, loaded->memory + at, sizeof entry);
      if (entry.d_tag == DT_NULL) break;
      if (entry.d_tag == DT_STRSZ || entry.d_tag == DT_RELASZ || entry.d_tag == DT_PLTRELSZ)
        continue;
      entry.d_un.d_ptr += (uintptr_t)loaded->memory;
      memcpy(loaded->memory + at, &entry, sizeof entry);
    }
  }
}

static void protect(const struct loaded *loaded) {
  ASAN_POISON_MEMORY_REGION(loaded->memory, loaded->size);
  for (size_t i = 0; i < loaded->count; i++) {
    const ElfW(Phdr) *header = &loaded->headers[i];
    if (header->p_type == PT_LOAD && (header->p_flags & PF_R) != 0)
      ASAN_UNPOISON_MEMORY_REGION(loaded->memory + header->p_vaddr, header->p_memsz);
  }
}

/* Returns how many symbols were found. */
static unsigned look_up(const struct loaded *loaded) {
  struct tg_image image;
  unsigned found = 0;
  if (!tg_image_open(&image, (uintptr_t)loaded->memory, loaded->headers, loaded->count)) return 0;
  static const unsigned types[] = {STT_FUNC, STT_OBJECT};
  tg_image_refers_to(&image, wanted[0]);
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
    for (size_t j = 0; j < 2; j++) {
      const ElfW(Sym) *symbol = tg_image_find(&image, wanted[i], types[j]);
      if (symbol == NULL) continue;
      found++;
      const char *name = (const char *)image.strings + symbol->st_name;
      demand(tg_image_contains(&image, (uintptr_t)symbol, sizeof *symbol, NULL),
             "a symbol outside of the image");
      demand(strcmp(name, wanted[i]) == 0, "a symbol of another name");
      demand(ELF64_ST_TYPE(symbol->st_info) == types[j] && symbol->st_shndx != SHN_UNDEF,
             "of another type");
    }
  return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const struct file file = {data, size};
  for (int relocated = 0; relocated < 2; relocated++) {
    struct loaded loaded;
    if (!load(&file, &loaded)) return 0;
    if (relocated) relocate(&loaded);
    protect(&loaded);
    unsigned found = look_up(&loaded);
    demand(found == 3 || getenv("FUZZ_IMAGE_IS_WHOLE") == NULL,
           "a whole image's symbols were not found");
    ASAN_UNPOISON_MEMORY_REGION(loaded.memory, loaded.size);
    free(loaded.memory);
    free(loaded.headers);
  }
  return 0;
}
