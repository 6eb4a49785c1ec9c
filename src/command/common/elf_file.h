/* The dynamic symbols of an ELF file on disk.
 *
 * Nothing in the file is trusted: every table is checked against the file's size, and the amount
 * that is read is limited. It has no state, so any thread may call it. */
#ifndef TG_COMMAND_ELF_FILE_H
#define TG_COMMAND_ELF_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

struct tg_elf_file {
  int file;
  uint64_t size;
  Elf64_Ehdr header;
  Elf64_Phdr *headers;
  unsigned header_count;
  char *names; /* the dynamic string table, with a NUL after it */
  uint64_t names_size;
  uint64_t names_address, symbols_address;
};

/* `file` is a descriptor of a regular file, and still belongs to the caller. Returns NULL, or what
 * is wrong with the file. In the latter case only `header` and `headers` may be valid. Must be
 * closed in both cases. */
const char *tg_elf_file_open(struct tg_elf_file *elf, int file);
void tg_elf_file_close(struct tg_elf_file *elf);

/* False: a part of the range is not in the file, or cannot be read. */
bool tg_elf_file_read(const struct tg_elf_file *elf, uint64_t offset, void *to, uint64_t size);

/* Calls `visit` for each library that the file needs, and for each dynamic symbol. False: the table
 * is damaged. */
void tg_elf_file_needed(const struct tg_elf_file *elf,
                        void (*visit)(void *argument, const char *library), void *argument);
bool tg_elf_file_symbols(const struct tg_elf_file *elf,
                         void (*visit)(void *argument, const char *name, bool is_defined),
                         void *argument);

#endif
