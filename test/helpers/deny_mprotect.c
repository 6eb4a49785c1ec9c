/* deny_mprotect any|PAGE PROGRAM ARGS…: runs the program. An mprotect that would make memory
 * writable is refused (with EACCES, as SELinux does): anywhere, or only on the page at that
 * (hexadecimal) address. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_LOW(number)             \
  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
           offsetof(struct seccomp_data, args) + (number) * sizeof(uint64_t))
#define LOAD_HIGH(number)            \
  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
           offsetof(struct seccomp_data, args) + (number) * sizeof(uint64_t) + 4)

enum { ARGUMENT_ADDRESS = 0, ARGUMENT_PROTECTION = 2 };

static int refuse_writing(uint64_t mask, uint64_t page) {
  struct sock_filter filter[] = {
      LOAD(nr),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_mprotect, 0, 8),
      LOAD_LOW(ARGUMENT_PROTECTION),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_WRITE, 0, 6),
      LOAD_LOW(ARGUMENT_ADDRESS),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (uint32_t)mask),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)page, 0, 3),
      LOAD_HIGH(ARGUMENT_ADDRESS),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (uint32_t)(mask >> 32)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(page >> 32), 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
  };
  struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char **argv) {
  if (argc < 3) return 95;
  uint64_t page_mask = ~((uint64_t)sysconf(_SC_PAGESIZE) - 1);
  uint64_t mask = strcmp(argv[1], "any") == 0 ? 0 : page_mask;
  if (refuse_writing(mask, strtoull(argv[1], NULL, 16) & mask) != 0) {
    perror("seccomp");
    return 94;
  }
  execvp(argv[2], argv + 2);
  return 93;
}
