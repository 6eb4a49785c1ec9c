/* Implements the examination of a program before it is started. */
#include "command/common/target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/text.h"

/* --- ELF files */

static bool read_at(int file, uint64_t offset, void *to, size_t size) {
  return offset <= INT64_MAX - size && pread(file, to, size, (off_t)offset) == (ssize_t)size;
}

static bool read_loader(int file, const Elf64_Phdr *header, char loader[PATH_MAX]) {
  if (header->p_filesz < 2 || header->p_filesz > PATH_MAX) return false;
  return read_at(file, header->p_offset, loader, header->p_filesz) &&
         loader[header->p_filesz - 1] == '\0';
}

static bool read_headers(int file, const Elf64_Ehdr *elf, struct tg_binary *binary) {
  enum { HEADERS_MAX = 1024 };
  if (elf->e_phentsize != sizeof(Elf64_Phdr) || elf->e_phnum == 0 || elf->e_phnum > HEADERS_MAX)
    return false;
  for (unsigned i = 0; i < elf->e_phnum; i++) {
    Elf64_Phdr header;
    if (!read_at(file, elf->e_phoff + i * sizeof header, &header, sizeof header)) return false;
    if (header.p_type == PT_INTERP && !read_loader(file, &header, binary->loader)) return false;
  }
  return true;
}

static bool read_binary(int file, struct tg_binary *binary) {
  Elf64_Ehdr elf;
  *binary = (struct tg_binary){0};
  if (!read_at(file, 0, &elf, sizeof elf) || memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0)
    return false;
  if (elf.e_type != ET_EXEC && elf.e_type != ET_DYN) return false;
  /* The rest of the header would have another layout. */
  if (elf.e_ident[EI_CLASS] != ELFCLASS64 || elf.e_ident[EI_DATA] != ELFDATA2LSB) return true;
  binary->machine = elf.e_machine;
  return read_headers(file, &elf, binary);
}

bool tg_binary_read(const char *path, struct tg_binary *binary) {
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return false;
  bool read = read_binary(file, binary);
  close(file);
  return read;
}

bool tg_is_core(const char *path) {
  Elf64_Ehdr elf;
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return false;
  bool is_core = read_at(file, 0, &elf, sizeof elf) && memcmp(elf.e_ident, ELFMAG, SELFMAG) == 0 &&
                 elf.e_type == ET_CORE;
  close(file);
  return is_core;
}

const char *tg_machine_name(unsigned machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_AARCH64:
      return "arm64";
    case EM_RISCV:
      return "RISC-V";
    case EM_PPC64:
      return "ppc64le";
    case EM_NONE:
      return "a 32-bit or big-endian machine";
    default:
      return "another architecture";
  }
}

/* --- Obstacles */

static void obstruct(struct tg_target *target, enum tg_obstacle obstacle, const char *needed,
                     const char *remedy) {
  target->obstacle = obstacle;
  target->needed = needed;
  target->remedy = remedy;
}

static void find(struct tg_target *target, const char *subject, const char *what) {
  snprintf(target->found, sizeof target->found, "%.*s%s", PATH_MAX, subject, what);
}

/* What exec of this file would change: the user, the group or the capabilities, as a text. NULL:
 * none of them. The rules are the kernel's. */
static const char *privilege_of(const char *path) {
  struct stat status;
  struct statvfs system;
  if (stat(path, &status) != 0 || statvfs(path, &system) != 0) return NULL;
  if ((system.f_flag & ST_NOSUID) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) return NULL;
  if ((status.st_mode & S_ISUID) != 0 && status.st_uid != getuid()) return ", which is set-user-ID";
  if ((status.st_mode & S_ISGID) != 0 && (status.st_mode & S_IXGRP) != 0 &&
      status.st_gid != getgid())
    return ", which is set-group-ID";
  if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
    return ", which has file capabilities";
  return NULL;
}

bool tg_is_musl(const char *loader) {
  return strncmp(tg_base_name(loader), "ld-musl-", strlen("ld-musl-")) == 0;
}

/* The dynamic linker looks like a static program, but it may start any program. */
static bool is_dynamic_linker(const char *file) {
  const char *name = tg_base_name(file);
  return strncmp(name, "ld-", strlen("ld-")) == 0 || strncmp(name, "ld.so", strlen("ld.so")) == 0;
}

static void obstruct_machine(struct tg_target *target, unsigned machine) {
  static char needed[64];
  snprintf(needed, sizeof needed, "a program for %s, like the library", tg_machine_name(machine));
  obstruct(target, TG_OBSTACLE_MACHINE, needed, "use the tsfn-guard of that architecture");
  snprintf(target->found, sizeof target->found, "%s, which is for %s", target->file,
           tg_machine_name(target->binary.machine));
}

