/* Implements the reading of ELF files. */
#include "command/common/elf_file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/common/tables.h"

/* The largest known addons and runtimes have 100 MB, 400,000 symbols and 40 MB of names. */
enum {
  HEADERS_MAX = 1024,
  DYNAMIC_MAX = 4096,
  SYMBOLS_MAX = 1 << 22,
  NAMES_MAX = 1 << 26,
  SYMBOLS_AT_ONCE = 1024,
};

static const char damaged[] = "a damaged ELF file";

static bool is_inside(const struct tg_elf_file *elf, uint64_t offset, uint64_t size) {
  return offset <= elf->size && size <= elf->size - offset;
}

bool tg_elf_file_read(const struct tg_elf_file *elf, uint64_t offset, void *to, uint64_t size) {
  return is_inside(elf, offset, size) && pread(elf->file, to, size, (off_t)offset) == (ssize_t)size;
}

/* Finds an address in the file: *offset is its place, and the result is how many bytes follow it
 * there. 0: it is not in the file. */
static uint64_t find_address(const struct tg_elf_file *elf, uint64_t address, uint64_t *offset) {
  *offset = 0;
  for (unsigned i = 0; i < elf->header_count; i++) {
    const Elf64_Phdr *header = &elf->headers[i];
    if (header->p_type != PT_LOAD || address < header->p_vaddr) continue;
    uint64_t into = address - header->p_vaddr;
    if (into >= header->p_filesz || !is_inside(elf, header->p_offset, header->p_filesz)) continue;
    *offset = header->p_offset + into;
    return header->p_filesz - into;
  }
  return 0;
}

/* "" if there is no name. */
static const char *name_at(const struct tg_elf_file *elf, uint64_t offset) {
  return offset < elf->names_size ? elf->names + offset : "";
}

/* --- The dynamic section */

static bool read_entry(const struct tg_elf_file *elf, const Elf64_Phdr *header, uint64_t number,
                       Elf64_Dyn *entry) {
  if (number >= header->p_filesz / sizeof *entry || number >= DYNAMIC_MAX) return false;
  if (!is_inside(elf, header->p_offset, header->p_filesz)) return false;
  return tg_elf_file_read(elf, header->p_offset + number * sizeof *entry, entry, sizeof *entry) &&
         entry->d_tag != DT_NULL;
}

static const Elf64_Phdr *find_dynamic(const struct tg_elf_file *elf) {
  for (unsigned i = 0; i < elf->header_count; i++)
    if (elf->headers[i].p_type == PT_DYNAMIC) return &elf->headers[i];
  return NULL;
}

static bool read_names(struct tg_elf_file *elf, uint64_t size) {
  uint64_t offset, available = find_address(elf, elf->names_address, &offset);
  if (size > available || size > NAMES_MAX) return false;
  elf->names = tg_resize(NULL, size + 1, 1);
  if (!tg_elf_file_read(elf, offset, elf->names, size)) return false;
  elf->names[size] = '\0';
  elf->names_size = size;
  return true;
}

static const char *read_dynamic(struct tg_elf_file *elf) {
  const Elf64_Phdr *header = find_dynamic(elf);
  uint64_t size = 0;
  Elf64_Dyn entry;
  if (header == NULL) return "an ELF file without dynamic symbols";
  for (uint64_t i = 0; read_entry(elf, header, i, &entry); i++) {
    if (entry.d_tag == DT_STRTAB) elf->names_address = entry.d_un.d_ptr;
    if (entry.d_tag == DT_SYMTAB) elf->symbols_address = entry.d_un.d_ptr;
    if (entry.d_tag == DT_STRSZ) size = entry.d_un.d_val;
  }
  return read_names(elf, size) ? NULL : damaged;
}

