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
