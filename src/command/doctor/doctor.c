/* tsfn-guard doctor: checks whether a runtime can be guarded here. Each check prints one line. For
 * a warning or a failure the line also says what to do. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "command/common/affected.h"
#include "command/common/arguments.h"
#include "command/common/colour.h"
#include "command/common/complain.h"
#include "command/common/library.h"
#include "command/common/target.h"
#include "command/doctor/probe_run.h"
#include "command/doctor/subject.h"
#include "command/subcommands.h"
#include "diag/emitter.h"
#include "diag/log.h"
#include "diag/policy.h"
#include "options/options.h"
#include "options/quirks.h"
#include "tsfn_guard/tsfn_guard.h"

static const char usage[] =
    "usage: tsfn-guard doctor [--json] [RUNTIME]   RUNTIME: by default node in PATH\n"
    "       tsfn-guard doctor --table              the known faults, and the versions\n"
    "                                              that have them\n"
    "\n"
    "Checks whether a runtime can be guarded here. Each check prints one line: ok,\n"
    "warn or fail, and what to do. The last line is the verdict. A program that is\n"
    "not a runtime is not run.\n"
    "Exit status: 0 if no check failed, 1 if one failed, 2 if the command line is\n"
    "wrong.\n";

enum status { OK, WARN, FAIL };

static const char *const status_names[] = {"ok", "warn", "fail"};

/* In the order in which they are printed. */
enum check {
  LIBRARY,
  PROGRAM,
  ARCHITECTURE,
  LINKING,
  PRIVILEGES,
  LOADS,
  RUNTIME,
  LIBC,
  SYMBOLS,
  REDIRECT,
  AFFECTED,
  OPTIONS,
  LOG,
};

static const char *const check_names[] = {
    "library", "program", "architecture", "linking",  "privileges", "loads", "runtime",
    "libc",    "symbols", "redirect",     "affected", "options",    "log"};

enum { FOUND_MAX = 2 * PATH_MAX, OBJECT_MAX = 4 * PATH_MAX };

struct doctor {
  bool json;
  unsigned next;             /* the check that is printed next */
  unsigned counts[FAIL + 1]; /* printed checks, by status */
  enum status statuses[LOG + 1];
  bool is_affected;   /* the runtime has a fault that is worth a warning */
  bool has_faults;    /* the runtime has any known fault */
  bool is_unknown;    /* nobody has examined this version of the runtime */
  bool is_off;        /* mode=off */
  bool has_no_addons; /* NODE_OPTIONS keeps Node from loading addons */
  char library[PATH_MAX];
  struct tg_binary library_binary;
  struct tg_target target;
  struct tg_subject subject;
  struct tg_doctor_run native;
  struct tg_doctor_run guarded;
};

/* --- Printing */

static void print_json(enum check check, enum status status, const char *found,
                       const char *remedy) {
  static char object[OBJECT_MAX];
  struct tg_emitter emitter;
  tg_emit_open(&emitter, TG_FORMAT_JSON, object, sizeof object, "", "");
  tg_emit_string(&emitter, "check", check_names[check]);
  tg_emit_string(&emitter, "status", status_names[status]);
  tg_emit_string(&emitter, "found", found);
  tg_emit_string(&emitter, "remedy", remedy);
  size_t length = tg_emit_close(&emitter) - strlen("\n");
  printf("%s%.*s", check == LIBRARY ? "" : ",", (int)length, object);
}

/* Prints "ok  ", in the colour of the status. */
static void print_status(enum status status) {
  static const enum tg_colour colours[] = {
      [OK] = TG_COLOUR_GOOD, [WARN] = TG_COLOUR_CAUTION, [FAIL] = TG_COLOUR_BAD};
  printf("%s%-4s%s", tg_colour(stdout, colours[status]), status_names[status],
         tg_colour(stdout, TG_COLOUR_NONE));
}

