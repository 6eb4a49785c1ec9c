/* The ELF reader: in images of every layout it finds each symbol that is there. In corrupt images
 * it finds no symbol that is not there, and it causes no fault.
 *
 * An image is a real file of test/helpers. The test loads it into its own memory, as the dynamic
 * linker would. Memory that no readable segment covers is made inaccessible. (If the build has
 * AddressSanitizer it is also poisoned, to the byte.) So a read outside is a fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
/* cmocka.h needs the four at the top first. */
#include <cmocka.h>
#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include "elf/image.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define POISON(address, size) __asan_poison_memory_region((address), (size))
#define UNPOISON(address, size) __asan_unpoison_memory_region((address), (size))
#else
#define POISON(address, size) ((void)(address), (void)(size))
#define UNPOISON(address, size) ((void)(address), (void)(size))
#endif

enum { HEADERS_MAX = 16, SEVEN = 7 };

#define PAGE ((size_t)sysconf(_SC_PAGESIZE))

static const char *const names[SEVEN] = {
    "napi_create_threadsafe_function",  "napi_get_threadsafe_function_context",
    "napi_call_threadsafe_function",    "napi_acquire_threadsafe_function",
    "napi_release_threadsafe_function", "napi_ref_threadsafe_function",
    "napi_unref_threadsafe_function",
};

static const char *const layouts[] = {
    "libfakenode-gnu-separate.so", "libfakenode-sysv-separate.so", "libfakenode-both-separate.so",
    "libfakenode-gnu-joined.so",   "libfakenode-sysv-joined.so",   "libfakenode-both-joined.so",
    "fake-exec-gnu-separate-now",  "fake-exec-sysv-joined-lazy",
};

enum { LAYOUTS = sizeof layouts / sizeof layouts[0] };

struct loaded {
  char *mapping; /* the image, between two inaccessible pages */
  size_t mapping_size;
  char *memory; /* the image itself */
  size_t size;
  uintptr_t base;
  ElfW(Phdr) headers[HEADERS_MAX];
  size_t header_count;
};

static char *read_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) fail_msg("cannot read %s, which the build makes", path);
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  char *bytes = malloc(*size);
  assert_int_equal(fread(bytes, 1, *size, file), *size);
  fclose(file);
  return bytes;
}

/* The helpers are in a directory beside the directory of this program. */
static char *read_helper(const char *name, size_t *size) {
  char path[4096];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 256);
  assert_true(length > 0);
  path[length] = '\0';
  for (int up = 0; up < 2; up++) *strrchr(path, '/') = '\0';
  snprintf(path + strlen(path), 256, "/helpers/%s", name);
  return read_file(path, size);
}

static const ElfW(Phdr) * find_header(const struct loaded *loaded, unsigned type) {
  for (size_t i = 0; i < loaded->header_count; i++)
    if (loaded->headers[i].p_type == type) return &loaded->headers[i];
  fail_msg("no header of type %u", type);
  return NULL;
}

static void *at(const struct loaded *loaded, uintptr_t file_address) {
  return (void *)(loaded->base + file_address);
}

static ElfW(Dyn) * dynamic(const struct loaded *loaded) {
  return at(loaded, find_header(loaded, PT_DYNAMIC)->p_vaddr);
}

static bool is_pointer(const ElfW(Dyn) * entry) {
  return entry->d_tag == DT_SYMTAB || entry->d_tag == DT_STRTAB || entry->d_tag == DT_HASH ||
         entry->d_tag == DT_GNU_HASH || entry->d_tag == DT_RELA || entry->d_tag == DT_JMPREL;
}

