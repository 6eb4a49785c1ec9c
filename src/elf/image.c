/* Implements the ELF reader of image.h. */
#include "elf/image.h"

#include <elf.h>
#include <string.h>

bool tg_image_contains(const struct tg_image *image, uintptr_t address, size_t size,
                       uint32_t *flags) {
  for (size_t i = 0; i < image->header_count; i++) {
    const ElfW(Phdr) *header = &image->headers[i];
    if (header->p_type != PT_LOAD) continue;
    /* Wraps to a huge value if the address is below the segment. */
    uintptr_t offset = address - (image->base + header->p_vaddr);
    if (offset >= header->p_memsz || size > header->p_memsz - offset) continue;
    if (flags != NULL) *flags = header->p_flags;
    return true;
  }
  return false;
}

/* How many bytes can be read at `address`, up to the end of its segment. */
static size_t readable_bytes(const struct tg_image *image, uintptr_t address) {
  for (size_t i = 0; i < image->header_count; i++) {
    const ElfW(Phdr) *header = &image->headers[i];
    uintptr_t offset = address - (image->base + header->p_vaddr);
    if (header->p_type == PT_LOAD && (header->p_flags & PF_R) != 0 && offset < header->p_memsz)
      return header->p_memsz - offset;
  }
  return 0;
}

static bool is_readable(const struct tg_image *image, uintptr_t address, size_t size) {
  size_t room = readable_bytes(image, address);
  return room != 0 && size <= room;
}

static size_t hash_words(const struct tg_image *image, uintptr_t table) {
  return table % sizeof(uint32_t) != 0 ? 0 : readable_bytes(image, table) / sizeof(uint32_t);
}

/* Reads a 32-bit word of a hash table. Both kinds of hash table consist of such words. */
static bool read_hash_word(const struct tg_image *image, uintptr_t table, uint64_t index,
                           uint32_t *word) {
  size_t room = table == image->gnu_hash ? image->gnu_hash_room : image->sysv_hash_room;
  if (table == 0 || index >= room) return false;
  *word = ((const uint32_t *)table)[index];
  return true;
}

/* glibc replaces the addresses in a dynamic section with absolute ones, except in a read-only
 * section (the vDSO). */
static uintptr_t absolute_address(const struct tg_image *image, uintptr_t pointer) {
  return pointer < image->base ? image->base + pointer : pointer;
}

static void read_dynamic_entry(struct tg_image *image, const ElfW(Dyn) * entry) {
  uintptr_t address = absolute_address(image, entry->d_un.d_ptr);
  switch (entry->d_tag) {
    case DT_SYMTAB:
      image->symbols = (const ElfW(Sym) *)address;
      break;
    case DT_STRTAB:
      image->strings = address;
      break;
    case DT_STRSZ:
      image->strings_size = entry->d_un.d_val;
      break;
    case DT_SONAME:
      image->soname = entry->d_un.d_val;
      break;
    case DT_GNU_HASH:
      image->gnu_hash = address;
      break;
    case DT_HASH:
      image->sysv_hash = address;
      break;
    case DT_RELA:
      image->relocations[0].start = address;
      break;
    case DT_RELASZ:
      image->relocations[0].size = entry->d_un.d_val;
      break;
    case DT_JMPREL:
      image->relocations[1].start = address;
      break;
    case DT_PLTRELSZ:
      image->relocations[1].size = entry->d_un.d_val;
      break;
    default:
      break;
  }
}

static void read_dynamic(struct tg_image *image, const ElfW(Phdr) * header) {
  uintptr_t address = image->base + header->p_vaddr;
  if (address % _Alignof(ElfW(Dyn)) != 0) return;
  const ElfW(Dyn) *entry = (const ElfW(Dyn) *)address;
  const ElfW(Dyn) *end = entry + readable_bytes(image, address) / sizeof *entry;
  for (; entry < end && entry->d_tag != DT_NULL; entry++) read_dynamic_entry(image, entry);
}

bool tg_image_open(struct tg_image *image, uintptr_t base, const ElfW(Phdr) * headers,
                   size_t header_count) {
  *image = (struct tg_image){.base = base, .headers = headers, .header_count = header_count};
  for (size_t i = 0; i < header_count; i++)
    if (headers[i].p_type == PT_DYNAMIC) read_dynamic(image, &headers[i]);
  if (image->symbols == NULL || (uintptr_t)image->symbols % _Alignof(ElfW(Sym)) != 0) return false;
  image->symbols_room = readable_bytes(image, (uintptr_t)image->symbols) / sizeof(ElfW(Sym));
  if (image->gnu_hash == 0 && image->sysv_hash == 0) return false;
  image->gnu_hash_room = hash_words(image, image->gnu_hash);
  image->sysv_hash_room = hash_words(image, image->sysv_hash);
  return image->strings_size != 0 && is_readable(image, image->strings, image->strings_size);
}

/* The symbol to look up. */
struct wanted {
  const char *name;
  unsigned type; /* or ANY_TYPE */
};

enum { ANY_TYPE = 255 };

