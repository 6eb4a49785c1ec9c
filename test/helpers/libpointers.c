/* An "addon" that looks up the seven functions in every possible way, and prints in which objects
 * it finds them. */
#include "seven.h"

static void print_way(const char *label, const char *way) {
  char text[512];
  seven_describe(way, text, sizeof text);
  printf("%s: %s\n", label, text);
}

void probe(const char *library);
void probe(const char *library) {
  print_way("load", "load");
  print_way("default", "default");
  print_way("program", "program");
  if (library != NULL) print_way("library", library);
}
