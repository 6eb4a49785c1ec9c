/* Implements the unwinding with libdw. The library is loaded only when it is needed, so that the
 * command also runs on machines without it. */
#include "command/triage/triage_unwind.h"

#ifndef TG_HAS_LIBDW

bool tg_unwind_is_built(void) {
  return false;
}

enum tg_unwind_status tg_unwind(int core, FILE *out) {
  (void)core;
  (void)out;
  return TG_UNWIND_NO_LIBRARY;
}

#else

#include <dlfcn.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <link.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/glibc_floor.h"
#include "base/text.h"
#include "command/common/runtime_version.h"
#include "diag/catalogue.h"
#include "tsfn_guard/ring.h"

#if defined(__x86_64__)
__asm__(".symver dlopen, dlopen@GLIBC_2.2.5");
#else
__asm__(".symver dlopen, dlopen@GLIBC_2.17");
#endif

enum { THREADS_MAX = 256, FRAMES_MAX = 256, NOTES_MAX = 64 << 20 };

bool tg_unwind_is_built(void) {
  return true;
}

/* --- The library */

static struct {
  __typeof__(&elf_version) version;
  __typeof__(&elf_begin) elf;
  __typeof__(&dwfl_begin) begin;
  __typeof__(&dwfl_core_file_report) report;
  __typeof__(&dwfl_report_begin_add) report_more;
  __typeof__(&dwfl_report_elf) report_elf;
  __typeof__(&dwfl_report_end) report_end;
  __typeof__(&dwfl_core_file_attach) attach;
  __typeof__(&dwfl_getthreads) threads;
  __typeof__(&dwfl_thread_tid) tid;
  __typeof__(&dwfl_thread_getframes) frames;
  __typeof__(&dwfl_frame_pc) pc;
  __typeof__(&dwfl_addrmodule) module;
  __typeof__(&dwfl_module_info) info;
  __typeof__(&dwfl_module_addrname) name;
  __typeof__(&dwfl_module_getelf) module_elf;
  __typeof__(&dwfl_module_getsymtab) symbols;
  __typeof__(&dwfl_module_getsym) symbol;
  __typeof__(&dwfl_getmodules) modules;
  __typeof__(&dwfl_build_id_find_elf) find_elf;
  __typeof__(&dwfl_standard_find_debuginfo) find_debuginfo;
} dw;

static bool load_library(void) {
  static const struct {
    const char *name;
    void *where;
  } functions[] = {{"elf_version", &dw.version},
                   {"elf_begin", &dw.elf},
                   {"dwfl_begin", &dw.begin},
                   {"dwfl_core_file_report", &dw.report},
                   {"dwfl_report_begin_add", &dw.report_more},
                   {"dwfl_report_elf", &dw.report_elf},
                   {"dwfl_report_end", &dw.report_end},
                   {"dwfl_core_file_attach", &dw.attach},
                   {"dwfl_getthreads", &dw.threads},
                   {"dwfl_thread_tid", &dw.tid},
                   {"dwfl_thread_getframes", &dw.frames},
                   {"dwfl_frame_pc", &dw.pc},
                   {"dwfl_addrmodule", &dw.module},
                   {"dwfl_module_info", &dw.info},
                   {"dwfl_module_addrname", &dw.name},
                   {"dwfl_module_getelf", &dw.module_elf},
                   {"dwfl_module_getsymtab", &dw.symbols},
                   {"dwfl_module_getsym", &dw.symbol},
                   {"dwfl_getmodules", &dw.modules},
                   {"dwfl_build_id_find_elf", &dw.find_elf},
                   {"dwfl_standard_find_debuginfo", &dw.find_debuginfo}};
  void *elf = dlopen("libelf.so.1", RTLD_NOW | RTLD_GLOBAL),
       *library = dlopen("libdw.so.1", RTLD_NOW);
  if (elf == NULL || library == NULL) return false;
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    void *function = dlsym(library, functions[i].name);
    if (function == NULL) function = dlsym(elf, functions[i].name);
    if (function == NULL) return false;
    memcpy(functions[i].where, &function, sizeof function);
  }
  return dw.version(EV_CURRENT) != EV_NONE;
}

