/* Writes the report as one page of HTML: report.html, with the data of the report in it. The page
 * needs no other file. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "command/common/complain.h"
#include "command/report/report_output.h"

/* The page from the source tree, with a NUL behind it. */
__asm__(
    ".pushsection .rodata\n"
    ".type tg_report_page, %object\n"
    "tg_report_page:\n"
    ".incbin \"" TG_REPORT_PAGE
    "\"\n"
    ".byte 0\n"
    ".size tg_report_page, . - tg_report_page\n"
    ".popsection");
extern const char tg_report_page[] __attribute__((visibility("hidden")));

/* The data replace this word. Their JSON contains no '<', so it cannot end the script element that
 * contains it. */
static const char place[] = "\"DATA\"";

/* Whether `path` stands for the standard output. */
static bool is_standard_output(const char *path) {
  return strcmp(path, "-") == 0;
}

bool tg_report_may_write_html(const char *path) {
  char start[sizeof "<!doctype html>"]; /* as long as the page's first line with its line end */
  struct stat status;
  if (is_standard_output(path)) return true;
  FILE *there = stat(path, &status) == 0 && S_ISREG(status.st_mode) ? fopen(path, "re") : NULL;
  /* Nothing is lost. Whether the file can be written shows later. */
  if (there == NULL) return true;
  size_t length = fread(start, 1, sizeof start, there);
  fclose(there);
  return length == 0 || (length == sizeof start && memcmp(start, tg_report_page, length) == 0);
}

static void write_page(struct tg_report *report, FILE *out) {
  const char *data = strstr(tg_report_page, place);
  fwrite(tg_report_page, 1, (size_t)(data - tg_report_page), out);
  tg_report_write_page_data(report, out);
  fputs(data + sizeof place - 1, out);
}

int tg_report_write_html(struct tg_report *report, const char *path) {
  if (is_standard_output(path)) {
    write_page(report, stdout); /* the caller checks stdout for errors */
    return 0;
  }
  FILE *out = fopen(path, "we");
  if (out != NULL) write_page(report, out);
  bool failed = out == NULL || ferror(out) != 0;
  int error = errno;
  if (out != NULL && fclose(out) != 0) {
    failed = true;
    error = errno;
  }
  if (!failed) return 0;
  char found[512];
  snprintf(found, sizeof found, "%s: %s", path, strerror(error));
  return tg_complain(TG_EXIT_USAGE, "a file for the page that can be written", found,
                     "give another with --html FILE");
}
