/* Finds many words in a line in one pass: by their first two bytes.
 *
 * Words are of the program itself, and stay where they are. No state but the set's; a set that is filled is only read. */
#ifndef TG_COMMAND_TRIAGE_WORDS_H
#define TG_COMMAND_TRIAGE_WORDS_H

#include <stdbool.h>
#include <stdint.h>

enum { TG_WORD_SET_MAX = 1024 };

struct tg_word_set {
  uint16_t count;
  uint16_t heads[1 << 16]; /* by two bytes: the number of an entry, from 1; 0: none */
  struct tg_word_entry {
    const char *word;
    uint32_t id;
    uint16_t next;
  } entries[TG_WORD_SET_MAX];
};

/* A word of two bytes at least, in which '*' stands for anything. False: there is no room. */
bool tg_word_set_add(struct tg_word_set *set, const char *word, uint32_t id);

/* Hands on the id of each word that is in the line; of one that is there twice, twice. */
void tg_word_set_find(const struct tg_word_set *set, const char *line,
                      void (*take)(void *argument, uint32_t id), void *argument);

/* Whether such a word is in a line. */
bool tg_words_fit(const char *line, const char *words);

#endif
