/* tsfn-guard triage: explains what a crash is, and whether the guard helps, from a core file or
 * from text. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/common/arguments.h"
#include "command/common/complain.h"
#include "command/subcommands.h"
#include "command/triage/triage_core.h"
#include "command/triage/triage_lines.h"
#include "command/triage/triage_print.h"

static const char usage[] =
    "usage: tsfn-guard triage [--json] CORE|FILE|-\n"
    "\n"
    "Says what a crash is, whether the guard helps, whose fault it is and what to do\n"
    "now. Give it what you have: a core file; a stack of gdb, lldb, eu-stack or\n"
    "coredumpctl; what Node, a sanitizer, valgrind or the kernel printed; a\n"
    "diagnostic report; the log of a container or of a test run. - is the standard\n"
    "input.\n"
    "\n"
    "docs/triage.schema.json describes its JSON.\n"
    "\n"
    "examples:\n"
    "  tsfn-guard triage core\n"
    "  coredumpctl info | tsfn-guard triage -\n"
    "  gdb -batch -ex 'thread apply all bt' $(command -v node) core |\n"
    "    tsfn-guard triage -\n"
    "\n"
    "Exit status: 0 if the input was read; 1 if a core cannot be read here; 2 if the\n"
    "command line or the file is wrong.\n";

enum { SIGNATURES = TG_OWN_OPTION };

/* --signatures, which scripts/docs.sh uses. */
static int take_own_option(void *choices, int option, const char *value) {
  (void)choices, (void)option, (void)value;
  tg_signatures_print();
  return 0;
}

/* TG_GO_ON, or the exit status. */
static int parse(int argc, char **argv, struct tg_arguments *arguments) {
  static const struct option own[] = {{"signatures", no_argument, NULL, SIGNATURES}, {0}};
  *arguments =
      (struct tg_arguments){.usage = usage, .has_json = true, .own = own, .take = take_own_option};
  int status = tg_arguments_read(argc, argv, arguments);
  if (status != TG_GO_ON) return status;
  if (optind + 1 == argc) return tg_arguments_spare_input(arguments, argv[optind]);
  return tg_complain(TG_EXIT_USAGE, "one core file, or file of text",
                     optind == argc ? "none" : "several",
                     "give its name, or - for standard input; see tsfn-guard triage --help");
}

static int complain_file(const char *name, const char *found, const char *remedy) {
  char text[PATH_MAX + 128];
  snprintf(text, sizeof text, "%s: %s", name, found);
  return tg_complain(TG_EXIT_USAGE, "a core file, or text, that can be read", text, remedy);
}

enum kind { TEXT, CORE, PROGRAM, GZIP, XZ, ZSTD, LZ4, MINIDUMP };

/* The first bytes decide. A pipe counts as text, because it cannot be examined without
 * consuming its contents. */
static enum kind kind_of(int file) {
  static const unsigned char xz[] = {0xfd, '7', 'z', 'X'};
  unsigned char head[20] = {0};
  if (pread(file, head, sizeof head, 0) < 4) return TEXT;
  if (memcmp(head, ELFMAG, SELFMAG) == 0)
    return head[16] == ET_CORE && head[17] == 0 ? CORE : PROGRAM;
  if (head[0] == 0x1f && head[1] == 0x8b) return GZIP;
  if (memcmp(head, xz, sizeof xz) == 0) return XZ;
  if (memcmp(head, "\x28\xb5\x2f\xfd", 4) == 0) return ZSTD;
  if (memcmp(head, "\x04\x22\x4d\x18", 4) == 0) return LZ4;
  return memcmp(head, "MDMP", 4) == 0 ? MINIDUMP : TEXT;
}

static int refuse(enum kind kind, const char *name) {
  switch (kind) {
    case GZIP:
      return complain_file(name, "it is compressed", "zcat FILE >core && tsfn-guard triage core");
    case XZ:
      return complain_file(name, "it is compressed", "xzcat FILE >core && tsfn-guard triage core");
    case ZSTD:
      return complain_file(name, "it is compressed",
                           "zstdcat FILE >core && tsfn-guard triage core");
    case LZ4:
      return complain_file(name, "it is compressed", "lz4cat FILE >core && tsfn-guard triage core");
    case MINIDUMP:
      return complain_file(name, "it is a minidump",
                           "minidump_stackwalk FILE | tsfn-guard triage -");
    default:
      return complain_file(name, "it is a program or a library, and no core",
                           "give the core file of its crash");
  }
}

static int read_core(int file, struct tg_evidence *evidence, struct tg_triage_input *input) {
  struct tg_core_read core = {0};
  struct stat status;
  input->kind = "core";
  if (fstat(file, &status) == 0) input->bytes = (uint64_t)status.st_size;
  tg_core_read(file, evidence, &core);
  input->problem = core.problem;
  return core.needed == NULL ? 0
                             : tg_complain(TG_EXIT_FAILED, core.needed, core.found, core.remedy);
}

static int read_text(int file, const char *name, struct tg_evidence *evidence,
                     struct tg_triage_input *input) {
  struct tg_triage_lines lines = {.take = tg_evidence_take, .argument = evidence};
  bool done = tg_triage_lines_read(&lines, file);
  input->kind = "text";
  input->bytes = lines.bytes;
  input->lines = lines.lines;
  input->too_long = lines.too_long;
  input->binary = lines.binary;
  if (!done) return complain_file(name, strerror(errno), "correct the name, or make it readable");
  if (lines.bytes != 0) return 0;
  return complain_file(name, "it is empty",
                       "if the guard writes this log, it reported no misuse; else give triage what "
                       "the program wrote to stderr: COMMAND 2>&1 | tsfn-guard triage -");
}

static int read_input(const char *name, struct tg_evidence *evidence,
                      struct tg_triage_input *input) {
  bool is_stdin = strcmp(name, "-") == 0;
  int file = is_stdin ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  struct stat status;
  if (file < 0 || fstat(file, &status) != 0)
    return complain_file(name, strerror(errno), "correct the name, or make it readable");
  if (S_ISDIR(status.st_mode)) return complain_file(name, "a directory", "name a file in it");
  enum kind kind = kind_of(file);
  int problem = kind == CORE   ? read_core(file, evidence, input)
                : kind == TEXT ? read_text(file, name, evidence, input)
                               : refuse(kind, name);
  if (!is_stdin) close(file);
  return problem;
}

int tg_command_triage(int argc, char **argv) {
  struct tg_arguments arguments;
  struct tg_evidence evidence;
  struct tg_triage_input input = {0};
  struct tg_answer answer;
  struct tg_package package;
  int problem = parse(argc, argv, &arguments);
  if (problem != TG_GO_ON) return problem;
  tg_evidence_open(&evidence);
  problem = read_input(argv[optind], &evidence, &input);
  if (problem == 0) problem = tg_arguments_open_output(&arguments);
  if (problem == TG_GO_ON) {
    problem = 0;
    tg_answer_find(&evidence, &answer);
    tg_package_find(answer.addon, &package);
    (arguments.json ? tg_answer_print_json : tg_answer_print)(&answer, &evidence, &package, &input);
  }
  tg_evidence_close(&evidence);
  return problem;
}
