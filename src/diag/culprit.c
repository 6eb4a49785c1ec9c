/* Implements culprit.h. */
#include "diag/culprit.h"

#include <string.h>

#include "diag/catalogue.h"
#include "diag/policy.h"

/* How many packages are remembered, the last that were read. It is rare that more addons than this
 * are at fault in one process; files are then read again. */
enum { REMEMBERED = 32 };

static struct remembered {
  char file[TG_SITE_FILE_MAX];
  struct tg_package_json package;
} remembered[REMEMBERED];
static unsigned remembered_count; /* how many were ever read */

static struct tg_package_reader reader;

static bool has_name(const struct tg_package_json *package) {
  return package->name[0] != '\0';
}

const struct tg_package_json *tg_culprit_package(const char *file) {
  for (unsigned i = 0; i < remembered_count && i < REMEMBERED; i++)
    if (strcmp(remembered[i].file, file) == 0) return &remembered[i].package;
  struct remembered *one = &remembered[remembered_count++ % REMEMBERED];
  tg_copy_string(one->file, sizeof one->file, file);
  if (!tg_package_json_find(&reader, file, has_name, &one->package))
    one->package = (struct tg_package_json){{0}, {0}, {0}};
  return &one->package;
}

void tg_culprit_add_package(struct tg_text *text, const char *file) {
  const struct tg_package_json *package = tg_culprit_package(file);
  tg_text_add(text, package->name);
  if (package->name[0] == '\0' || package->version[0] == '\0') return;
  tg_text_add(text, "@");
  tg_text_add(text, package->version);
}

void tg_culprit_emit_package(struct tg_emitter *emitter, const char *file) {
  struct tg_text package = {.length = 0};
  tg_culprit_add_package(&package, file);
  tg_emit_string(emitter, "package", package.length == 0 ? NULL : tg_text_string(&package));
}

void tg_culprit_add_name(struct tg_text *text, const char *file) {
  if (tg_culprit_package(file)->name[0] == '\0') {
    tg_text_add(text, file[0] == '\0' ? "unknown code" : file);
    return;
  }
  tg_culprit_add_package(text, file);
  tg_text_add(text, " ");
  tg_text_add(text, tg_base_name(file));
}

static void add_update_or_report(struct tg_text *text, const char *file) {
  const struct tg_package_json *package = tg_culprit_package(file);
  tg_text_add(text, "update ");
  tg_text_add(text, package->name[0] == '\0' ? "this addon" : package->name);
  tg_text_add(text, ", or report this to its authors");
  if (package->bugs[0] == '\0') return;
  tg_text_add(text, ": ");
  tg_text_add(text, package->bugs);
}

void tg_culprit_add_remedy(struct tg_text *text, enum tg_event_kind kind, const char *file) {
  if (tg_catalogue[kind].remedy != NULL)
    tg_text_add(text, tg_catalogue[kind].remedy);
  else if (file[0] == '\0')
    tg_text_add(text, "find out which addon it is: run this with TSFN_GUARD_OPTIONS=mode=diagnose");
  else
    add_update_or_report(text, file);
}
