/* Implements the inspection of a process. */
#include "command/status/look.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "command/common/elf_file.h"
#include "command/common/process.h"
#include "tsfn_guard/tsfn_guard.h"

static const char library_name[] = "/libtsfnguard.so";

static FILE *open_file(const struct tg_look *look, const char *name) {
  int descriptor = openat(look->directory, name, O_RDONLY | O_CLOEXEC);
  FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "r");
  if (file == NULL && descriptor >= 0) close(descriptor);
  return file;
}

/* --- Its start time and its arguments */

/* When the machine started, in seconds since 1970. 0: unknown. */
static uint64_t boot_time(void) {
  static uint64_t known;
  char line[256];
  FILE *file = known == 0 ? fopen("/proc/stat", "re") : NULL;
  if (file == NULL) return known;
  while (known == 0 && fgets(line, sizeof line, file) != NULL)
    sscanf(line, "btime %" SCNu64, &known);
  fclose(file);
  return known;
}

/* The start time is field 22 of the file stat. Field 2 is a name in parentheses that may contain
 * anything, so the fields are counted from the last parenthesis. */
static void read_start(struct tg_look *look) {
  enum { FIELDS_BETWEEN = 20 };
  char text[4096];
  FILE *file = open_file(look, "stat");
  size_t length = file == NULL ? 0 : fread(text, 1, sizeof text - 1, file);
  if (file != NULL) fclose(file);
  text[length] = '\0';
  const char *at = strrchr(text, ')');
  for (unsigned i = 0; at != NULL && i < FIELDS_BETWEEN; i++) at = strchr(at + 1, ' ');
  long a_second = sysconf(_SC_CLK_TCK);
  uint64_t ticks = at == NULL ? 0 : strtoull(at, NULL, 10), boot = boot_time();
  if (ticks == 0 || boot == 0 || a_second <= 0) return;
  look->started = boot * 1000000000 + ticks * (1000000000 / (uint64_t)a_second);
}

static void read_command(struct tg_look *look) {
  FILE *file = open_file(look, "cmdline");
  size_t length = file == NULL ? 0 : fread(look->command, 1, sizeof look->command - 1, file);
  if (file != NULL) fclose(file);
  while (length != 0 && look->command[length - 1] == '\0') length--;
  for (size_t i = 0; i < length; i++)
    if (look->command[i] == '\0') look->command[i] = ' ';
  look->command[length] = '\0';
}

/* --- Its mappings */

static bool is_guard(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash != NULL && strncmp(slash, library_name, sizeof library_name - 1) == 0 &&
         (slash[sizeof library_name - 1] == '\0' || slash[sizeof library_name - 1] == ' ');
}

/* The library's headers are in the mapping whose offset in the file is 0. */
static void take_mapping(struct tg_look *look, const char *line, char libnode[PATH_MAX]) {
  uint64_t start, offset;
  int path = 0;
  if (sscanf(line, "%" SCNx64 "-%*x %*s %" SCNx64 " %*s %*s %n", &start, &offset, &path) != 2 ||
      path == 0)
    return;
  if (offset == 0 && look->library[0] == '\0' && is_guard(line + path)) {
    tg_copy_string(look->library, sizeof look->library, line + path);
    look->library_start = start;
  }
  if (libnode[0] == '\0' && strstr(line + path, "/libnode.so") != NULL)
    tg_copy_string(libnode, PATH_MAX, line + path);
}

/* Returns 0 or errno. */
static int read_maps(struct tg_look *look, char libnode[PATH_MAX]) {
  FILE *file = open_file(look, "maps");
  char *line = NULL;
  size_t size = 0;
  if (file == NULL) return errno;
  for (ssize_t length; (length = getline(&line, &size, file)) > 0;) {
    if (line[length - 1] == '\n') line[length - 1] = '\0';
    take_mapping(look, line, libnode);
  }
  free(line);
  fclose(file);
  return 0;
}

/* --- Whether it is a runtime */

static void take_symbol(void *argument, const char *name, bool is_defined) {
  if (is_defined && strcmp(name, "napi_create_threadsafe_function") == 0) *(bool *)argument = true;
}

static bool exports_functions(int file) {
  struct tg_elf_file elf;
  bool found = false;
  if (tg_elf_file_open(&elf, file) == NULL) tg_elf_file_symbols(&elf, take_symbol, &found);
  tg_elf_file_close(&elf);
  return found;
}

/* Reads each program file only once, because a machine may run hundreds of processes of one
 * program. */
static bool program_exports_functions(const struct tg_look *look) {
  enum { KNOWN_MAX = 256 };
  static struct {
    dev_t device;
    ino_t inode;
    bool exports;
  } known[KNOWN_MAX];
  static unsigned count;
  struct stat status;
  int file = openat(look->directory, "exe", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) return false;
  bool exports = false, is_known = fstat(file, &status) != 0;
  for (unsigned i = 0; !is_known && i < count; i++) {
    is_known = known[i].device == status.st_dev && known[i].inode == status.st_ino;
    if (is_known) exports = known[i].exports;
  }
  if (!is_known) exports = exports_functions(file);
  if (!is_known && count < KNOWN_MAX) {
    known[count].device = status.st_dev;
    known[count].inode = status.st_ino;
    known[count++].exports = exports;
  }
  close(file);
  return exports;
}

static bool is_called_like_one(const char *program) {
  static const char *const names[] = {"node", "nodejs", "bun", "deno", "electron"};
  const char *name = tg_base_name(program);
  size_t length = strcspn(name, " "); /* "node (deleted)" */
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (strlen(names[i]) == length && strncmp(name, names[i], length) == 0) return true;
  return false;
}

