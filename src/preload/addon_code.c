/* Implements addon_code.h with glibc's dl APIs. */
#include "preload/addon_code.h"

#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/text.h"
#include "elf/image.h"
#include "preload/glibc_floor.h"
#include "preload/program.h"

/* A process loads a handful of addons. Where there are more, the rest is treated as unknown code: guarded,
 * but not pinned. */
enum { ADDONS_MAX = 1024, REPEATED_HANDLERS_MAX = 4096 };

struct tg_addon {
  _Atomic uintptr_t start; /* its first segment's first address; written under `lock` until `pinned` is set */
  _Atomic uintptr_t end;   /* behind its last segment; likewise */
  atomic_bool pinned;      /* set under `lock`, never unset */
  bool handled;            /* has an exit handler; guarded by `lock` */
  char *path;              /* constant */
};

static struct tg_lock lock;
static struct tg_addon addons[ADDONS_MAX];
static atomic_uint addon_count;    /* released after the new record was written */
static unsigned repeated_handlers; /* guarded by `lock` */
static bool may_pin;
static void (*exit_handler)(void);

void tg_addon_code_open(bool pin, void (*on_exit)(void)) {
  may_pin = pin;
  exit_handler = on_exit;
}

/* One loaded object, as dl_iterate_phdr showed it. */
struct object {
  uintptr_t code;
  uintptr_t start;
  uintptr_t end;
  char path[4096]; /* empty for the main program */
  bool registered_by_symbol;
};

static int find_object(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size;
  struct object *object = argument;
  bool holds_code = false;
  uintptr_t start = UINTPTR_MAX, end = 0;
  for (unsigned i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    if (header->p_type != PT_LOAD) continue;
    uintptr_t first = info->dlpi_addr + header->p_vaddr, behind = first + header->p_memsz;
    if (object->code >= first && object->code < behind) holds_code = true;
    if (first < start) start = first;
    if (behind > end) end = behind;
  }
  if (!holds_code) return 0;
  object->start = start;
  object->end = end;
  /* Copied: the loader may free its own any time after this. */
  tg_copy_string(object->path, sizeof object->path, info->dlpi_name);
  struct tg_image image;
  object->registered_by_symbol = tg_image_open(&image, info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum) &&
                                 tg_image_find(&image, "napi_register_module_v1", STT_FUNC) != NULL;
  return 1;
}

/* Marks the object as never to be unmapped. It is found by the very name that the loader has for it, so no
 * file is opened. */
static bool pin(const char *path) {
  if (!may_pin || dlopen == NULL || dlclose == NULL) return false;
  void *handle = dlopen(path, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
  if (handle == NULL) return false;
  dlclose(handle);
  return true;
}

bool tg_addon_has_code(const struct tg_addon *addon, const void *code) {
  return (uintptr_t)code >= addon->start && (uintptr_t)code < addon->end;
}

static struct tg_addon *find_pinned(const void *code) {
  unsigned count = atomic_load_explicit(&addon_count, memory_order_acquire);
  for (unsigned i = 0; i < count; i++)
    if (atomic_load_explicit(&addons[i].pinned, memory_order_acquire) && tg_addon_has_code(&addons[i], code))
      return &addons[i];
  return NULL;
}

/* With `lock` held. */
static struct tg_addon *find_or_add(const struct object *object) {
  unsigned count = atomic_load_explicit(&addon_count, memory_order_relaxed);
  for (unsigned i = 0; i < count; i++)
    if (strcmp(addons[i].path, object->path) == 0) return &addons[i];
  if (count == ADDONS_MAX) return NULL;
  size_t size = strlen(object->path) + 1;
  char *path = malloc(size);
  if (path == NULL) return NULL;
  addons[count].path = memcpy(path, object->path, size);
  atomic_store_explicit(&addon_count, count + 1, memory_order_release);
  return &addons[count];
}

/* exit() runs handlers last come, first served. Registering ours once the addon's static objects exist makes
 * it run before their destructors, which may join a thread that waits for us to turn it away. An object that
 * was unloaded and loaded again has new ones; one that cannot be pinned may have been, so it gets another
 * handler with each env, up to a limit. With `lock` held. */
static void register_exit_handler(struct tg_addon *addon) {
  if (addon->handled && repeated_handlers == REPEATED_HANDLERS_MAX) return;
  repeated_handlers += addon->handled;
  addon->handled = true;
  atexit(exit_handler);
}

static struct tg_addon *note_object(const struct object *object) {
  tg_lock_acquire(&lock, TG_RANK_ADDONS);
  struct tg_addon *addon = find_or_add(object);
  if (addon != NULL && !atomic_load_explicit(&addon->pinned, memory_order_relaxed)) {
    addon->start = object->start;
    addon->end = object->end;
    register_exit_handler(addon);
  }
  tg_lock_release(&lock, TG_RANK_ADDONS);
  return addon;
}

const struct tg_addon *tg_addon_adopt(const void *code) {
  struct tg_addon *known = find_pinned(code);
  if (known != NULL) return known;
  struct object object;
  object.code = (uintptr_t)code;
  if (dl_iterate_phdr(find_object, &object) == 0 || object.path[0] == '\0') return NULL;
  struct tg_addon *addon = note_object(&object);
  /* Node asks dlsym for an addon's registration function, or else relies on its constructor, which does not
   * run again for an object that is still mapped: such an addon could never be loaded again. */
  if (addon != NULL && object.registered_by_symbol) tg_addon_keep_mapped(addon);
  return addon;
}

bool tg_addon_keep_mapped(const struct tg_addon *addon) {
  struct tg_addon *record = &addons[addon - addons];
  if (atomic_load_explicit(&record->pinned, memory_order_acquire)) return true;
  if (!pin(record->path)) return false;
  tg_lock_acquire(&lock, TG_RANK_ADDONS);
  atomic_store_explicit(&record->pinned, true, memory_order_release);
  tg_lock_release(&lock, TG_RANK_ADDONS);
  return true;
}

const char *tg_addon_path(const struct tg_addon *addon) {
  return addon->path;
}

/* The code and where it was found. */
struct search {
  const void *code;
  struct tg_place *place;
};

static void format_build_id(const unsigned char *bytes, size_t length, char text[TG_BUILD_ID_MAX]) {
  size_t used = 0;
  for (size_t i = 0; i < length && used + 2 < TG_BUILD_ID_MAX; i++) {
    text[used++] = "0123456789abcdef"[bytes[i] >> 4];
    text[used++] = "0123456789abcdef"[bytes[i] & 15];
  }
  text[used] = '\0';
}

static void read_notes(const unsigned char *notes, size_t size, struct tg_place *place) {
  const size_t align = 3;
  while (size >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) header;
    memcpy(&header, notes, sizeof header);
    size_t name = (header.n_namesz + align) & ~align, data = (header.n_descsz + align) & ~align;
    if (name > size - sizeof header || data > size - sizeof header - name) return;
    const unsigned char *bytes = notes + sizeof header;
    if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == sizeof "GNU" && memcmp(bytes, "GNU", 4) == 0) {
      format_build_id(bytes + name, header.n_descsz, place->build_id);
      return;
    }
    notes += sizeof header + name + data;
    size -= sizeof header + name + data;
  }
}

