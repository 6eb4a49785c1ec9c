/* tsfn-guard triage: explains what a crash is, and whether the guard helps, from a core file or from text. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/common/complain.h"
#include "command/subcommands.h"
#include "command/triage/triage_core.h"
#include "command/triage/triage_lines.h"
#include "command/triage/triage_print.h"

static const char usage[] =
    "usage: tsfn-guard triage [--json] CORE|FILE|-\n"
    "\n"
    "Says what a crash is, whether the guard helps, whose fault it is and what to do now. Give it what there "
    "is: a\n"
    "core file; a stack of gdb, lldb, eu-stack or coredumpctl; what Node, a sanitizer, valgrind or the "
    "kernel\n"
    "printed; a diagnostic report; the log of a container or of a test run. - is the standard input.\n"
    "\n"
    "  --json             as one object of JSON (docs/triage.schema.json)\n"
    "  -h, --help         print this\n"
    "\n"
    "examples:\n"
    "  tsfn-guard triage core\n"
    "  coredumpctl info | tsfn-guard triage -\n"
    "  gdb -batch -ex 'thread apply all bt' $(command -v node) core | tsfn-guard triage -\n";

enum { JSON = UCHAR_MAX + 1, SIGNATURES };

struct options {
  bool json;
};

/* -1: continue. Otherwise it is the exit status. */
static int parse(int argc, char **argv, struct options *options) {
  static const struct option longs[] = {
      {"json", no_argument, NULL, JSON},
      {"signatures", no_argument, NULL, SIGNATURES}, /* for scripts/docs.sh */
      {"help", no_argument, NULL, 'h'},
      {NULL, 0, NULL, 0}};
  int option;
  *options = (struct options){0};
  opterr = 0;
  optind = 1;
  while ((option = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
    if (option == 'h') {
      fputs(usage, stdout);
      return 0;
    }
    if (option == SIGNATURES) {
      tg_signatures_print();
      return 0;
    }
    if (option == JSON) options->json = true;
    if (option == ':' || option == '?')
      return tg_complain_option("--json", argv, "see tsfn-guard triage --help");
  }
  if (optind + 1 == argc) return -1;
  return tg_complain(TG_EXIT_USAGE, "one core file, or file of text", optind == argc ? "none" : "several",
                     "give its name, or - for standard input; see tsfn-guard triage --help");
}

static int complain_file(const char *name, const char *found, const char *remedy) {
  char text[PATH_MAX + 128];
  snprintf(text, sizeof text, "%s: %s", name, found);
  return tg_complain(TG_EXIT_USAGE, "a core file, or text, that can be read", text, remedy);
}

enum kind { TEXT, CORE, PROGRAM, GZIP, XZ, ZSTD, LZ4, MINIDUMP };

/* Decides by the first bytes. A pipe counts as text, because it cannot be examined without consuming its
 * contents. */
static enum kind kind_of(int file) {
  unsigned char head[20] = {0};
  if (pread(file, head, sizeof head, 0) < 4) return TEXT;
  if (memcmp(head, ELFMAG, SELFMAG) == 0) return head[16] == ET_CORE && head[17] == 0 ? CORE : PROGRAM;
  if (head[0] == 0x1f && head[1] == 0x8b) return GZIP;
  if (memcmp(head,
             "\xfd"
             "7zX",
             4) == 0)
    return XZ;
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
      return complain_file(name, "it is compressed", "zstdcat FILE >core && tsfn-guard triage core");
    case LZ4:
      return complain_file(name, "it is compressed", "lz4cat FILE >core && tsfn-guard triage core");
    case MINIDUMP:
      return complain_file(name, "it is a minidump", "minidump_stackwalk FILE | tsfn-guard triage -");
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
  return core.needed == NULL ? 0 : tg_complain(TG_EXIT_FAILED, core.needed, core.found, core.remedy);
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
  return complain_file(name, "it is empty", "give it the errors too: COMMAND 2>&1 | tsfn-guard triage -");
}

static int read_input(const char *name, struct tg_evidence *evidence, struct tg_triage_input *input) {
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
  struct options options;
  struct tg_evidence evidence;
  struct tg_triage_input input = {0};
  struct tg_answer answer;
  struct tg_package package;
  int problem = parse(argc, argv, &options);
  if (problem >= 0) return problem;
  tg_evidence_open(&evidence);
  problem = read_input(argv[optind], &evidence, &input);
  if (problem == 0) {
    tg_answer_find(&evidence, &answer);
    tg_package_find(answer.addon, &package);
    (options.json ? tg_answer_print_json : tg_answer_print)(&answer, &evidence, &package, &input);
  }
  tg_evidence_close(&evidence);
  return problem;
}
