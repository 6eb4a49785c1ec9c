/* Implements the search for words. */
#include "command/triage/triage_words.h"

#include <stddef.h>
#include <string.h>

enum { PIECE_MAX = 96 }; /* bytes between two stars of a word */

static unsigned pair_of(const char *at) {
  return (unsigned)(unsigned char)at[0] << 8 | (unsigned char)at[1];
}

bool tg_word_set_add(struct tg_word_set *set, const char *word, uint32_t id) {
  if (set->count == TG_WORD_SET_MAX) return false;
  uint16_t *head = &set->heads[pair_of(word)];
  set->entries[set->count++] = (struct tg_word_entry){word, id, *head};
  *head = set->count;
  return true;
}

bool tg_words_fit(const char *line, const char *words) {
  char piece[PIECE_MAX];
  while (*words != '\0') {
    size_t length = strcspn(words, "*");
    if (length >= sizeof piece) return false;
    memcpy(piece, words, length);
    piece[length] = '\0';
    line = strstr(line, piece);
    if (line == NULL) return false;
    line += length;
    words += length + (words[length] == '*');
  }
  return true;
}

/* The part before the first star must be exactly at this place. The other parts may be anywhere
 * after it. */
static bool begins_here(const char *at, const char *word) {
  size_t length = strcspn(word, "*");
  return strncmp(at, word, length) == 0 && tg_words_fit(at + length, word + length);
}

void tg_word_set_find(const struct tg_word_set *set, const char *line,
                      void (*take)(void *argument, uint32_t id), void *argument) {
  for (const char *at = line; at[0] != '\0' && at[1] != '\0'; at++)
    for (unsigned number = set->heads[pair_of(at)]; number != 0;
         number = set->entries[number - 1].next)
      if (begins_here(at, set->entries[number - 1].word))
        take(argument, set->entries[number - 1].id);
}
