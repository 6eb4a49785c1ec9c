/* libtight.so, for LD_PRELOAD beside libtsfnguard.so. Every query for the limit on address space
 * returns 512 MiB. The real limit does not change, because not every runtime could live with such a
 * limit. */
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int getrlimit(__rlimit_resource_t resource, struct rlimit *limit) {
  if (syscall(SYS_prlimit64, 0, resource, NULL, limit) != 0) return -1;
  if (resource == RLIMIT_AS) limit->rlim_cur = (rlim_t)512 << 20;
  return 0;
}
