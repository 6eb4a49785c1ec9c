/* Preloaded under qemu-user: refuses to reserve more than 4 GiB of address space at once. Before version 8
 * qemu keeps a record of every mapped page, so that larger reservations take minutes and gigabytes. */
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset) {
  if (protection == PROT_NONE && size > (size_t)1 << 32) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return (void *)(uintptr_t)syscall(SYS_mmap, address, size, protection, flags, file, offset);
}