static bool read_headers(struct tg_elf_file *elf) {
  unsigned count = elf->header.e_phnum;
  if (elf->header.e_phentsize != sizeof *elf->headers || count == 0 || count > HEADERS_MAX)
    return false;
  elf->headers = tg_resize(NULL, count, sizeof *elf->headers);
  if (!tg_elf_file_read(elf, elf->header.e_phoff, elf->headers, count * sizeof *elf->headers))
    return false;
  elf->header_count = count;
  return true;
}

const char *tg_elf_file_open(struct tg_elf_file *elf, int file) {
  struct stat status;
  *elf = (struct tg_elf_file){.file = file};
  if (fstat(file, &status) != 0 || status.st_size < 0) return "a file that cannot be read";
  elf->size = (uint64_t)status.st_size;
  unsigned char magic[SELFMAG];
  if (!tg_elf_file_read(elf, 0, magic, sizeof magic) || memcmp(magic, ELFMAG, SELFMAG) != 0)
    return "not an ELF file";
  memcpy(elf->header.e_ident, magic, sizeof magic);
  if (!tg_elf_file_read(elf, 0, &elf->header, sizeof elf->header)) return damaged;
  if (elf->header.e_ident[EI_CLASS] != ELFCLASS64 || elf->header.e_ident[EI_DATA] != ELFDATA2LSB) {
    elf->header.e_machine = EM_NONE; /* the rest of the header has another layout */
    return "for a machine of 32 bits or big-endian, where there is no guard";
  }
  return read_headers(elf) ? read_dynamic(elf) : damaged;
}

void tg_elf_file_close(struct tg_elf_file *elf) {
  free(elf->headers);
  free(elf->names);
  *elf = (struct tg_elf_file){.file = -1};
}

void tg_elf_file_needed(const struct tg_elf_file *elf,
                        void (*visit)(void *argument, const char *library), void *argument) {
  const Elf64_Phdr *header = find_dynamic(elf);
  Elf64_Dyn entry;
  for (uint64_t i = 0; header != NULL && read_entry(elf, header, i, &entry); i++)
    if (entry.d_tag == DT_NEEDED) visit(argument, name_at(elf, entry.d_un.d_val));
}

/* --- Symbols */

/* The section headers contain the size of the table. Without section headers, the size follows from
 * the place of the names, which linkers put right after the symbols. */
static uint64_t count_symbols(const struct tg_elf_file *elf) {
  const Elf64_Ehdr *header = &elf->header;
  for (unsigned i = 0; header->e_shentsize == sizeof(Elf64_Shdr) && i < header->e_shnum; i++) {
    Elf64_Shdr section;
    if (header->e_shoff > elf->size ||
        !tg_elf_file_read(elf, header->e_shoff + i * sizeof section, &section, sizeof section))
      break;
    if (section.sh_type == SHT_DYNSYM) return section.sh_size / sizeof(Elf64_Sym);
  }
  if (elf->names_address < elf->symbols_address) return 0;
  return (elf->names_address - elf->symbols_address) / sizeof(Elf64_Sym);
}

bool tg_elf_file_symbols(const struct tg_elf_file *elf,
                         void (*visit)(void *argument, const char *name, bool is_defined),
                         void *argument) {
  uint64_t offset, count = count_symbols(elf),
                   available = find_address(elf, elf->symbols_address, &offset);
  Elf64_Sym symbols[SYMBOLS_AT_ONCE];
  if (count > SYMBOLS_MAX || count > available / sizeof symbols[0]) return false;
  for (uint64_t done = 0; done < count; done += SYMBOLS_AT_ONCE) {
    uint64_t some = count - done < SYMBOLS_AT_ONCE ? count - done : SYMBOLS_AT_ONCE;
    if (!tg_elf_file_read(elf, offset + done * sizeof symbols[0], symbols,
                          some * sizeof symbols[0]))
      return false;
    for (uint64_t i = 0; i < some; i++)
      visit(argument, name_at(elf, symbols[i].st_name), symbols[i].st_shndx != SHN_UNDEF);
  }
  return true;
}
