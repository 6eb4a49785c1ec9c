/* libstarve.so, for LD_PRELOAD after libtsfnguard.so. It refuses memory to that library, and to no
 * other code.
 *
 * STARVE_AT=N refuses the N-th allocation that the library makes, STARVE_EVERY=N every N-th. Both
 * count malloc, and mmap of accessible memory, but not the reservation for handles. At exit the
 * number of allocations, and of those that were refused, is printed. */
#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);

static uintptr_t guard_start, guard_end;
static unsigned at, every;
static atomic_uint seen, refused;

static int find_guard(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size;
  (void)argument;
  if (strstr(info->dlpi_name, "libtsfnguard.so") == NULL) return 0;
  guard_start = UINTPTR_MAX;
  for (unsigned i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    if (header->p_type != PT_LOAD) continue;
    uintptr_t first = info->dlpi_addr + header->p_vaddr;
    if (first < guard_start) guard_start = first;
    if (first + header->p_memsz > guard_end) guard_end = first + header->p_memsz;
  }
  return 1;
}

static unsigned number_in(const char *variable) {
  const char *text = getenv(variable);
  return text == NULL ? 0 : (unsigned)atoi(text);
}

__attribute__((constructor)) static void open_starve(void) {
  at = number_in("STARVE_AT");
  every = number_in("STARVE_EVERY");
  dl_iterate_phdr(find_guard, NULL);
}

__attribute__((destructor)) static void print_totals(void) {
  bool is_asked = getenv("STARVE_AT") != NULL || getenv("STARVE_EVERY") != NULL;
  if (seen != 0 && is_asked)
    fprintf(stderr, "starve: refused %u of %u\n", atomic_load(&refused), atomic_load(&seen));
}

static bool is_refused(const void *caller) {
  if ((uintptr_t)caller < guard_start || (uintptr_t)caller >= guard_end) return false;
  unsigned number = atomic_fetch_add(&seen, 1) + 1;
  bool refuse = number == at || (every != 0 && number % every == 0);
  if (refuse) atomic_fetch_add(&refused, 1);
  return refuse;
}

void *malloc(size_t size) {
  return is_refused(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset) {
  if (protection != PROT_NONE && is_refused(__builtin_return_address(0))) return MAP_FAILED;
  return (void *)syscall(SYS_mmap, address, size, protection, flags, file, offset);
}