static void load(struct loaded *loaded, const char *file) {
  const ElfW(Ehdr) *header = (const void *)file;
  assert_true(header->e_phnum <= HEADERS_MAX);
  loaded->header_count = header->e_phnum;
  memcpy(loaded->headers, file + header->e_phoff, header->e_phnum * sizeof(ElfW(Phdr)));
  uintptr_t start = UINTPTR_MAX, end = 0;
  for (size_t i = 0; i < loaded->header_count; i++) {
    const ElfW(Phdr) *segment = &loaded->headers[i];
    if (segment->p_type != PT_LOAD) continue;
    if (segment->p_vaddr < start) start = segment->p_vaddr;
    if (segment->p_vaddr + segment->p_memsz > end) end = segment->p_vaddr + segment->p_memsz;
  }
  start &= ~(PAGE - 1);
  loaded->size = (end - start + PAGE - 1) & ~(PAGE - 1);
  loaded->mapping_size = loaded->size + 2 * PAGE;
  loaded->mapping = mmap(NULL, loaded->mapping_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(loaded->mapping != MAP_FAILED);
  loaded->memory = loaded->mapping + PAGE;
  loaded->base = (uintptr_t)loaded->memory - start;
  assert_int_equal(mprotect(loaded->memory, loaded->size, PROT_READ | PROT_WRITE), 0);
  for (size_t i = 0; i < loaded->header_count; i++)
    if (loaded->headers[i].p_type == PT_LOAD)
      memcpy(at(loaded, loaded->headers[i].p_vaddr), file + loaded->headers[i].p_offset,
             loaded->headers[i].p_filesz);
}

/* Does what the dynamic linker does if the dynamic section is writable. */
static void relocate(struct loaded *loaded) {
  for (ElfW(Dyn) *entry = dynamic(loaded); entry->d_tag != DT_NULL; entry++)
    if (is_pointer(entry)) entry->d_un.d_ptr += loaded->base;
}

/* Makes everything outside the readable segments that the headers describe inaccessible. */
static void seal(struct loaded *loaded) {
  char *page = loaded->memory;
  POISON(loaded->memory, loaded->size);
  for (; page < loaded->memory + loaded->size; page += PAGE) {
    bool needed = false;
    for (size_t i = 0; i < loaded->header_count; i++) {
      const ElfW(Phdr) *segment = &loaded->headers[i];
      char *first = at(loaded, segment->p_vaddr);
      if (segment->p_type == PT_LOAD && (segment->p_flags & PF_R) != 0 && first < page + PAGE &&
          first + segment->p_memsz > page)
        needed = true;
    }
    if (!needed) mprotect(page, PAGE, PROT_NONE);
  }
  for (size_t i = 0; i < loaded->header_count; i++) {
    const ElfW(Phdr) *segment = &loaded->headers[i];
    if (segment->p_type == PT_LOAD && (segment->p_flags & PF_R) != 0)
      UNPOISON(at(loaded, segment->p_vaddr), segment->p_memsz);
  }
}

static void unload(struct loaded *loaded) {
  UNPOISON(loaded->memory, loaded->size);
  munmap(loaded->mapping, loaded->mapping_size);
}

static void load_layout(struct loaded *loaded, const char *name) {
  size_t size;
  char *file = read_helper(name, &size);
  load(loaded, file);
  free(file);
}

static bool open_image(struct tg_image *image, const struct loaded *loaded) {
  return tg_image_open(image, loaded->base, loaded->headers, loaded->header_count);
}

/* Finds the symbol of a name by a walk over the whole table of a sound image, without the hash
 * table. */
static const ElfW(Sym) * find_by_walk(const struct tg_image *image, const char *name) {
  const char *strings = (const char *)image->strings;
  for (const ElfW(Sym) *symbol = image->symbols; (uintptr_t)symbol < image->strings; symbol++)
    if (strcmp(strings + symbol->st_name, name) == 0) return symbol;
  return NULL;
}

/* Returns how many of the seven functions the reader finds. Each result must be a readable function
 * symbol of exactly that name. */
static unsigned count_found(const struct tg_image *image) {
  unsigned found = 0;
  for (unsigned i = 0; i < SEVEN; i++) {
    const ElfW(Sym) *symbol = tg_image_find(image, names[i], STT_FUNC);
    if (symbol == NULL) continue;
    assert_true(tg_image_contains(image, (uintptr_t)symbol, sizeof *symbol, NULL));
    assert_int_equal(ELF64_ST_TYPE(symbol->st_info), STT_FUNC);
    assert_int_not_equal(symbol->st_shndx, SHN_UNDEF);
    assert_true(
        tg_image_contains(image, image->strings + symbol->st_name, strlen(names[i]) + 1, NULL));
    assert_string_equal((const char *)image->strings + symbol->st_name, names[i]);
    found++;
  }
  assert_null(tg_image_find(image, "no_such_function", STT_FUNC));
  assert_false(tg_image_refers_to(image, "no_such_function"));
  return found;
}

/* --- Sound images. */

static void finds_all_in_every_layout(void **state) {
  (void)state;
  for (int layout = 0; layout < LAYOUTS * 2; layout++) {
    struct loaded loaded;
    struct tg_image image;
    load_layout(&loaded, layouts[layout / 2]);
    if (layout % 2 == 1) relocate(&loaded); /* otherwise it is not relocated, as in the vDSO */
    seal(&loaded);
    assert_true(open_image(&image, &loaded));
    assert_int_equal(image.gnu_hash != 0, strstr(layouts[layout / 2], "-sysv-") == NULL);
    assert_int_equal(image.sysv_hash != 0, strstr(layouts[layout / 2], "-gnu-") == NULL);
    assert_int_equal(count_found(&image), SEVEN);
    for (unsigned i = 0; i < SEVEN; i++) {
      const ElfW(Sym) *symbol = tg_image_find(&image, names[i], STT_FUNC);
      assert_ptr_equal(symbol, find_by_walk(&image, names[i]));
      assert_ptr_equal(tg_image_address(&image, symbol), at(&loaded, symbol->st_value));
    }
    unload(&loaded);
  }
}

static void finds_only_what_is_wanted(void **state) {
  (void)state;
  for (int layout = 0; layout < LAYOUTS; layout++) {
    struct loaded loaded;
    struct tg_image image;
    load_layout(&loaded, layouts[layout]);
    seal(&loaded);
    assert_true(open_image(&image, &loaded));
    assert_null(tg_image_find(&image, names[0], STT_OBJECT));
    assert_null(tg_image_find(&image, "", STT_FUNC));
    assert_null(tg_image_find(&image, "", STT_NOTYPE)); /* symbol 0 is never found */
    assert_null(tg_image_find(&image, "napi_create_threadsafe_functio", STT_FUNC));
    assert_null(tg_image_find(&image, "napi_create_threadsafe_function_", STT_FUNC));
    assert_null(tg_image_find(&image, "__cxa_finalize", STT_FUNC)); /* undefined here */
    /* Not found either: a symbol of another type, an undefined one, a local one. */
    ElfW(Sym) *symbol = (ElfW(Sym) *)tg_image_find(&image, names[3], STT_FUNC);
    ElfW(Sym) sound = *symbol;
    symbol->st_info = ELF64_ST_INFO(STB_GLOBAL, STT_GNU_IFUNC);
    assert_null(tg_image_find(&image, names[3], STT_FUNC));
    symbol->st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC);
    assert_null(tg_image_find(&image, names[3], STT_FUNC));
    symbol->st_info = ELF64_ST_INFO(STB_WEAK, STT_FUNC);
    assert_ptr_equal(tg_image_find(&image, names[3], STT_FUNC), symbol);
    *symbol = sound;
    symbol->st_shndx = SHN_UNDEF;
    assert_null(tg_image_find(&image, names[3], STT_FUNC));
    assert_int_equal(count_found(&image), SEVEN - 1);
    unload(&loaded);
  }
}

