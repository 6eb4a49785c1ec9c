/* Implements stack_search.h. */
#include "preload/stack_search.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

enum {
  DEPTH_MAX = 256 * 1024, /* bytes that are searched per stack, from its innermost frame */
  PIECE = 4096,
  /* at least this many bytes of libc's record of a thread follow its robust list; the rest of the
   * record is smaller than a page */
  AFTER_ROBUST_LIST = 1024,
};

/* How long to wait for running threads, all of them together. The first limit is processor time that
 * they use. On a busy machine a thread that is about to sleep may wait long for a processor. */
static const uint64_t cpu_patience_ns = UINT64_C(20000000), patience_ns = UINT64_C(1000000000);

struct stack_search {
  uintptr_t start, end;
  int memory;      /* /proc/self/mem */
  uint64_t cpu_ns; /* how long running threads have computed meanwhile */
  uint64_t begun_ns;
};

/* Parses the kernel's format: the last two words are the stack pointer and the program counter. */
static bool read_pointers(const char *line, uintptr_t pointers[2]) {
  pointers[0] = pointers[1] = 0;
  for (const char *word = strchr(line, 'x'); word != NULL; word = strchr(word, 'x')) {
    uintptr_t value = 0;
    for (word++; strchr("0123456789abcdef", *word) != NULL && *word != '\0'; word++)
      value = value * 16 + (uintptr_t)(*word <= '9' ? *word - '0' : *word - 'a' + 10);
    pointers[0] = pointers[1];
    pointers[1] = value;
  }
  return pointers[0] != 0;
}

/* False: the thread has ended or is running. For a running thread the kernel writes "running",
 * which contains no x. */
static bool read_thread_state(const char *thread, uintptr_t pointers[2], bool *runs) {
  struct tg_text path = {.length = 0};
  char line[256];
  tg_text_add(&path, "/proc/self/task/");
  tg_text_add(&path, thread);
  tg_text_add(&path, "/syscall");
  int file = open(tg_text_string(&path), O_RDONLY | O_CLOEXEC);
  *runs = false;
  if (file < 0) return false;
  ssize_t length = read(file, line, sizeof line - 1);
  close(file);
  if (length <= 0) return false;
  line[length] = '\0';
  *runs = line[0] == 'r';
  return read_pointers(line, pointers);
}

/* The clock of a thread's processor time. Its number is the one that pthread_getcpuclockid computes,
 * for which we lack the thread's pthread_t. */
static clockid_t cpu_clock_of(const char *thread) {
  enum { PER_THREAD = 4, SCHEDULED = 2 };
  return (clockid_t)(~(unsigned)strtol(thread, NULL, 10) << 3 | PER_THREAD | SCHEDULED);
}

static bool is_patient(const struct stack_search *search) {
  return search->cpu_ns < cpu_patience_ns &&
         tg_nanoseconds(CLOCK_MONOTONIC) - search->begun_ns < patience_ns;
}

/* Waits while the thread is running: if it sleeps from time to time, it is soon found asleep. */
static bool find_sleeping_stack(struct stack_search *search, const char *thread,
                                uintptr_t pointers[2]) {
  const struct timespec millisecond = {.tv_nsec = 1000000};
  for (bool runs; !read_thread_state(thread, pointers, &runs);) {
    if (!runs || !is_patient(search)) return false;
    uint64_t before = tg_nanoseconds(cpu_clock_of(thread));
    nanosleep(&millisecond, NULL);
    uint64_t now = tg_nanoseconds(cpu_clock_of(thread));
    if (now > before) search->cpu_ns += now - before;
  }
  return true;
}

static bool is_code_address(const struct stack_search *search, uintptr_t address) {
  return address >= search->start && address < search->end;
}

/* Returns where the search of a stack ends. libc keeps its record of a thread at the outer end of
 * the thread's stack, and the kernel knows an address in that record: the robust list. The search
 * must not go further, because other memory may follow directly, such as our own ring, which is
 * full of addresses of code. The main thread's record is elsewhere, and no memory follows its
 * stack. */
static uintptr_t find_stack_end(const char *thread, uintptr_t stack) {
  uintptr_t robust_list = 0;
  size_t size;
  if (syscall(SYS_get_robust_list, (pid_t)strtol(thread, NULL, 10), &robust_list, &size) != 0)
    robust_list = 0;
  if (robust_list < stack || robust_list - stack > DEPTH_MAX) return stack + DEPTH_MAX;
  return (robust_list + AFTER_ROBUST_LIST + PIECE - 1) & ~(uintptr_t)(PIECE - 1);
}

/* Pieces end at page boundaries, so an unmapped page ends the search too. */
static bool is_code_on_stack(const struct stack_search *search, uintptr_t stack, uintptr_t end) {
  uintptr_t words[PIECE / sizeof(uintptr_t)];
  uintptr_t address = stack & ~(sizeof *words - 1);
  while (address < end) {
    size_t wanted = PIECE - address % PIECE;
    ssize_t got = pread(search->memory, words, wanted, (off_t)address);
    if (got <= 0) return false;
    for (size_t i = 0; i < (size_t)got / sizeof *words; i++)
      if (is_code_address(search, words[i])) return true;
    if ((size_t)got < wanted) return false;
    address += wanted;
  }
  return false;
}

static bool is_thread_in_code(struct stack_search *search, const char *thread) {
  uintptr_t pointers[2];
  if (!find_sleeping_stack(search, thread, pointers)) return false;
  return is_code_address(search, pointers[1]) ||
         is_code_on_stack(search, pointers[0], find_stack_end(thread, pointers[0]));
}

/* A directory entry in the format of getdents64. */
struct entry {
  uint64_t inode;
  int64_t next;
  unsigned short length;
  unsigned char type;
  char name[];
};

static bool is_calling_thread(const char *thread) {
  char digits[TG_DIGITS_MAX];
  size_t length = tg_format_number((uint64_t)syscall(SYS_gettid), digits);
  return strlen(thread) == length && memcmp(thread, digits, length) == 0;
}

static bool search_thread_stacks(struct stack_search *search, int tasks) {
  _Alignas(struct entry) char entries[2048];
  for (long got; (got = syscall(SYS_getdents64, tasks, entries, sizeof entries)) > 0;) {
    const struct entry *entry;
    for (long at = 0; at < got; at += entry->length) {
      entry = (const struct entry *)(entries + at);
      if (entry->name[0] == '.' || is_calling_thread(entry->name)) continue;
      if (is_thread_in_code(search, entry->name)) return true;
    }
  }
  return false;
}

bool tg_stack_search(uintptr_t start, uintptr_t end) {
  struct stack_search search = {.start = start,
                                .end = end,
                                .memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC),
                                .begun_ns = tg_nanoseconds(CLOCK_MONOTONIC)};
  if (search.memory < 0) return false;
  int tasks = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool found = tasks >= 0 && search_thread_stacks(&search, tasks);
  if (tasks >= 0) close(tasks);
  close(search.memory);
  return found;
}
