/* Finds many words in a line in one pass, by their first two bytes.
 *
 * The words must be constants of the program, because they are not copied. After a set is filled,
 * it is only read. There is no other state. */
#ifndef TG_COMMAND_TRIAGE_WORDS_H
#define TG_COMMAND_TRIAGE_WORDS_H

#include <stdbool.h>
#include <stdint.h>

enum { TG_WORD_SET_MAX = 1024 };

struct tg_word_set {
  uint16_t count;
  uint16_t heads[1 << 16]; /* for each pair of bytes: the number of an entry, from 1; 0: none */
  struct tg_word_entry {
    const char *word;
    uint32_t id;
    uint16_t next;
  } entries[TG_WORD_SET_MAX];
};

/* Adds a word of at least two bytes, in which '*' stands for any text. False: the set is full. */
bool tg_word_set_add(struct tg_word_set *set, const char *word, uint32_t id);

/* Reports the id of each word in the line. If a word occurs twice, it is reported twice. */
void tg_word_set_find(const struct tg_word_set *set, const char *line,
                      void (*take)(void *argument, uint32_t id), void *argument);

/* Whether a line contains such a word. */
bool tg_words_fit(const char *line, const char *words);

#endif
