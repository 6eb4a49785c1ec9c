/* Implements the decision about what may be run. */
#include "command/doctor/subject.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "command/common/elf_file.h"

/* Whether this is the name of a runtime, maybe with a version: "node", "nodejs", "bun-1.4",
 * "node22". */
static bool is_runtime_name(const char *path) {
  static const char *const names[] = {"nodejs", "node", "bun", "deno", "bare", "electron"};
  const char *name = tg_base_name(path);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    size_t length = strlen(names[i]);
    if (strncmp(name, names[i], length) == 0)
      return name[length + strspn(name + length, "0123456789.-")] == '\0';
  }
  return false;
}

static bool contains(const char *path, const char *mark) {
  struct stat status;
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (file < 0) return false;
  size_t size = fstat(file, &status) == 0 && S_ISREG(status.st_mode) ? (size_t)status.st_size : 0;
  char *bytes = size == 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
  close(file);
  if (bytes == MAP_FAILED) return false;
  bool found = memmem(bytes, size, mark, strlen(mark)) != NULL;
  munmap(bytes, size);
  return found;
}

/* From Bun 1.2.16 on, an application that was built with it works as Bun if BUN_BE_BUN is set. */
static bool can_be_bun(const char *version) {
  char *end;
  long major = strtol(version, &end, 10), minor = *end == '.' ? strtol(end + 1, &end, 10) : 0;
  long patch = *end == '.' ? strtol(end + 1, &end, 10) : 0;
  return major > 1 || (major == 1 && (minor > 2 || (minor == 2 && patch >= 16)));
}

/* A single executable application of Node contains this fuse. An application that was packed with
 * pkg reads the variable PKG_EXECPATH. If pkg has packed it on a Node of its own, the application
 * compares the variable with a value that asks for that Node. */
static enum tg_subject_kind kind_of_node(const char *path) {
  if (contains(path, "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:1"))
    return TG_SUBJECT_APPLICATION;
  if (contains(path, "PKG_EXECPATH === 'PKG_INVOKE_NODEJS'")) return TG_SUBJECT_RUNTIME;
  return contains(path, "PKG_EXECPATH") ? TG_SUBJECT_APPLICATION : TG_SUBJECT_RUNTIME;
}

/* An application that was built with Bun or Deno is the runtime's file with data appended. It is
 * recognized by its name, which is not that of a runtime. */
static enum tg_subject_kind kind_of_file(const char *path,
                                         const struct tg_runtime_version *inside) {
  bool is_named = is_runtime_name(path);
  if (inside->runtime == NULL) return is_named ? TG_SUBJECT_RUNTIME : TG_SUBJECT_UNKNOWN;
  if (strcmp(inside->runtime, "node") == 0) return kind_of_node(path);
  bool is_bun = strcmp(inside->runtime, "bun") == 0;
  return is_named || (is_bun && can_be_bun(inside->version)) ? TG_SUBJECT_RUNTIME
                                                             : TG_SUBJECT_APPLICATION;
}

void tg_subject_find(struct tg_subject *subject, const struct tg_target *target) {
  bool is_script = strcmp(target->program, target->file) != 0;
  tg_runtime_version_find(target->file, &subject->inside);
  subject->kind = kind_of_file(target->file, &subject->inside);
  tg_copy_string(subject->path, sizeof subject->path, target->file);
  if (!is_script || subject->kind != TG_SUBJECT_UNKNOWN) return;
  /* A shell script with a runtime's name stands for that runtime. Distributions and version
   * managers have such scripts. */
  subject->kind = is_runtime_name(target->program) ? TG_SUBJECT_RUNTIME : TG_SUBJECT_SCRIPT;
  tg_copy_string(subject->path, sizeof subject->path, target->program);
}

/* --- The functions that the file exports */

static const char *const functions[] = {
    "napi_create_threadsafe_function",  "napi_get_threadsafe_function_context",
    "napi_call_threadsafe_function",    "napi_acquire_threadsafe_function",
    "napi_release_threadsafe_function", "napi_unref_threadsafe_function",
    "napi_ref_threadsafe_function",
};

enum { FUNCTIONS = sizeof functions / sizeof functions[0] };

static void mark_function(void *argument, const char *name, bool is_defined) {
  bool *found = argument;
  for (unsigned i = 0; is_defined && i < FUNCTIONS; i++)
    if (strcmp(name, functions[i]) == 0) found[i] = true;
}

const char *tg_subject_lacks(const char *path) {
  struct tg_elf_file elf;
  bool found[FUNCTIONS] = {false};
  unsigned lacking = 0;
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (file < 0) return "";
  bool sound =
      tg_elf_file_open(&elf, file) == NULL && tg_elf_file_symbols(&elf, mark_function, found);
  tg_elf_file_close(&elf);
  close(file);
  if (!sound) return "";
  while (lacking < FUNCTIONS && found[lacking]) lacking++;
  return lacking == FUNCTIONS ? NULL : functions[lacking];
}
