/* Names the addon that is at fault for an event, and says what to do about it.
 *
 * Thread safety: the report's lock is held. No allocation, no stdio. The package.json above an
 * addon's file is read when the addon is named for the first time. */
#ifndef TG_DIAG_CULPRIT_H
#define TG_DIAG_CULPRIT_H

#include "base/package_json.h"
#include "base/text.h"
#include "core/event.h"
#include "diag/emitter.h"

/* In the functions below, `file` is the path of the addon's file, as a site has it (diag/policy.h);
 * empty: unknown. */

/* The npm package that the file belongs to. Its strings are empty if it is unknown. */
const struct tg_package_json *tg_culprit_package(const char *file);

/* Adds "acme-sensor@2.1.0"; nothing if the package is unknown. */
void tg_culprit_add_package(struct tg_text *text, const char *file);

/* Emits the same as the field `package`. In JSON the field is null if the package is unknown. */
void tg_culprit_emit_package(struct tg_emitter *emitter, const char *file);

/* Adds "acme-sensor@2.1.0 sensor.node", or the whole path if the package is unknown. */
void tg_culprit_add_name(struct tg_text *text, const char *file);

/* Adds the one thing to do about an event of this kind. */
void tg_culprit_add_remedy(struct tg_text *text, enum tg_event_kind kind, const char *file);

#endif