/* --- Facts from the core itself */

static bool read_at(int file, uint64_t offset, void *to, size_t size) {
  return offset <= INT64_MAX - size && pread(file, to, size, (off_t)offset) == (ssize_t)size;
}

struct core {
  int file;
  Elf64_Ehdr header;
  uint64_t size;
  int died;             /* the thread that died; 0: unknown */
  uint64_t code;        /* the address at which it died */
  uint64_t stack, link; /* its stack pointer; its return address, if a register has that */
  int signal;           /* 0: none */
  uint64_t entry;       /* where the program starts; 0: unknown */
  uint64_t base;        /* where the program's file begins */
  char program[PATH_MAX];
};

static bool segment(const struct core *core, unsigned number, Elf64_Phdr *header) {
  return core->header.e_phentsize == sizeof *header && number < core->header.e_phnum &&
         read_at(core->file, core->header.e_phoff + (uint64_t)number * sizeof *header, header,
                 sizeof *header);
}

static void read_registers(struct core *core, const struct elf_prstatus *status) {
#if defined(__x86_64__)
  enum { RIP = 16, RSP = 19 };
  core->code = status->pr_reg[RIP];
  core->stack = status->pr_reg[RSP];
#elif defined(__aarch64__)
  enum { X30 = 30, SP = 31, PC = 32 };
  core->code = status->pr_reg[PC];
  core->stack = status->pr_reg[SP];
  core->link = status->pr_reg[X30];
#else
  (void)core;
  (void)status;
#endif
}

static void read_status(struct core *core, uint64_t at, uint64_t size) {
  struct elf_prstatus status;
  if (size < sizeof status || !read_at(core->file, at, &status, sizeof status)) return;
  core->signal = status.pr_cursig;
  core->died = core->signal == 0 ? 0 : status.pr_pid;
  read_registers(core, &status);
}

static void read_entry(struct core *core, uint64_t at, uint64_t size) {
  Elf64_auxv_t value;
  for (uint64_t i = 0;
       i + sizeof value <= size && read_at(core->file, at + i, &value, sizeof value);
       i += sizeof value)
    if (value.a_type == AT_ENTRY) core->entry = value.a_un.a_val;
}

/* Reads the note about mapped files: their number, the size of a page, then the start, the end and
 * the first page in the file of each, and then their paths. */
static void read_files(struct core *core, uint64_t at, uint64_t size) {
  enum { FILES_MAX = 16 << 20 };
  struct mapped {
    uint64_t start, end, page;
  };
  uint64_t head[2], count;
  char *data = size > sizeof head && size <= FILES_MAX ? malloc(size + 1) : NULL;
  if (data == NULL || !read_at(core->file, at, data, size)) return free(data);
  data[size] = '\0';
  memcpy(head, data, sizeof head);
  count = head[0];
  if (count > (size - sizeof head) / sizeof(struct mapped)) return free(data);
  const char *path = data + sizeof head + count * sizeof(struct mapped), *end = data + size;
  uint64_t base = 0;
  for (uint64_t i = 0; i < count && path < end; i++, path += strlen(path) + 1) {
    struct mapped one;
    memcpy(&one, data + sizeof head + i * sizeof one, sizeof one);
    if (one.page == 0) base = one.start;
    if (core->entry < one.start || core->entry >= one.end) continue;
    core->base = base;
    tg_copy_string(core->program, sizeof core->program, path);
    break;
  }
  free(data);
}

/* The first NT_PRSTATUS that the kernel writes is that of the thread that died. NT_AUXV, with the
 * entry point, comes before NT_FILE, which needs it. */