/* Prints the result of a check. `remedy` is NULL if there is nothing to do. */
__attribute__((format(printf, 5, 6))) static void print_check(struct doctor *doctor,
                                                              enum check check, enum status status,
                                                              const char *remedy,
                                                              const char *format, ...) {
  static char found[FOUND_MAX];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(found, sizeof found, format, arguments);
  va_end(arguments);
  doctor->counts[status]++;
  doctor->next = check + 1;
  doctor->statuses[check] = status;
  if (doctor->json) {
    print_json(check, status, found, remedy);
    return;
  }
  /* Names of files and output of programs must not be able to forge lines. */
  struct tg_text line;
  line.length = 0;
  tg_text_add(&line, found);
  print_status(status);
  printf("  %s: %s%s%s\n", check_names[check], tg_text_string(&line),
         remedy == NULL ? "" : "; do: ", remedy == NULL ? "" : remedy);
}

static const char *const untried_remedy = "fix what failed, then run doctor again";

/* Prints the checks before `check` that were skipped because an earlier one failed. In the text
 * output they share one line. */
static void pass_over(struct doctor *doctor, enum check check) {
  if (doctor->next >= check) return;
  if (!doctor->json) {
    print_status(WARN);
    printf("  not tried:");
  }
  for (; doctor->next < check; doctor->next++) {
    doctor->counts[WARN]++;
    if (doctor->json)
      print_json(doctor->next, WARN, "not tried", untried_remedy);
    else
      printf(" %s", check_names[doctor->next]);
  }
  if (!doctor->json) printf("; do: %s\n", untried_remedy);
}

/* --- The library and the program */

static bool check_library(struct doctor *doctor) {
  const char *anew = "install the complete tsfn-guard, or build it";
  if (access("/proc/self/exe", F_OK) != 0) {
    print_check(
        doctor, LIBRARY, FAIL, "mount it: mount -t proc proc /proc",
        "not checked: /proc is not mounted, and this program needs it to find its own directory");
  } else if (!tg_own_file(TG_LIBRARY_NAME, doctor->library)) {
    print_check(doctor, LIBRARY, FAIL, anew,
                "no " TG_LIBRARY_NAME " beside this program or in ../lib/tsfn-guard: %s",
                doctor->library);
  } else if (access(doctor->library, R_OK) != 0) {
    print_check(doctor, LIBRARY, FAIL, "make it readable (chmod a+r)", "%s: %s", doctor->library,
                strerror(errno));
  } else if (!tg_binary_read(doctor->library, &doctor->library_binary)) {
    print_check(doctor, LIBRARY, FAIL, anew, "%s, which is not an ELF file or is damaged",
                doctor->library);
  } else if (!tg_can_preload(doctor->library)) {
    print_check(doctor, LIBRARY, FAIL, "move tsfn-guard to another directory",
                "%s: LD_PRELOAD cannot hold a path with a space, a colon or a dollar sign",
                doctor->library);
  } else {
    print_check(doctor, LIBRARY, OK, NULL, "%s", doctor->library);
    return true;
  }
  return false;
}

static void print_obstacle(struct doctor *doctor, enum check check, enum status status) {
  print_check(doctor, check, status, doctor->target.remedy, "needed %s; found %s",
              doctor->target.needed, doctor->target.found);
}

static void print_program(struct doctor *doctor) {
  const struct tg_target *target = &doctor->target;
  if (strcmp(target->program, target->file) == 0)
    print_check(doctor, PROGRAM, OK, NULL, "%s", target->program);
  else
    print_check(doctor, PROGRAM, OK, NULL,
                "%s, a script for %s; the next lines are about that interpreter", target->program,
                target->file);
}

