/* Decides by the names and contents of files what doctor may run. A program that is not a runtime
 * belongs to the user. Doctor never starts it, whatever the arguments. */
#ifndef TG_COMMAND_SUBJECT_H
#define TG_COMMAND_SUBJECT_H

#include <limits.h>

#include "command/common/runtime_version.h"
#include "command/common/target.h"

enum tg_subject_kind {
  TG_SUBJECT_RUNTIME,     /* doctor runs `path` */
  TG_SUBJECT_APPLICATION, /* it contains a runtime, and runs only its own script */
  TG_SUBJECT_SCRIPT,      /* it starts a program that is not known */
  TG_SUBJECT_UNKNOWN,
};

struct tg_subject {
  enum tg_subject_kind kind;
  char path[PATH_MAX];
  struct tg_runtime_version inside; /* what the file says; `runtime` is NULL if it says nothing */
};

void tg_subject_find(struct tg_subject *subject, const struct tg_target *target);

/* Returns a function that the file does not export to addons, NULL if it exports all seven, or ""
 * if the file cannot be read. */
const char *tg_subject_lacks(const char *path);

#endif
