/* tsfn-guard status: shows whether processes are guarded, and what keeps them alive. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/common/arguments.h"
#include "command/common/complain.h"
#include "command/status/status_print.h"
#include "command/subcommands.h"

static const char usage[] =
    "usage: tsfn-guard status [--json] [PID]\n"
    "\n"
    "Says whether a process is guarded, by which library and with which options, what\n"
    "has happened so far, and which thread-safe functions keep it alive. The process\n"
    "needs no preparation. Without PID: one line for each JavaScript runtime of this\n"
    "user, or of all users for root.\n"
    "Exit status: with PID 0 if it is guarded, else 1; 2 if the command line is\n"
    "wrong.\n";

/* --- One process */

static int complain_of(pid_t process, int error) {
  char found[128];
  snprintf(found, sizeof found, error == ENOENT ? "no process %d" : "process %d: %s", (int)process,
           strerror(error));
  if (error == ENOENT)
    return tg_complain(TG_EXIT_FAILED, "the id of a process that runs", found,
                       "list the running ones: tsfn-guard status");
  return tg_complain(TG_EXIT_FAILED, "a process that this user may inspect", found,
                     "run it as the user of that process, or as root");
}

static int show_one(const char *argument, bool json) {
  char *end;
  errno = 0;
  long id = strtol(argument, &end, 10);
  if (argument[0] < '0' || argument[0] > '9' || *end != '\0' || errno != 0 || id < 1 ||
      id > INT_MAX)
    return tg_complain(TG_EXIT_USAGE, "the id of a process", argument,
                       "give a number, as tsfn-guard status prints it");
  static struct tg_look look;
  int error = tg_look_open(&look, (pid_t)id);
  if (error != 0) {
    tg_look_close(&look);
    return complain_of((pid_t)id, error);
  }
  if (json) printf("{\"version\":1,\"type\":\"status\",\"processes\":[");
  (json ? tg_status_print_json : tg_status_print)(&look);
  if (json) puts("],\"not_read\":0}");
  bool is_guarded = look.guarded == TG_GUARDED_YES;
  tg_look_close(&look);
  return is_guarded ? 0 : TG_EXIT_FAILED;
}

/* --- All processes */

struct list {
  bool json;
  size_t columns;
  unsigned shown, not_read;
};

static void show_line(struct list *list, const struct tg_look *look) {
  if (list->json) {
    if (list->shown != 0) putchar(',');
    tg_status_print_json(look);
  } else {
    if (list->shown == 0) tg_status_print_head();
    tg_status_print_line(look, list->columns);
  }
  list->shown++;
}

/* Processes of other users are left out. They do not matter to this user, and the kernel would
 * refuse to show them. */
static bool is_of_user(pid_t process) {
  char path[64];
  struct stat status;
  snprintf(path, sizeof path, "/proc/%d", (int)process);
  return stat(path, &status) == 0 && (geteuid() == 0 || status.st_uid == geteuid());
}

static void list_process(struct list *list, pid_t process) {
  static struct tg_look look;
  if (process == getpid() || !is_of_user(process)) return;
  int error = tg_look_open(&look, process);
  if (error == 0 && look.is_runtime) show_line(list, &look);
  if (error != 0 && error != ENOENT) list->not_read++;
  tg_look_close(&look);
}

static int by_number(const void *a, const void *b) {
  const pid_t one = *(const pid_t *)a, other = *(const pid_t *)b;
  return (one > other) - (one < other);
}

/* Returns the ids of all processes in ascending order. The caller frees them. NULL: /proc cannot be
 * read. */
static pid_t *find_processes(size_t *count) {
  DIR *entries = opendir("/proc");
  pid_t *processes = NULL;
  *count = 0;
  if (entries == NULL) return NULL;
  for (const struct dirent *entry; (entry = readdir(entries)) != NULL;) {
    if (!isdigit((unsigned char)entry->d_name[0])) continue;
    processes = tg_resize(processes, *count + 1, sizeof *processes);
    processes[(*count)++] = (pid_t)strtol(entry->d_name, NULL, 10);
  }
  closedir(entries);
  if (*count != 0) qsort(processes, *count, sizeof *processes, by_number);
  return processes;
}

static size_t terminal_columns(void) {
  struct winsize size = {0};
  if (isatty(STDOUT_FILENO) != 1 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 ||
      size.ws_col == 0)
    return SIZE_MAX;
  return size.ws_col;
}

static int show_all(bool json) {
  struct list list = {.json = json, .columns = terminal_columns()};
  size_t count;
  pid_t *processes = find_processes(&count);
  if (processes == NULL)
    return tg_complain(TG_EXIT_FAILED, "a list of processes in /proc", strerror(errno),
                       "mount /proc");
  if (json) printf("{\"version\":1,\"type\":\"status\",\"processes\":[");
  for (size_t i = 0; i < count; i++) list_process(&list, processes[i]);
  free(processes);
  if (json)
    printf("],\"not_read\":%u}\n", list.not_read);
  else if (list.shown == 0)
    puts(geteuid() == 0 ? "no JavaScript runtime is running"
                        : "no JavaScript runtime of this user is running");
  if (!json && list.not_read != 0)
    printf("%u more, which this user may not inspect: %s\n", list.not_read,
           geteuid() == 0 ? "the capability to trace them (CAP_SYS_PTRACE) is missing"
                          : "run status as root");
  return 0;
}

int tg_command_status(int argc, char **argv) {
  struct tg_arguments arguments = {.usage = usage, .has_json = true};
  int status = tg_arguments_read(argc, argv, &arguments);
  if (status != TG_GO_ON) return status;
  if (argc - optind > 1)
    return tg_complain(TG_EXIT_USAGE, "the id of one process", "more than one argument",
                       "run it as: tsfn-guard status PID");
  status = tg_arguments_open_output(&arguments);
  if (status != TG_GO_ON) return status;
  return optind < argc ? show_one(argv[optind], arguments.json) : show_all(arguments.json);
}
