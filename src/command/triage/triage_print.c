/* Implements the printing of answers. */
#include "command/triage/triage_print.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "command/common/affected.h"
#include "command/common/colour.h"
#include "command/common/json.h"

/* --- What both formats say */

static bool is_about_tsfn(const struct tg_answer *answer) {
  return answer->signature->verdict == TG_VERDICT_TSFN_USE_AFTER_FREE ||
         answer->signature->verdict == TG_VERDICT_TSFN_OTHER;
}

/* "yes", "no" or "unknown": whether this version has any known fault of the runtimes. */
static const char *affected_by(const struct tg_evidence *evidence) {
  const struct tg_fault *fault;
  bool known = false;
  if (evidence->version[0] == '\0') return "unknown";
  for (unsigned i = 0; (fault = tg_fault(i)) != NULL; i++) {
    enum tg_finding finding = tg_fault_find(fault, evidence->runtime, evidence->version);
    if (finding == TG_AFFECTED) return "yes";
    known |= finding == TG_NOT_AFFECTED;
  }
  return known ? "no" : "unknown";
}

static const char *advice_of(const struct tg_answer *answer, char text[512]) {
  const char *own = answer->signature->advice;
  if (answer->helps == TG_HELPS_YES) return own != NULL ? own : "tsfn-guard node app.js";
  if (answer->helps == TG_HELPS_WITH_OPTION) {
    snprintf(text, 512, "TSFN_GUARD_OPTIONS=%s tsfn-guard node app.js; or %s", answer->option, own);
    return text;
  }
  if (own != NULL) return own;
  return answer->why_not != NULL
             ? "update the addon and the runtime; on Linux: tsfn-guard node app.js"
             : "tsfn-guard node app.js";
}

static void print_addon(const struct tg_answer *answer, const struct tg_package *package) {
  if (answer->addon[0] == '\0') return;
  fputs("addon:   ", stdout);
  if (package->name[0] != '\0')
    printf("%s%s%s, ", package->name, package->version[0] == '\0' ? "" : " ", package->version);
  puts(answer->addon);
}

static void print_runtime(const struct tg_answer *answer, const struct tg_evidence *evidence) {
  const struct tg_fault *fault;
  const char *separator = ", which by itself has: ";
  if (evidence->version[0] == '\0') return;
  printf("runtime: %s %s", evidence->runtime, evidence->version);
  for (unsigned i = 0; is_about_tsfn(answer) && (fault = tg_fault(i)) != NULL; i++) {
    if (tg_fault_find(fault, evidence->runtime, evidence->version) != TG_AFFECTED) continue;
    printf("%s%s", separator, fault->name);
    separator = ", ";
  }
  putchar('\n');
}

static void print_unread(const struct tg_triage_input *input) {
  if (input->problem != NULL) printf("unread:  %s\n", input->problem);
  if (input->too_long != 0)
    printf("unread:  the rest of %" PRIu64 " lines longer than 1 MiB\n", input->too_long);
  if (input->binary > input->bytes / 10) puts("unread:  much of it is not text");
}

/* All frames of a stack have the line of its first one, so it is printed only once. */
static void print_reasons(const struct tg_answer *answer) {
  uint64_t line = 0;
  for (unsigned i = 0; i < answer->reason_count && i < 3; i++) {
    const struct tg_reason *reason = &answer->reasons[i];
    if (reason->line != 0 && reason->line != line)
      printf("         from line %" PRIu64 ":\n", reason->line);
    line = reason->line;
    printf("         %s\n", reason->text);
  }
}

void tg_answer_print(const struct tg_answer *answer, const struct tg_evidence *evidence,
                     const struct tg_package *package, const struct tg_triage_input *input) {
  char text[512];
  printf("what:    %s\n", answer->signature->what);
  printf("verdict: %s%s%s (%s)\n", tg_colour(stdout, TG_COLOUR_HEADING),
         tg_verdict_names[answer->signature->verdict], tg_colour(stdout, TG_COLOUR_NONE),
         answer->signature->name);
  printf("guard:   %s%s%s%s%s\n",
         answer->helps == TG_HELPS_YES           ? "helps"
         : answer->helps == TG_HELPS_WITH_OPTION ? "helps with "
         : answer->helps == TG_HELPS_NO          ? "does not help"
                                                 : "not known to help",
         answer->option == NULL ? "" : answer->option, answer->why_not == NULL ? "" : ": ",
         answer->why_not == NULL ? "" : answer->why_not, "");
  printf("fault:   %s\n", answer->signature->fault);
  print_addon(answer, package);
  print_runtime(answer, evidence);
  printf("do:      %s\n", advice_of(answer, text));
  printf("sure:    %s%s\n", tg_sure_names[answer->sure],
         answer->reason_count == 0 ? "" : ", because:");
  print_reasons(answer);
  if (answer->signature->remedy != NULL) printf("in code: docs/%s\n", answer->signature->remedy);
  printf("more:    docs/%s\n", answer->signature->page);
  print_unread(input);
}