static ElfW(Dyn) * entry_of(const struct loaded *loaded, ElfW(Sxword) tag) {
  ElfW(Dyn) *entry = dynamic(loaded);
  while (entry->d_tag != tag) entry++;
  return entry;
}

static void a_name_lies_in_the_string_table_to_its_last_byte(void **state) {
  (void)state;
  for (int layout = 0; layout < LAYOUTS; layout++) {
    struct loaded loaded;
    struct tg_image image;
    load_layout(&loaded, layouts[layout]);
    seal(&loaded);
    for (unsigned i = 0; i < SEVEN; i++) {
      assert_true(open_image(&image, &loaded));
      size_t end = tg_image_find(&image, names[i], STT_FUNC)->st_name + strlen(names[i]) + 1;
      ElfW(Xword) *size = &entry_of(&loaded, DT_STRSZ)->d_un.d_val, sound = *size;
      *size = end;
      assert_true(open_image(&image, &loaded));
      assert_non_null(tg_image_find(&image, names[i], STT_FUNC));
      *size = end - 1;
      assert_true(open_image(&image, &loaded));
      assert_null(tg_image_find(&image, names[i], STT_FUNC));
      *size = sound;
    }
    unload(&loaded);
  }
}

static void knows_what_an_object_refers_to(void **state) {
  (void)state;
  /* One is bound at load, the other lazily. In both the relocations belong to the procedure linkage
   * table. */
  const char *const callers[] = {"libcalls-now.so", "libcalls-lazy.so"};
  struct loaded loaded;
  struct tg_image image;
  for (int i = 0; i < 4; i++) {
    load_layout(&loaded, callers[i / 2]);
    if (i % 2 == 1) relocate(&loaded);
    seal(&loaded);
    assert_true(open_image(&image, &loaded));
    for (unsigned name = 0; name < SEVEN; name++)
      assert_true(tg_image_refers_to(&image, names[name]));
    assert_false(tg_image_refers_to(&image, "napi_create_threadsafe_functio"));
    assert_false(tg_image_refers_to(&image, "napi_create_threadsafe_function_"));
    assert_false(tg_image_refers_to(&image, "probe")); /* defined there, but not imported */
    assert_false(tg_image_refers_to(&image, "dlsym"));
    assert_false(tg_image_refers_to(&image, ""));
    unload(&loaded);
  }
  load_layout(&loaded, "libfakenode-gnu-separate.so");
  assert_true(open_image(&image, &loaded));
  assert_true(tg_image_refers_to(&image, "__cxa_finalize")); /* a relocation for data */
  for (unsigned name = 0; name < SEVEN; name++)
    assert_false(tg_image_refers_to(&image, names[name]));
  unload(&loaded);
}

