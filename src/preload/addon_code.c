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
#include "options/quirks.h"
#include "preload/addon_threads.h"
#include "preload/dl.h"
#include "preload/program.h"
#include "preload/stack_search.h"

/* A process loads a handful of addons. Where there are more, the rest is treated as unknown code: guarded,
 * but not kept mapped. */
enum { ADDONS_MAX = 1024, EXIT_HANDLERS_MAX = 4096 };

/* An object that the runtime has opened, or whose code creates functions. */
struct record {
  struct tg_addon addon;   /* first, as the core knows the record by it */
  unsigned opened;         /* by the runtime, and not closed yet; guarded by `lock` */
  char *path;              /* constant */
  _Atomic uintptr_t start; /* its first segment's first address; written under `lock` */
  _Atomic uintptr_t end;   /* behind its last segment; likewise; 0: it is not mapped */

  /* Guarded by `lock`. */
  struct record *joined;               /* an object that has code of the same functions; NULL: none */
  struct tg_registration registration; /* the last of a constructor's; its object is mapped */
  unsigned registrations;              /* how often a constructor has registered a module */
  bool is_loaded_by_it;                /* the runtime has opened it at least once */
  bool is_kept;                        /* never to be unmapped, as something of it may still run */
  bool is_always_kept;                 /* because the user wants it so */
  bool was_reported;                   /* that it was loaded again with its static data as it was */
};

static struct tg_lock lock;
static struct record records[ADDONS_MAX];
static atomic_uint record_count; /* released after the new record was written */
static const char *pinned_always;
static bool may_pin;
static void (*exit_handler)(void);

void tg_addon_code_open(const char *pin, void (*on_exit)(void)) {
  may_pin = strcmp(pin, "0") != 0;
  pinned_always = may_pin && strcmp(pin, "1") != 0 ? pin : "";
  exit_handler = on_exit;
  tg_dl_open();
  tg_addon_threads_open();
}

static struct record *record_of(const struct tg_addon *addon) {
  return &records[(const struct record *)(const void *)addon - records];
}

/* --- Finding objects */

/* One loaded object, as dl_iterate_phdr showed it. */
struct object {
  uintptr_t code; /* what is looked for */
  uintptr_t start;
  uintptr_t end;
  unsigned long long loads; /* of the process, so far */
  char path[4096];          /* empty for the main program */
};

static int find_object(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size;
  struct object *object = argument;
  bool holds_code = false;
  uintptr_t start = UINTPTR_MAX, end = 0;
  object->loads = info->dlpi_adds;
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
  return 1;
}

/* False: the code is the main program's, or of no file. */
static bool find_object_of(const void *code, struct object *object) {
  object->code = (uintptr_t)code;
  object->path[0] = '\0';
  return dl_iterate_phdr(find_object, object) != 0 && object->path[0] != '\0';
}

static int read_unloads(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size;
  *(unsigned long long *)argument = info->dlpi_subs;
  return 1;
}

unsigned long long tg_addon_count_unloads(void) {
  unsigned long long unloads = 0;
  dl_iterate_phdr(read_unloads, &unloads);
  return unloads;
}

struct tg_addon *tg_addon_find(const void *code) {
  /* Acquire pairs with the release of the thread that has added the last record. */
  unsigned count = atomic_load_explicit(&record_count, memory_order_acquire);
  for (struct record *record = records; record < records + count; record++)
    if (tg_addon_has_code(&record->addon, code)) return &record->addon;
  return NULL;
}

bool tg_addon_has_code(const struct tg_addon *addon, const void *code) {
  const struct record *record = record_of(addon);
  return (uintptr_t)code >= record->start && (uintptr_t)code < record->end;
}

/* With `lock` held. */
static struct record *find_by_path(const char *path) {
  unsigned count = atomic_load_explicit(&record_count, memory_order_relaxed);
  for (unsigned i = 0; i < count; i++)
    if (strcmp(records[i].path, path) == 0) return &records[i];
  return NULL;
}

