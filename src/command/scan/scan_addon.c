/* Implements the reading of .node files. */
#include "command/scan/scan_addon.h"

#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/common/tables.h"

/* The largest addons that are known have 100 MB, 400,000 symbols and 40 MB of names. */
enum {
  HEADERS_MAX = 1024,
  DYNAMIC_MAX = 4096,
  SYMBOLS_MAX = 1 << 22,
  NAMES_MAX = 1 << 26,
  NOTES_MAX = 4096,
  SYMBOLS_AT_ONCE = 1024,
  WINDOW = 1 << 20,
};
static const uint64_t strings_most = UINT64_C(1) << 29; /* bytes of a file that are searched */

const char *const tg_scan_function_names[TG_SCAN_FUNCTIONS] = {"create",  "get_context", "call", "acquire",
                                                               "release", "ref",         "unref"};
static const char *const functions[TG_SCAN_FUNCTIONS] = {
    "napi_create_threadsafe_function",  "napi_get_threadsafe_function_context",
    "napi_call_threadsafe_function",    "napi_acquire_threadsafe_function",
    "napi_release_threadsafe_function", "napi_ref_threadsafe_function",
    "napi_unref_threadsafe_function"};
enum { LONGEST_NAME = sizeof "napi_get_threadsafe_function_context" };

/* A file on its way. */
struct reader {
  int file;
  uint64_t size;
  const Elf64_Phdr *headers;
  unsigned header_count;
  char *names; /* the dynamic string table, with a NUL behind it */
  uint64_t names_size;
  uint64_t names_address, symbols_address;
  struct tg_scan_addon *addon;
};

static bool is_inside(const struct reader *reader, uint64_t offset, uint64_t size) {
  return offset <= reader->size && size <= reader->size - offset;
}

static bool read_bytes(const struct reader *reader, uint64_t offset, void *to, uint64_t size) {
  return is_inside(reader, offset, size) && pread(reader->file, to, size, (off_t)offset) == (ssize_t)size;
}

/* Where an address lies in the file, and how many bytes follow it there; 0: none. */
static uint64_t find_in_file(const struct reader *reader, uint64_t address, uint64_t *offset) {
  *offset = 0;
  for (unsigned i = 0; i < reader->header_count; i++) {
    const Elf64_Phdr *header = &reader->headers[i];
    if (header->p_type != PT_LOAD || address < header->p_vaddr) continue;
    uint64_t into = address - header->p_vaddr;
    if (into >= header->p_filesz || !is_inside(reader, header->p_offset, header->p_filesz)) continue;
    *offset = header->p_offset + into;
    return header->p_filesz - into;
  }
  return 0;
}

/* --- Symbols */

/* "" where there is none. */
static const char *name_at(const struct reader *reader, uint64_t offset) {
  return offset < reader->names_size ? reader->names + offset : "";
}

static bool begins_with(const char *name, const char *beginning) {
  return strncmp(name, beginning, strlen(beginning)) == 0;
}

static void take_import(struct tg_scan_addon *addon, const char *name, bool *has_dlsym) {
  for (unsigned i = 0; i < TG_SCAN_FUNCTIONS; i++)
    if (strcmp(name, functions[i]) == 0) addon->imports |= 1U << i;
  if (strcmp(name, "dlsym") == 0) *has_dlsym = true;
  if (strcmp(name, "napi_module_register") == 0) addon->has_constructor = true;
  if (strcmp(name, "node_module_register") == 0) addon->has_v8_entry = true;
  if (begins_with(name, "napi_") || begins_with(name, "node_api_")) addon->uses_node_api = true;
  if (begins_with(name, "_ZN2v8") || begins_with(name, "_ZNK2v8")) addon->uses_v8 = true;
}

static void take_export(struct tg_scan_addon *addon, const char *name) {
  if (strcmp(name, "napi_register_module_v1") == 0) addon->has_entry = true;
  if (begins_with(name, "node_register_module_v")) addon->has_v8_entry = true;
}

/* The size of the table is in the section headers. Without them, linkers put the names behind the symbols. */
static uint64_t count_symbols(const struct reader *reader, const Elf64_Ehdr *elf) {
  for (unsigned i = 0; elf->e_shentsize == sizeof(Elf64_Shdr) && i < elf->e_shnum; i++) {
    Elf64_Shdr section;
    if (elf->e_shoff > reader->size ||
        !read_bytes(reader, elf->e_shoff + i * sizeof section, &section, sizeof section))
      break;
    if (section.sh_type == SHT_DYNSYM) return section.sh_size / sizeof(Elf64_Sym);
  }
  if (reader->names_address < reader->symbols_address) return 0;
  return (reader->names_address - reader->symbols_address) / sizeof(Elf64_Sym);
}