static void a_relocation_table_that_is_not_all_there_is_not_read(void **state) {
  (void)state;
  struct loaded loaded;
  struct tg_image image;
  load_layout(&loaded, "libcalls-now.so");
  seal(&loaded);
  ElfW(Dyn) *size = entry_of(&loaded, DT_PLTRELSZ), *start = entry_of(&loaded, DT_JMPREL);
  const ElfW(Xword) sound_size = size->d_un.d_val;
  const ElfW(Addr) sound_start = start->d_un.d_ptr;
  const struct {
    ElfW(Xword) size;
    ElfW(Addr) start;
  } corrupt[] = {{0, sound_start},
                 {SIZE_MAX, sound_start},
                 {loaded.size, sound_start},
                 {sound_size, 0},
                 {sound_size, sound_start + 1},
                 {sound_size, loaded.size - 8},
                 {sound_size, UINTPTR_MAX - 7}};
  for (size_t i = 0; i < sizeof corrupt / sizeof corrupt[0]; i++) {
    size->d_un.d_val = corrupt[i].size;
    start->d_un.d_ptr = corrupt[i].start;
    assert_true(open_image(&image, &loaded));
    assert_false(tg_image_refers_to(&image, names[0]));
  }
  size->d_un.d_val = sound_size;
  start->d_un.d_ptr = sound_start;
  assert_true(open_image(&image, &loaded));
  assert_true(tg_image_refers_to(&image, names[0]));
  /* The relocations name symbols that do not exist. */
  ElfW(Rela) *relocation = at(&loaded, sound_start);
  for (; (uintptr_t)relocation < (uintptr_t)at(&loaded, sound_start) + sound_size; relocation++)
    relocation->r_info = ELF64_R_INFO(UINT32_MAX - 1, ELF64_R_TYPE(relocation->r_info));
  assert_false(tg_image_refers_to(&image, names[0]));
  unload(&loaded);
}

/* Looks up every symbol that an object of this process exports by its name, and compares the result
 * with the table's entry. */