/* Makes these checks in the order of enum tg_obstacle (target.h). */
static bool check_program(struct doctor *doctor, const char *runtime) {
  struct tg_target *target = &doctor->target;
  tg_target_examine(target, runtime, doctor->library_binary.machine);
  if (target->obstacle != TG_OBSTACLE_NONE && target->obstacle < TG_OBSTACLE_MACHINE) {
    print_obstacle(doctor, PROGRAM, FAIL);
    return false;
  }
  if (access(target->file, R_OK) != 0) {
    print_check(doctor, PROGRAM, FAIL,
                "make it readable (chmod a+r), or run doctor as a user that may read it",
                "needed a program whose file doctor can read; found %s: %s", target->file,
                strerror(errno));
    return false;
  }
  print_program(doctor);
  if (target->obstacle == TG_OBSTACLE_MACHINE) {
    print_obstacle(doctor, ARCHITECTURE, FAIL);
    return false;
  }
  print_check(doctor, ARCHITECTURE, OK, NULL, "%s, the same as the library",
              tg_machine_name(target->binary.machine));
  if (target->obstacle == TG_OBSTACLE_STATIC) {
    print_obstacle(doctor, LINKING, FAIL);
    return false;
  }
  if (access(target->binary.loader, X_OK) != 0) {
    print_check(doctor, LINKING, FAIL,
                "install the libc that the program was built for, or another build of it",
                "dynamic, by %s: %s", target->binary.loader, strerror(errno));
    return false;
  }
  print_check(doctor, LINKING, OK, NULL, "dynamic, by %s", target->binary.loader);
  if (target->obstacle == TG_OBSTACLE_PRIVILEGES) {
    print_obstacle(doctor, PRIVILEGES, FAIL);
    return false;
  }
  print_check(doctor, PRIVILEGES, OK, NULL, "the program gains none");
  return true;
}

/* Lets the program's own loader load the library and its dependencies. The loader prints which of
 * them are missing. */
static bool check_loads(struct doctor *doctor) {
  static struct tg_outcome outcome;
  char end[128], said[512] = "";
  tg_run_captured((char *[]){doctor->target.binary.loader, "--list", doctor->library, NULL}, NULL,
                  &outcome);
  bool lacks = tg_line_with(&outcome, "not found", said, sizeof said);
  if (outcome.status == 0 && !lacks) {
    print_check(doctor, LOADS, OK, NULL, "%s loads the library", doctor->target.binary.loader);
    return true;
  }
  tg_describe_end(&outcome, end, sizeof end);
  print_check(
      doctor, LOADS, FAIL,
      "use a tsfn-guard for this architecture and libc, on a file system mounted without noexec",
      "%s does not load the library: %s: %.300s", doctor->target.binary.loader, end, outcome.said);
  return false;
}

/* --- What the runtime does */

/* musl's loader prints its version if it is started without a program. */
static void check_musl(struct doctor *doctor) {
  static struct tg_outcome outcome;
  unsigned major = 0, minor = 0, patch = 0;
  char line[128] = "";
  tg_run_captured((char *[]){doctor->target.binary.loader, NULL}, NULL, &outcome);
  tg_line_with(&outcome, "Version ", line, sizeof line);
  if (sscanf(line, "Version %u.%u.%u", &major, &minor, &patch) != 3)
    print_check(doctor, LIBC, WARN, "see docs/runtimes.md", "musl of unknown version");
  else if (major < 1 || (major == 1 && (minor < 2 || (minor == 2 && patch < 3))))
    print_check(doctor, LIBC, WARN, "use musl 1.2.3 or newer; older ones were not tried",
                "musl %u.%u.%u", major, minor, patch);
  else
    print_check(doctor, LIBC, OK, NULL, "musl %u.%u.%u; 1.2.3 and 1.2.5 were tried", major, minor,
                patch);
}

static void check_libc(struct doctor *doctor) {
  unsigned major = 0, minor = 0;
  if (tg_is_musl(doctor->target.binary.loader)) {
    check_musl(doctor);
  } else if (doctor->native.libc[0] == '\0') {
    print_check(doctor, LIBC, WARN, "see the next line",
                "unknown, because the runtime did not load the probe addon");
  } else if (sscanf(doctor->native.libc, "%u.%u", &major, &minor) != 2) {
    print_check(doctor, LIBC, WARN, "see docs/runtimes.md", "not glibc");
  } else if (major < 2 || (major == 2 && minor < 28)) {
    print_check(doctor, LIBC, FAIL, "use a system with glibc 2.28 or newer", "glibc %s",
                doctor->native.libc);
  } else {
    print_check(doctor, LIBC, OK, NULL, "glibc %s; 2.28 or newer is needed", doctor->native.libc);
  }
}

