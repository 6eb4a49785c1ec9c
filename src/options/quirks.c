/* Implements quirks.h. */
#include "options/quirks.h"

#include <string.h>

#include "base/text.h"
#include "diag/lines.h"
#include "options/package_version.h"

enum { RULES_MAX = 64, GLOB_MAX = 256, RANGE_MAX = 64 };

/* Addons for which measurements have shown that a quirk helps: docs/quirks.md has the figures. */
static const struct known {
  const char *glob;
  const char *range; /* of the versions of its npm package; empty: all */
  unsigned quirks;
} table[] = {
    {"*/@libsql/*/index.node", "", TG_QUIRK_DYING | TG_QUIRK_LATE},
    {"*/aws-crt-nodejs.node", "", TG_QUIRK_DYING | TG_QUIRK_LATE | TG_QUIRK_LEAK},
    {"*/@rspack/*/rspack.*.node", "", TG_QUIRK_DYING | TG_QUIRK_LATE | TG_QUIRK_LEAK},
    {"*/@duckdb/*/duckdb.node", "", TG_QUIRK_DYING},
    {"*/@number0/*/iroh.*.node", "", TG_QUIRK_LEAK},
    {"*/@lancedb/*/lancedb.*.node", "", TG_QUIRK_LEAK},
    {"*/@node-datachannel/*/node_datachannel.node", "", TG_QUIRK_DYING | TG_QUIRK_LATE},
    {"*/@temporalio/core-bridge/*/index.node", "", TG_QUIRK_DYING | TG_QUIRK_LATE},
};

enum { KNOWN = sizeof table / sizeof table[0], QUIRKS = 3 };

static const struct {
  const char *name;
  enum tg_quirk quirk;
} quirk_names[QUIRKS] = {
    {"dying", TG_QUIRK_DYING}, {"late", TG_QUIRK_LATE}, {"leak", TG_QUIRK_LEAK}};

/* A line of the user's file. */
static struct rule {
  char glob[GLOB_MAX];
  char range[RANGE_MAX];
  unsigned quirks;
} rules[RULES_MAX];
static unsigned rule_count;
static bool wants_known;

/* --- Reading the file */

/* Reads a list of words, each of which names a quirk. False: a word is not a quirk, or there is no
 * word. */
static bool read_quirks(const char *words, size_t length, unsigned *quirks) {
  *quirks = 0;
  for (size_t start = 0; start < length;) {
    size_t end = start;
    while (end < length && words[end] != ' ') end++;
    unsigned i = 0;
    while (i < QUIRKS && (strlen(quirk_names[i].name) != end - start ||
                          memcmp(quirk_names[i].name, words + start, end - start) != 0))
      i++;
    if (end != start && i == QUIRKS) return false;
    if (end != start) *quirks |= quirk_names[i].quirk;
    start = end + 1;
  }
  return *quirks != 0;
}

/* Finds the @ of "GLOB@RANGE"; returns `length` if there is no range. A package's name may begin
 * with @ too, but only the @ of a range is followed by <, = or >. */
static size_t find_range(const char *line, size_t length) {
  for (size_t i = 0; i + 1 < length; i++)
    if (line[i] == '@' && (line[i + 1] == '<' || line[i + 1] == '=' || line[i + 1] == '>'))
      return i;
  return length;
}

/* Finds the last colon, because a path may contain colons; returns `length` if there is none. */
static size_t find_colon(const char *line, size_t length) {
  size_t colon = length;
  while (colon != 0 && line[colon - 1] != ':') colon--;
  return colon == 0 ? length : colon - 1;
}

static void read_rule(const struct tg_lines *file, uint64_t number, const char *line,
                      size_t length) {
  size_t colon = find_colon(line, length), glob = find_range(line, colon);
  size_t range = glob == colon ? 0 : colon - glob - 1;
  struct rule *rule = &rules[rule_count];
  if (colon == length || !read_quirks(line + colon + 1, length - colon - 1, &rule->quirks)) {
    tg_lines_complain(file, number, "addon-glob: followed by dying, late or leak", line, length);
    return;
  }
  if (glob == 0 || glob >= GLOB_MAX) {
    tg_lines_complain(file, number, "an addon-glob of 1 to 255 bytes", line, length);
    return;
  }
  if (range >= RANGE_MAX || (range != 0 && !tg_version_is_range(line + glob + 1, range))) {
    tg_lines_complain(file, number, "a range of versions like @>=1.2 <2, of at most 63 bytes", line,
                      length);
    return;
  }
  if (rule_count == RULES_MAX - 1) {
    tg_lines_complain(file, number, "at most 63 lines", line, length);
    return;
  }
  memcpy(rule->glob, line, glob);
  rule->glob[glob] = '\0';
  memcpy(rule->range, line + colon - range, range);
  rule->range[range] = '\0';
  rule_count++;
}

void tg_quirks_open(const char *option) {
  if (strcmp(option, "none") == 0) return;
  wants_known = strcmp(option, "known") == 0;
  if (wants_known) return;
  const struct tg_lines file = {"quirks", option,
                                "no addon has quirks: correct the file or the option"};
  tg_lines_read(&file, read_rule);
}

/* --- Look-ups */

bool tg_quirks_are_wanted(void) {
  return wants_known || rule_count != 0;
}

static bool fits(const char *glob, const char *range, const char *path) {
  if (!tg_glob_fits_path(glob, strlen(glob), path)) return false;
  struct tg_version version;
  return *range == '\0' || (tg_version_of_package(path, &version) &&
                            tg_version_is_in_range(&version, range, strlen(range)));
}

unsigned tg_quirks_known_of(const char *path) {
  unsigned quirks = 0;
  for (unsigned i = 0; i < KNOWN; i++)
    if (fits(table[i].glob, table[i].range, path)) quirks |= table[i].quirks;
  return quirks;
}

unsigned tg_quirks_of(const char *path) {
  if (wants_known) return tg_quirks_known_of(path);
  unsigned quirks = 0;
  for (unsigned i = 0; i < rule_count; i++)
    if (fits(rules[i].glob, rules[i].range, path)) quirks |= rules[i].quirks;
  return quirks;
}

void tg_quirks_print(void) {
  for (unsigned i = 0; i < KNOWN; i++) {
    struct tg_text line;
    tg_text_start(&line);
    tg_text_add(&line, "quirk ");
    tg_text_add(&line, table[i].glob);
    if (*table[i].range != '\0') tg_text_add(&line, "@");
    tg_text_add(&line, table[i].range);
    tg_text_add(&line, ":");
    for (unsigned bit = 0; bit < QUIRKS; bit++) {
      if ((table[i].quirks & quirk_names[bit].quirk) == 0) continue;
      tg_text_add(&line, " ");
      tg_text_add(&line, quirk_names[bit].name);
    }
    tg_text_write(&line);
  }
}