static void read_notes(struct core *core, const Elf64_Phdr *notes) {
  bool has_status = false;
  for (uint64_t at = 0; at < notes->p_filesz && at < NOTES_MAX;) {
    Elf64_Nhdr note;
    if (!read_at(core->file, notes->p_offset + at, &note, sizeof note)) return;
    uint64_t name = ((uint64_t)note.n_namesz + 3) & ~UINT64_C(3),
             data = ((uint64_t)note.n_descsz + 3) & ~UINT64_C(3);
    uint64_t start = notes->p_offset + at + sizeof note + name;
    if (note.n_type == NT_PRSTATUS && !has_status) {
      has_status = true;
      read_status(core, start, note.n_descsz);
    }
    if (note.n_type == NT_AUXV) read_entry(core, start, note.n_descsz);
    if (note.n_type == NT_FILE) return read_files(core, start, note.n_descsz);
    at += sizeof note + name + data;
  }
}

static void read_core(struct core *core, FILE *out) {
  struct stat status;
  Elf64_Phdr header;
  uint64_t end = 0;
  if (fstat(core->file, &status) != 0 ||
      !read_at(core->file, 0, &core->header, sizeof core->header))
    return;
  core->size = (uint64_t)status.st_size;
  for (unsigned i = 0; segment(core, i, &header); i++) {
    if (header.p_type == PT_NOTE && core->died == 0) read_notes(core, &header);
    uint64_t segment_end = header.p_filesz != 0 ? header.p_offset + header.p_filesz : 0;
    if (segment_end > end) end = segment_end;
  }
  if (end > core->size)
    fputs(
        "tsfn-guard unread: the core is cut off; its limit (ulimit -c) or the disk was too small\n",
        out);
}

static bool read_memory(const struct core *core, uint64_t address, void *to, size_t size) {
  Elf64_Phdr header;
  for (unsigned i = 0; segment(core, i, &header); i++)
    if (header.p_type == PT_LOAD && address >= header.p_vaddr &&
        address - header.p_vaddr <= header.p_filesz &&
        header.p_filesz - (address - header.p_vaddr) >= size)
      return read_at(core->file, header.p_offset + (address - header.p_vaddr), to, size);
  return false;
}

/* --- The runtime's version, and the guard's ring */

static void print_version_of(const char *path, FILE *out) {
  struct tg_runtime_version found;
  if (tg_runtime_version_find(path, &found))
    fprintf(out, "tsfn-guard core: %s v%s\n", found.runtime, found.version);
}

static void print_event(const struct tsfn_guard_ring_record *record, uint64_t happened, FILE *out) {
  char code[TG_CODE_SIZE];
  if (record->sequence == 0 || record->kind == TG_EVENT_NONE || record->kind >= TG_EVENT_KINDS)
    return;
  tg_catalogue_code((enum tg_event_kind)record->kind, code);
  fprintf(out, "tsfn-guard ring: %" PRIu64 " events, the last: %s %s, %.*s\n", happened, code,
          tg_catalogue[record->kind].name, (int)strnlen(record->file, sizeof record->file),
          record->file);
}

static void print_ring(const struct core *core, uint64_t address, FILE *out) {
  struct tsfn_guard_ring *ring = malloc(sizeof *ring);
  if (ring == NULL || !read_memory(core, address, ring, offsetof(struct tsfn_guard_ring, table)) ||
      memcmp(ring->magic, "tsfn-guard ring", 16) != 0 || ring->version != TSFN_GUARD_RING_VERSION ||
      ring->record_size != sizeof ring->record[0] || ring->records != TSFN_GUARD_RING_RECORDS) {
    fputs("tsfn-guard unread: the guard's ring is not in the core, or of another version\n", out);
  } else if (ring->next > 1) {
    print_event(&ring->record[(ring->next - 2) % TSFN_GUARD_RING_RECORDS], ring->next - 1, out);
  } else {
    fputs("tsfn-guard ring: no event\n", out);
  }
  free(ring);
}

/* --- Stacks */

struct unwinding {
  struct core core;
  Dwfl *dwfl;
  FILE *out;
  unsigned threads, frames;
  bool has_died; /* whether the thread that is being printed is the one that died */
};