static bool is_node(const struct tg_doctor_run *run) {
  return strcmp(run->runtime, "node") == 0 || strcmp(run->runtime, "electron") == 0;
}

/* Besides Node, is_node() accepts only Electron. */
static bool is_untried_electron(const struct tg_doctor_run *run) {
  return is_node(run) && strcmp(run->runtime, "node") != 0 && strncmp(run->version, "25.", 3) != 0;
}

static bool is_old_node(const struct tg_doctor_run *run) {
  unsigned major = 0, minor = 0;
  sscanf(run->node_version, "%u.%u", &major, &minor);
  return is_node(run) && (major < 12 || (major == 12 && minor < 22));
}

/* A single executable application runs only its own script, so it cannot run the probe. Only its
 * file is examined. */
static void check_application(struct doctor *doctor) {
  const struct tg_subject *subject = &doctor->subject;
  struct tg_doctor_run *native = &doctor->native;
  tg_copy_string(native->runtime, sizeof native->runtime, subject->inside.runtime);
  tg_copy_string(native->version, sizeof native->version, subject->inside.version);
  tg_copy_string(native->node_version, sizeof native->node_version, subject->inside.version);
  print_check(doctor, RUNTIME, OK, NULL,
              "an application with %s %s in it, by its file; it was not run",
              subject->inside.runtime, subject->inside.version);
  print_check(doctor, LIBC, OK, NULL, "new enough, as its loader loads the library");
  const char *lacking = tg_subject_lacks(subject->path);
  if (lacking != NULL) {
    print_check(
        doctor, SYMBOLS, FAIL,
        "build the application with an unmodified runtime, and do not strip it",
        lacking[0] == '\0' ? "its table of symbols cannot be read" : "it does not export %s",
        lacking);
    pass_over(doctor, AFFECTED);
    return;
  }
  print_check(doctor, SYMBOLS, OK, NULL, "all seven are in the program itself, %s", subject->path);
  print_check(doctor, REDIRECT, WARN, "start it with verbosity=1, and look for the line \"armed\"",
              "not tried, because such an application runs only its own script");
}

static bool fail_subject(struct doctor *doctor) {
  if (doctor->subject.kind == TG_SUBJECT_SCRIPT)
    print_check(
        doctor, RUNTIME, FAIL, "name the runtime that it starts: tsfn-guard doctor node",
        "%s is a script for %s; doctor does not run it, so the program that it starts is unknown",
        doctor->target.program, doctor->target.file);
  else
    print_check(doctor, RUNTIME, FAIL, "name a Node.js, Bun, Deno, Bare or Electron",
                "%s is not a known runtime, judging by its name and contents; it was not run",
                doctor->subject.path);
  return false;
}

/* Checks that the runtime runs without the guard. */
static bool check_runtime(struct doctor *doctor, const char *probe) {
  const struct tg_doctor_run *native = &doctor->native;
  const struct tg_subject *subject = &doctor->subject;
  char end[128];
  if (subject->kind != TG_SUBJECT_RUNTIME) return fail_subject(doctor);
  bool tried = tg_try_runtime(subject->path, probe, NULL, &doctor->native);
  tg_describe_end(&native->outcome, end, sizeof end);
  if (!tried) {
    print_check(doctor, RUNTIME, FAIL, "name a Node.js, Bun, Deno, Bare or Electron",
                "%s is not a known runtime (--version: %s, output: %.80s)", subject->path, end,
                native->outcome.said);
  } else if (native->runtime[0] == '\0') {
    print_check(
        doctor, RUNTIME, FAIL,
        "check that it runs JavaScript with -e (Electron: check that its runAsNode fuse is on)",
        "it did not run the script (%s, output: %.200s)", end, native->outcome.said);
  } else if (is_old_node(native)) {
    print_check(doctor, RUNTIME, FAIL, "use Node.js 12.22 or newer", "%s %s", native->runtime,
                native->version);
  } else if (is_untried_electron(native)) {
    print_check(doctor, RUNTIME, WARN, "see docs/runtimes.md, and tell us whether it works",
                "%s %s, with Node %s; of Electron only version 25 was tried", native->runtime,
                native->version, native->node_version);
    return true;
  } else {
    print_check(doctor, RUNTIME, OK, NULL, "%s %s", native->runtime, native->version);
    return true;
  }
  return false;
}

