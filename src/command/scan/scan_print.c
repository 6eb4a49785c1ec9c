/* Implements the printing. Names and paths are not trusted: characters that control a terminal
 * become '?'. A path is never cut off. */
#include "command/scan/scan_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/common/colour.h"
#include "command/common/json.h"
#include "command/common/target.h"

enum {
  JSON_VERSION = 1,
  WIDTH = 80,
  INDENT = 4,
  PACKAGE_WIDTH = 40,
  PACKAGE_MAX = 256,
  OPTIONS_MAX = 16
};

/* --- Words */

static const char *system_name(const struct tg_scan_addon *addon) {
  static const char *const names[] = {[TG_SYSTEM_LINUX] = "linux",
                                      [TG_SYSTEM_ANDROID] = "android",
                                      [TG_SYSTEM_FREEBSD] = "freebsd",
                                      [TG_SYSTEM_MACOS] = "macos",
                                      [TG_SYSTEM_WINDOWS] = "windows"};
  return names[addon->system];
}

static const char *libc_name(const struct tg_scan_addon *addon) {
  return addon->libc == TG_LIBC_GLIBC ? "glibc" : addon->libc == TG_LIBC_MUSL ? "musl" : NULL;
}

static const char *uses_name(const struct tg_scan_addon *addon) {
  if (addon->problem != NULL) return NULL;
  if (addon->imports != 0) return "imports";
  return addon->strings != 0 ? "dlsym" : "none";
}

static const char *registers_name(const struct tg_scan_addon *addon) {
  if (addon->problem != NULL) return NULL;
  if (addon->has_entry && addon->has_constructor) return "both";
  if (addon->has_entry) return "symbol";
  if (addon->has_constructor) return "constructor";
  return addon->has_v8_entry ? "v8" : "unknown";
}

/* Addons with NAN use functions of V8 and none of Node-API. An addon that supports several versions
 * may use both. */
static const char *api_name(const struct tg_scan_addon *addon) {
  bool node_api = addon->uses_node_api || addon->has_entry || addon->has_constructor;
  bool v8 = addon->uses_v8 || addon->has_v8_entry;
  if (addon->problem != NULL) return NULL;
  if (node_api && v8) return "node-api and v8";
  if (node_api) return "node-api";
  return v8 ? "v8" : "unknown";
}

/* Why the guard does nothing for an addon that uses thread-safe functions. NULL: the guard can
 * guard it. */
static const char *why_unguarded(const struct tg_scan_addon *addon) {
  if (tg_scan_addon_is_guardable(addon)) return NULL;
  if (addon->system != TG_SYSTEM_LINUX) return "the guard is for Linux";
  if (addon->libc == TG_LIBC_MUSL)
    return "the guard is for glibc (docs/runtimes.md says what is known of musl)";
  return "the guard is for x86-64 and arm64";
}

/* The recommended options of all addons that can be guarded, without duplicates. */
static unsigned collect_options(const struct tg_scan *scan, const char *options[OPTIONS_MAX]) {
  unsigned count = 0;
  for (size_t i = 0; i < scan->count; i++) {
    const struct tg_scan_found *found = &scan->found[i];
    if (found->advice == NULL || !tg_scan_addon_is_guardable(&found->addon)) continue;
    for (unsigned j = 0; j < TG_ADVICE_OPTIONS_MAX && found->advice->options[j] != NULL; j++) {
      unsigned known = 0;
      while (known < count && strcmp(options[known], found->advice->options[j]) != 0) known++;
      if (known == count && count < OPTIONS_MAX) options[count++] = found->advice->options[j];
    }
  }
  return count;
}

/* --- The table */

static void print_tame(const char *string) {
  char *copy = strdup(string);
  if (copy == NULL) return;
  tg_tame(copy);
  fputs(copy, stdout);
  free(copy);
}

/* Prints the path as the user would write it: below the directory that was given. */
static void print_path(const struct tg_scan *scan, const char *path) {
  size_t length = strlen(scan->walk.root);
  const char *below = path + length;
  if (strcmp(scan->walk.root, "/") == 0 || strncmp(path, scan->walk.root, length) != 0 ||
      *below != '/') {
    print_tame(*path == '\0' || strcmp(path, scan->walk.root) != 0 ? path : scan->directory);
    return;
  }
  if (strcmp(scan->directory, ".") == 0) {
    print_tame(below + 1);
    return;
  }
  size_t given = strlen(scan->directory);
  print_tame(scan->directory);
  print_tame(given != 0 && scan->directory[given - 1] == '/' ? below + 1 : below);
}

