/* Decides what doctor may run, by names and files. A program that is not a runtime belongs to the
 * user. Doctor never starts it, with any arguments. */
#ifndef TG_COMMAND_SUBJECT_H
#define TG_COMMAND_SUBJECT_H

#include <limits.h>

#include "command/common/runtime_version.h"
#include "command/common/target.h"

enum tg_subject_kind {
  TG_SUBJECT_RUNTIME,     /* `path` is to be run */
  TG_SUBJECT_APPLICATION, /* it has a runtime in it, and runs only its own script */
  TG_SUBJECT_SCRIPT,      /* it starts something that cannot be told */
  TG_SUBJECT_UNKNOWN,
};

struct tg_subject {
  enum tg_subject_kind kind;
  char path[PATH_MAX];
  struct tg_runtime_version inside; /* of what the file says; runtime NULL: nothing */
};

void tg_subject_find(struct tg_subject *subject, const struct tg_target *target);

/* A function that the file does not export to addons, NULL if it exports all seven, or "" if it
 * cannot be read. */
const char *tg_subject_lacks(const char *path);

#endif