/* --- JSON */

static void write_or_null(const char *string) {
  tg_json_write(stdout, string[0] == '\0' ? NULL : string);
}

static void write_runtime(const struct tg_evidence *evidence) {
  const struct tg_fault *fault;
  const char *separator = "";
  if (evidence->version[0] == '\0') {
    fputs("null", stdout);
    return;
  }
  fputs("{\"name\":", stdout);
  tg_json_write(stdout, evidence->runtime);
  fputs(",\"version\":", stdout);
  tg_json_write(stdout, evidence->version);
  printf(",\"affected\":\"%s\",\"faults\":[", affected_by(evidence));
  for (unsigned i = 0; (fault = tg_fault(i)) != NULL; i++) {
    if (tg_fault_find(fault, evidence->runtime, evidence->version) != TG_AFFECTED) continue;
    printf("%s\"%s\"", separator, fault->name);
    separator = ",";
  }
  fputs("]}", stdout);
}

static void write_addon(const struct tg_answer *answer, const struct tg_package *package) {
  if (answer->addon[0] == '\0') {
    fputs("null", stdout);
    return;
  }
  fputs("{\"file\":", stdout);
  tg_json_write(stdout, answer->addon);
  fputs(",\"package\":", stdout);
  write_or_null(package->name);
  fputs(",\"version\":", stdout);
  write_or_null(package->version);
  putchar('}');
}

static void write_evidence(const struct tg_answer *answer) {
  putchar('[');
  for (unsigned i = 0; i < answer->reason_count; i++) {
    printf("%s{\"line\":", i == 0 ? "" : ",");
    if (answer->reasons[i].line == 0)
      fputs("null", stdout);
    else
      printf("%" PRIu64, answer->reasons[i].line);
    fputs(",\"text\":", stdout);
    tg_json_write(stdout, answer->reasons[i].text);
    putchar('}');
  }
  putchar(']');
}

static void write_input(const struct tg_evidence *evidence, const struct tg_triage_input *input) {
  printf("{\"kind\":\"%s\",\"bytes\":%" PRIu64 ",\"lines\":%" PRIu64
         ",\"stacks\":%u,\"stacks_left_out\":%u,\"lines_cut\":%" PRIu64 ",\"unread\":",
         input->kind, input->bytes, input->lines, evidence->count, evidence->lost, input->too_long);
  tg_json_write(stdout, input->problem);
  putchar('}');
}

/* sigabbrev_np() needs a newer glibc than the oldest on which this runs. */
static const char *signal_name(int signal) {
  switch (signal) {
    case SIGABRT:
      return "SIGABRT";
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGILL:
      return "SIGILL";
    case SIGTRAP:
      return "SIGTRAP";
    case SIGFPE:
      return "SIGFPE";
    default:
      return NULL;
  }
}

static const char *system_of(const struct tg_evidence *evidence) {
  return evidence->is_mac       ? "macos"
         : evidence->is_windows ? "windows"
         : evidence->is_musl    ? "linux-musl"
                                : NULL;
}

static const char *remedy_page(const struct tg_signature *signature, char text[512]) {
  snprintf(text, 512, "docs/%s", signature->remedy);
  return text;
}

void tg_answer_print_json(const struct tg_answer *answer, const struct tg_evidence *evidence,
                          const struct tg_package *package, const struct tg_triage_input *input) {
  char text[512];
  printf("{\"version\":1,\"type\":\"triage\",\"verdict\":\"%s\",\"signature\":\"%s\",\"what\":",
         tg_verdict_names[answer->signature->verdict], answer->signature->name);
  tg_json_write(stdout, answer->signature->what);
  printf(",\"guard_helps\":\"%s\",\"option\":", tg_helps_names[answer->helps]);
  tg_json_write(stdout, answer->option);
  fputs(",\"why_not\":", stdout);
  tg_json_write(stdout, answer->why_not);
  fputs(",\"fault\":", stdout);
  tg_json_write(stdout, answer->signature->fault);
  fputs(",\"do\":", stdout);
  tg_json_write(stdout, advice_of(answer, text));
  printf(",\"sure\":\"%s\",\"guarded\":%s,\"signal\":", tg_sure_names[answer->sure],
         evidence->is_guarded ? "true" : "false");
  tg_json_write(stdout, signal_name(evidence->signal));
  fputs(",\"system\":", stdout);
  tg_json_write(stdout, system_of(evidence));
  fputs(",\"addon\":", stdout);
  write_addon(answer, package);
  fputs(",\"runtime\":", stdout);
  write_runtime(evidence);
  fputs(",\"evidence\":", stdout);
  write_evidence(answer);
  printf(",\"page\":\"docs/%s\",\"javascript\":", answer->signature->page);
  tg_json_write(stdout,
                answer->signature->remedy == NULL ? NULL : remedy_page(answer->signature, text));
  fputs(",\"input\":", stdout);
  write_input(evidence, input);
  puts("}");
}
