/* Implements the probe run of a runtime. */
#include "command/doctor/probe_run.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "command/common/library.h"
#include "tsfn_guard/tsfn_guard.h"

#define MARK "tsfn-guard-probe "

enum { PATIENCE_MS = 20000 };

/* The script for -e. The addon does everything else. Bare has no `process`. */
static const char program[] =
    "const bare = globalThis.Bare, v = bare ? bare.versions : process.versions;"
    "const [runtime, version] = bare ? ['bare', v.bare] : v.electron ? ['electron', v.electron] :"
    "  v.bun ? ['bun', v.bun] : v.deno ? ['deno', v.deno] : [process.release.name, v.node];"
    "console.log('" MARK
    "runtime ' + runtime);"
    "console.log('" MARK
    "version ' + version);"
    "console.log('" MARK
    "node ' + (v.node || 'none'));"
    "require('";

enum { PROGRAM_MAX = sizeof program + (size_t)4 * PATH_MAX + sizeof "')" };

/* --- Running a program */

static int64_t now_ms(void) {
  return (int64_t)(tg_nanoseconds(CLOCK_MONOTONIC) / 1000000);
}

/* The probe run must not depend on the user's own options, or on what NODE_OPTIONS would load. */
static void set_environment(const char *library) {
  unsetenv("NODE_OPTIONS");
  setenv("ELECTRON_RUN_AS_NODE", "1", 1);
  /* Without these two, an application that was built with Bun or pkg would run its own script. */
  setenv("BUN_BE_BUN", "1", 1);
  setenv("PKG_EXECPATH", "PKG_INVOKE_NODEJS", 1);
  setenv("NO_COLOR", "1", 1);
  setenv("DENO_NO_UPDATE_CHECK", "1", 1);
  if (library == NULL) {
    unsetenv("LD_PRELOAD");
    unsetenv(TSFN_GUARD_OPTIONS_VARIABLE);
    return;
  }
  tg_preload(library);
  setenv(TSFN_GUARD_OPTIONS_VARIABLE, "verbosity=1", 1);
}

