/* tsfn-guard explain: prints the page of docs/misuse about a kind of event. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "command/common/arguments.h"
#include "command/common/colour.h"
#include "command/common/complain.h"
#include "command/subcommands.h"

/* All pages, one after the other, and a NUL. They are part of the program, because a copied command
 * has no files beside it. */
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
    "usage: tsfn-guard explain [EVENT]\n"
    "\n"
    "Prints what is known about an event: its symptom, its cause, and how to fix it.\n"
    "EVENT is its code or its name: TSG007, 7 or stale-handle. Without EVENT: the\n"
    "list of all events.\n";

/* Each page begins with a line like "# TSG007 stale-handle". */
static const char beginning[] = "# TSG";

/* Returns the page after `page`. NULL: there is none. */
static const char *next_page(const char *page) {
  const char *line_end = strstr(page, "\n# TSG");
  return line_end == NULL ? NULL : line_end + 1;
}

static bool is_same(const char *text, size_t length, const char *wanted) {
  return strlen(wanted) == length && strncasecmp(text, wanted, length) == 0;
}

/* Whether the page has this code (with or without letters and leading zeroes) or this name. */
static bool is_about(const char *page, const char *event) {
  const char *number = page + strlen(beginning), *code = page + strlen("# ");
  size_t digits = strcspn(number, " "), zeroes = strspn(number, "0");
  const char *name = number + digits + 1;
  return is_same(code, (size_t)(number - code) + digits, event) || is_same(number, digits, event) ||
         is_same(number + zeroes, digits - zeroes, event) ||
         is_same(name, strcspn(name, "\n"), event);
}

static void list_pages(void) {
  for (const char *page = tg_misuse_pages; page != NULL; page = next_page(page)) {
    const char *code = page + strlen("# ");
    printf("%.*s\n", (int)strcspn(code, "\n"), code);
  }
}

/* NULL: there is none. */
static const char *find_page(const char *event) {
  const char *page = tg_misuse_pages;
  while (page != NULL && !is_about(page, event)) page = next_page(page);
  return page;
}

/* Prints a page with its headings highlighted. */
static void print_page(const char *page) {
  const char *end = next_page(page);
  if (end == NULL) end = page + strlen(page);
  while (page < end) {
    const char *line_end = memchr(page, '\n', (size_t)(end - page));
    size_t length = line_end == NULL ? (size_t)(end - page) : (size_t)(line_end - page);
    bool is_heading = page[0] == '#';
    printf("%s%.*s%s", is_heading ? tg_colour(stdout, TG_COLOUR_HEADING) : "", (int)length, page,
           is_heading ? tg_colour(stdout, TG_COLOUR_NONE) : "");
    if (line_end != NULL) putchar('\n');
    page += length + 1;
  }
}

int tg_command_explain(int argc, char **argv) {
  struct tg_arguments arguments = {.usage = usage};
  int status = tg_arguments_read(argc, argv, &arguments);
  if (status != TG_GO_ON) return status;
  if (argc - optind > 1)
    return tg_complain(TG_EXIT_USAGE, "one event", argv[optind + 1],
                       "see tsfn-guard explain --help");
  const char *page = optind < argc ? find_page(argv[optind]) : NULL;
  if (optind < argc && page == NULL)
    return tg_complain(TG_EXIT_USAGE, "the code or the name of an event", argv[optind],
                       "see the list: tsfn-guard explain");
  status = tg_arguments_open_output(&arguments);
  if (status != TG_GO_ON) return status;
  if (page != NULL)
    print_page(page);
  else
    list_pages();
  return 0;
}