/* What to do if the runtime loads no addons. Its message gives the reason. */
static const char *remedy_for_addons(const struct tg_outcome *outcome) {
  if (strstr(outcome->said, "ERR_DLOPEN_DISABLED") != NULL)
    return "nothing, if --no-addons, or --permission without --allow-addons, is wanted: then no "
           "addon is loaded, and there is nothing to guard; else take --no-addons away, or add "
           "--allow-addons";
  if (strstr(outcome->said, "ERR_ACCESS_DENIED") != NULL)
    return "add --allow-addons and --allow-fs-read to --permission; without these no addon is "
           "loaded, and there is nothing to guard";
  return "check that the runtime can load addons";
}

static bool check_symbols(struct doctor *doctor) {
  const struct tg_doctor_run *native = &doctor->native;
  char end[128];
  const char *error = strcasestr(native->outcome.said, "error");
  int length = error == NULL ? 0 : (int)strcspn(error, "\n");
  tg_describe_end(&native->outcome, end, sizeof end);
  if (native->missing[0] != '\0') {
    print_check(doctor, SYMBOLS, FAIL,
                "use an unmodified Node.js 12.22 or newer, or Bun, Deno or Bare",
                "it does not export %s", native->missing);
  } else if (native->libc[0] == '\0') {
    print_check(doctor, SYMBOLS, FAIL, remedy_for_addons(&native->outcome),
                "the probe addon was not loaded (%s, output: %.*s)", end, length,
                error == NULL ? "" : error);
  } else if (native->holder[0] == '\0') {
    print_check(doctor, SYMBOLS, FAIL, "remove other libraries that define them",
                "the seven functions are defined in several places");
  } else {
    print_check(doctor, SYMBOLS, OK, NULL, "all seven are in the %s %s",
                native->in_program ? "program itself," : "library", native->holder);
    return true;
  }
  return false;
}

/* Without the guard the probe run may fail, because the runtime itself has faults. With the guard
 * it must succeed. */
static void check_redirect(struct doctor *doctor, const char *probe) {
  const struct tg_doctor_run *guarded = &doctor->guarded;
  char end[128], said[1024] = "";
  tg_try_runtime(doctor->subject.path, probe, doctor->library, &doctor->guarded);
  tg_describe_end(&guarded->outcome, end, sizeof end);
  bool is_reported = tg_line_with(&guarded->outcome, "not armed in", said, sizeof said) ||
                     tg_line_with(&guarded->outcome, "ld.so", said, sizeof said);
  bool is_ours = strcmp(guarded->holder, doctor->library) == 0;
  if (is_ours && guarded->is_guarded && guarded->works) {
    print_check(doctor, REDIRECT, OK, NULL,
                "the seven functions lead to the guard; an item from a thread was delivered and "
                "its function was finalized");
  } else if (is_reported) {
    print_check(doctor, REDIRECT, FAIL, "follow the message", "%s", said);
  } else if (!is_ours || !guarded->is_guarded) {
    print_check(doctor, REDIRECT, FAIL,
                "check whether a wrapper script or a service manager clears LD_PRELOAD",
                "the library is not in the process (%s)", end);
  } else {
    print_check(doctor, REDIRECT, FAIL, "please report it and include this output",
                "the seven functions lead to the guard, but the probe failed (%s, output: %.300s)",
                end, guarded->outcome.said);
  }
}

