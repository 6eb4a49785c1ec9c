/* Implements addon_code.h with glibc's dynamic linking interfaces. */
#include "preload/addon_code.h"

#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <stddef.h>
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

/* A process loads a handful of addons. Beyond this limit, addons are treated as unknown code:
 * guarded, but not kept mapped. */
enum { ADDONS_MAX = 1024, EXIT_HANDLERS_MAX = 4096 };

/* An object that the runtime has opened, or whose code creates thread-safe functions. */
struct record {
  struct tg_addon addon; /* first: its address is also the address of the record */

  /* Guarded by addons_lock (rank TG_RANK_ADDONS). */
  unsigned opened;                     /* how many of the runtime's opens are not closed yet */
  struct record *joined;               /* an object with code of the same function; NULL: none */
  struct tg_registration registration; /* the last one; cleared when the object is unmapped */
  unsigned registrations;              /* how often a constructor has registered a module */
  bool is_kept;                        /* never unmapped, because its code may still run */
  bool is_always_kept;                 /* never unmapped, because the option pin names it */
  bool was_reported;                   /* a later load with the old static data was reported */

  /* True once the runtime has opened the object; never reset. Written with addons_lock held.
   * Relaxed: if a reader without the lock misses the write, it only keeps an object mapped that is
   * just being opened. */
  atomic_bool was_opened_by_runtime;

  /* Constant. The name is for reports: the path, or the name with which the object was linked. */
  char *path;
  const char *name;

  /* The bounds of the segments; 0: not mapped. Written with addons_lock held, read without it. A
   * reader loads `start` first, and the thread that records an unmapping stores `end` first. The
   * order is seq_cst, so the reader never combines the start of an unmapped object with its old
   * end. */
  _Atomic uintptr_t start;
  _Atomic uintptr_t end;
};

/* Constant after tg_addon_code_open. */
static const char *pinned_always;
static bool may_pin;
static void (*exit_handler)(void);

/* Records are added with addons_lock held. record_count is stored with release order after the new
 * record was written, so a reader without the lock sees complete records. */
static struct tg_lock addons_lock;
static struct record records[ADDONS_MAX];
static atomic_uint record_count;

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

static bool was_opened(const struct record *record) {
  return atomic_load_explicit(&record->was_opened_by_runtime, memory_order_relaxed);
}

static uintptr_t record_start(const struct record *record) {
  return atomic_load_explicit(&record->start, memory_order_seq_cst);
}

static uintptr_t record_end(const struct record *record) {
  return atomic_load_explicit(&record->end, memory_order_seq_cst);
}

/* --- Finding objects */

/* A loaded object, as dl_iterate_phdr reports it. */
struct object {
  uintptr_t code; /* the address to look up */
  uintptr_t start;
  uintptr_t end;
  unsigned long long loads; /* the number of loads in the process so far */
  char path[4096];          /* empty for the main program */
  char name[TG_FILE_MAX];   /* the linked name if the path is made up; else empty */
};

/* A single executable unpacks its addons into hidden files with made-up names. Bun, for example,
 * uses /tmp/.bun-0-9fe7c64c712c42c1.node. For such a file, the name with which the addon was linked
 * says more. */
static bool has_made_up_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash != NULL && slash[1] == '.';
}

static bool copy_linked_name(const struct dl_phdr_info *info, char name[TG_FILE_MAX]) {
  struct tg_image image;
  name[0] = '\0';
  return has_made_up_name(info->dlpi_name) &&
         tg_image_open(&image, info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum) &&
         tg_image_copy_soname(&image, name, TG_FILE_MAX);
}

static int match_object(struct dl_phdr_info *info, size_t size, void *argument) {
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
  /* Copied, because the loader may free its own copy as soon as this callback has returned. */
  tg_copy_string(object->path, sizeof object->path, info->dlpi_name);
  copy_linked_name(info, object->name);
  return 1;
}

/* False: the code belongs to the main program, or to no file. */
static bool find_object(const void *code, struct object *object) {
  object->code = (uintptr_t)code;
  object->path[0] = '\0';
  return dl_iterate_phdr(match_object, object) != 0 && object->path[0] != '\0';
}

static int read_unloads(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size;
  *(unsigned long long *)argument = info->dlpi_subs;
  return 1;
}

size_t tg_addon_path_offset(void) {
  return offsetof(struct record, name);
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
  uintptr_t start = record_start(record); /* 0: not mapped, or another thread is mapping it again */
  return start != 0 && (uintptr_t)code >= start && (uintptr_t)code < record_end(record);
}