static bool holds(const struct dl_phdr_info *info, const void *code) {
  uintptr_t offset = (uintptr_t)code - info->dlpi_addr;
  for (unsigned i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    if (header->p_type == PT_LOAD && offset - header->p_vaddr < header->p_memsz) return true;
  }
  return false;
}

static int find_place(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size;
  struct search *search = argument;
  if (!holds(info, search->code)) return 0;
  struct tg_place *place = search->place;
  tg_copy_end(place->file, TG_FILE_MAX, info->dlpi_name);
  place->offset = (uintptr_t)search->code - info->dlpi_addr;
  place->build_id[0] = '\0';
  for (unsigned i = 0; i < info->dlpi_phnum && place->build_id[0] == '\0'; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    if (header->p_type != PT_NOTE) continue;
    read_notes((const unsigned char *)info->dlpi_addr + header->p_vaddr, header->p_memsz, place);
  }
  return 1;
}

bool tg_addon_locate(const void *code, struct tg_place *place) {
  struct search search = {code, place};
  if (dl_iterate_phdr(find_place, &search) == 0) return false;
  if (place->file[0] != '\0') return true;
  tg_copy_end(place->file, TG_FILE_MAX, tg_program_path());
  return place->file[0] != '\0';
}

/* The code and the function that is sought in its object. */
struct companion {
  const void *code;
  const char *name;
  void *address; /* NULL: not found */
};

static int find_companion(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size;
  struct companion *companion = argument;
  struct tg_image image;
  if (!holds(info, companion->code)) return 0;
  if (!tg_image_open(&image, info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum)) return 1;
  const ElfW(Sym) *symbol = tg_image_find(&image, companion->name, STT_FUNC);
  if (symbol != NULL) companion->address = tg_image_address(&image, symbol);
  return 1;
}

bool tg_addon_find_beside(const void *code, const char *name, void *place) {
  struct companion companion = {.code = code, .name = name};
  dl_iterate_phdr(find_companion, &companion);
  memcpy(place, &companion.address, sizeof companion.address);
  return companion.address != NULL;
}

/* The code and what is to be named. */
struct naming {
  const void *code;
  struct tg_text text;
};

static int name_symbol(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size;
  struct naming *naming = argument;
  struct tg_image image;
  char name[TG_SYMBOL_MAX / 2 + 1];
  uintptr_t code = (uintptr_t)naming->code;
  if (!holds(info, naming->code)) return 0;
  if (!tg_image_open(&image, info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum)) return 1;
  const ElfW(Sym) *symbol = tg_image_covering(&image, code);
  if (symbol == NULL) return 1;
  tg_image_copy_name(&image, symbol, name, sizeof name);
  tg_text_add(&naming->text, name);
  tg_text_add(&naming->text, "+");
  tg_text_add_number(&naming->text, code - (uintptr_t)tg_image_address(&image, symbol));
  return 1;
}

/* Not with dladdr: that waits while another thread is in dlopen or dlclose, whose constructors and destructors may
 * wait for this one. dl_iterate_phdr's lock is held only while the list of objects changes. */
bool tg_addon_name_symbol(const void *code, char symbol[TG_SYMBOL_MAX]) {
  struct naming naming = {.code = code};
  dl_iterate_phdr(name_symbol, &naming);
  tg_copy_string(symbol, TG_SYMBOL_MAX, tg_text_string(&naming.text));
  return symbol[0] != '\0';
}