static void check_affected(struct doctor *doctor) {
  const struct tg_doctor_run *native = &doctor->native;
  const char *runtime = is_node(native) ? "node" : native->runtime, *remedy = NULL;
  const char *version = is_node(native) ? native->node_version : native->version;
  struct tg_text names;
  names.length = 0;
  for (unsigned i = 0; tg_fault(i) != NULL; i++) {
    const struct tg_fault *fault = tg_fault(i);
    enum tg_finding finding = tg_fault_find(fault, runtime, version);
    if (finding == TG_NOT_KNOWN) {
      doctor->is_unknown = true;
      print_check(doctor, AFFECTED, WARN, "see docs/affected.md",
                  "unknown: nobody has examined %s %s", runtime, version);
      return;
    }
    if (finding == TG_NOT_AFFECTED) continue;
    if (fault->remedy != NULL) remedy = fault->remedy;
    tg_text_add(&names, names.length == 0 ? "" : ", ");
    tg_text_add(&names, fault->name);
  }
  doctor->is_affected = remedy != NULL;
  doctor->has_faults = names.length != 0;
  print_check(doctor, AFFECTED, remedy == NULL ? OK : WARN, remedy,
              "without the guard, %s %s has: %s", runtime, version,
              names.length == 0 ? "no fault that is known" : tg_text_string(&names));
}

static void examine_runtime(struct doctor *doctor) {
  char probe[PATH_MAX];
  if (!tg_own_file("doctor_probe.node", probe)) {
    print_check(doctor, RUNTIME, FAIL, "install the complete tsfn-guard, or build it",
                "no doctor_probe.node in %s", probe);
    return;
  }
  tg_subject_find(&doctor->subject, &doctor->target);
  if (doctor->subject.kind == TG_SUBJECT_APPLICATION) {
    check_application(doctor);
  } else {
    if (!check_runtime(doctor, probe)) return;
    check_libc(doctor);
    if (check_symbols(doctor)) check_redirect(doctor, probe);
    pass_over(doctor, AFFECTED);
  }
  check_affected(doctor);
}

/* --- The options in the environment */

/* Reads the files that the options name, as the library does. Complaints go to stderr. */
static void read_named_files(const struct tg_options *options) {
  if (options->suppressions[0] != '\0') tg_policy_read_suppressions(options->suppressions);
  tg_quirks_open(options->quirks);
}

/* Parses the options as the library does. Complaints go to `said` and not to stderr. */
static void parse_options(struct tg_options *options, char *said, size_t size) {
  int file = memfd_create("tsfn-guard complaints", MFD_CLOEXEC);
  int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (file >= 0) dup2(file, STDERR_FILENO);
  tg_options_parse(options, getenv(TSFN_GUARD_OPTIONS_VARIABLE));
  read_named_files(options);
  if (saved >= 0) {
    dup2(saved, STDERR_FILENO);
    close(saved);
  }
  ssize_t length = file < 0 ? 0 : pread(file, said, size - 1, 0);
  said[length < 0 ? 0 : length] = '\0';
  if (file >= 0) close(file);
}

/* Appends a complaint to the earlier ones. */
static void add_complaint(struct tg_text *all, const char *complaint) {
  tg_text_add(all, all->length == 0 ? "" : " | ");
  tg_text_add(all, complaint);
}