/* Prints text in lines of at most WIDTH characters. The text must be ASCII. */
static void print_wrapped(const char *text) {
  size_t column = INDENT;
  printf("%*s", INDENT, "");
  while (*text != '\0') {
    size_t length = strcspn(text, " ");
    if (column != INDENT && column + 1 + length > WIDTH) {
      printf("\n%*s", INDENT, "");
      column = INDENT;
    } else if (column != INDENT) {
      putchar(' ');
      column++;
    }
    printf("%.*s", (int)length, text);
    column += length;
    text += length + strspn(text + length, " ");
  }
  putchar('\n');
}

static void print_advice(const struct tg_scan_found *found) {
  char text[512] = "";
  const char *why = why_unguarded(&found->addon);
  if (why != NULL) {
    snprintf(text, sizeof text, "not guarded: %s", why);
  } else if (found->advice == NULL) {
    snprintf(text, sizeof text, "not tried with the guard; no option is known to be needed");
  } else {
    size_t length = 0;
    for (unsigned i = 0; i < TG_ADVICE_OPTIONS_MAX && found->advice->options[i] != NULL; i++)
      length += (size_t)snprintf(text + length, sizeof text - length, "%s%s", i == 0 ? "" : " ",
                                 found->advice->options[i]);
    snprintf(text + length, sizeof text - length, "%s%s", length == 0 ? "" : ": ",
             found->advice->text);
  }
  print_wrapped(text);
}

/* A package may have several files, for different systems. Its advice is printed only once. */
static bool has_same_advice(const struct tg_scan_found *one, const struct tg_scan_found *other) {
  return strcmp(one->package.name, other->package.name) == 0 && one->advice == other->advice &&
         why_unguarded(&one->addon) == why_unguarded(&other->addon);
}

static void print_row(const struct tg_scan *scan, const struct tg_scan_found *found) {
  const struct tg_scan_addon *addon = &found->addon;
  char package[PACKAGE_MAX], libc[32];
  snprintf(package, sizeof package, "%s%s%s",
           found->package.name[0] == '\0' ? "-" : found->package.name,
           found->package.version[0] == '\0' ? "" : "@", found->package.version);
  tg_tame(package);
  snprintf(libc, sizeof libc, "%s",
           addon->system == TG_SYSTEM_LINUX ? libc_name(addon) == NULL ? "" : libc_name(addon)
                                            : system_name(addon));
  printf("%-*s %-8s %-11s %s %s\n", PACKAGE_WIDTH, package, uses_name(addon), registers_name(addon),
         tg_machine_name(addon->machine), libc);
  printf("  ");
  print_path(scan, found->path);
  putchar('\n');
}

static void print_using(const struct tg_scan *scan, size_t using) {
  if (using == 0) return;
  printf("\n%s%-*s %-8s %-11s %s%s\n", tg_colour(stdout, TG_COLOUR_HEADING), PACKAGE_WIDTH,
         "PACKAGE", "USES", "REGISTERS", "IS FOR", tg_colour(stdout, TG_COLOUR_NONE));
  const struct tg_scan_found *last = NULL;
  for (size_t i = 0; i < scan->count; i++) {
    const struct tg_scan_found *found = &scan->found[i];
    if (!tg_scan_addon_uses(&found->addon)) continue;
    if (last != NULL && !has_same_advice(last, found)) print_advice(last);
    print_row(scan, found);
    last = found;
  }
  if (last != NULL) print_advice(last);
}

static const char *why_not_using(const struct tg_scan_addon *addon) {
  if (addon->problem != NULL) return addon->problem;
  const char *api = api_name(addon);
  if (strcmp(api, "v8") == 0) return "not a Node-API addon (V8, as with NAN)";
  return strcmp(api, "unknown") == 0 ? "not a known kind of addon" : "uses no thread-safe function";
}

static void print_others(const struct tg_scan *scan, size_t using) {
  if (using == scan->count) return;
  printf("\nothers:\n");
  for (size_t i = 0; i < scan->count; i++) {
    if (tg_scan_addon_uses(&scan->found[i].addon)) continue;
    printf("  ");
    print_path(scan, scan->found[i].path);
    printf(": %s\n", why_not_using(&scan->found[i].addon));
  }
}

static void print_problems(const struct tg_walk *walk) {
  if (walk->problem_count != 0) printf("\nnot read:\n");
  for (size_t i = 0; i < walk->problem_count; i++) {
    printf("  ");
    print_tame(walk->problems[i].path);
    printf(": %s\n", walk->problems[i].why);
  }
  if (walk->problems_not_listed != 0) printf("  and %" PRIu64 " more\n", walk->problems_not_listed);
  if (walk->is_cut)
    printf("\nThere is more than one scan can look at: name a directory further down.\n");
}

