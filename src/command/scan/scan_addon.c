/* Implements the reading of .node files. */
#include "command/scan/scan_addon.h"

#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "command/common/elf_file.h"
#include "command/common/tables.h"

enum { NOTES_MAX = 4096, WINDOW = 1 << 20 };
/* bytes of a file that are searched at most */
static const uint64_t strings_most = UINT64_C(1) << 29;

const char *const tg_scan_function_names[TG_SCAN_FUNCTIONS] = {
    "create", "get_context", "call", "acquire", "release", "ref", "unref"};
static const char *const functions[TG_SCAN_FUNCTIONS] = {
    "napi_create_threadsafe_function",  "napi_get_threadsafe_function_context",
    "napi_call_threadsafe_function",    "napi_acquire_threadsafe_function",
    "napi_release_threadsafe_function", "napi_ref_threadsafe_function",
    "napi_unref_threadsafe_function"};
enum { LONGEST_NAME = sizeof "napi_get_threadsafe_function_context" };

/* A file that is being read. */
struct reader {
  struct tg_elf_file elf;
  struct tg_scan_addon *addon;
  bool has_dlsym;
};

/* --- Symbols */

static bool begins_with(const char *name, const char *beginning) {
  return strncmp(name, beginning, strlen(beginning)) == 0;
}

static void take_import(struct reader *reader, const char *name) {
  struct tg_scan_addon *addon = reader->addon;
  for (unsigned i = 0; i < TG_SCAN_FUNCTIONS; i++)
    if (strcmp(name, functions[i]) == 0) addon->imports |= 1U << i;
  if (strcmp(name, "dlsym") == 0) reader->has_dlsym = true;
  if (strcmp(name, "napi_module_register") == 0) addon->has_constructor = true;
  if (strcmp(name, "node_module_register") == 0) addon->has_v8_entry = true;
  if (begins_with(name, "napi_") || begins_with(name, "node_api_")) addon->uses_node_api = true;
  if (begins_with(name, "_ZN2v8") || begins_with(name, "_ZNK2v8")) addon->uses_v8 = true;
}

static void take_export(struct tg_scan_addon *addon, const char *name) {
  if (strcmp(name, "napi_register_module_v1") == 0) addon->has_entry = true;
  if (begins_with(name, "node_register_module_v")) addon->has_v8_entry = true;
}

static void take_symbol(void *argument, const char *name, bool is_defined) {
  struct reader *reader = argument;
  if (is_defined)
    take_export(reader->addon, name);
  else
    take_import(reader, name);
}

/* --- Strings */

static void search_window(struct tg_scan_addon *addon, const char *window, size_t size) {
  static const char common[] = "_threadsafe_function";
  const char *at = window, *end = window + size;
  while ((at = memmem(at, (size_t)(end - at), common, sizeof common - 1)) != NULL) {
    for (unsigned i = 0; i < TG_SCAN_FUNCTIONS; i++) {
      size_t before = (size_t)(strstr(functions[i], common) - functions[i]),
             length = strlen(functions[i]);
      const char *start = at - before;
      if ((size_t)(at - window) >= before && (size_t)(end - start) >= length &&
          memcmp(start, functions[i], length) == 0)
        addon->strings |= 1U << i;
    }
    at += sizeof common - 1;
  }
}

/* Consecutive windows overlap by the length of a name, so each name is completely in at least one
 * of them. */
static void search_segment(const struct reader *reader, const Elf64_Phdr *header, char *window,
                           uint64_t *left) {
  uint64_t offset = header->p_offset, size = header->p_filesz;
  while (size != 0 && *left != 0) {
    uint64_t some = size < WINDOW ? size : WINDOW;
    if (!tg_elf_file_read(&reader->elf, offset, window, some)) return;
    search_window(reader->addon, window, some);
    *left -= some < *left ? some : *left;
    if (some == size) return;
    offset += some - LONGEST_NAME;
    size -= some - LONGEST_NAME;
  }
}

/* Searches only the segments that are mapped. The other parts of an addon that is not stripped
 * contain the names of functions that it never calls. */
