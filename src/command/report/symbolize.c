/* Implements the lookup of functions and source lines.
 *
 * Source lines come from libbacktrace, if the build has it. libbacktrace takes each file for the
 * running program. If the file can be loaded at any address, libbacktrace asks the dynamic linker
 * for the base address, and gets the base address of this command. So that base address is added to
 * each address that is looked up. */
#include "command/report/symbolize.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef TG_HAS_BACKTRACE
#include <backtrace.h>
#endif

#include "base/text.h"
#include "command/common/demangle.h"
#include "command/common/json.h"

enum { OBJECTS_MAX = 256, POOL_MAX = 64 << 20, NAME_MAX_BYTES = 4096, SYMBOLS_BACK = 16 };

struct symbol {
  uint64_t start, size;
  uint32_t name;
};

/* A file in which code is looked up. It may be missing or unreadable. */
struct tg_object {
  const char *path;
  const char *problem; /* NULL: it is an ELF file */
  const unsigned char *bytes;
  size_t size;
  int64_t changed; /* milliseconds since 1970 */
  char build_id[TG_BUILD_ID_MAX];
  bool is_anywhere; /* can be loaded at any address, so offsets are not addresses */
  struct symbol *symbols;
  size_t symbol_count;
  const char *names;
  size_t names_size;
  struct backtrace_state *lines;
};

/* --- The ELF file. Nothing in it is trusted. */

static const void *at(const struct tg_object *object, uint64_t offset, uint64_t size) {
  return offset <= object->size && size <= object->size - offset ? object->bytes + offset : NULL;
}

static void format_build_id(struct tg_object *object, const unsigned char *id, size_t size) {
  static const char digits[] = "0123456789abcdef";
  size_t length = 0;
  for (size_t i = 0; i < size && length + 2 < sizeof object->build_id; i++) {
    object->build_id[length++] = digits[id[i] >> 4];
    object->build_id[length++] = digits[id[i] & 15];
  }
}

static void read_notes(struct tg_object *object, uint64_t offset, uint64_t size) {
  while (size >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr note;
    memcpy(&note, object->bytes + offset, sizeof note);
    uint64_t name = (note.n_namesz + UINT64_C(3)) & ~UINT64_C(3);
    uint64_t end = sizeof note + name + note.n_descsz;
    if (end > size) return;
    const unsigned char *text = object->bytes + offset + sizeof note;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(text, "GNU", 4) == 0)
      format_build_id(object, text + name, note.n_descsz);
    uint64_t whole = (end + 3) & ~UINT64_C(3);
    if (whole > size) return; /* the last one may lack its padding */
    offset += whole;
    size -= whole;
  }
}

static void read_segments(struct tg_object *object, const Elf64_Ehdr *header) {
  for (unsigned i = 0; i < header->e_phnum && header->e_phentsize == sizeof(Elf64_Phdr); i++) {
    Elf64_Phdr segment;
    const void *from = at(object, header->e_phoff + (uint64_t)i * sizeof segment, sizeof segment);
    if (from == NULL || header->e_phoff > object->size) return;
    memcpy(&segment, from, sizeof segment);
    if (segment.p_type == PT_NOTE && at(object, segment.p_offset, segment.p_filesz) != NULL)
      read_notes(object, segment.p_offset, segment.p_filesz);
  }
}

static int by_start(const void *a, const void *b) {
  const struct symbol *one = a, *other = b;
  return (one->start > other->start) - (one->start < other->start);
}

static void read_symbols(struct tg_object *object, const Elf64_Shdr *table,
                         const Elf64_Shdr *names) {
  const unsigned char *from = at(object, table->sh_offset, table->sh_size);
  const char *strings = at(object, names->sh_offset, names->sh_size);
  if (from == NULL || strings == NULL || names->sh_size == 0 || strings[names->sh_size - 1] != '\0')
    return;
  size_t count = table->sh_size / sizeof(Elf64_Sym), kept = 0;
  object->symbols = tg_resize(NULL, count + 1, sizeof *object->symbols);
  for (size_t i = 0; i < count; i++) {
    Elf64_Sym symbol;
    memcpy(&symbol, from + i * sizeof symbol, sizeof symbol);
    unsigned type = ELF64_ST_TYPE(symbol.st_info);
    if (symbol.st_shndx == SHN_UNDEF || (type != STT_FUNC && type != STT_GNU_IFUNC)) continue;
    if (symbol.st_name == 0 || symbol.st_name >= names->sh_size) continue;
    object->symbols[kept++] = (struct symbol){symbol.st_value, symbol.st_size, symbol.st_name};
  }
  qsort(object->symbols, kept, sizeof *object->symbols, by_start);
  object->symbol_count = kept;
  object->names = strings;
}

