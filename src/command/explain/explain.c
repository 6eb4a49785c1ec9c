/* tsfn-guard explain: prints the page of docs/misuse about a kind of event. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "command/common/complain.h"
#include "command/subcommands.h"

/* All pages, one after the other, and a NUL. They are part of the program, because a copied command has no files
 * beside it. */
__asm__(
    ".pushsection .rodata\n"
    ".type tg_misuse_pages, %object\n"
    "tg_misuse_pages:\n"
    ".incbin \"" TG_MISUSE_PAGES
    "\"\n"
    ".byte 0\n"
    ".size tg_misuse_pages, . - tg_misuse_pages\n"
    ".popsection");
extern const char tg_misuse_pages[] __attribute__((visibility("hidden")));

static const char usage[] =
    "usage: tsfn-guard explain EVENT\n"
    "\n"
    "Prints what is known of an event: its symptom, its cause, how to fix it. EVENT is its code or its "
    "name:\n"
    "TSG007, 7 or stale-handle. Without EVENT: the list of all events.\n";

/* Each page begins with such a line: "# TSG007 stale-handle". */
static const char beginning[] = "# TSG";

/* The page after `page`. NULL: there is none. */
static const char *next_page(const char *page) {
  const char *line_end = strstr(page, "\n# TSG");
  return line_end == NULL ? NULL : line_end + 1;
}

static bool is_same(const char *text, size_t length, const char *wanted) {
  return strlen(wanted) == length && strncasecmp(text, wanted, length) == 0;
}

/* Finds a page by its code (with or without letters and leading zeroes) or by its name. */
static bool is_about(const char *page, const char *event) {
  const char *number = page + strlen(beginning), *code = page + strlen("# ");
  size_t digits = strcspn(number, " "), zeroes = strspn(number, "0");
  const char *name = number + digits + 1;
  return is_same(code, (size_t)(number - code) + digits, event) || is_same(number, digits, event) ||
         is_same(number + zeroes, digits - zeroes, event) || is_same(name, strcspn(name, "\n"), event);
}

static void list_pages(void) {
  for (const char *page = tg_misuse_pages; page != NULL; page = next_page(page)) {
    const char *code = page + strlen("# ");
    printf("%.*s\n", (int)strcspn(code, "\n"), code);
  }
}

static int explain(const char *event) {
  for (const char *page = tg_misuse_pages; page != NULL; page = next_page(page)) {
    if (!is_about(page, event)) continue;
    const char *end = next_page(page);
    fwrite(page, 1, end == NULL ? strlen(page) : (size_t)(end - page), stdout);
    return 0;
  }
  return tg_complain(TG_EXIT_USAGE, "the code or the name of an event", event,
                     "see the list: tsfn-guard explain");
}

int tg_command_explain(int argc, char **argv) {
  static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
  opterr = 0;
  for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
    if (option == 'h') return fputs(usage, stdout) < 0;
    return tg_complain(TG_EXIT_USAGE, "an option of tsfn-guard explain", argv[optind - 1],
                       "see tsfn-guard explain --help");
  }
  if (argc - optind > 1)
    return tg_complain(TG_EXIT_USAGE, "one event", argv[optind + 1], "see tsfn-guard explain --help");
  if (optind < argc) return explain(argv[optind]);
  list_pages();
  return 0;
}
