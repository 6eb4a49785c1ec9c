/* A statically linked program. It has no dynamic linker, so nothing can be preloaded into it. */
#include <stdio.h>

int main(void) {
  puts("static");
  return 3;
}