static _Noreturn void become(char *const argv[], const char *library, int output) {
  int nothing = open("/dev/null", O_RDONLY);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setpgid(0, 0);
  dup2(nothing, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  set_environment(library);
  execv(argv[0], argv);
  _exit(127);
}

/* Reads until the output ends or the time is up. Returns false if the time is up. */
static bool read_all(int from, struct tg_outcome *outcome) {
  const int64_t end = now_ms() + PATIENCE_MS;
  size_t length = 0;
  for (int64_t left; (left = end - now_ms()) > 0;) {
    struct pollfd wanted = {.fd = from, .events = POLLIN};
    char rest[4096];
    if (poll(&wanted, 1, (int)left) <= 0) continue;
    bool full = length == sizeof outcome->said - 1;
    ssize_t got = full ? read(from, rest, sizeof rest)
                       : read(from, outcome->said + length, sizeof outcome->said - 1 - length);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return true;
    if (!full) length += (size_t)got;
    outcome->said[length] = '\0';
  }
  return false;
}

/* Waits for the child to end, because a program may close its outputs and continue. Returns false
 * if the time is up. */
static bool wait_for(pid_t child, int *status) {
  const int64_t end = now_ms() + PATIENCE_MS;
  const struct timespec pause = {.tv_nsec = 10000000};
  while (now_ms() < end) {
    if (waitpid(child, status, WNOHANG) == child) return true;
    nanosleep(&pause, NULL);
  }
  return false;
}

void tg_run_captured(char *const argv[], const char *library, struct tg_outcome *outcome) {
  int ends[2];
  outcome->said[0] = '\0';
  outcome->status = -1;
  outcome->timed_out = false;
  fflush(stdout);
  if (pipe2(ends, O_CLOEXEC) != 0) return;
  pid_t child = fork();
  if (child == 0) become(argv, library, ends[1]);
  close(ends[1]);
  if (child > 0) {
    setpgid(child, child); /* the child does the same; either may be first */
    outcome->timed_out = !read_all(ends[0], outcome) || !wait_for(child, &outcome->status);
    kill(-child, SIGKILL); /* the group: also the processes that it has left behind */
    if (outcome->timed_out) waitpid(child, &outcome->status, 0);
  }
  close(ends[0]);
}

void tg_describe_end(const struct tg_outcome *outcome, char *text, size_t size) {
  if (outcome->timed_out)
    snprintf(text, size, "did not end within %d s", PATIENCE_MS / 1000);
  else if (outcome->status == -1)
    snprintf(text, size, "no process could be created");
  else if (WIFSIGNALED(outcome->status))
    snprintf(text, size, "signal %d (%s)", WTERMSIG(outcome->status),
             strsignal(WTERMSIG(outcome->status)));
  else
    snprintf(text, size, "exit status %d", WEXITSTATUS(outcome->status));
}

bool tg_line_with(const struct tg_outcome *outcome, const char *mark, char *line, size_t size) {
  const char *start = strstr(outcome->said, mark);
  if (start == NULL) return false;
  size_t length = strcspn(start, "\n");
  snprintf(line, size, "%.*s", (int)length, start);
  return true;
}

/* --- The probe's lines */

/* Copies the value of the next line "tsfn-guard-probe KEY VALUE", and moves `*said` behind it.
 * Returns false if there is none. */
static bool next_value(const char **said, const char *key, char *value, size_t size) {
  char mark[64];
  snprintf(mark, sizeof mark, MARK "%s ", key);
  const char *start = strstr(*said, mark);
  if (start == NULL) return false;
  start += strlen(mark);
  size_t length = strcspn(start, "\n");
  snprintf(value, size, "%.*s", (int)length, start);
  *said = start + length;
  return true;
}

static bool first_value(const struct tg_doctor_run *run, const char *key, char *value,
                        size_t size) {
  const char *said = run->outcome.said;
  return next_value(&said, key, value, size);
}

/* Finds the object that contains all seven functions. The loader knows the main program by the name
 * with which it was started. If that is no absolute path, the program's own path replaces it. */
static void read_holder(struct tg_doctor_run *run) {
  char own[PATH_MAX] = "", holder[PATH_MAX];
  const char *said = run->outcome.said;
  first_value(run, "program", own, sizeof own);
  while (next_value(&said, "holder", holder, sizeof holder)) {
    if (holder[0] != '/') tg_copy_string(holder, sizeof holder, own);
    bool differs = run->holder[0] != '\0' && strcmp(run->holder, holder) != 0;
    tg_copy_string(run->holder, sizeof run->holder, differs ? "" : holder);
    if (differs) return;
  }
  run->in_program = strcmp(run->holder, own) == 0;
}

static void read_lines(struct tg_doctor_run *run) {
  char word[64];
  first_value(run, "runtime", run->runtime, sizeof run->runtime);
  first_value(run, "version", run->version, sizeof run->version);
  first_value(run, "node", run->node_version, sizeof run->node_version);
  first_value(run, "libc", run->libc, sizeof run->libc);
  first_value(run, "missing", run->missing, sizeof run->missing);
  read_holder(run);
  run->is_guarded = first_value(run, "handle", word, sizeof word) && strcmp(word, "guarded") == 0;
  run->works = first_value(run, "delivered", word, sizeof word) &&
               first_value(run, "finalized", word, sizeof word) &&
               !first_value(run, "refused", word, sizeof word) && !run->outcome.timed_out &&
               run->outcome.status == 0;
}

/* Node prints "v20.20.2", Bun prints "1.3.9". Deno prints more, and begins with "deno ". */
static bool is_version(const char *said) {
  if (strncmp(said, "deno ", strlen("deno ")) == 0) return true;
  if (*said == 'v') said++;
  return isdigit((unsigned char)*said) && said[strspn(said, "0123456789")] == '.';
}

/* On Bare, JavaScript sees neither the environment nor arguments after -e. So the script contains
 * the path, as a string literal. Bytes that are not ASCII are copied as they are: the script is
 * UTF-8 too. */
static void write_program(const char *probe, char text[PROGRAM_MAX]) {
  char *end = stpcpy(text, program);
  for (; *probe != '\0'; probe++) {
    unsigned char byte = (unsigned char)*probe;
    bool is_plain = isalnum(byte) || byte >= 0x80 || strchr("/._-", byte) != NULL;
    end += sprintf(end, is_plain ? "%c" : "\\x%02x", byte);
  }
  stpcpy(end, "')");
}

bool tg_try_runtime(const char *runtime, const char *probe, const char *library,
                    struct tg_doctor_run *run) {
  char name[PATH_MAX], script[PROGRAM_MAX];
  tg_copy_string(name, sizeof name, runtime);
  write_program(probe, script);
  *run = (struct tg_doctor_run){0};
  tg_run_captured((char *[]){name, "--version", NULL}, NULL, &run->outcome);
  if (run->outcome.status != 0 || !is_version(run->outcome.said)) return false;
  bool is_deno = run->outcome.said[0] == 'd';
  if (is_deno)
    tg_run_captured((char *[]){name, "eval", "--ext=cjs", script, NULL}, library, &run->outcome);
  else
    tg_run_captured((char *[]){name, "-e", script, NULL}, library, &run->outcome);
  read_lines(run);
  return true;
}
