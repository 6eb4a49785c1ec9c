/* tsfn-guard scan: lists which addons below a directory use thread-safe functions, and which
 * options they need. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/common/arguments.h"
#include "command/common/complain.h"
#include "command/scan/scan_print.h"
#include "command/subcommands.h"

static const char usage[] =
    "usage: tsfn-guard scan [--json] [DIR | FILE]\n"
    "\n"
    "Says which addons (.node files) below DIR, by default the current directory, use\n"
    "thread-safe functions, which packages they belong to, and which options of\n"
    "tsfn-guard these need. Nothing is loaded or run. FILE: only this one.\n"
    "Exit status: 0, also if nothing is found; 2 if the command line is wrong or DIR\n"
    "cannot be read.\n";

/* Reads only regular files, because opening or reading a pipe of that name could block. */
static bool read_file(struct tg_walk *walk, const char *path, struct tg_scan_addon *addon) {
  struct stat status;
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (file < 0) {
    tg_walk_add_problem(walk, path, strerror(errno));
    return false;
  }
  bool is_ordinary = fstat(file, &status) == 0 && S_ISREG(status.st_mode);
  if (is_ordinary)
    tg_scan_addon_read(file, addon);
  else
    tg_walk_add_problem(walk, path, "not an ordinary file");
  close(file);
  return is_ordinary;
}

static void read_files(struct tg_scan *scan) {
  scan->found = tg_resize(NULL, scan->walk.file_count + 1, sizeof *scan->found);
  for (size_t i = 0; i < scan->walk.file_count; i++) {
    struct tg_scan_found *found = &scan->found[scan->count];
    *found = (struct tg_scan_found){.path = scan->walk.files[i]};
    if (!read_file(&scan->walk, found->path, &found->addon)) continue;
    tg_package_find(found->path, &found->package);
    found->advice = tg_scan_advice_find(found->package.name);
    scan->count++;
  }
}

static int scan_directory(const char *directory, const struct tg_arguments *arguments) {
  struct tg_scan scan = {.directory = directory};
  char found[512];
  int error = tg_walk_open(&scan.walk, directory);
  if (error != 0) {
    snprintf(found, sizeof found, "%.400s: %s", directory, strerror(error));
    tg_walk_close(&scan.walk);
    return tg_complain(TG_EXIT_USAGE, "a directory or an addon that can be read", found,
                       "name the directory of an application, or a file that this user may read");
  }
  read_files(&scan);
  int status = tg_arguments_open_output(arguments);
  if (status == TG_GO_ON) (arguments->json ? tg_scan_print_json : tg_scan_print)(&scan);
  free(scan.found);
  tg_walk_close(&scan.walk);
  return status == TG_GO_ON ? 0 : status;
}

int tg_command_scan(int argc, char **argv) {
  struct tg_arguments arguments = {.usage = usage, .has_json = true};
  int status = tg_arguments_read(argc, argv, &arguments);
  if (status != TG_GO_ON) return status;
  if (argc - optind > 1)
    return tg_complain(TG_EXIT_USAGE, "one directory", argv[optind + 1],
                       "see tsfn-guard scan --help");
  status = tg_arguments_spare_input(&arguments, argv[optind]);
  if (status != TG_GO_ON) return status;
  return scan_directory(optind < argc ? argv[optind] : ".", &arguments);
}
