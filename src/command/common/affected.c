/* Implements the table of faults. For Node these are ranges of versions, because its source and
 * releases are public, and both ends of each range were tried. For the other runtimes only the
 * versions that were run are known. */
#include "command/common/affected.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  USE_AFTER_FREE,
  SHARED_COUNT,
  LOST_WAKE_UP,
  BLOCKED_AT_CLOSE,
  EXIT,
  ORDER,
  RELEASE_AT_END,
  NULL_CONTEXT,
  WORKER_END,
  LIMIT_OF_ONE,
  DELIVERED_AFTER_END,
  FAULTS
};

static const struct tg_fault faults[FAULTS] = {
    [USE_AFTER_FREE] =
        {"use-after-free", "a function is freed while threads still hold it",
         "nodejs/node#55706, nodejs/node#55877",
         "run it guarded; docs/affected.md says which versions have which of these faults"},
    [SHARED_COUNT] = {"shared-count",
                      "threads that share one count use a freed function after it closes",
                      "shared-count.bats"},
    [LOST_WAKE_UP] = {"lost-wake-up",
                      "callers blocked on a full queue are not woken when it empties",
                      "nodejs/node#58723"},
    [BLOCKED_AT_CLOSE] = {"blocked-at-close",
                          "closing wakes at most one of the callers blocked on a full queue",
                          "blocked.bats"},
    [EXIT] = {"exit", "exit() joins threads whose calls are never rejected", "exit.bats"},
    [ORDER] = {"finalized-early",
               "remaining items are delivered with a context that was already finalized",
               "nodejs/node#60026, nodejs/node#61956"},
    [RELEASE_AT_END] = {"release-at-end",
                        "a finalizer hangs if it releases a function while its environment ends",
                        "hooks.bats, microsoft/node-api-dotnet#480"},
    [NULL_CONTEXT] = {"null-context", "get_context aborts if the result pointer is NULL",
                      "table.bats"},
    [WORKER_END] =
        {"worker-end",
         "at a worker's end no finalizer runs (with the guard too) and no caller is rejected",
         "runtimes.bats", "run it guarded; docs/runtimes.md says what does not work even then"},
    [LIMIT_OF_ONE] = {"limit-of-one",
                      "a queue with a limit of 1 accepts no item, so its callers block for ever",
                      "bare.bats", "run it guarded; docs/runtimes.md says what is known of Bare"},
    [DELIVERED_AFTER_END] =
        {"delivered-after-end",
         "items still queued when an environment ends are delivered after V8 has shut down",
         "bare.bats", "run it guarded; docs/runtimes.md says what is known of Bare"},
};

/* Versions from `from` up to `until`, which itself is not affected. */
struct range {
  unsigned fault;
  const char *runtime;
  const char *from;  /* NULL: from the first version */
  const char *until; /* NULL: no end is known */
};

static const struct range ranges[] = {
    {USE_AFTER_FREE, "node", NULL, "24.13.1"},
    {USE_AFTER_FREE, "node", "25.0.0", "25.4.0"},
    {SHARED_COUNT, "node", NULL, NULL},
    {LOST_WAKE_UP, "node", NULL, NULL},
    {BLOCKED_AT_CLOSE, "node", NULL, NULL},
    {EXIT, "node", NULL, NULL},
    {ORDER, "node", NULL, "24.16.0"},
    {ORDER, "node", "25.0.0", "26.1.0"},
    {RELEASE_AT_END, "node", "24.13.1", "25.0.0"},
    {RELEASE_AT_END, "node", "25.4.0", NULL},
    {NULL_CONTEXT, "node", NULL, NULL},
    {USE_AFTER_FREE, "bun", "1.4.5", "1.4.6"},
    {SHARED_COUNT, "bun", "1.3.9", "1.3.10"},
    {SHARED_COUNT, "bun", "1.4.5", "1.4.6"},
    {LOST_WAKE_UP, "bun", "1.3.9", "1.3.10"},
    {LOST_WAKE_UP, "bun", "1.4.5", "1.4.6"},
    {LOST_WAKE_UP, "deno", "2.9.6", "2.9.7"},
    {BLOCKED_AT_CLOSE, "bun", "1.3.9", "1.3.10"},
    {BLOCKED_AT_CLOSE, "deno", "2.9.6", "2.9.7"},
    {EXIT, "deno", "2.9.6", "2.9.7"},
    {WORKER_END, "bun", "1.3.9", "1.3.10"},
    {WORKER_END, "deno", "2.9.6", "2.9.7"},
    {USE_AFTER_FREE, "bare", "1.33.4", "1.33.5"},
    {SHARED_COUNT, "bare", "1.33.4", "1.33.5"},
    {LIMIT_OF_ONE, "bare", "1.33.4", "1.33.5"},
    {DELIVERED_AFTER_END, "bare", "1.33.4", "1.33.5"},
};

const struct tg_fault *tg_fault(unsigned number) {
  return number < FAULTS ? &faults[number] : NULL;
}

/* Less than, equal to or greater than 0, like strverscmp. Text after the numbers is ignored. */
static int compare(const char *one, const char *other) {
  char *one_end = NULL, *other_end = NULL;
  for (int parts = 0; parts < 3; parts++) {
    long first = strtol(one, &one_end, 10), second = strtol(other, &other_end, 10);
    if (first != second) return first < second ? -1 : 1;
    one = one_end + (*one_end == '.');
    other = other_end + (*other_end == '.');
  }
  return 0;
}

static bool holds(const struct range *range, const char *version) {
  return (range->from == NULL || compare(version, range->from) >= 0) &&
         (range->until == NULL || compare(version, range->until) < 0);
}

enum tg_finding tg_fault_find(const struct tg_fault *fault, const char *runtime,
                              const char *version) {
  bool known = strcmp(runtime, "node") == 0;
  for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
    if (strcmp(ranges[i].runtime, runtime) != 0 || !holds(&ranges[i], version)) continue;
    if (&faults[ranges[i].fault] == fault) return TG_AFFECTED;
    known = true;
  }
  return known ? TG_NOT_AFFECTED : TG_NOT_KNOWN;
}

static void print_range(const struct range *range) {
  if (range->from == NULL && range->until == NULL)
    printf("all");
  else if (range->from == NULL)
    printf("before %s", range->until);
  else if (range->until == NULL)
    printf("%s and newer", range->from);
  else if (strcmp(range->runtime, "node") == 0)
    printf("%s to before %s", range->from, range->until);
  else
    printf("%s", range->from);
}

static void print_versions(unsigned fault, const char *runtime) {
  const char *separator = "";
  for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
    if (ranges[i].fault != fault || strcmp(ranges[i].runtime, runtime) != 0) continue;
    printf("%s", separator);
    print_range(&ranges[i]);
    separator = ", ";
  }
  printf("%s | ", separator[0] == '\0' ? "–" : "");
}

void tg_faults_print(void) {
  puts("| fault | | Node | Bun | Deno | Bare | source |\n|---|---|---|---|---|---|---|");
  for (unsigned i = 0; i < FAULTS; i++) {
    printf("| `%s` | %s | ", faults[i].name, faults[i].what);
    print_versions(i, "node");
    print_versions(i, "bun");
    print_versions(i, "deno");
    print_versions(i, "bare");
    printf("%s |\n", faults[i].source);
  }
}