static void print_options(const struct tg_scan *scan, size_t guardable) {
  const char *options[OPTIONS_MAX];
  unsigned count = collect_options(scan, options);
  if (guardable == 0) return;
  if (count == 0) {
    printf("\nrecommended: no option\n");
    return;
  }
  printf("\nrecommended: TSFN_GUARD_OPTIONS=");
  for (unsigned i = 0; i < count; i++) printf("%s%s", i == 0 ? "" : ":", options[i]);
  putchar('\n');
}

static size_t count_using(const struct tg_scan *scan,
                          bool (*test)(const struct tg_scan_addon *addon)) {
  size_t count = 0;
  for (size_t i = 0; i < scan->count; i++) count += test(&scan->found[i].addon);
  return count;
}

void tg_scan_print(const struct tg_scan *scan) {
  size_t using = count_using(scan, tg_scan_addon_uses);
  size_t guardable = count_using(scan, tg_scan_addon_is_guardable);
  printf("%zu addon%s in ", scan->count, scan->count == 1 ? "" : "s");
  print_tame(scan->directory);
  printf(": %zu use%s thread-safe functions, %zu of them can be guarded\n", using,
         using == 1 ? "s" : "", guardable);
  print_using(scan, using);
  print_others(scan, using);
  print_problems(&scan->walk);
  print_options(scan, guardable);
}

/* --- JSON */

static void write_member(const char *name, const char *value) {
  printf(",\"%s\":", name);
  tg_json_write(stdout, value);
}

static void write_functions(const struct tg_scan_addon *addon) {
  const char *comma = "";
  printf(",\"functions\":[");
  for (unsigned i = 0; i < TG_SCAN_FUNCTIONS; i++) {
    if (((addon->imports | addon->strings) >> i & 1) == 0) continue;
    printf("%s\"%s\"", comma, tg_scan_function_names[i]);
    comma = ",";
  }
  putchar(']');
}

static void write_package(const struct tg_package *package) {
  printf(",\"package\":");
  if (package->name[0] == '\0') {
    printf("null");
    return;
  }
  printf("{\"name\":");
  tg_json_write(stdout, package->name);
  write_member("version", package->version[0] == '\0' ? NULL : package->version);
  putchar('}');
}

static void write_advice(const struct tg_scan_advice *advice) {
  printf(",\"advice\":");
  if (advice == NULL) {
    printf("null");
    return;
  }
  printf("{\"options\":[");
  for (unsigned i = 0; i < TG_ADVICE_OPTIONS_MAX && advice->options[i] != NULL; i++) {
    if (i != 0) putchar(',');
    tg_json_write(stdout, advice->options[i]);
  }
  putchar(']');
  write_member("text", advice->text);
  putchar('}');
}

static void write_addon(const struct tg_scan_found *found) {
  const struct tg_scan_addon *addon = &found->addon;
  printf("{\"path\":");
  tg_json_write(stdout, found->path);
  write_package(&found->package);
  write_member("problem", addon->problem);
  write_member("system", system_name(addon));
  write_member("architecture", addon->machine == 0 ? NULL : tg_machine_name(addon->machine));
  write_member("libc", libc_name(addon));
  write_member("api", api_name(addon));
  write_member("registers", registers_name(addon));
  write_member("uses", uses_name(addon));
  write_functions(addon);
  printf(",\"guardable\":%s", tg_scan_addon_is_guardable(addon) ? "true" : "false");
  write_advice(found->advice);
  putchar('}');
}

static void write_problems(const struct tg_walk *walk) {
  printf(",\"not_read\":[");
  for (size_t i = 0; i < walk->problem_count; i++) {
    printf("%s{\"path\":", i == 0 ? "" : ",");
    tg_json_write(stdout, walk->problems[i].path);
    write_member("why", walk->problems[i].why);
    putchar('}');
  }
  printf("],\"not_read_not_listed\":%" PRIu64 ",\"cut\":%s", walk->problems_not_listed,
         walk->is_cut ? "true" : "false");
}

void tg_scan_print_json(const struct tg_scan *scan) {
  const char *options[OPTIONS_MAX];
  unsigned count = collect_options(scan, options);
  printf("{\"version\":%d,\"type\":\"scan\"", JSON_VERSION);
  write_member("directory", scan->walk.root);
  printf(",\"directories\":%" PRIu64 ",\"entries\":%" PRIu64 ",\"addons\":[",
         scan->walk.directories, scan->walk.entries);
  for (size_t i = 0; i < scan->count; i++) {
    if (i != 0) putchar(',');
    write_addon(&scan->found[i]);
  }
  printf("],\"using\":%zu,\"guardable\":%zu", count_using(scan, tg_scan_addon_uses),
         count_using(scan, tg_scan_addon_is_guardable));
  write_problems(&scan->walk);
  printf(",\"recommended\":[");
  for (unsigned i = 0; i < count; i++) {
    if (i != 0) putchar(',');
    tg_json_write(stdout, options[i]);
  }
  printf("]}\n");
}