/* False: the table does not lie in the file. */
static bool read_symbols(struct reader *reader, const Elf64_Ehdr *elf, bool *has_dlsym) {
  uint64_t offset, count = count_symbols(reader, elf);
  uint64_t room = find_in_file(reader, reader->symbols_address, &offset);
  if (count > SYMBOLS_MAX || count > room / sizeof(Elf64_Sym)) return false;
  Elf64_Sym symbols[SYMBOLS_AT_ONCE];
  for (uint64_t done = 0; done < count; done += SYMBOLS_AT_ONCE) {
    uint64_t some = count - done < SYMBOLS_AT_ONCE ? count - done : SYMBOLS_AT_ONCE;
    if (!read_bytes(reader, offset + done * sizeof symbols[0], symbols, some * sizeof symbols[0]))
      return false;
    for (uint64_t i = 0; i < some; i++) {
      const char *name = name_at(reader, symbols[i].st_name);
      if (symbols[i].st_shndx == SHN_UNDEF)
        take_import(reader->addon, name, has_dlsym);
      else
        take_export(reader->addon, name);
    }
  }
  return true;
}

/* --- Strings */

static void search_window(struct tg_scan_addon *addon, const char *window, size_t size) {
  static const char common[] = "_threadsafe_function";
  const char *at = window, *end = window + size;
  while ((at = memmem(at, (size_t)(end - at), common, sizeof common - 1)) != NULL) {
    for (unsigned i = 0; i < TG_SCAN_FUNCTIONS; i++) {
      size_t before = (size_t)(strstr(functions[i], common) - functions[i]), length = strlen(functions[i]);
      const char *start = at - before;
      if ((size_t)(at - window) >= before && (size_t)(end - start) >= length &&
          memcmp(start, functions[i], length) == 0)
        addon->strings |= 1U << i;
    }
    at += sizeof common - 1;
  }
}

/* Windows overlap by the length of a name, so a name is whole in one of them. */
static void search_segment(const struct reader *reader, const Elf64_Phdr *header, char *window,
                           uint64_t *left) {
  uint64_t offset = header->p_offset, size = header->p_filesz;
  if (!is_inside(reader, offset, size)) return;
  while (size != 0 && *left != 0) {
    uint64_t some = size < WINDOW ? size : WINDOW;
    if (!read_bytes(reader, offset, window, some)) return;
    search_window(reader->addon, window, some);
    *left -= some < *left ? some : *left;
    if (some == size) return;
    offset += some - LONGEST_NAME;
    size -= some - LONGEST_NAME;
  }
}

/* Of what is mapped only: an addon that is not stripped has the names of functions that it does not call elsewhere. */
static void search_strings(const struct reader *reader) {
  char *window = tg_resize(NULL, WINDOW, 1);
  uint64_t left = strings_most;
  for (unsigned i = 0; i < reader->header_count; i++)
    if (reader->headers[i].p_type == PT_LOAD) search_segment(reader, &reader->headers[i], window, &left);
  free(window);
}

/* --- The dynamic section */

static void take_needed(struct tg_scan_addon *addon, const char *library) {
  if (strcmp(library, "libc.so.6") == 0) addon->libc = TG_LIBC_GLIBC;
  if (strcmp(library, "libc.so") == 0 || begins_with(library, "libc.musl-")) addon->libc = TG_LIBC_MUSL;
}

static bool read_names(struct reader *reader, uint64_t size) {
  uint64_t offset, room = find_in_file(reader, reader->names_address, &offset);
  if (size > room || size > NAMES_MAX) return false;
  reader->names = tg_resize(NULL, size + 1, 1);
  if (!read_bytes(reader, offset, reader->names, size)) return false;
  reader->names[size] = '\0';
  reader->names_size = size;
  return true;
}

/* False: there is none, or it is damaged. */
static bool read_dynamic(struct reader *reader, const Elf64_Phdr *header) {
  uint64_t count = header->p_filesz / sizeof(Elf64_Dyn), size = 0;
  if (count > DYNAMIC_MAX) return false;
  Elf64_Dyn *entries = tg_resize(NULL, count + 1, sizeof *entries);
  bool is_read = read_bytes(reader, header->p_offset, entries, count * sizeof *entries);
  for (uint64_t i = 0; is_read && i < count && entries[i].d_tag != DT_NULL; i++) {
    if (entries[i].d_tag == DT_STRTAB) reader->names_address = entries[i].d_un.d_ptr;
    if (entries[i].d_tag == DT_SYMTAB) reader->symbols_address = entries[i].d_un.d_ptr;
    if (entries[i].d_tag == DT_STRSZ) size = entries[i].d_un.d_val;
  }
  is_read = is_read && read_names(reader, size);
  for (uint64_t i = 0; is_read && i < count && entries[i].d_tag != DT_NULL; i++)
    if (entries[i].d_tag == DT_NEEDED) take_needed(reader->addon, name_at(reader, entries[i].d_un.d_val));
  free(entries);
  return is_read;
}