/* The record of an object that is loaded; NULL: there is no place for it. With `lock` held. */
static struct record *find_or_add(const struct object *object) {
  struct record *record = find_by_path(object->path);
  unsigned count = atomic_load_explicit(&record_count, memory_order_relaxed);
  if (record == NULL && count != ADDONS_MAX) {
    size_t size = strlen(object->path) + 1;
    char *path = malloc(size);
    if (path == NULL) return NULL;
    record = &records[count];
    record->path = memcpy(path, object->path, size);
    record->addon.quirks = tg_quirks_of(path);
    atomic_store_explicit(&record_count, count + 1, memory_order_release);
  }
  if (record == NULL) return NULL;
  record->start = object->start;
  record->end = object->end;
  return record;
}

/* --- Adopting */

/* exit() runs handlers last come, first served. One of ours that was registered after the last object was loaded runs
 * before the destructors of all static objects, which may join a thread that waits for us to turn it away. So there is
 * another one whenever something was loaded since the last, up to a limit. With `lock` held. */
static void register_exit_handler(const struct object *object) {
  static unsigned long long loads;
  static unsigned registered;
  if (registered != 0 && (loads == object->loads || registered == EXIT_HANDLERS_MAX)) return;
  loads = object->loads;
  registered++;
  atexit(exit_handler);
}

struct tg_addon *tg_addon_register(const void *code) {
  struct object object;
  bool is_object = find_object_of(code, &object);
  tg_lock_acquire(&lock, TG_RANK_ADDONS);
  struct record *record = is_object ? find_or_add(&object) : NULL;
  register_exit_handler(&object);
  tg_lock_release(&lock, TG_RANK_ADDONS);
  return record == NULL ? NULL : &record->addon;
}

void tg_addon_join(struct tg_addon *addon, struct tg_addon *other) {
  tg_lock_acquire(&lock, TG_RANK_ADDONS);
  record_of(addon)->joined = record_of(other);
  record_of(other)->joined = record_of(addon);
  tg_lock_release(&lock, TG_RANK_ADDONS);
}

/* --- Keeping mapped */

/* Counts that no other thread has used may be in the hands of one that waits for its first use. */
static bool may_run(const struct record *record) {
  const struct tg_addon *addon = &record->addon;
  /* Acquire pairs with the releases of those that count down. */
  if (atomic_load_explicit(&addon->threads, memory_order_acquire) != 0) return true;
  if (atomic_load_explicit(&addon->foreign_users, memory_order_acquire) != 0) return true;
  if (atomic_load_explicit(&addon->unreturned, memory_order_acquire) == 0) return false;
  return tg_stack_search(record->start, record->end);
}

/* Marks the object as never to be unmapped. It is found by the very name that the loader has for it, so no
 * file is opened. */
