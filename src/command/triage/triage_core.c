/* Implements the reading of cores: starts the process that unwinds, and reads its output. */
#include "command/triage/triage_core.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "command/triage/triage_lines.h"
#include "command/triage/triage_unwind.h"

#define BY_GDB "gdb -batch -ex 'thread apply all bt' $(command -v node) core | tsfn-guard triage -"

static void complain(struct tg_core_read *read, const char *needed, const char *found,
                     const char *remedy) {
  read->needed = needed;
  read->found = found;
  read->remedy = remedy;
}

static void limit(__rlimit_resource_t resource, rlim_t most) {
  struct rlimit set = {most, most};
  setrlimit(resource, &set);
}

static _Noreturn void unwind_here(int file, int pipe_end) {
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_CPU, 60);
  limit(RLIMIT_DATA, (rlim_t)2 << 30);
  FILE *out = fdopen(pipe_end, "w");
  enum tg_unwind_status status = out == NULL ? TG_UNWIND_NOT_READ : tg_unwind(file, out);
  if (out != NULL) fflush(out);
  _exit((int)status);
}

struct taking {
  struct tg_evidence *evidence;
  struct tg_core_read *read;
};

/* Only the first part that could not be read is reported. */
static void take(void *argument, const char *line, uint64_t number) {
  static char problem[512];
  static const char unread[] = "tsfn-guard unread: ";
  struct taking *taking = argument;
  (void)number;
  if (strncmp(line, unread, strlen(unread)) != 0) {
    tg_evidence_take(taking->evidence, line, 0);
    return;
  }
  if (taking->read->problem != NULL) return;
  tg_copy_string(problem, sizeof problem, line + strlen(unread));
  taking->read->problem = problem;
}

static void judge(int status, struct tg_evidence *evidence, struct tg_core_read *read) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == TG_UNWIND_NO_LIBRARY) {
    complain(read, "libdw.so.1 of elfutils, to read a core", "none",
             "install libdw1 (Fedora: elfutils-libs), or: " BY_GDB);
  } else if (evidence->count == 0) {
    complain(read, "a core file of Linux on this architecture",
             "one that is damaged, cut off, or from another architecture",
             "on the machine where it was made: " BY_GDB);
  } else if (!WIFEXITED(status) && read->problem == NULL) {
    read->problem = "what comes after these stacks; the core is damaged";
  }
}

void tg_core_read(int file, struct tg_evidence *evidence, struct tg_core_read *read) {
  int ends[2];
  if (!tg_unwind_is_built()) {
    complain(read, "a tsfn-guard that was built with elfutils' libdw (libdw-dev), to read a core",
             "one without", BY_GDB);
    return;
  }
  pid_t child = -1;
  if (pipe(ends) == 0) child = fork();
  if (child < 0) {
    complain(read, "a process that reads the core", "none could be started",
             "free memory or processes, or: " BY_GDB);
    return;
  }
  if (child == 0) {
    close(ends[0]);
    unwind_here(file, ends[1]);
  }
  close(ends[1]);
  struct taking taking = {.evidence = evidence, .read = read};
  struct tg_triage_lines lines = {.take = take, .argument = &taking};
  int status = 0;
  tg_triage_lines_read(&lines, ends[0]);
  close(ends[0]);
  while (waitpid(child, &status, 0) < 0) continue;
  judge(status, evidence, read);
}