/* Android's linker takes objects with such a note. */
static bool is_for_android(const struct reader *reader) {
  static const char name[] = "Android";
  char notes[NOTES_MAX];
  for (unsigned i = 0; i < reader->header_count; i++) {
    const Elf64_Phdr *header = &reader->headers[i];
    uint64_t size = header->p_filesz < sizeof notes ? header->p_filesz : sizeof notes;
    if (header->p_type != PT_NOTE || !read_bytes(reader, header->p_offset, notes, size)) continue;
    if (memmem(notes, size, name, sizeof name) != NULL) return true;
  }
  return false;
}

static bool read_linked(struct reader *reader, const Elf64_Ehdr *elf) {
  bool has_dlsym = false;
  for (unsigned i = 0; i < reader->header_count; i++) {
    if (reader->headers[i].p_type != PT_DYNAMIC) continue;
    if (!read_dynamic(reader, &reader->headers[i]) || !read_symbols(reader, elf, &has_dlsym)) return false;
    if (has_dlsym && (reader->addon->imports & 1) == 0) search_strings(reader);
    return true;
  }
  return false;
}

static void read_elf64(struct reader *reader, const Elf64_Ehdr *elf) {
  struct tg_scan_addon *addon = reader->addon;
  static const char damaged[] = "a damaged ELF file";
  Elf64_Phdr headers[HEADERS_MAX];
  addon->machine = elf->e_machine;
  addon->problem = damaged;
  if (elf->e_type != ET_DYN) {
    addon->problem = "not a shared object";
    return;
  }
  if (elf->e_phentsize != sizeof headers[0] || elf->e_phnum == 0 || elf->e_phnum > HEADERS_MAX) return;
  if (!read_bytes(reader, elf->e_phoff, headers, elf->e_phnum * sizeof headers[0])) return;
  reader->headers = headers;
  reader->header_count = elf->e_phnum;
  if (is_for_android(reader)) addon->system = TG_SYSTEM_ANDROID;
  if (read_linked(reader, elf)) addon->problem = NULL;
  free(reader->names);
  *reader = (struct reader){.file = reader->file};
}

static void read_elf(struct reader *reader) {
  Elf64_Ehdr elf;
  struct tg_scan_addon *addon = reader->addon;
  addon->system = TG_SYSTEM_LINUX;
  addon->problem = "a damaged ELF file";
  if (!read_bytes(reader, 0, &elf, sizeof elf)) return;
  if (elf.e_ident[EI_OSABI] == ELFOSABI_FREEBSD) addon->system = TG_SYSTEM_FREEBSD;
  addon->problem = "for a machine of 32 bits or big-endian, where there is no guard";
  if (elf.e_ident[EI_CLASS] == ELFCLASS64 && elf.e_ident[EI_DATA] == ELFDATA2LSB) read_elf64(reader, &elf);
}

/* --- Other systems */

static bool is_macho(const unsigned char magic[4]) {
  static const unsigned char kinds[][4] = {
      {0xcf, 0xfa, 0xed, 0xfe}, {0xce, 0xfa, 0xed, 0xfe}, {0xca, 0xfe, 0xba, 0xbe}};
  for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
    if (memcmp(magic, kinds[i], sizeof kinds[i]) == 0) return true;
  return false;
}

void tg_scan_addon_read(int file, struct tg_scan_addon *addon) {
  unsigned char magic[4];
  struct stat status;
  *addon = (struct tg_scan_addon){.problem = "not an addon of any known system"};
  struct reader reader = {.file = file, .addon = addon};
  if (fstat(file, &status) != 0 || status.st_size < 0) return;
  reader.size = (uint64_t)status.st_size;
  if (!read_bytes(&reader, 0, magic, sizeof magic)) return;
  if (memcmp(magic, ELFMAG, SELFMAG) == 0) {
    read_elf(&reader);
  } else if (is_macho(magic)) {
    addon->system = TG_SYSTEM_MACOS;
    addon->problem = "for macOS, where there is no guard";
  } else if (memcmp(magic, "MZ", 2) == 0) {
    addon->system = TG_SYSTEM_WINDOWS;
    addon->problem = "for Windows, where there is no guard";
  }
}

/* --- What follows from it */

bool tg_scan_addon_uses(const struct tg_scan_addon *addon) {
  return addon->problem == NULL && (addon->imports | addon->strings) != 0;
}

bool tg_scan_addon_is_guardable(const struct tg_scan_addon *addon) {
  return tg_scan_addon_uses(addon) && addon->system == TG_SYSTEM_LINUX && addon->libc != TG_LIBC_MUSL &&
         (addon->machine == EM_X86_64 || addon->machine == EM_AARCH64);
}
