/* libnospace.so, for LD_PRELOAD beside libtsfnguard.so. It makes a process that has no address space
 * for the guard's first reservation, because it refuses every inaccessible mapping of that size. */
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset) {
  if (protection == PROT_NONE && size == (size_t)32 << 20) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return (void *)(uintptr_t)syscall(SYS_mmap, address, size, protection, flags, file, offset);
}
