/* Implements complain.h. */
#include "command/common/complain.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* Arguments and the contents of files must not forge lines or control the terminal. */
static void print_harmless(const char *string) {
  struct tg_text text;
  for (size_t left = strlen(string), length; left != 0; left -= length, string += length) {
    length = left < sizeof text.bytes ? left : sizeof text.bytes - 1;
    text.length = 0;
    tg_text_add_bytes(&text, string, length);
    fputs(tg_text_string(&text), stderr);
  }
}

int tg_complain(int status, const char *needed, const char *found, const char *remedy) {
  fprintf(stderr, "tsfn-guard: needed: %s\n  found: ", needed);
  print_harmless(found);
  fprintf(stderr, "\n  do: %s\n", remedy);
  return status;
}

int tg_complain_option(const char *needed, char **argv, const char *remedy) {
  const char letter[] = {'-', (char)optopt, '\0'};
  bool is_letter = optopt > 0 && optopt <= UCHAR_MAX;
  return tg_complain(TG_EXIT_USAGE, needed, is_letter ? letter : argv[optind - 1], remedy);
}

int tg_parse_json_option(int argc, char **argv, const char *usage, bool *json) {
  static const struct option options[] = {
      {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
  char needed[64], remedy[64];
  *json = false;
  opterr = 0;
  for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
    if (option == 'h') return fputs(usage, stdout) < 0;
    if (option == '?') {
      snprintf(needed, sizeof needed, "an option of tsfn-guard %s", argv[0]);
      snprintf(remedy, sizeof remedy, "see tsfn-guard %s --help", argv[0]);
      return tg_complain(TG_EXIT_USAGE, needed, argv[optind - 1], remedy);
    }
    *json = true;
  }
  return -1;
}