/* NULL: there is no symbol with that index. */
static const ElfW(Sym) * symbol_at(const struct tg_image *image, uint64_t index) {
  return index < image->symbols_room ? &image->symbols[index] : NULL;
}

/* This is called for thousands of symbols at start-up. Most names differ in their first letter or
 * so, so a simple loop is fast. */
static bool symbol_has_name(const struct tg_image *image, const ElfW(Sym) * symbol,
                            const char *name) {
  if (symbol->st_name >= image->strings_size) return false;
  const char *own = (const char *)image->strings + symbol->st_name;
  size_t room = image->strings_size - symbol->st_name;
  for (size_t i = 0; i < room; i++) {
    if (own[i] != name[i]) return false;
    if (name[i] == '\0') return true;
  }
  return false;
}

/* The symbol with that index, if it is this object's definition of the wanted symbol. */
static const ElfW(Sym) *
    match_symbol(const struct tg_image *image, uint32_t index, const struct wanted *wanted) {
  const ElfW(Sym) *symbol = symbol_at(image, index);
  if (symbol == NULL) return NULL;
  unsigned binding = ELF64_ST_BIND(symbol->st_info);
  if (symbol->st_shndx == SHN_UNDEF) return NULL;
  if (wanted->type != ANY_TYPE && ELF64_ST_TYPE(symbol->st_info) != wanted->type) return NULL;
  if (binding != STB_GLOBAL && binding != STB_WEAK) return NULL;
  return symbol_has_name(image, symbol, wanted->name) ? symbol : NULL;
}

static uint32_t gnu_hash(const char *name) {
  uint32_t hash = 5381;
  for (; *name != '\0'; name++) hash = hash * 33 + (unsigned char)*name;
  return hash;
}

static uint32_t sysv_hash(const char *name) {
  uint32_t hash = 0;
  for (; *name != '\0'; name++) {
    hash = (hash << 4) + (unsigned char)*name;
    hash ^= (hash >> 24) & 0xf0;
  }
  return hash & 0x0fffffff;
}

/* Table layout: bucket count, first hashed symbol, Bloom filter words (64-bit), shift; filter;
 * buckets; chains. */
static const ElfW(Sym) *
    find_by_gnu_hash(const struct tg_image *image, const struct wanted *wanted) {
  uint32_t buckets, first_symbol, filter_words, index;
  if (!read_hash_word(image, image->gnu_hash, 0, &buckets) ||
      !read_hash_word(image, image->gnu_hash, 1, &first_symbol) ||
      !read_hash_word(image, image->gnu_hash, 2, &filter_words) || buckets == 0)
    return NULL;
  uint64_t first_bucket = 4 + (uint64_t)filter_words * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
  uint32_t hash = gnu_hash(wanted->name);
  if (!read_hash_word(image, image->gnu_hash, first_bucket + hash % buckets, &index) ||
      index < first_symbol)
    return NULL;
  uint64_t first_chain = first_bucket + buckets;
  for (uint32_t chained;
       read_hash_word(image, image->gnu_hash, first_chain + (index - first_symbol), &chained);
       index++) {
    const ElfW(Sym) *symbol =
        (chained | 1) == (hash | 1) ? match_symbol(image, index, wanted) : NULL;
    if (symbol != NULL) return symbol;
    if ((chained & 1) != 0 || index == UINT32_MAX) return NULL;
  }
  return NULL;
}

/* Table layout: bucket count, symbol count; buckets; chains. */
static const ElfW(Sym) *
    find_by_sysv_hash(const struct tg_image *image, const struct wanted *wanted) {
  uint32_t buckets, symbols, index;
  if (!read_hash_word(image, image->sysv_hash, 0, &buckets) ||
      !read_hash_word(image, image->sysv_hash, 1, &symbols) || buckets == 0 ||
      !read_hash_word(image, image->sysv_hash, 2 + sysv_hash(wanted->name) % buckets, &index))
    return NULL;
  /* A corrupt chain may be circular: take at most as many steps as there are chain words, and check
   * that those are mapped. */
  if (!is_readable(image, image->sysv_hash, (2 + (uint64_t)buckets + symbols) * sizeof index))
    return NULL;
  for (uint32_t steps = 0; index != STN_UNDEF && steps < symbols; steps++) {
    const ElfW(Sym) *symbol = match_symbol(image, index, wanted);
    if (symbol != NULL) return symbol;
    if (!read_hash_word(image, image->sysv_hash, 2 + (uint64_t)buckets + index, &index))
      return NULL;
  }
  return NULL;
}

const ElfW(Sym) * tg_image_find(const struct tg_image *image, const char *name, unsigned type) {
  const struct wanted wanted = {name, type};
  return image->gnu_hash != 0 ? find_by_gnu_hash(image, &wanted)
                              : find_by_sysv_hash(image, &wanted);
}

/* How many symbols at the start of the symbol table have to be compared one by one. A GNU hash
 * table leaves out the undefined symbols, and these come first. For an object without such a table,
 * this is the number of all symbols. */
