/* Implements the table of subcommands. */
#include "command/subcommands.h"

#include <stddef.h>
#include <string.h>

#ifndef TG_HAS_REPORT
#include "command/common/complain.h"

int tg_command_report(int argc, char **argv) {
  (void)argc, (void)argv;
  return tg_complain(TG_EXIT_USAGE, "a build with the subcommand report", "one without it",
                     "build it with -DTSFN_GUARD_REPORT=ON, or install the package");
}
#endif

static const struct {
  const char *name;
  tg_subcommand *run;
} subcommands[] = {
    {"doctor", tg_command_doctor}, {"explain", tg_command_explain}, {"report", tg_command_report},
    {"scan", tg_command_scan},     {"status", tg_command_status},   {"top", tg_command_top},
    {"triage", tg_command_triage},
};

enum { SUBCOMMANDS = sizeof subcommands / sizeof subcommands[0], WORD_MAX = 16 };

tg_subcommand *tg_subcommand_find(const char *name) {
  for (size_t i = 0; i < SUBCOMMANDS; i++)
    if (strcmp(name, subcommands[i].name) == 0) return subcommands[i].run;
  return NULL;
}

static unsigned least(unsigned a, unsigned b) {
  return a < b ? a : b;
}

/* How many letters of one word must be added, removed, replaced or swapped with the next one to
 * make the other word. */
static unsigned distance(const char *one, const char *other) {
  unsigned table[WORD_MAX + 1][WORD_MAX + 1];
  size_t rows = strlen(one), columns = strlen(other);
  if (rows > WORD_MAX || columns > WORD_MAX) return WORD_MAX;
  for (unsigned i = 0; i <= rows; i++) {
    for (unsigned j = 0; j <= columns; j++) {
      if (i == 0 || j == 0) {
        table[i][j] = i + j;
        continue;
      }
      unsigned replaced = table[i - 1][j - 1] + (one[i - 1] != other[j - 1]);
      table[i][j] = least(replaced, 1 + least(table[i - 1][j], table[i][j - 1]));
      if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1])
        table[i][j] = least(table[i][j], table[i - 2][j - 2] + 1);
    }
  }
  return table[rows][columns];
}

const char *tg_subcommand_like(const char *word) {
  const char *nearest = NULL;
  unsigned best = 3; /* a word with three wrong letters is a different word */
  for (size_t i = 0; i < SUBCOMMANDS; i++) {
    unsigned mistakes = distance(word, subcommands[i].name);
    if (mistakes >= best || mistakes >= (strlen(subcommands[i].name) + 1) / 2) continue;
    nearest = subcommands[i].name;
    best = mistakes;
  }
  return nearest;
}