static int check_object(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size;
  unsigned *checked = argument;
  struct tg_image image;
  if (!tg_image_open(&image, info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum)) return 0;
  if ((uintptr_t)image.symbols >= image.strings) return 0; /* this loop needs the usual order */
  const char *strings = (const char *)image.strings;
  for (const ElfW(Sym) *symbol = image.symbols + 1; (uintptr_t)(symbol + 1) <= image.strings;
       symbol++) {
    unsigned type = ELF64_ST_TYPE(symbol->st_info), binding = ELF64_ST_BIND(symbol->st_info);
    /* something else lies between the tables */
    if (symbol->st_name >= image.strings_size) return 0;
    if (symbol->st_shndx == SHN_UNDEF || (type != STT_FUNC && type != STT_OBJECT)) continue;
    if (binding != STB_GLOBAL && binding != STB_WEAK) continue;
    const ElfW(Sym) *found = tg_image_find(&image, strings + symbol->st_name, type);
    assert_non_null(found); /* may be another version of the same name */
    assert_string_equal(strings + found->st_name, strings + symbol->st_name);
    ++*checked;
  }
  return 0;
}

static void finds_every_symbol_of_every_object_in_this_process(void **state) {
  (void)state;
  unsigned checked = 0;
  dl_iterate_phdr(check_object, &checked);
  assert_true(checked > 2000); /* the C library alone has that many */
}

static int is_vdso(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size;
  struct tg_image *image = argument;
  if (strstr(info->dlpi_name, "vdso") == NULL) return 0;
  return tg_image_open(image, info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum);
}

static void reads_the_vdso(void **state) {
  (void)state;
  struct tg_image image;
  if (dl_iterate_phdr(is_vdso, &image) == 0) skip();
#if defined(__x86_64__)
  assert_non_null(tg_image_find(&image, "__vdso_clock_gettime", STT_FUNC));
#else
  assert_non_null(tg_image_find(&image, "__kernel_clock_gettime", STT_FUNC));
#endif
}

/* --- Corrupt images. */

/* In a corrupt image the reader may find fewer of the seven, or none. count_found checks that it
 * does not find what is not there. */
static void survive(const struct loaded *loaded) {
  struct tg_image image;
  if (open_image(&image, loaded)) count_found(&image);
}

enum { NASTY = 20 };

static void list_nasty(const struct loaded *loaded, uint64_t sound, uint64_t list[NASTY]) {
  uint64_t start = (uintptr_t)loaded->memory, end = start + loaded->size;
  const uint64_t nasty[NASTY] = {
      0,
      1,
      2,
      UINT64_MAX,
      UINT64_MAX - 7,
      INT64_MAX,
      (uint64_t)INT64_MIN,
      UINT32_MAX,
      0x80000000,
      0x7ffffff8,
      0x100000001,
      sound + 1,
      sound + 4,
      sound - 8,
      ~sound,
      start,
      start - 8,
      end - 4,
      end,
      end - start,
  };
  memcpy(list, nasty, sizeof nasty);
}

/* Puts every nasty value into every aligned word of [bytes, bytes + size), one at a time. */
static void corrupt_words(struct loaded *loaded, void *bytes, size_t size) {
  for (char *place = bytes; place + sizeof(uint64_t) <= (char *)bytes + size;
       place += sizeof(uint64_t)) {
    uint64_t sound, list[NASTY];
    memcpy(&sound, place, sizeof sound);
    list_nasty(loaded, sound, list);
    for (int i = 0; i < NASTY; i++) {
      memcpy(place, &list[i], sizeof sound);
      survive(loaded);
    }
    /* The tables have 32-bit words too, so now each half alone gets the nasty value. */
    for (int i = 0; i < 2 * NASTY; i++) {
      memcpy(place, &sound, sizeof sound);
      memcpy(place + 4 * (i % 2), &list[i / 2], sizeof(uint32_t));
      survive(loaded);
    }
    memcpy(place, &sound, sizeof sound);
  }
}

static void check_still_sound(const struct loaded *loaded) {
  struct tg_image image;
  assert_true(open_image(&image, loaded));
  assert_int_equal(count_found(&image), SEVEN);
}

typedef void corruption(struct loaded *loaded, const struct tg_image *image);