/* False: the file gains no privileges. */
static bool obstruct_privileges(struct tg_target *target) {
  const char *privilege = privilege_of(target->file);
  if (privilege == NULL) return false;
  obstruct(
      target, TG_OBSTACLE_PRIVILEGES,
      "a program that gains no privileges, because for one that does the loader ignores LD_PRELOAD",
      "run a copy without them; for a port below 1024 give the service the ambient capability "
      "CAP_NET_BIND_SERVICE instead");
  find(target, target->file, privilege);
  return true;
}

static void examine_binary(struct tg_target *target, unsigned machine) {
  if (!tg_binary_read(target->file, &target->binary)) {
    obstruct(target, TG_OBSTACLE_NOT_EXECUTABLE, "a program", "install it again");
    find(target, target->file, ", an ELF file that is damaged or is not a program");
  } else if (target->binary.machine != machine) {
    obstruct_machine(target, machine);
  } else if (target->binary.loader[0] == '\0' && is_dynamic_linker(target->file)) {
    obstruct(target, TG_OBSTACLE_STATIC,
             "a program, because the command does not look into what the dynamic linker starts",
             "name only the program, or set LD_PRELOAD by hand");
    find(target, target->file, ", the dynamic linker");
  } else if (target->binary.loader[0] == '\0') {
    obstruct(target, TG_OBSTACLE_STATIC,
             "a dynamically linked program, because the loader does the preloading",
             "use a dynamically linked build, like the official builds of Node.js, Bun and Deno");
    find(target, target->file, ", which is linked statically");
  } else {
    obstruct_privileges(target);
  }
}

/* --- Looking a program up */

/* 0, or the reason why the file cannot be executed. */
static int why_not(const char *path) {
  struct stat status;
  if (stat(path, &status) != 0) return errno;
  if (S_ISDIR(status.st_mode)) return EISDIR;
  if (!S_ISREG(status.st_mode)) return ENOEXEC;
  return access(path, X_OK) == 0 ? 0 : errno;
}

/* Looks in one directory of PATH. An empty one is the current directory. */
static int look_in(const char *directory, size_t length, const char *name, char path[PATH_MAX]) {
  int wanted = snprintf(path, PATH_MAX, "%.*s/%s", length == 0 ? 1 : (int)length,
                        length == 0 ? "." : directory, name);
  return wanted < PATH_MAX ? why_not(path) : ENAMETOOLONG;
}

/* Like execvp: a file that may not be executed is reported only if no other file is found. */
static int look_in_path(const char *name, char path[PATH_MAX]) {
  const char *list = getenv("PATH");
  char forbidden[PATH_MAX];
  int error = ENOENT;
  if (list == NULL) list = "/bin:/usr/bin";
  for (;;) {
    size_t length = strcspn(list, ":");
    int here = length < PATH_MAX ? look_in(list, length, name, path) : ENAMETOOLONG;
    if (here == 0) return 0;
    if (here == EACCES && error != EACCES) {
      error = EACCES;
      memcpy(forbidden, path, PATH_MAX);
    }
    if (list[length] == '\0') break;
    list += length + 1;
  }
  if (error == EACCES) memcpy(path, forbidden, PATH_MAX);
  return error;
}

static int look_up(const char *name, char path[PATH_MAX]) {
  if (strchr(name, '/') == NULL) return name[0] == '\0' ? ENOENT : look_in_path(name, path);
  if (strlen(name) >= PATH_MAX) return ENAMETOOLONG;
  tg_copy_string(path, PATH_MAX, name);
  return why_not(path);
}

static void obstruct_lookup(struct tg_target *target, const char *name, int error) {
  if (error == EACCES || error == EISDIR || error == ENOEXEC) {
    obstruct(target, TG_OBSTACLE_NOT_EXECUTABLE, "a program that may be executed",
             error == EACCES ? "make it executable (chmod +x), or name its runtime before it"
                             : "name a program");
    find(target, target->program,
         error == EACCES   ? ", which is not executable"
         : error == EISDIR ? ", a directory"
                           : ", which is not a regular file");
    return;
  }
  bool in_path = strchr(name, '/') == NULL;
  obstruct(target, TG_OBSTACLE_NOT_FOUND, "a program to run",
           !in_path                  ? "check its path"
           : access(name, F_OK) == 0 ? "put ./ before the name of a file in this directory"
                                     : "check its name, or PATH");
  if (error == ENOENT)
    find(target, name[0] == '\0' ? "an empty name" : name,
         in_path ? ", which is not in PATH" : ", which does not exist");
  else
    snprintf(target->found, sizeof target->found, "%.*s: %s", PATH_MAX, name, strerror(error));
}

/* --- Scripts */

enum { FIRST_LINE_MAX = 256 }; /* Linux reads this many bytes */