static bool has_name(const char *path, const char *name) {
  return strncmp(tg_base_name(path), name, strlen(name)) == 0;
}

static int look_at_module(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr start,
                          void *argument) {
  struct unwinding *unwinding = argument;
  const char *file = NULL;
  GElf_Addr bias;
  (void)data;
  (void)start;
  dw.info(module, NULL, NULL, NULL, NULL, NULL, &file, NULL);
  if (file == NULL) file = name;
  bool is_ours = strstr(file, ".node") != NULL || has_name(file, "node") ||
                 has_name(file, "libnode") || has_name(file, "bun") || has_name(file, "deno") ||
                 has_name(file, "libtsfnguard") || strcmp(file, unwinding->core.program) == 0;
  if (!is_ours) return DWARF_CB_OK;
  if (dw.module_elf(module, &bias) == NULL) {
    fprintf(unwinding->out,
            "tsfn-guard unread: %s is not here, or not the file that ran (build-id)\n", file);
    return DWARF_CB_OK;
  }
  if (strstr(file, ".node") == NULL && file[0] == '/') print_version_of(file, unwinding->out);
  if (!has_name(file, "libtsfnguard")) return DWARF_CB_OK;
  int count = dw.symbols(module);
  for (int i = 0; i < count; i++) {
    GElf_Sym symbol;
    GElf_Word section;
    const char *found = dw.symbol(module, i, &symbol, &section);
    if (found == NULL || strcmp(found, "tsfn_guard_ring") != 0) continue;
    print_ring(&unwinding->core, symbol.st_value, unwinding->out);
    break;
  }
  return DWARF_CB_OK;
}

static void print_place(struct unwinding *unwinding, uint64_t pc, uint64_t code) {
  Dwfl_Module *module = dw.module(unwinding->dwfl, code);
  const char *function = NULL, *file = NULL;
  if (module != NULL) {
    function = dw.name(module, code);
    const char *name = dw.info(module, NULL, NULL, NULL, NULL, NULL, &file, NULL);
    if (file == NULL) file = name;
  }
  fprintf(unwinding->out, "#%u 0x%" PRIx64 " in %.400s ()", unwinding->frames++, pc,
          function == NULL ? "??" : function);
  if (file != NULL) fprintf(unwinding->out, " from %s", file);
  putc('\n', unwinding->out);
}

/* The first frame may be at an address without code, for example after an unload. Then there is no
 * unwind information for it, and only the return address that the call has left shows the
 * caller. */
static bool print_caller_of_nothing(struct unwinding *unwinding, uint64_t pc) {
  uint64_t caller = unwinding->core.link;
  if (dw.module(unwinding->dwfl, pc) != NULL) return false;
  if (caller == 0 && !read_memory(&unwinding->core, unwinding->core.stack, &caller, sizeof caller))
    return false;
  if (dw.module(unwinding->dwfl, caller - 1) == NULL) return false;
  print_place(unwinding, pc, pc);
  print_place(unwinding, caller, caller - 1);
  return true;
}

static int print_frame(Dwfl_Frame *frame, void *argument) {
  struct unwinding *unwinding = argument;
  Dwarf_Addr pc;
  bool is_activation;
  if (!dw.pc(frame, &pc, &is_activation)) return DWARF_CB_ABORT;
  if (unwinding->frames == 0 && unwinding->has_died && print_caller_of_nothing(unwinding, pc))
    return DWARF_CB_ABORT;
  print_place(unwinding, pc, pc - !is_activation);
  return unwinding->frames < FRAMES_MAX ? DWARF_CB_OK : DWARF_CB_ABORT;
}

static int print_thread(Dwfl_Thread *thread, void *argument) {
  struct unwinding *unwinding = argument;
  int tid = dw.tid(thread);
  unwinding->frames = 0;
  unwinding->has_died = tid == unwinding->core.died;
  if (unwinding->has_died)
    fprintf(unwinding->out, "Thread %d Crashed:\n", tid);
  else
    fprintf(unwinding->out, "Thread %d (LWP %d)\n", tid, tid);
  dw.frames(thread, print_frame, unwinding);
  fflush(unwinding->out);
  return ++unwinding->threads < THREADS_MAX ? DWARF_CB_OK : DWARF_CB_ABORT;
}