/* If consecutive processes use the same file, its version is read only once. */
static void find_version(struct tg_look *look, const char *libnode) {
  static char last_path[PATH_MAX + 64];
  static struct tg_runtime_version last;
  char path[PATH_MAX + 64];
  if (libnode[0] != '\0')
    snprintf(path, sizeof path, "/proc/%d/root%s", (int)look->process, libnode);
  else
    snprintf(path, sizeof path, "/proc/%d/exe", (int)look->process);
  if (strcmp(path, last_path) != 0) {
    tg_runtime_version_find(path, &last);
    tg_copy_string(last_path, sizeof last_path, path);
  }
  look->runtime = last;
}

static void recognise(struct tg_look *look, const char *libnode) {
  ssize_t length = readlinkat(look->directory, "exe", look->program, sizeof look->program - 1);
  look->program[length < 0 ? 0 : length] = '\0';
  look->is_runtime =
      libnode[0] != '\0' || is_called_like_one(look->program) || program_exports_functions(look);
  if (look->is_runtime) find_version(look, libnode);
}

/* --- Its environment variables */

static void read_variables(struct tg_look *look) {
  char *preload = tg_process_variable(look->directory, "LD_PRELOAD");
  char *pm2 = tg_process_variable(look->directory, "pm2_env");
  look->options = tg_process_variable(look->directory, TSFN_GUARD_OPTIONS_VARIABLE);
  look->is_preload_set = preload != NULL && strstr(preload, library_name + 1) != NULL;
  look->is_pm2_worker = pm2 != NULL;
  free(preload);
  free(pm2);
}

/* --- Whether it is guarded */

static void answer(struct tg_look *look, enum tg_guarded guarded, const char *why,
                   const char *remedy) {
  look->guarded = guarded;
  look->why = why;
  look->remedy = remedy;
}

static void answer_without_library(struct tg_look *look) {
  if (look->is_preload_set)
    answer(look, TG_GUARDED_NO, "LD_PRELOAD named libtsfnguard.so, but it is not loaded",
           "read what it wrote to stderr when it started, and ask tsfn-guard doctor");
  else if (look->is_pm2_worker)
    answer(look, TG_GUARDED_NO,
           "libtsfnguard.so is not loaded; it is a worker of pm2's cluster mode",
           "pm2 sets variables of the application in its workers only once these run: start pm2's "
           "daemon with LD_PRELOAD (pm2 kill first), or use fork mode, or -r tsfn-guard/register "
           "in node_args");
  else if (!look->is_runtime)
    answer(look, TG_GUARDED_NO, "it is not a known JavaScript runtime",
           "nothing, or give the id of the runtime: tsfn-guard status lists them");
  else
    answer(look, TG_GUARDED_NO, "libtsfnguard.so is not loaded",
           "start it with: tsfn-guard PROGRAM, or with the library in LD_PRELOAD");
}

static void answer_without_memory(struct tg_look *look) {
  if (look->remote.error == EPERM)
    answer(
        look, TG_GUARDED_UNKNOWN,
        "the library is loaded, but this user must not read the memory of the process",
        "run it as root, or with CAP_SYS_PTRACE, or allow it (sysctl kernel.yama.ptrace_scope=0)");
  else
    answer(look, TG_GUARDED_UNKNOWN, look->remote.problem,
           "use the tsfn-guard command of its version");
}

static void answer_by_table(struct tg_look *look) {
  const struct tsfn_guard_table *table = &look->remote.ring.table;
  pid_t inner = tg_process_inner_id(look->directory);
  if (look->remote.table_problem != NULL && table->armed == 0)
    answer(look, TG_GUARDED_UNKNOWN, look->remote.table_problem,
           "use the tsfn-guard command of its version");
  else if (table->mode[0] == '\0')
    answer(look, TG_GUARDED_NO, "the library is loaded, but found no JavaScript runtime in it",
           "nothing; its child processes are guarded if they are runtimes");
  else if (strcmp(table->mode, "off") == 0)
    answer(look, TG_GUARDED_NO, "mode=off leaves it unguarded", "start it without mode=off");
  else if (table->armed == 0)
    answer(look, TG_GUARDED_NO, "the library is loaded, but could not guard it",
           "read what it wrote to stderr when it started, and ask tsfn-guard doctor");
  else if (inner != 0 && inner != table->process)
    answer(look, TG_GUARDED_UNKNOWN, "it was forked from a guarded process, without exec",
           "look at that process");
  else
    answer(look, TG_GUARDED_YES, NULL, NULL);
}

int tg_look_open(struct tg_look *look, pid_t process) {
  char path[64], libnode[PATH_MAX] = "";
  struct stat status;
  *look = (struct tg_look){.process = process};
  snprintf(path, sizeof path, "/proc/%d", (int)process);
  look->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (look->directory < 0) return errno;
  if (fstat(look->directory, &status) == 0) look->user = status.st_uid;
  int error = read_maps(look, libnode);
  if (error != 0) return error == ESRCH ? ENOENT : error;
  read_start(look);
  read_command(look);
  recognise(look, libnode);
  read_variables(look);
  if (look->library[0] != '\0') tg_remote_read(&look->remote, process, look->library_start);
  if (look->library[0] == '\0')
    answer_without_library(look);
  else if (look->remote.problem != NULL)
    answer_without_memory(look);
  else
    answer_by_table(look);
  return 0;
}

void tg_look_close(struct tg_look *look) {
  if (look->directory >= 0) close(look->directory);
  free(look->options);
  tg_remote_close(&look->remote);
}