/* Appends each line of `said`, without the prefix "tsfn-guard[12]: ". */
static void add_complaints(struct tg_text *all, char *said) {
  char *rest = NULL;
  for (char *line = strtok_r(said, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
    const char *after_pid = strstr(line, "]: ");
    add_complaint(all, after_pid == NULL ? line : after_pid + strlen("]: "));
  }
}

/* Returns 0, or the errno if the file cannot be written. If the file did not exist before, it is
 * removed again. */
static int try_to_append(const char *path) {
  struct stat status;
  bool was_there = lstat(path, &status) == 0;
  int file = tg_open_for_append(path);
  if (file < 0) return errno;
  close(file);
  if (!was_there) unlink(path);
  return 0;
}

/* The library always writes a new file in the same directory and then renames it. So this checks
 * whether such a new file can be written. */
static void check_metrics(const char *option, struct tg_text *complaints) {
  char path[TG_LOG_PATH_MAX], temporary[TG_LOG_PATH_MAX + 32];
  struct tg_path file;
  struct tg_text problem = {.length = 0};
  if (option[0] == '\0') return;
  if (!tg_path_open(&file, option, &problem)) {
    add_complaint(complaints, "metrics_path: ");
    tg_text_add(complaints, tg_text_string(&problem));
    return;
  }
  tg_path_expand(&file, path);
  snprintf(temporary, sizeof temporary, "%s.%d.tmp", path, (int)getpid());
  int error = try_to_append(temporary);
  if (error == 0) return;
  problem.length = 0;
  tg_text_add(&problem, "metrics_path: needed a directory that can be written, found ");
  tg_text_add(&problem, path);
  tg_text_add(&problem, ": ");
  tg_text_add(&problem, strerror(error));
  add_complaint(complaints, tg_text_string(&problem));
}

/* Adds a complaint, and returns true, if NODE_OPTIONS stops Node from loading addons. */
static bool check_node_options(struct tg_text *complaints) {
  const char *options = getenv("NODE_OPTIONS"), *complaint = NULL;
  if (options == NULL) return false;
  if (strstr(options, "--no-addons") != NULL)
    complaint =
        "NODE_OPTIONS has --no-addons, so no addon is loaded, and there is nothing to guard";
  else if (strstr(options, "--permission") != NULL && strstr(options, "--allow-addons") == NULL)
    complaint =
        "NODE_OPTIONS has --permission without --allow-addons, so no addon is loaded, and there is "
        "nothing to guard";
  if (complaint != NULL) add_complaint(complaints, complaint);
  return complaint != NULL;
}

static void check_options(struct doctor *doctor, struct tg_options *options) {
  char said[8192];
  struct tg_text complaints = {.length = 0};
  const char *text = getenv(TSFN_GUARD_OPTIONS_VARIABLE);
  parse_options(options, said, sizeof said);
  add_complaints(&complaints, said);
  check_metrics(options->metrics_path, &complaints);
  bool are_ours = complaints.length != 0;
  doctor->has_no_addons = check_node_options(&complaints);
  doctor->is_off = options->mode == TG_MODE_OFF;
  if (complaints.length != 0)
    print_check(
        doctor, OPTIONS, WARN,
        are_ours ? "correct " TSFN_GUARD_OPTIONS_VARIABLE : "remove it if addons must be loaded",
        "%s", tg_text_string(&complaints));
  else if (doctor->is_off)
    print_check(doctor, OPTIONS, WARN,
                "take mode=off out of " TSFN_GUARD_OPTIONS_VARIABLE " so that programs are guarded",
                "%s: mode=off leaves every program unguarded", text);
  else
    print_check(doctor, OPTIONS, OK, NULL, "%s", text == NULL ? "none are set" : text);
}

static void check_log(struct doctor *doctor, const struct tg_options *options) {
  const char *log = options->log_path;
  char path[TG_LOG_PATH_MAX] = "";
  struct tg_path file;
  struct tg_text problem = {.length = 0};
  bool is_file = strcmp(log, "stderr") != 0 && strncmp(log, "fd:", strlen("fd:")) != 0;
  bool has_path = is_file && tg_path_open(&file, log, &problem);
  if (has_path) tg_path_expand(&file, path);
  int error = has_path ? try_to_append(path) : 0;
  if (!is_file)
    print_check(doctor, LOG, OK, NULL, "%s of the program", log);
  else if (!has_path)
    print_check(doctor, LOG, FAIL, "give log_path another file", "%s", tg_text_string(&problem));
  else if (error == 0)
    print_check(doctor, LOG, OK, NULL, "%s can be written", path);
  else
    print_check(doctor, LOG, FAIL,
                "give log_path another file, or the user of the program the right to write it",
                "%s: %s", path,
                error == ELOOP ? "it is a symbolic link, which is not followed" : strerror(error));
}

/* --- The command */

static void examine(struct doctor *doctor, const char *runtime) {
  static struct tg_options options;
  if (check_library(doctor) && check_program(doctor, runtime) && check_loads(doctor))
    examine_runtime(doctor);
  pass_over(doctor, OPTIONS);
  check_options(doctor, &options);
  check_log(doctor, &options);
}

/* Returns the first check that failed, or LOG + 1 if none failed. */
static unsigned first_failure(const struct doctor *doctor) {
  unsigned check = LIBRARY;
  while (check <= LOG && doctor->statuses[check] != FAIL) check++;
  return check;
}

/* Writes the verdict, in one line. */
static const char *judge(const struct doctor *doctor, char *verdict, size_t size) {
  unsigned failed = first_failure(doctor);
  const char *works = doctor->statuses[REDIRECT] == OK ? "works" : "should work, but was not tried";
  if (failed == PROGRAM && doctor->target.obstacle == TG_OBSTACLE_NOT_FOUND)
    snprintf(verdict, size, "nothing was checked: see %s", check_names[failed]);
  else if (failed <= REDIRECT)
    snprintf(verdict, size, "cannot be guarded here: see %s", check_names[failed]);
  else if (doctor->is_off)
    snprintf(verdict, size, "%s, but is turned off (mode=off)", works);
  else if (failed <= LOG)
    snprintf(verdict, size, "%s, but %s must be corrected", works, check_names[failed]);
  else if (doctor->has_no_addons)
    snprintf(verdict, size, "%s, but no addon is loaded: see options", works);
  else if (doctor->is_unknown)
    snprintf(verdict, size, "%s; whether this version needs it is not known", works);
  else if (doctor->is_affected)
    snprintf(verdict, size, "needed and %s", works);
  else if (doctor->has_faults)
    snprintf(verdict, size, "%s; this version hardly needs it: only rarer faults are left", works);
  else
    snprintf(verdict, size, "%s, not needed: this version has no fault that is known", works);
  return verdict;
}

/* If stdin, stdout or stderr is closed, the next file that doctor opens gets its number, and output
 * of a runtime would be lost. So a descriptor that can be neither read nor written takes the place
 * of each closed one. */
static void fill_closed_descriptors(void) {
  int file = 0;
  while (file >= 0 && file <= STDERR_FILENO) file = open("/dev/null", O_PATH | O_CLOEXEC);
  if (file >= 0) close(file);
}

static int diagnose(bool json, const char *runtime) {
  static struct doctor doctor;
  char verdict[128];
  fill_closed_descriptors();
  doctor.json = json;
  if (json) printf("{\"version\":1,\"checks\":[");
  examine(&doctor, runtime);
  judge(&doctor, verdict, sizeof verdict);
  if (json)
    printf("],\"ok\":%u,\"warn\":%u,\"fail\":%u,\"verdict\":\"%s\"}\n", doctor.counts[OK],
           doctor.counts[WARN], doctor.counts[FAIL], verdict);
  else
    printf("%sverdict: %s%s\n", tg_colour(stdout, TG_COLOUR_HEADING), verdict,
           tg_colour(stdout, TG_COLOUR_NONE));
  return doctor.counts[FAIL] == 0 ? 0 : TG_EXIT_FAILED;
}

enum { TABLE = TG_OWN_OPTION };

static int take_own_option(void *choices, int option, const char *value) {
  (void)option, (void)value;
  *(bool *)choices = true;
  return TG_GO_ON;
}

int tg_command_doctor(int argc, char **argv) {
  static const struct option own[] = {{"table", no_argument, NULL, TABLE}, {0}};
  bool table = false;
  struct tg_arguments arguments = {
      .usage = usage, .has_json = true, .own = own, .take = take_own_option, .choices = &table};
  int status = tg_arguments_read(argc, argv, &arguments);
  if (status != TG_GO_ON) return status;
  if (argc - optind > 1 && strcmp(argv[optind + 1], "--") != 0)
    return tg_complain(TG_EXIT_USAGE, "one runtime", argv[optind + 1],
                       "see tsfn-guard doctor --help");
  if (table && arguments.json)
    return tg_complain(TG_EXIT_USAGE, "--table or --json", "both",
                       "the table is text only: leave --json out");
  status = tg_arguments_spare_input(&arguments, argv[optind]);
  if (status == TG_GO_ON) status = tg_arguments_open_output(&arguments);
  if (status != TG_GO_ON) return status;
  if (!table) return diagnose(arguments.json, optind < argc ? argv[optind] : "node");
  tg_faults_print();
  return 0;
}