static bool has_memory(const struct core *core, uint64_t address) {
  Elf64_Phdr header;
  for (unsigned i = 0; segment(core, i, &header); i++)
    if (header.p_type == PT_LOAD && address >= header.p_vaddr &&
        address - header.p_vaddr < header.p_memsz)
      return true;
  return false;
}

static void print_signal(const struct unwinding *unwinding) {
  static const char *const names[] = {[4] = "SIGILL", [5] = "SIGTRAP", [6] = "SIGABRT",
                                      [7] = "SIGBUS", [8] = "SIGFPE",  [11] = "SIGSEGV"};
  unsigned signal = (unsigned)unwinding->core.signal;
  if (signal == 0) fputs("tsfn-guard core: no signal\n", unwinding->out);
  /* A smaller address means that NULL, or an address near it, was called. */
  if (signal != 0 && unwinding->core.code >= 4096 &&
      !has_memory(&unwinding->core, unwinding->core.code))
    fputs("tsfn-guard core: no memory at the code\n", unwinding->out);
  if (signal < sizeof names / sizeof names[0] && names[signal] != NULL)
    fprintf(unwinding->out, "tsfn-guard core: signal %s\n", names[signal]);
}

/* Whether the file is the one that ran. Compares the first page, which the core contains. */
static bool is_program(const struct core *core) {
  char ran[4096], is[sizeof ran];
  int file = open(core->program, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (file < 0) return false;
  bool same = read_at(file, 0, is, sizeof is) && read_memory(core, core->base, ran, sizeof ran) &&
              memcmp(ran, is, sizeof is) == 0;
  close(file);
  return same;
}

/* libdw reads a program's headers from the core. It does not find those of a single executable
 * application, because postject has moved them out of the part of the file that a core contains. So
 * this adds the program's file. */
static void add_program(struct unwinding *unwinding) {
  const struct core *core = &unwinding->core;
  if (core->program[0] == '\0' || dw.module(unwinding->dwfl, core->entry) != NULL ||
      !is_program(core))
    return;
  dw.report_more(unwinding->dwfl);
  dw.report_elf(unwinding->dwfl, core->program, core->program, -1, core->base, false);
  dw.report_end(unwinding->dwfl, NULL, NULL);
}

enum tg_unwind_status tg_unwind(int core, FILE *out) {
  /* Debug information is searched for beside the files and in /usr/lib/debug, but not on the
   * network. */
  unsetenv("DEBUGINFOD_URLS");
  if (!load_library()) return TG_UNWIND_NO_LIBRARY;
  const Dwfl_Callbacks callbacks = {.find_elf = dw.find_elf, .find_debuginfo = dw.find_debuginfo};
  struct unwinding unwinding = {.core = {.file = core}, .out = out};
  read_core(&unwinding.core, out);
  Elf *elf = dw.elf(core, ELF_C_READ_MMAP, NULL);
  unwinding.dwfl = dw.begin(&callbacks);
  if (elf == NULL || unwinding.dwfl == NULL || dw.report(unwinding.dwfl, elf, NULL) < 0)
    return TG_UNWIND_NOT_READ;
  dw.report_end(unwinding.dwfl, NULL, NULL);
  add_program(&unwinding);
  if (dw.attach(unwinding.dwfl, elf) < 0) return TG_UNWIND_NOT_READ;
  print_signal(&unwinding);
  dw.modules(unwinding.dwfl, look_at_module, &unwinding, 0);
  fflush(out);
  dw.threads(unwinding.dwfl, print_thread, &unwinding);
  return unwinding.threads == 0 ? TG_UNWIND_NOT_READ : TG_UNWIND_DONE;
}

#endif