static uint32_t count_unhashed(const struct tg_image *image) {
  uint32_t count = 0;
  if (image->gnu_hash != 0)
    read_hash_word(image, image->gnu_hash, 1, &count);
  else
    read_hash_word(image, image->sysv_hash, 1, &count);
  return count;
}

const ElfW(Sym) * tg_image_symbol(const struct tg_image *image, const char *name) {
  uint32_t count = count_unhashed(image);
  for (uint32_t i = 1; i < count; i++) {
    const ElfW(Sym) *symbol = symbol_at(image, i);
    if (symbol == NULL) return NULL;
    if (symbol_has_name(image, symbol, name)) return symbol;
  }
  return tg_image_find(image, name, ANY_TYPE);
}

const ElfW(Rela) * tg_image_relocation(const struct tg_image *image, const ElfW(Sym) * symbol,
                                       const ElfW(Rela) * last) {
  uint64_t index = (uint64_t)(symbol - image->symbols);
  for (size_t i = 0; i < sizeof image->relocations / sizeof image->relocations[0]; i++) {
    uintptr_t start = image->relocations[i].start;
    size_t size = image->relocations[i].size;
    if (start == 0 || start % _Alignof(ElfW(Rela)) != 0 || !is_readable(image, start, size))
      continue;
    const ElfW(Rela) *relocation = (const ElfW(Rela) *)start,
                     *end = relocation + size / sizeof *relocation;
    if (last != NULL && (last < relocation || last >= end)) continue; /* it is in the next table */
    if (last != NULL) relocation = last + 1;
    for (last = NULL; relocation < end; relocation++)
      if (ELF64_R_SYM(relocation->r_info) == index) return relocation;
  }
  return NULL;
}

bool tg_image_refers_to(const struct tg_image *image, const char *name) {
  const ElfW(Sym) *symbol = tg_image_symbol(image, name);
  return symbol != NULL && tg_image_relocation(image, symbol, NULL) != NULL;
}

void *tg_image_address(const struct tg_image *image, const ElfW(Sym) * symbol) {
  return (void *)(image->base + symbol->st_value);
}

/* A GNU hash table does not store the number of symbols. It follows from the last chain, which ends
 * with the last symbol. */
static uint32_t count_symbols_by_gnu_hash(const struct tg_image *image) {
  uint32_t buckets, first_symbol, filter_words, last = 0, word;
  if (!read_hash_word(image, image->gnu_hash, 0, &buckets) ||
      !read_hash_word(image, image->gnu_hash, 1, &first_symbol) ||
      !read_hash_word(image, image->gnu_hash, 2, &filter_words))
    return 0;
  uint64_t first_bucket = 4 + (uint64_t)filter_words * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
  for (uint32_t i = 0; i < buckets; i++) {
    if (!read_hash_word(image, image->gnu_hash, first_bucket + i, &word)) return 0;
    if (word > last) last = word;
  }
  if (last < first_symbol || last == 0) return 0;
  uint64_t first_chain = first_bucket + buckets;
  while (last != UINT32_MAX &&
         read_hash_word(image, image->gnu_hash, first_chain + (last - first_symbol), &word) &&
         (word & 1) == 0)
    last++;
  return last == UINT32_MAX ? 0 : last + 1;
}

static bool symbol_covers(const struct tg_image *image, const ElfW(Sym) * symbol,
                          uintptr_t address) {
  unsigned type = ELF64_ST_TYPE(symbol->st_info);
  return symbol->st_shndx != SHN_UNDEF && type != STT_TLS && symbol->st_name != 0 &&
         symbol->st_name < image->strings_size &&
         address - (image->base + symbol->st_value) < symbol->st_size;
}

const ElfW(Sym) * tg_image_covering(const struct tg_image *image, uintptr_t address) {
  const ElfW(Sym) *best = NULL;
  uint32_t count = 0;
  if (image->gnu_hash != 0)
    count = count_symbols_by_gnu_hash(image);
  else if (!read_hash_word(image, image->sysv_hash, 1, &count))
    count = 0;
  if (!is_readable(image, (uintptr_t)image->symbols, (uint64_t)count * sizeof(ElfW(Sym))))
    return NULL;
  for (uint32_t i = 0; i < count; i++) {
    const ElfW(Sym) *symbol = &image->symbols[i];
    if (symbol_covers(image, symbol, address) &&
        (best == NULL || symbol->st_value > best->st_value))
      best = symbol;
  }
  return best;
}

/* `offset` lies in the strings. */
static void copy_name_at(const struct tg_image *image, size_t offset, char *name, size_t size) {
  const char *start = (const char *)image->strings + offset;
  size_t length = strnlen(start, image->strings_size - offset);
  if (length > size - 1) length = size - 1;
  memcpy(name, start, length);
  name[length] = '\0';
}

void tg_image_copy_name(const struct tg_image *image, const ElfW(Sym) * symbol, char *name,
                        size_t size) {
  copy_name_at(image, symbol->st_name, name, size);
}

bool tg_image_copy_soname(const struct tg_image *image, char *name, size_t size) {
  if (image->soname == 0 || image->soname >= image->strings_size) return false;
  copy_name_at(image, image->soname, name, size);
  return name[0] != '\0';
}