static void search_strings(const struct reader *reader) {
  char *window = tg_resize(NULL, WINDOW, 1);
  uint64_t left = strings_most;
  for (unsigned i = 0; i < reader->elf.header_count; i++)
    if (reader->elf.headers[i].p_type == PT_LOAD)
      search_segment(reader, &reader->elf.headers[i], window, &left);
  free(window);
}

/* --- The whole file */

static void take_needed(void *argument, const char *library) {
  struct tg_scan_addon *addon = argument;
  if (strcmp(library, "libc.so.6") == 0) addon->libc = TG_LIBC_GLIBC;
  if (strcmp(library, "libc.so") == 0 || begins_with(library, "libc.musl-"))
    addon->libc = TG_LIBC_MUSL;
}

/* Objects for Android contain a note with this name. */
static bool is_for_android(const struct tg_elf_file *elf) {
  static const char name[] = "Android";
  char notes[NOTES_MAX];
  for (unsigned i = 0; i < elf->header_count; i++) {
    const Elf64_Phdr *header = &elf->headers[i];
    uint64_t size = header->p_filesz < sizeof notes ? header->p_filesz : sizeof notes;
    if (header->p_type != PT_NOTE || !tg_elf_file_read(elf, header->p_offset, notes, size))
      continue;
    if (memmem(notes, size, name, sizeof name) != NULL) return true;
  }
  return false;
}

static void read_elf(struct reader *reader) {
  struct tg_scan_addon *addon = reader->addon;
  const struct tg_elf_file *elf = &reader->elf;
  addon->system = TG_SYSTEM_LINUX;
  addon->machine = elf->header.e_machine;
  if (elf->header.e_ident[EI_OSABI] == ELFOSABI_FREEBSD) addon->system = TG_SYSTEM_FREEBSD;
  if (is_for_android(elf)) addon->system = TG_SYSTEM_ANDROID;
  if (addon->problem == NULL && elf->header.e_type != ET_DYN)
    addon->problem = "not a shared object";
  if (addon->problem != NULL) return;
  tg_elf_file_needed(elf, take_needed, addon);
  if (!tg_elf_file_symbols(elf, take_symbol, reader)) addon->problem = "a damaged ELF file";
  if (addon->problem == NULL && reader->has_dlsym && (addon->imports & 1) == 0)
    search_strings(reader);
}

/* --- Other systems */

static bool is_macho(const unsigned char magic[4]) {
  static const unsigned char kinds[][4] = {
      {0xcf, 0xfa, 0xed, 0xfe}, {0xce, 0xfa, 0xed, 0xfe}, {0xca, 0xfe, 0xba, 0xbe}};
  for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
    if (memcmp(magic, kinds[i], sizeof kinds[i]) == 0) return true;
  return false;
}

static void read_other(const struct tg_elf_file *elf, struct tg_scan_addon *addon) {
  unsigned char magic[4] = {0};
  tg_elf_file_read(elf, 0, magic, sizeof magic);
  addon->problem = "not an addon of any known system";
  if (is_macho(magic)) {
    addon->system = TG_SYSTEM_MACOS;
    addon->problem = "for macOS, where there is no guard";
  } else if (memcmp(magic, "MZ", 2) == 0) {
    addon->system = TG_SYSTEM_WINDOWS;
    addon->problem = "for Windows, where there is no guard";
  }
}

void tg_scan_addon_read(int file, struct tg_scan_addon *addon) {
  struct reader reader = {.addon = addon};
  *addon = (struct tg_scan_addon){0};
  addon->problem = tg_elf_file_open(&reader.elf, file);
  if (memcmp(reader.elf.header.e_ident, ELFMAG, SELFMAG) == 0)
    read_elf(&reader);
  else
    read_other(&reader.elf, addon);
  tg_elf_file_close(&reader.elf);
}

/* --- Conclusions */

bool tg_scan_addon_uses(const struct tg_scan_addon *addon) {
  return addon->problem == NULL && (addon->imports | addon->strings) != 0;
}

bool tg_scan_addon_is_guardable(const struct tg_scan_addon *addon) {
  return tg_scan_addon_uses(addon) && addon->system == TG_SYSTEM_LINUX &&
         addon->libc != TG_LIBC_MUSL &&
         (addon->machine == EM_X86_64 || addon->machine == EM_AARCH64);
}
