/* Implements the reading of another process's memory. */
#include "command/status/remote.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

enum {
  HEADERS_MAX = 64,
  DYNAMIC_MAX = 1024,
  SYMBOLS_MAX = 4096,
  NAMES_MAX = 1 << 20,
  SLOT_SIZE_MAX = 4096,
  CHUNK_SLOTS_MAX = 1 << 16,
  SLOTS_MAX = 1 << 24,
  PATH_SIZE = 4096,
  FUNCTIONS_KEPT = 1 << 20,
};

const char *const tg_remote_state_names[TG_REMOTE_STATES] = {"open", "closing", "closed", "leaked"};

/* --- Memory */

static bool read_memory(pid_t process, uint64_t address, void *to, size_t size) {
  const struct iovec local = {to, size}, remote = {(void *)(uintptr_t)address, size};
  errno = 0;
  return process_vm_readv(process, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

/* Reads page by page, because a text may end just before a page that is not mapped. */
static bool read_text(pid_t process, uint64_t address, char *to, size_t size) {
  enum { PAGE = 4096 };
  size_t length = 0;
  while (length < size - 1) {
    size_t some = PAGE - (address + length) % PAGE;
    if (some > size - 1 - length) some = size - 1 - length;
    if (!read_memory(process, address + length, to + length, some)) return false;
    if (memchr(to + length, '\0', some) != NULL) return true;
    length += some;
  }
  to[length] = '\0';
  return true;
}

/* --- The symbol. It is read from the library's memory, because the library's file may be gone, or
 * in another mount namespace. */

struct dynamic {
  uint64_t symbols, names, names_size;
};

/* In the dynamic section, glibc replaces offsets by addresses. musl does not. */
static uint64_t absolute(uint64_t base, uint64_t value) {
  return value < base ? base + value : value;
}

static bool read_dynamic(pid_t process, uint64_t base, const Elf64_Phdr *header,
                         struct dynamic *dynamic) {
  Elf64_Dyn entries[DYNAMIC_MAX];
  uint64_t count = header->p_memsz / sizeof entries[0];
  *dynamic = (struct dynamic){0};
  if (count > DYNAMIC_MAX) count = DYNAMIC_MAX;
  if (!read_memory(process, base + header->p_vaddr, entries, count * sizeof entries[0]))
    return false;
  for (uint64_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++) {
    if (entries[i].d_tag == DT_SYMTAB) dynamic->symbols = absolute(base, entries[i].d_un.d_ptr);
    if (entries[i].d_tag == DT_STRTAB) dynamic->names = absolute(base, entries[i].d_un.d_ptr);
    if (entries[i].d_tag == DT_STRSZ) dynamic->names_size = entries[i].d_un.d_val;
  }
  return dynamic->symbols != 0 && dynamic->names > dynamic->symbols && dynamic->names_size != 0 &&
         dynamic->names_size <= NAMES_MAX;
}

/* Returns the symbol's address, or 0 if there is no such symbol. Linkers put the names right after
 * the symbols, so the symbols end where the names begin. */
static uint64_t search_symbols(pid_t process, uint64_t base, const struct dynamic *dynamic,
                               const char *wanted) {
  uint64_t count = (dynamic->names - dynamic->symbols) / sizeof(Elf64_Sym), found = 0;
  if (count > SYMBOLS_MAX) count = SYMBOLS_MAX;
  Elf64_Sym *symbols = tg_resize(NULL, count + 1, sizeof *symbols);
  char *names = tg_resize(NULL, dynamic->names_size + 1, 1);
  bool is_read = read_memory(process, dynamic->symbols, symbols, count * sizeof *symbols) &&
                 read_memory(process, dynamic->names, names, dynamic->names_size);
  names[dynamic->names_size] = '\0';
  for (uint64_t i = 0; is_read && found == 0 && i < count; i++)
    if (symbols[i].st_shndx != SHN_UNDEF && symbols[i].st_name < dynamic->names_size &&
        strcmp(names + symbols[i].st_name, wanted) == 0)
      found = base + symbols[i].st_value;
  free(symbols);
  free(names);
  return found;
}

static uint64_t find_symbol(pid_t process, uint64_t base, const char *wanted) {
  Elf64_Ehdr elf;
  Elf64_Phdr headers[HEADERS_MAX];
  struct dynamic dynamic;
  if (!read_memory(process, base, &elf, sizeof elf)) return 0;
  if (memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 || elf.e_phentsize != sizeof headers[0] ||
      elf.e_phnum > HEADERS_MAX)
    return 0;
  if (!read_memory(process, base + elf.e_phoff, headers, elf.e_phnum * sizeof headers[0])) return 0;
  for (unsigned i = 0; i < elf.e_phnum; i++)
    if (headers[i].p_type == PT_DYNAMIC)
      return read_dynamic(process, base, &headers[i], &dynamic)
                 ? search_symbols(process, base, &dynamic, wanted)
                 : 0;
  return 0;
}

/* --- The table. Its description is checked once, so each slot can be read without checks. */

static bool is_number(const struct tsfn_guard_table *table,
                      const struct tsfn_guard_table_field *field) {
  bool is_size = field->size == 1 || field->size == 2 || field->size == 4 || field->size == 8;
  return is_size && (uint32_t)field->offset + field->size <= table->slot_size;
}

static bool is_sound(const struct tsfn_guard_table *table) {
  const struct tsfn_guard_table_field *const numbers[] = {
      &table->generation, &table->state,        &table->referenced,     &table->finalized,
      &table->waiters,    &table->thread_count, &table->max_queue_size, &table->pushed,
      &table->popped,     &table->env,          &table->addon};
  if (table->slot_size == 0 || table->slot_size > SLOT_SIZE_MAX || table->chunk_slots == 0 ||
      table->chunk_slots > CHUNK_SLOTS_MAX || table->index_bits >= 64 ||
      (uint64_t)table->chunk_count * table->chunk_slots > SLOTS_MAX)
    return false;
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
    if (!is_number(table, numbers[i])) return false;
  return (uint32_t)table->name.offset + table->name.size <= table->slot_size;
}

static uint64_t number_in(const unsigned char *slot, const struct tsfn_guard_table_field *field) {
  uint64_t value = 0;
  /* little-endian, as on all machines that the guard supports */
  memcpy(&value, slot + field->offset, field->size);
  return field->mask == 0 ? value : (value & field->mask) >> __builtin_ctz(field->mask);
}

static const char *read_path(struct tg_remote *remote, pid_t process, uint64_t addon) {
  char path[PATH_SIZE];
  uint64_t address;
  if (!read_memory(process, addon + remote->ring.table.addon_path, &address, sizeof address))
    return NULL;
  return address != 0 && read_text(process, address, path, sizeof path)
             ? tg_pool_keep(&remote->paths, path)
             : NULL;
}

/* The path of the addon that created a function. Consecutive functions often have the same
 * addon. */
static const char *addon_path(struct tg_remote *remote, pid_t process, uint64_t addon) {
  if (addon != remote->last_addon) {
    remote->last_addon = addon;
    remote->last_path = addon == 0 ? NULL : read_path(remote, process, addon);
  }
  return remote->last_path;
}

static enum tg_remote_state state_of(uint64_t state, bool finalized, uint64_t threads) {
  if (finalized && threads != 0) return TG_REMOTE_LEAKED;
  if (state == TSFN_GUARD_TABLE_OPEN) return TG_REMOTE_OPEN;
  return state == TSFN_GUARD_TABLE_CLOSING ? TG_REMOTE_CLOSING : TG_REMOTE_CLOSED;
}

/* Whether the slot still serves the function for which it was read. */
static bool is_unchanged(pid_t process, const struct tsfn_guard_table *table, uint64_t address,
                         uint64_t generation) {
  unsigned char slot[SLOT_SIZE_MAX];
  return read_memory(process, address + table->generation.offset, slot + table->generation.offset,
                     table->generation.size) &&
         number_in(slot, &table->generation) == generation;
}

static void keep_function(struct tg_remote *remote, const struct tg_remote_function *function) {
  if (remote->count == FUNCTIONS_KEPT) {
    remote->not_listed++;
    return;
  }
  if ((remote->count & (remote->count - 1)) == 0)
    remote->functions = tg_resize(remote->functions, remote->count == 0 ? 1 : remote->count * 2,
                                  sizeof *remote->functions);
  remote->functions[remote->count++] = *function;
}

static void read_slot(struct tg_remote *remote, pid_t process, const unsigned char *slot,
                      uint64_t address, uint64_t index) {
  const struct tsfn_guard_table *table = &remote->ring.table;
  uint64_t state = number_in(slot, &table->state), generation = number_in(slot, &table->generation);
  if (state < TSFN_GUARD_TABLE_OPEN || state > TSFN_GUARD_TABLE_CLOSED) return;
  struct tg_remote_function function = {
      .number = generation << table->index_bits | index,
      .threads = number_in(slot, &table->thread_count),
      .queue = number_in(slot, &table->pushed) - number_in(slot, &table->popped),
      .max_queue_size = number_in(slot, &table->max_queue_size),
      .waiters = number_in(slot, &table->waiters),
      .env = number_in(slot, &table->env),
      .keeps_alive = state == TSFN_GUARD_TABLE_OPEN && number_in(slot, &table->referenced) != 0,
  };
  function.state = state_of(state, number_in(slot, &table->finalized) != 0, function.threads);
  /* The function has ended, and all counts have come back. */
  if (function.state == TG_REMOTE_CLOSED && number_in(slot, &table->finalized) != 0) return;
  size_t size =
      table->name.size < sizeof function.name ? table->name.size : sizeof function.name - 1;
  memcpy(function.name, slot + table->name.offset, size);
  function.addon = addon_path(remote, process, number_in(slot, &table->addon));
  if (!is_unchanged(process, table, address, generation)) return;
  /* The two counters may be from different moments, so the difference may be negative. */
  if (function.queue >> 63 != 0) function.queue = 0;
  remote->states[function.state]++;
  remote->keepers += function.keeps_alive;
  remote->queued += function.queue;
  keep_function(remote, &function);
}

static bool read_slots(struct tg_remote *remote, pid_t process) {
  const struct tsfn_guard_table *table = &remote->ring.table;
  uint32_t used;
  if (!read_memory(process, table->used, &used, sizeof used)) return false;
  if (used > table->chunk_count * table->chunk_slots) return false;
  size_t size = (size_t)table->slot_size * table->chunk_slots;
  unsigned char *slots = tg_resize(NULL, size, 1);
  bool is_read = true;
  for (uint32_t first = 0; is_read && first < used; first += table->chunk_slots) {
    uint64_t chunk = 0,
             place = table->chunks + (uint64_t)(first / table->chunk_slots) * sizeof chunk;
    uint32_t count = used - first < table->chunk_slots ? used - first : table->chunk_slots;
    is_read = read_memory(process, place, &chunk, sizeof chunk) && chunk != 0 &&
              read_memory(process, chunk, slots, (size_t)count * table->slot_size);
    for (uint32_t i = 0; is_read && i < count; i++) {
      uint64_t offset = (uint64_t)i * table->slot_size;
      read_slot(remote, process, slots + offset, chunk + offset, (uint64_t)first + i);
    }
  }
  free(slots);
  return is_read;
}

static int by_importance(const void *a, const void *b) {
  const struct tg_remote_function *one = a, *other = b;
  if (one->keeps_alive != other->keeps_alive) return one->keeps_alive ? -1 : 1;
  if (one->queue != other->queue) return one->queue < other->queue ? 1 : -1;
  return (one->number > other->number) - (one->number < other->number);
}

static void read_seen(struct tg_remote *remote, pid_t process) {
  const struct tsfn_guard_table *table = &remote->ring.table;
  size_t count = table->kinds < TG_REMOTE_KINDS ? table->kinds : TG_REMOTE_KINDS;
  if (table->seen == 0 ||
      !read_memory(process, table->seen, remote->seen, count * sizeof remote->seen[0]))
    memset(remote->seen, 0, sizeof remote->seen);
}

/* Returns NULL, or a text that says what is wrong. */
static const char *read_table(struct tg_remote *remote, pid_t process, uint64_t address) {
  struct tsfn_guard_ring *ring = &remote->ring;
  struct tsfn_guard_table *table = &ring->table;
  if (ring->table_offset != offsetof(struct tsfn_guard_ring, table))
    return "its library is older and does not describe the functions";
  if (!read_memory(process, address + ring->table_offset, table, sizeof *table))
    return "the memory of its library cannot be read";
  if (table->version != TSFN_GUARD_TABLE_VERSION || table->size < sizeof *table)
    return "its library describes the functions in the format of another version";
  table->guard[sizeof table->guard - 1] = '\0';
  table->mode[sizeof table->mode - 1] = '\0';
  if (table->armed == 0) return NULL;
  if (!is_sound(table)) return "its library's description of the functions makes no sense";
  read_seen(remote, process);
  if (!read_slots(remote, process)) return "the functions cannot be read";
  if (remote->count != 0)
    qsort(remote->functions, remote->count, sizeof *remote->functions, by_importance);
  return NULL;
}

void tg_remote_read(struct tg_remote *remote, pid_t process, uint64_t library) {
  const size_t head = offsetof(struct tsfn_guard_ring, table);
  struct tsfn_guard_ring *ring = &remote->ring;
  *remote = (struct tg_remote){.paths = {.map.most = 1 << 16, .most = 1 << 24}};
  uint64_t address = find_symbol(process, library, "tsfn_guard_ring");
  if (address == 0) {
    remote->error = errno;
    remote->problem = errno == EPERM   ? "its memory may not be read"
                      : errno == ESRCH ? "it has ended"
                                       : "its mapped library has no symbol tsfn_guard_ring";
  } else if (!read_memory(process, address, ring, head)) {
    remote->error = errno;
    remote->problem = "its memory cannot be read";
  } else if (memcmp(ring->magic, "tsfn-guard ring", sizeof ring->magic) != 0 ||
             ring->version != TSFN_GUARD_RING_VERSION ||
             ring->record_size != sizeof ring->record[0] ||
             ring->records != TSFN_GUARD_RING_RECORDS) {
    remote->problem = "its library is of another version";
  } else {
    remote->table_problem = read_table(remote, process, address);
  }
}

void tg_remote_close(struct tg_remote *remote) {
  free(remote->functions);
  free(remote->paths.map.entries);
  free(remote->paths.strings);
  free(remote->paths.block);
  *remote = (struct tg_remote){0};
}
