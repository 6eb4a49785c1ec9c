/* A statically linked program: no dynamic linker, so no preloading. */
#include <stdio.h>

int main(void) {
  puts("static");
  return 3;
}