/* Called with addons_lock held. */
static struct record *find_record_by_path(const char *path) {
  unsigned count = atomic_load_explicit(&record_count, memory_order_relaxed);
  for (unsigned i = 0; i < count; i++)
    if (strcmp(records[i].path, path) == 0) return &records[i];
  return NULL;
}

/* The record of a loaded object. NULL: there is no memory, or the list is full. Called with
 * addons_lock held. */
static struct record *find_or_add_record(const struct object *object) {
  struct record *record = find_record_by_path(object->path);
  unsigned count = atomic_load_explicit(&record_count, memory_order_relaxed);
  if (record == NULL && count != ADDONS_MAX) {
    size_t size = strlen(object->path) + 1, name_size = strlen(object->name) + 1;
    char *path = malloc(size + name_size);
    if (path == NULL) return NULL;
    record = &records[count];
    record->path = memcpy(path, object->path, size);
    memcpy(path + size, object->name, name_size);
    record->name = object->name[0] == '\0' ? record->path : path + size;
    record->addon.quirks = tg_quirks_of(path);
    atomic_store_explicit(&record_count, count + 1, memory_order_release);
  }
  if (record == NULL) return NULL;
  atomic_store_explicit(&record->start, object->start, memory_order_seq_cst);
  atomic_store_explicit(&record->end, object->end, memory_order_seq_cst);
  return record;
}

/* --- Registering */

/* exit() runs the handlers in reverse order of registration. So a handler of ours that was
 * registered after the last load runs before the destructors of all static objects. This order is
 * necessary, because such a destructor may join a thread that is blocked in a call until our
 * handler rejects that call. Therefore another handler is registered whenever something was loaded
 * since the last one, up to a limit. Called with addons_lock held. */
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
  bool is_object = find_object(code, &object);
  tg_lock_acquire(&addons_lock, TG_RANK_ADDONS);
  struct record *record = is_object ? find_or_add_record(&object) : NULL;
  register_exit_handler(&object);
  tg_lock_release(&addons_lock, TG_RANK_ADDONS);
  return record == NULL ? NULL : &record->addon;
}

void tg_addon_join(struct tg_addon *addon, struct tg_addon *other) {
  tg_lock_acquire(&addons_lock, TG_RANK_ADDONS);
  record_of(addon)->joined = record_of(other);
  record_of(other)->joined = record_of(addon);
  tg_lock_release(&addons_lock, TG_RANK_ADDONS);
}

/* --- Keeping mapped */

/* A thread may hold a count of a function that it has not used yet. So if functions still have
 * counts and only the loop thread has used them, a search of the stacks must decide. */
static bool may_still_run(const struct record *record) {
  const struct tg_addon *addon = &record->addon;
  /* Acquire pairs with the release by each thread that decrements a counter. */
  if (atomic_load_explicit(&addon->threads, memory_order_acquire) != 0) return true;
  if (atomic_load_explicit(&addon->foreign_users, memory_order_acquire) != 0) return true;
  if (atomic_load_explicit(&addon->unreturned, memory_order_acquire) == 0) return false;
  return tg_stack_search(record_start(record), record_end(record));
}

/* Marks an object as never to be unmapped. `path` is exactly the loader's name for the object, so
 * the loader opens no file. */