static bool read_section(const struct tg_object *object, const Elf64_Ehdr *header, uint64_t index,
                         Elf64_Shdr *section) {
  if (index >= header->e_shnum || header->e_shentsize != sizeof *section ||
      header->e_shoff > object->size)
    return false;
  const void *from = at(object, header->e_shoff + index * sizeof *section, sizeof *section);
  if (from != NULL) memcpy(section, from, sizeof *section);
  return from != NULL;
}

/* Reads the full symbol table, or else the dynamic one, which strip keeps. */
static void read_sections(struct tg_object *object, const Elf64_Ehdr *header) {
  Elf64_Shdr section, names, table = {0}, table_names = {0};
  bool found = false;
  for (unsigned i = 0; read_section(object, header, i, &section); i++) {
    if (section.sh_type != SHT_SYMTAB && (section.sh_type != SHT_DYNSYM || found)) continue;
    if (!read_section(object, header, section.sh_link, &names)) continue;
    table = section;
    table_names = names;
    found = true;
    if (section.sh_type == SHT_SYMTAB) break;
  }
  if (found) read_symbols(object, &table, &table_names);
}

static const char *read_elf(struct tg_object *object) {
  Elf64_Ehdr header;
  const void *from = at(object, 0, sizeof header);
  if (from == NULL || memcmp(from, ELFMAG, SELFMAG) != 0) return "not an ELF file";
  memcpy(&header, from, sizeof header);
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB)
    return "not a 64-bit ELF file";
  object->is_anywhere = header.e_type == ET_DYN;
  read_segments(object, &header);
  read_sections(object, &header);
  return NULL;
}

/* The path is from the log, so it may name anything. Only a regular file is read. */
static const char *open_object(struct tg_object *object) {
  struct stat status;
  if (object->path[0] != '/') return "only the end of its path is known";
  int file = open(object->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (file < 0) return "the file is not here";
  const char *problem = NULL;
  void *bytes = MAP_FAILED;
  if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size <= 0)
    problem = "not an ordinary file";
  else
    bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
  close(file);
  if (bytes == MAP_FAILED) return problem != NULL ? problem : "the file cannot be read";
  object->bytes = bytes;
  object->size = (size_t)status.st_size;
  object->changed = (int64_t)status.st_ctim.tv_sec * 1000;
  return read_elf(object);
}

static struct tg_object *find_object(struct tg_symbolizer *symbolizer, const char *path) {
  uint64_t hash = tg_hash(TG_HASH_START, path, strlen(path));
  uint32_t *found;
  for (; (found = tg_map_get(&symbolizer->map, hash)) != NULL; hash++)
    if (strcmp(symbolizer->objects[*found].path, path) == 0) return &symbolizer->objects[*found];
  const char *kept = tg_pool_keep(&symbolizer->pool, path);
  if (kept == NULL || !tg_map_put(&symbolizer->map, hash, (uint32_t)symbolizer->count)) return NULL;
  struct tg_object *object = &symbolizer->objects[symbolizer->count++];
  *object = (struct tg_object){.path = kept};
  object->problem = open_object(object);
  return object;
}

/* --- Names */

/* The names come from an untrusted file, and may be shown on a terminal. */
static const char *keep(struct tg_pool *pool, const char *name) {
  char tamed[NAME_MAX_BYTES];
  tg_copy_string(tamed, sizeof tamed, name);
  tg_tame(tamed);
  return tg_pool_keep(pool, tamed);
}

static const char *demangle(struct tg_pool *pool, const char *name) {
  char *demangled = tg_demangle(name);
  const char *kept = keep(pool, demangled == NULL ? name : demangled);
  free(demangled);
  return kept;
}

/* Aliases make functions overlap, so several symbols before the offset are examined. */
static const struct symbol *find_symbol(const struct tg_object *object, uint64_t offset) {
  size_t low = 0, high = object->symbol_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (object->symbols[middle].start <= offset)
      low = middle + 1;
    else
      high = middle;
  }
  for (unsigned i = 0; i < SYMBOLS_BACK && i < low; i++) {
    const struct symbol *symbol = &object->symbols[low - 1 - i];
    if (offset - symbol->start < symbol->size) return symbol;
  }
  return NULL;
}

/* Returns "name+0x12". The function is the one that contains `code`, because a return address may
 * already be in the next function. The distance is that of `offset`. */