static void for_every_layout(corruption *corrupt) {
  for (int layout = 0; layout < LAYOUTS; layout++) {
    struct loaded loaded;
    struct tg_image image;
    load_layout(&loaded, layouts[layout]);
    relocate(&loaded);
    seal(&loaded);
    assert_true(open_image(&image, &loaded));
    alarm(120); /* no table may make the reader loop for ever */
    corrupt(&loaded, &image);
    alarm(0);
    unload(&loaded);
  }
}

static void corrupt_dynamic(struct loaded *loaded, const struct tg_image *image) {
  (void)image;
  corrupt_words(loaded, dynamic(loaded), find_header(loaded, PT_DYNAMIC)->p_memsz);
  check_still_sound(loaded);
}

/* The headers of loadable segments must be true. The reader trusts the other headers as little as
 * everything else. */
static void corrupt_headers(struct loaded *loaded, const struct tg_image *image) {
  (void)image;
  for (size_t i = 0; i < loaded->header_count; i++)
    if (loaded->headers[i].p_type != PT_LOAD)
      corrupt_words(loaded, &loaded->headers[i], sizeof(ElfW(Phdr)));
  check_still_sound(loaded);
}

/* From the first table of the object to the end of the last: hash tables, symbols, strings. */
static void corrupt_tables(struct loaded *loaded, const struct tg_image *image) {
  uintptr_t first = (uintptr_t)image->symbols;
  if (image->gnu_hash != 0 && image->gnu_hash < first) first = image->gnu_hash;
  if (image->sysv_hash != 0 && image->sysv_hash < first) first = image->sysv_hash;
  corrupt_words(loaded, (void *)first, image->strings + image->strings_size - first);
  check_still_sound(loaded);
}

static uint64_t next_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

/* Corrupts several words at once, in the tables and the dynamic section. This shows that no check
 * relies on another one. */
static void corrupt_at_random(struct loaded *loaded, const struct tg_image *image) {
  uint64_t random = 0x55706;
  ElfW(Dyn) *section = dynamic(loaded);
  size_t section_size = find_header(loaded, PT_DYNAMIC)->p_memsz;
  size_t tables_size = image->strings + image->strings_size - (uintptr_t)loaded->memory;
  char *copy = malloc(tables_size + section_size);
  memcpy(copy, loaded->memory, tables_size);
  memcpy(copy + tables_size, section, section_size);
  for (int round = 0; round < 5000; round++) {
    for (uint64_t words = 1 + next_random(&random) % 6; words > 0; words--) {
      bool in_section = next_random(&random) % 3 == 0;
      char *place = in_section ? (char *)section : loaded->memory;
      place += next_random(&random) % ((in_section ? section_size : tables_size) / 4) * 4;
      uint64_t list[NASTY];
      list_nasty(loaded, next_random(&random), list);
      memcpy(place, &list[next_random(&random) % NASTY], next_random(&random) % 2 ? 4 : 1);
    }
    survive(loaded);
    memcpy(loaded->memory, copy, tables_size);
    memcpy(section, copy + tables_size, section_size);
  }
  free(copy);
  check_still_sound(loaded);
}

static void dynamic_sections(void **state) {
  (void)state;
  for_every_layout(corrupt_dynamic);
}

static void program_headers(void **state) {
  (void)state;
  for_every_layout(corrupt_headers);
}

static void tables(void **state) {
  (void)state;
  for_every_layout(corrupt_tables);
}

static void many_words_at_once(void **state) {
  (void)state;
  for_every_layout(corrupt_at_random);
}

/* Every segment in turn is cut off at every length. The part that is cut off cannot be read. */
static void truncated(void **state) {
  (void)state;
  for (int layout = 0; layout < LAYOUTS; layout++) {
    struct loaded loaded;
    load_layout(&loaded, layouts[layout]);
    relocate(&loaded);
    seal(&loaded);
    for (size_t i = 0; i < loaded.header_count; i++) {
      ElfW(Phdr) *segment = &loaded.headers[i];
      if (segment->p_type != PT_LOAD || (segment->p_flags & PF_R) == 0) continue;
      size_t whole = segment->p_memsz;
      while (segment->p_memsz != 0) {
        segment->p_memsz--;
        POISON((char *)at(&loaded, segment->p_vaddr) + segment->p_memsz, 1);
        survive(&loaded);
      }
      segment->p_memsz = whole;
      UNPOISON(at(&loaded, segment->p_vaddr), whole);
    }
    check_still_sound(&loaded);
    unload(&loaded);
  }
}