static bool pin_object(const char *path) {
  if (tg_dl.open == NULL) return false;
  void *handle = tg_dl.open(path, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
  if (handle == NULL) return false;
  tg_dl.close(handle);
  return true;
}

static void keep_object_mapped(struct record *record) {
  tg_lock_acquire(&addons_lock, TG_RANK_ADDONS);
  bool is_kept = record->is_kept || record->is_always_kept;
  tg_lock_release(&addons_lock, TG_RANK_ADDONS);
  if (is_kept || !pin_object(record->path)) return;
  tg_lock_acquire(&addons_lock, TG_RANK_ADDONS);
  record->is_kept = true;
  tg_lock_release(&addons_lock, TG_RANK_ADDONS);
  const struct tg_event event = {.kind = TG_EVENT_ADDON_PINNED,
                                 .snapshot = {.addon = &record->addon}};
  tg_report_event(&event);
}

/* Keeps an object mapped, and the one that is joined with it. */
static void keep_joined_mapped(struct record *record) {
  keep_object_mapped(record);
  tg_lock_acquire(&addons_lock, TG_RANK_ADDONS);
  struct record *joined = record->joined;
  tg_lock_release(&addons_lock, TG_RANK_ADDONS);
  if (joined != NULL && record_end(joined) != 0) keep_object_mapped(joined);
}

/* `closing` is about to be unloaded, perhaps together with objects that only it needs and that the
 * runtime has never opened. */
static void keep_objects_that_may_run(const struct record *closing) {
  unsigned count = atomic_load_explicit(&record_count, memory_order_acquire);
  for (struct record *record = records; record < records + count; record++) {
    bool goes = record == closing || (!was_opened(record) && record_end(record) != 0);
    if (goes && may_still_run(record)) keep_joined_mapped(record);
  }
}

/* An object that the runtime has opened is kept when the runtime closes it. Any other object was
 * opened by an addon, which may close it at any time from now on. */
void tg_addon_leave(struct tg_addon *addon) {
  struct record *record = record_of(addon);
  if (!may_pin) return;
  tg_lock_acquire(&addons_lock, TG_RANK_ADDONS);
  bool is_own = !was_opened(record) && record_end(record) != 0;
  tg_lock_release(&addons_lock, TG_RANK_ADDONS);
  if (is_own && may_still_run(record)) keep_joined_mapped(record);
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

/* The module is looked up before the caller, because the caller may mislead: a constructor that
 * only registers its module does so in a tail call, and the caller then seems to be the dynamic
 * linker. */
void tg_addon_registered(const void *caller, const struct tg_registration *registration) {
  struct object object;
  if (!find_object(registration->module, &object) && !find_object(caller, &object)) return;
  tg_lock_acquire(&addons_lock, TG_RANK_ADDONS);
  struct record *record = find_or_add_record(&object);
  if (record != NULL) {
    record->registration = *registration;
    record->registrations++;
  }
  tg_lock_release(&addons_lock, TG_RANK_ADDONS);
}

/* Reports in every mode, but only once per addon, that its static variables still have the values
 * of an env that has ended. */
static void report_reloaded(struct record *record) {
  struct tg_text detail = {.length = 0};
  const struct tg_event event = {
      .kind = TG_EVENT_ADDON_PINNED, .snapshot = {.addon = &record->addon}, .matters = true};
  tg_text_add(&detail, "TSG025 addon-pinned: ");
  tg_text_add(&detail, record->name);
  tg_text_add(&detail,
              " is loaded again, but it was kept mapped because threads may still run its code. "
              "Its static variables still have the values of the environment that has ended; load "
              "it in the main thread first, or set pin=0");
  tg_report_detail(&event, tg_text_string(&detail));
}

void tg_addon_opened(const void *in_it, bool has_registered, bool is_always_kept) {
  struct object object;
  if (!find_object(in_it, &object)) return;
  struct tg_registration again = {NULL, NULL};
  tg_lock_acquire(&addons_lock, TG_RANK_ADDONS);
  struct record *record = find_or_add_record(&object);
  bool is_first = record != NULL && record->opened++ == 0, must_report = false;
  if (record != NULL) {
    atomic_store_explicit(&record->was_opened_by_runtime, true, memory_order_relaxed);
    record->is_always_kept = record->is_always_kept || is_always_kept;
  }
  if (is_first && !has_registered) again = record->registration;
  if (is_first && record->is_kept && !record->was_reported)
    must_report = record->was_reported = true;
  tg_lock_release(&addons_lock, TG_RANK_ADDONS);
  if (again.module != NULL) again.register_module(again.module);
  if (must_report) report_reloaded(record);
}

struct tg_addon *tg_addon_closing(const char *path, unsigned *registrations) {
  tg_lock_acquire(&addons_lock, TG_RANK_ADDONS);
  struct record *record = find_record_by_path(path);
  bool is_last = record != NULL && record->opened != 0 && --record->opened == 0;
  if (is_last) *registrations = record->registrations;
  tg_lock_release(&addons_lock, TG_RANK_ADDONS);
  if (!is_last) return NULL;
  if (may_pin) keep_objects_that_may_run(record);
  return &record->addon;
}

void tg_addon_closed(struct tg_addon *addon, unsigned registrations) {
  struct record *record = record_of(addon);
  struct object object;
  bool is_mapped = find_object((const void *)record_start(record), &object) &&
                   strcmp(object.path, record->path) == 0;
  if (is_mapped) return;
  tg_lock_acquire(&addons_lock, TG_RANK_ADDONS);
  /* Meanwhile another thread may have opened the object again, and its constructor may have
   * registered a new module. */
  if (record->opened == 0 && record->registrations == registrations) {
    record->registration = (struct tg_registration){NULL, NULL};
    atomic_store_explicit(&record->end, 0, memory_order_seq_cst);
    atomic_store_explicit(&record->start, 0, memory_order_seq_cst);
  }
  tg_lock_release(&addons_lock, TG_RANK_ADDONS);
}

const char *tg_addon_path(const struct tg_addon *addon) {
  return record_of(addon)->name;
}

/* A code address and its location. */
struct place_search {
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

static void read_build_id(const unsigned char *notes, size_t size, struct tg_place *place) {
  const size_t align = 3;
  while (size >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) header;
    memcpy(&header, notes, sizeof header);
    size_t name = (header.n_namesz + align) & ~align, data = (header.n_descsz + align) & ~align;
    if (name > size - sizeof header || data > size - sizeof header - name) return;
    const unsigned char *bytes = notes + sizeof header;
    if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == sizeof "GNU" &&
        memcmp(bytes, "GNU", 4) == 0) {
      format_build_id(bytes + name, header.n_descsz, place->build_id);
      return;
    }
    notes += sizeof header + name + data;
    size -= sizeof header + name + data;
  }
}

static bool object_holds(const struct dl_phdr_info *info, const void *code) {
  uintptr_t offset = (uintptr_t)code - info->dlpi_addr;
  for (unsigned i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    if (header->p_type == PT_LOAD && offset - header->p_vaddr < header->p_memsz) return true;
  }
  return false;
}

static int match_place(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size;
  struct place_search *search = argument;
  if (!object_holds(info, search->code)) return 0;
  struct tg_place *place = search->place;
  if (!copy_linked_name(info, place->file)) tg_copy_end(place->file, TG_FILE_MAX, info->dlpi_name);
  place->offset = (uintptr_t)search->code - info->dlpi_addr;
  place->build_id[0] = '\0';
  for (unsigned i = 0; i < info->dlpi_phnum && place->build_id[0] == '\0'; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    if (header->p_type != PT_NOTE) continue;
    read_build_id((const unsigned char *)info->dlpi_addr + header->p_vaddr, header->p_memsz, place);
  }
  return 1;
}

bool tg_addon_locate(const void *code, struct tg_place *place) {
  struct place_search search = {code, place};
  if (dl_iterate_phdr(match_place, &search) == 0) return false;
  if (place->file[0] != '\0') return true;
  tg_copy_end(place->file, TG_FILE_MAX, tg_program_path());
  return place->file[0] != '\0';
}

/* A code address, and the function to find in the same object. */
struct companion_search {
  const void *code;
  const char *name;
  void *address; /* NULL: not found */
};

static int match_companion(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size;
  struct companion_search *companion = argument;
  struct tg_image image;
  if (!object_holds(info, companion->code)) return 0;
  if (!tg_image_open(&image, info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum)) return 1;
  const ElfW(Sym) *symbol = tg_image_find(&image, companion->name, STT_FUNC);
  if (symbol != NULL) companion->address = tg_image_address(&image, symbol);
  return 1;
}

bool tg_addon_lookup_in_same_object(const void *code, const char *name, void *place) {
  struct companion_search companion = {.code = code, .name = name};
  dl_iterate_phdr(match_companion, &companion);
  memcpy(place, &companion.address, sizeof companion.address);
  return companion.address != NULL;
}

/* A code address and its symbolic name. */
struct symbol_search {
  const void *code;
  struct tg_text text;
};

static int match_symbol_name(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size;
  struct symbol_search *naming = argument;
  struct tg_image image;
  char name[TG_SYMBOL_MAX / 2 + 1];
  uintptr_t code = (uintptr_t)naming->code;
  if (!object_holds(info, naming->code)) return 0;
  if (!tg_image_open(&image, info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum)) return 1;
  const ElfW(Sym) *symbol = tg_image_covering(&image, code);
  if (symbol == NULL) return 1;
  tg_image_copy_name(&image, symbol, name, sizeof name);
  tg_text_add(&naming->text, name);
  tg_text_add(&naming->text, "+");
  tg_text_add_number(&naming->text, code - (uintptr_t)tg_image_address(&image, symbol));
  return 1;
}

/* dladdr is not used: it waits while another thread is in dlopen or dlclose, whose constructors or
 * destructors may wait for this thread. The lock of dl_iterate_phdr is held only while the list of
 * objects changes. */
bool tg_addon_name_symbol(const void *code, char symbol[TG_SYMBOL_MAX]) {
  struct symbol_search naming = {.code = code};
  dl_iterate_phdr(match_symbol_name, &naming);
  tg_copy_string(symbol, TG_SYMBOL_MAX, tg_text_string(&naming.text));
  return symbol[0] != '\0';
}