static const char *name_by_symbol(struct tg_symbolizer *symbolizer, const struct tg_object *object,
                                  uint64_t code, uint64_t offset) {
  char text[NAME_MAX_BYTES + 32];
  const struct symbol *symbol = find_symbol(object, code);
  if (symbol == NULL) return NULL;
  const char *name = demangle(&symbolizer->pool, object->names + symbol->name);
  if (name == NULL || offset == symbol->start) return name;
  snprintf(text, sizeof text, "%.*s+0x%llx", NAME_MAX_BYTES, name,
           (unsigned long long)(offset - symbol->start));
  return tg_pool_keep(&symbolizer->pool, text);
}

/* --- Lines */

#ifdef TG_HAS_BACKTRACE

bool tg_symbolizer_has_lines(void) {
  return true;
}

static int record_base(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size;
  *(uintptr_t *)argument = info->dlpi_addr;
  return 1; /* the program itself is the first */
}

/* Many files have no debug information, so errors are not reported. */
static void ignore_error(void *argument, const char *message, int error) {
  (void)argument;
  (void)message;
  (void)error;
}

struct answer {
  struct tg_symbolizer *symbolizer;
  struct tg_resolution *resolution;
};

static int record_line(void *argument, uintptr_t code, const char *source, int line,
                       const char *function) {
  const struct answer *answer = argument;
  struct tg_resolution *resolution = answer->resolution;
  (void)code;
  if (source == NULL || resolution->count == TG_INLINED_MAX) return 0;
  struct tg_place_name *name = &resolution->names[resolution->count++];
  name->function = function == NULL ? NULL : demangle(&answer->symbolizer->pool, function);
  name->source = keep(&answer->symbolizer->pool, source);
  name->line = line > 0 ? (unsigned)line : 0;
  return 0;
}

static void find_lines(struct tg_symbolizer *symbolizer, struct tg_object *object, uint64_t code,
                       struct tg_resolution *resolution) {
  uintptr_t base = 0;
  struct answer answer = {symbolizer, resolution};
  if (object->lines == NULL)
    object->lines = backtrace_create_state(object->path, 0, ignore_error, NULL);
  if (object->is_anywhere) dl_iterate_phdr(record_base, &base);
  if (object->lines != NULL)
    backtrace_pcinfo(object->lines, base + code, record_line, ignore_error, &answer);
}

#else

bool tg_symbolizer_has_lines(void) {
  return false;
}

static void find_lines(struct tg_symbolizer *symbolizer, struct tg_object *object, uint64_t code,
                       struct tg_resolution *resolution) {
  (void)symbolizer, (void)object, (void)code, (void)resolution;
}

#endif

/* --- Offsets */

void tg_symbolizer_open(struct tg_symbolizer *symbolizer) {
  *symbolizer =
      (struct tg_symbolizer){.objects = tg_resize(NULL, OBJECTS_MAX, sizeof *symbolizer->objects)};
  symbolizer->map.most = OBJECTS_MAX;
  symbolizer->pool.most = POOL_MAX;
  symbolizer->pool.map.most = POOL_MAX / 32;
}

static const char *complain_of_build(struct tg_symbolizer *symbolizer,
                                     const struct tg_object *object) {
  char text[128];
  if (object->build_id[0] == '\0') return "file changed: it has no build-id now";
  snprintf(text, sizeof text, "file changed: build-id %.12s now", object->build_id);
  return tg_pool_keep(&symbolizer->pool, text);
}

void tg_symbolize(struct tg_symbolizer *symbolizer, const struct tg_frame *frame,
                  const char *build_id, int64_t seen_at, bool is_return_address,
                  struct tg_resolution *resolution) {
  *resolution = (struct tg_resolution){0};
  if (frame->file == NULL) return;
  struct tg_object *object = find_object(symbolizer, frame->file);
  resolution->problem = object == NULL ? "too many files" : object->problem;
  if (resolution->problem != NULL) return;
  resolution->is_checked = build_id != NULL;
  if (build_id != NULL && strcmp(build_id, object->build_id) != 0)
    resolution->problem = complain_of_build(symbolizer, object);
  else if (build_id == NULL && object->changed > seen_at)
    resolution->problem = "file changed since";
  if (resolution->problem != NULL) return;
  uint64_t code = frame->offset - (is_return_address && frame->offset != 0);
  find_lines(symbolizer, object, code, resolution);
  if (resolution->count != 0 && resolution->names[resolution->count - 1].function != NULL) return;
  const char *name = name_by_symbol(symbolizer, object, code, frame->offset);
  if (name == NULL) return;
  if (resolution->count == 0) resolution->count = 1;
  resolution->names[resolution->count - 1].function = name;
}