static bool pin(const char *path) {
  if (tg_dl.open == NULL) return false;
  void *handle = tg_dl.open(path, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
  if (handle == NULL) return false;
  tg_dl.close(handle);
  return true;
}

static void keep_mapped(struct record *record) {
  tg_lock_acquire(&lock, TG_RANK_ADDONS);
  bool is_kept = record->is_kept || record->is_always_kept;
  tg_lock_release(&lock, TG_RANK_ADDONS);
  if (is_kept || !pin(record->path)) return;
  tg_lock_acquire(&lock, TG_RANK_ADDONS);
  record->is_kept = true;
  tg_lock_release(&lock, TG_RANK_ADDONS);
  const struct tg_event event = {.kind = TG_EVENT_ADDON_PINNED, .snapshot = {.addon = &record->addon}};
  tg_report_event(&event);
}

/* The object and what it has code in common with. */
static void keep_with_joined(struct record *record) {
  keep_mapped(record);
  tg_lock_acquire(&lock, TG_RANK_ADDONS);
  struct record *joined = record->joined;
  tg_lock_release(&lock, TG_RANK_ADDONS);
  if (joined != NULL && joined->end != 0) keep_mapped(joined);
}

/* `closing` is about to be unloaded, and with it maybe objects that only it needs, which the runtime has never opened. */
static void keep_what_may_run(const struct record *closing) {
  unsigned count = atomic_load_explicit(&record_count, memory_order_acquire);
  for (struct record *record = records; record < records + count; record++) {
    bool goes = record == closing || (!record->is_loaded_by_it && record->end != 0);
    if (goes && may_run(record)) keep_with_joined(record);
  }
}

/* What the runtime has opened is kept when it closes that. The rest an addon has opened for itself, and may close any time
 * from now on. */
void tg_addon_leave(struct tg_addon *addon) {
  struct record *record = record_of(addon);
  if (!may_pin) return;
  tg_lock_acquire(&lock, TG_RANK_ADDONS);
  bool is_own = !record->is_loaded_by_it && record->end != 0;
  tg_lock_release(&lock, TG_RANK_ADDONS);
  if (is_own && may_run(record)) keep_with_joined(record);
}

/* --- What the runtime opens and closes */

bool tg_addon_is_always_kept(const char *file) {
  for (const char *glob = pinned_always; *glob != '\0';) {
    size_t length = strcspn(glob, ",");
    if (tg_glob_fits_path(glob, length, file)) return true;
    glob += length + (glob[length] == ',');
  }
  return false;
}

/* A constructor that does nothing else leaves the call as a jump, and then the caller seems to be the dynamic linker. */
void tg_addon_registered(const void *caller, const struct tg_registration *registration) {
  struct object object;
  if (!find_object_of(registration->module, &object) && !find_object_of(caller, &object)) return;
  tg_lock_acquire(&lock, TG_RANK_ADDONS);
  struct record *record = find_or_add(&object);
  if (record != NULL) {
    record->registration = *registration;
    record->registrations++;
  }
  tg_lock_release(&lock, TG_RANK_ADDONS);
}

/* Once an addon, in every mode: what it keeps in static variables is that of an env that has ended. */
static void report_reloaded(struct record *record) {
  struct tg_text detail = {.length = 0};
  const struct tg_event event = {
      .kind = TG_EVENT_ADDON_PINNED, .snapshot = {.addon = &record->addon}, .matters = true};
  tg_text_add(&detail, "TSG025 addon-pinned: ");
  tg_text_add(&detail, record->path);
  tg_text_add(
      &detail,
      " is loaded again, but it was kept mapped because threads may still run it. Its static variables are "
      "those of the environment that has ended; load it in the main thread first, or set pin=0");
  tg_report_detail(&event, tg_text_string(&detail));
}

void tg_addon_opened(const void *in_it, bool has_registered, bool is_always_kept) {
  struct object object;
  if (!find_object_of(in_it, &object)) return;
  struct tg_registration again = {NULL, NULL};
  tg_lock_acquire(&lock, TG_RANK_ADDONS);
  struct record *record = find_or_add(&object);
  bool is_first = record != NULL && record->opened++ == 0, tell = false;
  if (record != NULL) {
    record->is_loaded_by_it = true;
    record->is_always_kept = record->is_always_kept || is_always_kept;
  }
  if (is_first && !has_registered) again = record->registration;
  if (is_first && record->is_kept && !record->was_reported) tell = record->was_reported = true;
  tg_lock_release(&lock, TG_RANK_ADDONS);
  if (again.module != NULL) again.register_module(again.module);
  if (tell) report_reloaded(record);
}

struct tg_addon *tg_addon_closing(const char *path, unsigned *registrations) {
  tg_lock_acquire(&lock, TG_RANK_ADDONS);
  struct record *record = find_by_path(path);
  bool is_last = record != NULL && record->opened != 0 && --record->opened == 0;
  if (is_last) *registrations = record->registrations;
  tg_lock_release(&lock, TG_RANK_ADDONS);
  if (!is_last) return NULL;
  if (may_pin) keep_what_may_run(record);
  return &record->addon;
}

void tg_addon_closed(struct tg_addon *addon, unsigned registrations) {
  struct record *record = record_of(addon);
  struct object object;
  bool is_mapped =
      find_object_of((const void *)record->start, &object) && strcmp(object.path, record->path) == 0;
  if (is_mapped) return;
  tg_lock_acquire(&lock, TG_RANK_ADDONS);
  /* Another thread may have opened it again meanwhile, and its constructor have registered it. */
  if (record->opened == 0 && record->registrations == registrations) {
    record->registration = (struct tg_registration){NULL, NULL};
    record->start = record->end = 0;
  }
  tg_lock_release(&lock, TG_RANK_ADDONS);
}

const char *tg_addon_path(const struct tg_addon *addon) {
  return record_of(addon)->path;
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

bool tg_addon_lookup_in_same_object(const void *code, const char *name, void *place) {
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
