/* Faults that random testing (test/fuzz, test/property) has found, with one test for each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the four above first. */
#include <cmocka.h>

#include <elf.h>
#include <time.h>

#include "elf/image.h"

/* The image's DT_HASH table claims 2^32 - 1 symbols and has a circular chain. A walk of that many
 * steps took 24 s of CPU time per symbol. */
static void a_circle_in_a_hash_chain_is_left_soon(void **state) {
  (void)state;
  static struct {
    ElfW(Sym) symbols[2];
    ElfW(Dyn) dynamic[5];
    uint32_t hash[5]; /* bucket count, symbol count; bucket; chains of symbols 0 and 1 */
    char strings[8];
  } image = {.hash = {1, UINT32_MAX, 1, 0, 1}};
  const ElfW(Dyn) dynamic[5] = {{.d_tag = DT_SYMTAB, .d_un.d_ptr = (uintptr_t)image.symbols},
                                {.d_tag = DT_STRTAB, .d_un.d_ptr = (uintptr_t)image.strings},
                                {.d_tag = DT_STRSZ, .d_un.d_val = sizeof image.strings},
                                {.d_tag = DT_HASH, .d_un.d_ptr = (uintptr_t)image.hash}};
  memcpy(image.dynamic, dynamic, sizeof dynamic);
  const ElfW(Phdr) headers[2] = {{.p_type = PT_LOAD, .p_flags = PF_R, .p_memsz = sizeof image},
                                 {.p_type = PT_DYNAMIC,
                                  .p_vaddr = (uintptr_t)image.dynamic - (uintptr_t)&image,
                                  .p_memsz = sizeof dynamic}};
  struct tg_image opened;
  assert_true(tg_image_open(&opened, (uintptr_t)&image, headers, 2));
  clock_t start = clock();
  assert_null(tg_image_find(&opened, "not_there", STT_FUNC));
  assert_true(clock() - start < CLOCKS_PER_SEC);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_circle_in_a_hash_chain_is_left_soon)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