/* Reads the file's first line. False: the file cannot be read. */
static bool read_first_line(const char *path, char line[FIRST_LINE_MAX]) {
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  ssize_t length = file < 0 ? -1 : read(file, line, FIRST_LINE_MAX - 1);
  if (file >= 0) close(file);
  if (length < 0) return false;
  line[length] = '\0';
  line[strcspn(line, "\n")] = '\0';
  return true;
}

/* Removes an option at the beginning of an argument of env: "-Snode" becomes node. NULL: the result
 * is not known. */
static char *without_option(char *word) {
  static const char *const alone[] = {"-", "-S", "-i", "-v"};
  static const char split[] = "--split-string=";
  for (size_t i = 0; i < sizeof alone / sizeof alone[0]; i++)
    if (strcmp(word, alone[i]) == 0) return word + strlen(word);
  if (strncmp(word, split, strlen(split)) == 0) return word + strlen(split);
  return strncmp(word, "-S", 2) == 0 ? word + 2 : NULL;
}

/* The program that env starts. NULL: there is none, or only env itself can find it. */
static char *program_of_env(char *arguments) {
  /* When env splits the words, it treats a carriage return as a space, and interprets quotes and
   * variables. */
  bool is_split = strstr(arguments, "-S") != NULL || strstr(arguments, "--split-string") != NULL;
  const char *separators = is_split ? " \t\v\f\r" : " \t";
  if (is_split && strpbrk(arguments, "'\"\\$#") != NULL) return NULL;
  char *rest = NULL, *word = strtok_r(arguments, separators, &rest);
  while (word != NULL) {
    if (strcmp(word, "-u") == 0 || strcmp(word, "-C") == 0) {
      strtok_r(NULL, separators, &rest);
    } else {
      if (word[0] == '-') word = without_option(word);
      if (word == NULL || word[0] == '-') return NULL;
      if (word[0] != '\0' && strchr(word, '=') == NULL) return word;
    }
    word = strtok_r(NULL, separators, &rest);
  }
  return NULL;
}

/* The interpreter that the text after #! names. NULL: there is none. If it is env, the result is
 * the program that env starts. */
static const char *interpreter_of(char *line) {
  char *rest = NULL, *path = strtok_r(line, " \t", &rest);
  if (path == NULL) return NULL;
  char *program = strcmp(tg_base_name(path), "env") == 0 ? program_of_env(rest) : NULL;
  return program == NULL ? path : program;
}

/* Goes from a script to its interpreter. False: the interpreter cannot be run. */
static bool follow(struct tg_target *target, const char *interpreter) {
  char path[PATH_MAX];
  int error = look_up(interpreter, path);
  if (error == 0) {
    memcpy(target->file, path, sizeof path);
    return true;
  }
  obstruct(target, TG_OBSTACLE_NO_RUNTIME, "the runtime that the script's first line names",
           interpreter[strlen(interpreter) - 1] == '\r'
               ? "save the script with line ends that have no carriage return (LF, not CRLF)"
               : "install it, or name another: tsfn-guard -- RUNTIME SCRIPT");
  snprintf(target->found, sizeof target->found, "%s, which needs %s: %s", target->file, interpreter,
           strerror(error));
  return false;
}

/* Examines the program itself, or the interpreter to which its scripts lead. */
static void examine_file(struct tg_target *target, unsigned machine) {
  enum { SCRIPTS_MAX = 5 }; /* the interpreter may be a script; same limit as Linux */
  for (unsigned scripts = 0; scripts <= SCRIPTS_MAX; scripts++) {
    char line[FIRST_LINE_MAX];
    if (!read_first_line(target->file, line)) {
      /* A program that may be executed but not read cannot be examined. */
      obstruct_privileges(target);
      return;
    }
    if (strncmp(line, ELFMAG, SELFMAG) == 0) {
      examine_binary(target, machine);
      return;
    }
    const char *interpreter = strncmp(line, "#!", 2) == 0 ? interpreter_of(line + 2) : NULL;
    if (interpreter == NULL) break;
    if (!follow(target, interpreter)) return;
  }
  obstruct(target, TG_OBSTACLE_NO_RUNTIME,
           "a program, or a script whose first line names its runtime (#!)",
           "name its runtime: tsfn-guard -- node FILE");
  find(target, target->file, ", which is neither");
}

void tg_target_examine(struct tg_target *target, const char *program, unsigned machine) {
  *target = (struct tg_target){.obstacle = TG_OBSTACLE_NONE};
  int error = look_up(program, target->program);
  if (tg_is_core(error == 0 ? target->program : program)) {
    obstruct(target, TG_OBSTACLE_NOT_EXECUTABLE, "a program",
             "ask what the crash was: tsfn-guard triage FILE");
    find(target, program, ", which is the core file of a process");
    return;
  }
  if (error != 0) {
    obstruct_lookup(target, program, error);
    return;
  }
  memcpy(target->file, target->program, sizeof target->file);
  examine_file(target, machine);
}
