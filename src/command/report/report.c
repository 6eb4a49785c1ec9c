/* tsfn-guard report: sums up logs. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command/common/arguments.h"
#include "command/common/complain.h"
#include "command/report/report_output.h"
#include "command/subcommands.h"

struct options {
  struct tg_arguments arguments;
  const char *diff, *html;
  enum tg_severity fail_on; /* TG_SEVERITIES: never */
};

static const char usage[] =
    "usage: tsfn-guard report [OPTION…] LOG…\n"
    "\n"
    "Sums up logs that the guard wrote, as text or JSON. Similar events are counted\n"
    "together, worst first. LOG is a file, or - for standard input. Rotated files may\n"
    "come in any order. Docker's and journald's wrapping of each line is removed.\n"
    "\n"
    "  --diff OLD         show what is new, more, fewer and gone since OLD, an older\n"
    "                     log or output of --json\n"
    "  --fail-on SEVERITY exit with status 1 if there is an event this bad or worse\n"
    "                     (with --diff: a new one, or more):\n"
    "                     fatal-avoided, hang-avoided, warn, leak or info\n"
    "  --html FILE        write a page with a timeline, filters and all stacks to\n"
    "                     FILE (-: to the standard output), instead of the table\n"
    "\n"
    "Exit status: 0; 1 with --fail-on, if there is such an event; 2 if the command\n"
    "line or a file is wrong, or if --fail-on cannot judge the logs.\n";

static int parse_severity(const char *word, enum tg_severity *severity) {
  *severity = tg_severity_find(word, strlen(word));
  if (*severity != TG_SEVERITIES) return 0;
  return tg_complain(TG_EXIT_USAGE,
                     "--fail-on with fatal-avoided, hang-avoided, warn, leak or info", word,
                     "give one of these");
}

enum { DIFF = TG_OWN_OPTION, FAIL_ON, HTML };

/* If the user forgot the page's name, the next word is a log, which must not be overwritten. */
static int complain_of_page(const char *name) {
  char found[PATH_MAX + 64];
  snprintf(found, sizeof found, "%s, which exists and is not such a page", name);
  return tg_complain(TG_EXIT_USAGE, "a name for the page after --html", found,
                     "give another, before the logs: --html FILE LOG…");
}

static int take_own_option(void *choices, int option, const char *value) {
  struct options *options = choices;
  if (option == DIFF) options->diff = value;
  if (option == HTML) options->html = value;
  return option == FAIL_ON && parse_severity(value, &options->fail_on) != 0 ? TG_EXIT_USAGE
                                                                            : TG_GO_ON;
}

/* Returns TG_GO_ON, or the exit status. */
static int parse(int argc, char **argv, struct options *options) {
  static const struct option own[] = {{"diff", required_argument, NULL, DIFF},
                                      {"fail-on", required_argument, NULL, FAIL_ON},
                                      {"html", required_argument, NULL, HTML},
                                      {0}};
  *options = (struct options){.fail_on = TG_SEVERITIES};
  options->arguments = (struct tg_arguments){
      .usage = usage, .has_json = true, .own = own, .take = take_own_option, .choices = options};
  int status = tg_arguments_read(argc, argv, &options->arguments);
  if (status != TG_GO_ON) return status;
  if (options->html != NULL && !tg_report_may_write_html(options->html))
    return complain_of_page(options->html);
  if (options->html != NULL && strcmp(options->html, "-") == 0 && options->arguments.json)
    return tg_complain(TG_EXIT_USAGE, "one report for the standard output", "--json and --html -",
                       "name a file for the page: --html FILE");
  if (optind == argc)
    return tg_complain(TG_EXIT_USAGE, "a log that the guard wrote", "none",
                       "give its name, or - for standard input; see tsfn-guard report --help");
  status = tg_arguments_spare_input(&options->arguments, options->diff);
  for (int i = optind; i < argc && status == TG_GO_ON; i++)
    status = tg_arguments_spare_input(&options->arguments, argv[i]);
  return status;
}

/* Whether --fail-on asks for a failure because of this group. */
static bool is_failure(const struct tg_report *report, size_t place, enum tg_severity fail_on) {
  if (report->groups.groups[place].severity > fail_on) return false;
  if (report->difference == NULL) return true;
  enum tg_change change = report->difference->of_groups[place].change;
  return change == TG_CHANGE_NEW || change == TG_CHANGE_MORE;
}

static int judge(const struct tg_report *report, enum tg_severity fail_on) {
  if (fail_on == TG_SEVERITIES) return 0;
  for (size_t i = 0; i < report->groups.count; i++)
    if (is_failure(report, i, fail_on)) return TG_EXIT_FAILED;
  if (report->counts.newer != 0)
    return tg_complain(TG_EXIT_USAGE, "reports that this command knows for --fail-on to judge",
                       "reports of a newer guard in the logs", "use the command of that guard");
  if (report->counts.text != 0)
    return tg_complain(TG_EXIT_USAGE, "whole reports for --fail-on to judge",
                       "parts of text reports that cannot be parsed",
                       "look for lines with tsfn-guard[ that are cut off, or use format=json");
  if (report->counts.broken + report->counts.cut + report->counts.too_long != 0)
    return tg_complain(
        TG_EXIT_USAGE, "whole lines for --fail-on to judge",
        "lines that are damaged, cut off or longer than 64 KiB, and may have been reports",
        "look at these lines, or run without --fail-on");
  return 0;
}

static int complain_of_report(const char *name) {
  char found[512];
  snprintf(found, sizeof found, "%s: the output of tsfn-guard report --json", name);
  return tg_complain(TG_EXIT_USAGE, "logs that the guard wrote", found,
                     "name the logs themselves; to compare with that output: --diff FILE LOG");
}

static int write_out(struct tg_report *report, const struct options *options) {
  int status = tg_arguments_open_output(&options->arguments);
  if (status != TG_GO_ON) return status;
  if (options->html != NULL) {
    int problem = tg_report_write_html(report, options->html);
    if (problem != 0) return problem;
  }
  if (options->arguments.json)
    tg_report_write_json(report, stdout);
  else if (options->html == NULL)
    tg_report_write_text(report, stdout);
  if (fflush(stdout) == 0 && ferror(stdout) == 0) return 0;
  return tg_complain(TG_EXIT_FAILED, "a standard output that accepts the report", strerror(errno),
                     "check where standard output goes");
}

int tg_command_report(int argc, char **argv) {
  static struct tg_report report;
  struct options options;
  int problem = parse(argc, argv, &options);
  if (problem != TG_GO_ON) return problem;
  report.input_count = (size_t)(argc - optind);
  report.inputs = tg_resize(NULL, report.input_count, sizeof *report.inputs);
  for (size_t i = 0; i < report.input_count; i++)
    report.inputs[i] = (struct tg_input){.name = argv[optind + (int)i]};
  tg_symbolizer_open(&report.symbolizer);
  problem = tg_report_read(&report, options.html != NULL);
  if (problem == 0 && report.counts.report != NULL)
    problem = complain_of_report(report.counts.report);
  if (problem == 0 && options.diff != NULL) problem = tg_report_compare(&report, options.diff);
  if (problem == 0 && report.counts.ours == 0 && report.counts.frames != 0)
    tg_complain(0, "logs that the guard wrote", "the stack of a crash",
                "ask what it was: tsfn-guard triage FILE");
  if (problem == 0) problem = write_out(&report, &options);
  return problem != 0 ? problem : judge(&report, options.fail_on);
}