/* The same, but exact without a sanitizer too: the tables end right before an inaccessible page. */
static void truncated_at_a_page(void **state) {
  (void)state;
  for (int layout = 0; layout < LAYOUTS; layout++) {
    struct loaded loaded;
    struct tg_image image;
    load_layout(&loaded, layouts[layout]);
    relocate(&loaded);
    assert_true(open_image(&image, &loaded));
    size_t tables_size = image.strings + image.strings_size - (uintptr_t)loaded.memory;
    for (size_t kept = 8; kept < tables_size; kept += 8) {
      /* Copies the first `kept` bytes of the image so that they end where the inaccessible page
       * begins. The dynamic section is elsewhere, and points to them. */
      char *page =
          mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      assert_true(page != MAP_FAILED);
      assert_int_equal(mprotect(page + 8 * PAGE, PAGE, PROT_NONE), 0);
      char *start = page + 8 * PAGE - kept;
      memcpy(start, loaded.memory, kept);
      ElfW(Dyn) *section = (void *)(page + 9 * PAGE);
      size_t entries = 0;
      for (ElfW(Dyn) *entry = dynamic(&loaded); entry->d_tag != DT_NULL; entry++, entries++) {
        section[entries] = *entry;
        if (is_pointer(entry))
          section[entries].d_un.d_ptr += (uintptr_t)start - (uintptr_t)loaded.memory;
      }
      const ElfW(Phdr) headers[] = {
          {.p_type = PT_LOAD, .p_flags = PF_R, .p_vaddr = 0, .p_memsz = kept},
          {.p_type = PT_LOAD,
           .p_flags = PF_R | PF_W,
           .p_vaddr = PAGE + kept,
           .p_memsz = (entries + 1) * sizeof *section},
          {.p_type = PT_DYNAMIC,
           .p_vaddr = PAGE + kept,
           .p_memsz = (entries + 1) * sizeof *section},
      };
      struct tg_image cut;
      if (tg_image_open(&cut, (uintptr_t)start, headers, 3)) count_found(&cut);
      munmap(page, 16 * PAGE);
    }
    unload(&loaded);
  }
}

static void an_image_without_headers_or_tables_is_refused(void **state) {
  (void)state;
  struct loaded loaded;
  struct tg_image image;
  load_layout(&loaded, layouts[0]);
  relocate(&loaded);
  assert_false(tg_image_open(&image, loaded.base, NULL, 0));
  const ElfW(Sxword) needed[] = {DT_SYMTAB, DT_STRTAB, DT_STRSZ, DT_GNU_HASH};
  for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
    ElfW(Dyn) *entry = entry_of(&loaded, needed[i]);
    entry->d_tag = DT_DEBUG;
    assert_false(open_image(&image, &loaded));
    entry->d_tag = needed[i];
  }
  check_still_sound(&loaded);
  /* Everything is there, but no segment is readable. */
  for (size_t i = 0; i < loaded.header_count; i++) loaded.headers[i].p_flags &= ~(unsigned)PF_R;
  assert_false(open_image(&image, &loaded));
  unload(&loaded);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(finds_all_in_every_layout),
      cmocka_unit_test(finds_only_what_is_wanted),
      cmocka_unit_test(a_name_lies_in_the_string_table_to_its_last_byte),
      cmocka_unit_test(knows_what_an_object_refers_to),
      cmocka_unit_test(a_relocation_table_that_is_not_all_there_is_not_read),
      cmocka_unit_test(finds_every_symbol_of_every_object_in_this_process),
      cmocka_unit_test(reads_the_vdso),
      cmocka_unit_test(an_image_without_headers_or_tables_is_refused),
      cmocka_unit_test(dynamic_sections),
      cmocka_unit_test(program_headers),
      cmocka_unit_test(tables),
      cmocka_unit_test(many_words_at_once),
      cmocka_unit_test(truncated),
      cmocka_unit_test(truncated_at_a_page),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
