/* Implements the reading of /proc. */
#include "command/common/process.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static FILE *open_file(int directory, const char *name) {
  int descriptor = openat(directory, name, O_RDONLY | O_CLOEXEC);
  FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "r");
  if (file == NULL && descriptor >= 0) close(descriptor);
  return file;
}

char *tg_process_variable(int directory, const char *name) {
  FILE *file = open_file(directory, "environ");
  char *variable = NULL;
  size_t size = 0, length = strlen(name);
  bool found = false;
  if (file == NULL) return NULL;
  while (!found && getdelim(&variable, &size, '\0', file) > 0)
    found = strncmp(variable, name, length) == 0 && variable[length] == '=';
  fclose(file);
  if (found) {
    memmove(variable, variable + length + 1, strlen(variable + length + 1) + 1);
    return variable;
  }
  free(variable);
  return NULL;
}

pid_t tg_process_inner_id(int directory) {
  static const char name[] = "NStgid:";
  FILE *file = open_file(directory, "status");
  char line[1024];
  long id = 0;
  if (file == NULL) return 0;
  while (id == 0 && fgets(line, sizeof line, file) != NULL) {
    const char *last = strrchr(line, '\t');
    if (last != NULL && strncmp(line, name, strlen(name)) == 0) id = strtol(last, NULL, 10);
  }
  fclose(file);
  return (pid_t)id;
}
