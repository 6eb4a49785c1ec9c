/* What happens when the library is loaded into a process: nothing, or the guard is armed. Preloaded, that is before
 * main; as part of tsfn-guard/register (preload/register.h), in a process with threads and maybe addons.
 *
 * Rules of conduct, as every child process inherits LD_PRELOAD:
 *  - Where the process is no runtime: no mapping, no output, no symbol of ours in its way, some microseconds.
 *  - No thread, ever. No signal handler, no change to the environment and no file opened, but where an option asks
 *    for it (dump_signal, propagate=0, log_path, metrics_path; publish=1 opens a memfd). No write raises a signal.
 *  - Only libc is needed, and nothing of it newer than glibc 2.28.
 *  - All of the seven symbols are redirected, or none; one line says why not. */
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/glibc_floor.h"
#include "base/output.h"
#include "base/text.h"
#include "diag/catalogue.h"
#include "diag/log.h"
#include "diag/metrics.h"
#include "diag/policy.h"
#include "diag/publish.h"
#include "diag/report.h"
#include "diag/stacks.h"
#include "diag/summary.h"
#include "diag/trace.h"
#include "elf/image.h"
#include "elf/redirect.h"
#include "options/options.h"
#include "preload/addon_code.h"
#include "preload/addon_threads.h"
#include "preload/earlier_addons.h"
#include "preload/entry_points.h"
#include "preload/fast_exit.h"
#include "preload/loading.h"
#include "preload/program.h"
#include "preload/register.h"
#include "preload/runtime_node.h"
#include "tsfn_guard/tsfn_guard.h"

static struct tg_options options;
static pid_t armed_process;

/* The object that exports the seven symbols. */
struct runtime_object {
  struct tg_image image;
  char path[4096];
};

static int find_runtime(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size;
  struct runtime_object *object = argument;
  if (!tg_image_open(&object->image, info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum)) return 0;
  if (tg_image_find(&object->image, tg_redirections[TG_CREATE].name, STT_FUNC) == NULL) return 0;
  tg_copy_string(object->path, sizeof object->path, info->dlpi_name);
  return 1;
}

/* The main program has no name in the loader's list. */
static void name_main_program(struct runtime_object *object) {
  const char *path = tg_program_path();
  if (object->path[0] != '\0') return;
  tg_copy_string(object->path, sizeof object->path, path[0] == '\0' ? "the main program" : path);
}

static void *map_nothing(uintptr_t hint, size_t size) {
  void *memory = mmap((void *)hint, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

static size_t
    reserved; /* by all calls of `reserve`, one at a time: before all else, and then with the table's lock held */

/* Whether there is room for the program too: a 39-bit address space (some arm64 kernels) is only 512 GiB. */
static bool leaves_room(size_t size) {
  const size_t factor = 4;
  void *probe = map_nothing(0, size * factor);
  if (probe != NULL) munmap(probe, size * factor);
  return probe != NULL;
}

/* A program under a limit on its address space needs most of it: V8 reserves some GiB, each WebAssembly
 * memory 8 or 10, and they fail without. So an eighth is enough for us, but for the first reservation. The limit is
 * that of now: it may have been lowered since. */
static bool is_affordable(size_t size) {
  struct rlimit limit;
  if (reserved == 0) return true;
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return leaves_room(size);
  return reserved + size <= limit.rlim_cur / 8;
}

/* Handles stay below 2^47, which arm64's larger address space does not see to by itself. */
static void *map_below_limit(size_t size) {
  const uintptr_t limit = (uintptr_t)1 << 47;
  void *memory = map_nothing(0, size);
  if (memory != NULL && (uintptr_t)memory + size > limit) {
    munmap(memory, size);
    memory = map_nothing(limit / 4, size);
  }
  if (memory == NULL) return NULL;
  if ((uintptr_t)memory + size <= limit) return memory;
  munmap(memory, size);
  return NULL;
}

static void *reserve(size_t size) {
  int saved = errno;
  void *memory = is_affordable(size) ? map_below_limit(size) : NULL;
  if (memory != NULL) {
    reserved += size;
    madvise(memory, size, MADV_DONTDUMP);
  }
  errno = saved;
  return memory;
}

static void unmap(void *memory, size_t size) {
  munmap(memory, size);
}

static void *map(size_t size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

/* With mode=diagnose it also tells what kept the process alive. */
static void record_exit(void) {
  if (options.summary != TG_SUMMARY_NEVER || options.mode == TG_MODE_DIAGNOSE) tg_summary_record_exit();
}

/* A child that was forked without exec has none of the threads, maybe some of their locks, and no one to wait
 * for. */
static void at_exit(void) {
  if (getpid() != armed_process) return;
  record_exit();
  tg_reject_all(&tg_the_guard);
}

/* The summary and the metrics. Whether the option exitcode decides on the status. */
static bool write_last(void) {
  bool errors = tg_summary_has_errors();
  if (options.summary == TG_SUMMARY_ALWAYS || (options.summary == TG_SUMMARY_ERRORS && errors))
    tg_summary_write();
  tg_metrics_write_last();
  return errors && options.exitcode != 0;
}

/* The last exit handler: registered before those of the addons that are guarded. */
static void at_last(void) {
  if (getpid() != armed_process) return;
  /* glibc lets an exit handler call exit: the rest of them run, and stdio is flushed, with the new status. */
  if (write_last()) exit((int)options.exitcode);
}

static int at_fast_exit(int status) {
  record_exit();
  return write_last() ? (int)options.exitcode : status;
}

static void on_dump_signal(int number) {
  (void)number;
  tg_summary_dump();
}

/* A handler that returns from a fault comes back to it at once. */
static bool is_fault(int number) {
  return number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGFPE || number == SIGTRAP ||
         number == SIGSYS;
}

/* Of Node 18 to 26, seen: at its start (SIGINT and SIGTERM give the terminal back, SIGUSR1 opens the inspector, two are
 * ignored), with the first child process, with a terminal, and while the profiler runs. */
static bool is_taken_by_node(int number) {
  return number == SIGINT || number == SIGTERM || number == SIGUSR1 || number == SIGPIPE ||
         number == SIGXFSZ || number == SIGCHLD || number == SIGWINCH || number == SIGPROF;
}

/* Why the signal cannot be used, once it cannot. NULL: it is ours now. */
static const char *take_dump_signal(int number) {
  struct sigaction action = {.sa_handler = on_dump_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
  sigfillset(&action.sa_mask);
  if (is_fault(number)) return "it is the signal of a fault";
  if (is_taken_by_node(number)) return "the runtime uses it itself (12, SIGUSR2, is free)";
  return sigaction(number, &action, NULL) == 0 ? NULL : strerror(errno);
}

static void handle_dump_signal(void) {
  if (options.dump_signal == 0) return;
  const char *reason = take_dump_signal((int)options.dump_signal);
  if (reason == NULL) return;
  struct tg_text line;
  tg_text_start(&line);
  tg_text_add(&line, "dump_signal: needed a signal that can be handled, found ");
  tg_text_add_number(&line, options.dump_signal);
  tg_text_add(&line, ": ");
  tg_text_add(&line, reason);
  tg_text_add(&line, "; no signal will write a dump");
  tg_text_write(&line);
}

/* Whether an entry of LD_PRELOAD is this library. */
static bool is_our_name(const char *entry, size_t length) {
  struct tg_place place = {.file = ""};
  if (!tg_addon_locate(&options, &place)) return false;
  const char *own = strrchr(place.file, '/');
  own = own == NULL ? place.file : own + 1;
  for (const char *slash; (slash = memchr(entry, '/', length)) != NULL;) {
    length -= (size_t)(slash + 1 - entry);
    entry = slash + 1;
  }
  return strlen(own) == length && memcmp(own, entry, length) == 0;
}

/* Takes this library out of LD_PRELOAD, in place: the rest of it moves up. Where it was not loaded so, threads may be
 * reading the environment, and nothing is done to it. */
static void hide_from_children(void) {
  char *list = getenv("LD_PRELOAD");
  if (list == NULL) return;
  char *to = list;
  const char *from = list;
  while (*from != '\0') {
    size_t length = strcspn(from, " :"), separator = from[length] != '\0';
    if (!is_our_name(from, length)) {
      if (to != from) memmove(to, from, length + separator);
      to += length + separator;
    }
    from += length + separator;
  }
  if (to == from) return;
  *to = '\0';
  unsetenv(TSFN_GUARD_OPTIONS_VARIABLE);
  if (*list == '\0') unsetenv("LD_PRELOAD");
}

/* Says in one line why the program stays unguarded. */
static void refuse(const struct runtime_object *object, const char *needed, const char *found,
                   const char *detail, const char *remedy) {
  struct tg_text line;
  line.length = 0;
  tg_text_add(&line, "not armed in ");
  tg_text_add(&line, object->path);
  tg_text_add(&line, ": needed ");
  tg_text_add(&line, needed);
  tg_text_add(&line, ", found ");
  tg_text_add(&line, found);
  tg_text_add(&line, detail);
  tg_text_add(&line, "; ");
  tg_text_add(&line, remedy);
  tg_text_add(&line, options.require ? "; require=1, so it does not start" : "; it runs unguarded");
  line.bytes[line.length] = '\0';
  tg_report_process(TG_EVENT_NOT_ARMED, line.bytes);
  if (options.require) _exit(TSFN_GUARD_EXIT_NOT_ARMED);
}

static bool find_functions(const struct runtime_object *object) {
  const char *missing = tg_redirect_find(&object->image, tg_redirections, TG_FUNCTIONS);
  if (missing == NULL) missing = tg_node_open(&object->image);
  if (missing == NULL) return true;
  refuse(object, "the functions of Node-API version 4 and newer", "no ", missing,
         "use an unmodified Node.js 12.22 or newer");
  return false;
}

/* Another copy of this library, which has redirected the functions; its path goes to `argument`. */
static int find_other_guard(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size;
  struct tg_place *other = argument;
  struct tg_image image;
  if (!tg_image_open(&image, info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum)) return 0;
  if (tg_image_find(&image, "tsfn_guard_ring", STT_OBJECT) == NULL) return 0;
  if (!tg_image_contains(&image, (uintptr_t)tg_redirections[TG_CREATE].original, 1, NULL)) return 0;
  tg_copy_string(other->file, sizeof other->file, info->dlpi_name);
  return 1;
}

/* Whether the runtime's functions are those of another copy by now; says so. */
static bool is_guarded_already(const struct runtime_object *object) {
  struct tg_place other;
  if (dl_iterate_phdr(find_other_guard, &other) == 0) return false;
  struct tg_text line;
  tg_text_start(&line);
  tg_text_add(&line, "not armed a second time in ");
  tg_text_add(&line, object->path);
  tg_text_add(&line, ": needed one guard, found that ");
  tg_text_add(&line, other.file);
  tg_text_add(&line, " guards it already; load one of them only");
  tg_text_write(&line);
  return true;
}

/* A redirection that did not take, and what dlsym finds instead; NULL: all have taken. */
static const struct tg_redirection *not_taken(const void **found) {
  for (size_t i = 0; i < TG_FUNCTIONS; i++) {
    *found = dlsym == NULL ? NULL : dlsym(RTLD_DEFAULT, tg_redirections[i].name);
    if (*found != tg_redirections[i].replacement) return &tg_redirections[i];
  }
  return NULL;
}

static bool redirect(const struct runtime_object *object) {
  if (!tg_redirect_apply(&object->image, tg_redirections, TG_FUNCTIONS)) {
    refuse(object, "to write to the in-memory symbol table", "that mprotect refuses it: ", strerror(errno),
           "allow it in the security policy (SELinux: execmod)");
    return false;
  }
  const void *found;
  const struct tg_redirection *culprit = not_taken(&found);
  if (culprit == NULL) return true;
  tg_redirect_undo(&object->image, tg_redirections, TG_FUNCTIONS);
  struct tg_place place = {.file = "an unknown place"};
  tg_addon_locate(found, &place);
  struct tg_text definition;
  definition.length = 0;
  tg_text_add(&definition, culprit->name);
  tg_text_add(&definition, " in ");
  tg_text_add(&definition, place.file);
  definition.bytes[definition.length] = '\0';
  refuse(object, "that dlsym finds the guard's functions", "another definition of ", definition.bytes,
         "remove the other preloaded library, or link the program without taking the function's address");
  return false;
}

static const struct tg_host host = {
    .allocate = malloc,
    .release = free,
    .map = map,
    .reserve = reserve,
    .unmap = unmap,
    .register_addon = tg_addon_register,
    .is_in_addon = tg_addon_has_code,
    .join_addons = tg_addon_join,
    .count_unloads = tg_addon_count_unloads,
    .leave_addon = tg_addon_leave,
    .record_thread = tg_addon_threads_record,
    .on_event = tg_report_event,
};

/* Before the functions are redirected: other threads may call them from then on. `passes_through`: some handles are the
 * runtime's own already. */
static bool open_guard(const struct runtime_object *object, bool passes_through) {
  bool warns = options.mode == TG_MODE_DIAGNOSE && options.queue_warn != 0;
  const struct tg_guard_options guard_options = {.deadlock = options.deadlock,
                                                 .queue_warn = warns ? options.queue_warn : SIZE_MAX,
                                                 .passes_through = passes_through};
  if (tg_guard_open(&tg_the_guard, tg_node_runtime(tg_redirections), &host, &guard_options)) return true;
  refuse(object, "32 MiB of address space for handles", "", "less",
         "raise the limit on virtual memory (ulimit -v, RLIMIT_AS)");
  return false;
}

/* Says in one line which addons stay unguarded; of many, the rest of the line has room for some. */
static void report_earlier_addons(const struct tg_earlier_addon *addon) {
  enum { ROOM = 512 };
  struct runtime_object object;
  struct tg_text names = {.length = 0};
  if (addon == NULL) return;
  for (; addon != NULL; addon = addon->next) {
    bool fits = names.length + strlen(addon->file) < ROOM;
    if (names.length != 0) tg_text_add(&names, ", ");
    tg_text_add(&names, fits ? addon->file : "and others");
    if (!fits) break;
  }
  tg_copy_string(object.path, sizeof object.path, tg_text_string(&names));
  refuse(&object, "the guard before the addon", "that the addon was loaded first", "",
         "load tsfn-guard/register before all addons (node -r tsfn-guard/register)");
}

static void say_armed(const struct runtime_object *object) {
  struct tg_text line;
  tg_node_learn_version_early();
  tg_text_start(&line);
  tg_text_add(&line, "tsfn-guard " TSFN_GUARD_VERSION " armed: ");
  char version[TG_RUNTIME_MAX];
  tg_text_add(&line, tg_node_version(version) ? version : "runtime of unknown version");
  tg_text_add(&line, ", redirected the seven functions of ");
  tg_text_add(&line, object->path);
  tg_text_write(&line);
}

static const struct tg_report_source source = {tg_addon_locate, tg_addon_name_symbol, tg_addon_path,
                                               tg_node_version};

/* Everything that tells people. Who is to observe the guard; NULL: nobody. */
static const struct tg_observer *open_diagnostics(void) {
  bool diagnose = options.mode == TG_MODE_DIAGNOSE, metrics = options.metrics_path[0] != '\0';
  tg_policy_log_up_to(diagnose ? TG_INFO : TG_WARN);
  tg_policy_set_rate(options.rate);
  if (options.suppressions[0] != '\0') tg_policy_read_suppressions(options.suppressions);
  tg_log_open(options.log_path);
  tg_stacks_open(diagnose ? (unsigned)options.stack_depth : 0, tg_addon_locate, tg_addon_count_unloads);
  const struct tg_report_options report = {.format = options.format,
                                           .diagnose = diagnose,
                                           .counted = tg_publish_event,
                                           .reported = tg_metrics_touch,
                                           .aborting = tg_metrics_write_last};
  tg_report_open(&source, &report);
  const struct tg_trace_options trace = {.diagnose = diagnose,
                                         .finalize_warn_ms = options.finalize_warn_ms,
                                         .map = map,
                                         .changed = metrics ? tg_metrics_touch : NULL,
                                         .worker_id = tg_node_worker_id,
                                         .has_exception = tg_node_was_left_exception,
                                         .is_javascript_forbidden = tg_node_is_javascript_forbidden};
  const struct tg_observer *observer = diagnose || metrics ? tg_trace_open(&trace) : NULL;
  const struct tg_summary_options summary = {.format = options.format,
                                             .diagnose = diagnose,
                                             .counts = observer != NULL,
                                             .is_loop_kept_by = tg_node_is_loop_kept_by};
  tg_summary_open(&tg_the_guard, &source, &summary);
  if (metrics) tg_metrics_open(&tg_the_guard, &source, options.metrics_path);
  return observer;
}

__attribute__((constructor)) static void arm(void) {
  struct runtime_object object;
  if (dl_iterate_phdr(find_runtime, &object) == 0) return;
  tg_output_record(&tg_stderr, STDERR_FILENO);
  tg_program_learn();
  name_main_program(&object);
  tg_options_parse(&options, secure_getenv(TSFN_GUARD_OPTIONS_VARIABLE));
  if (!options.propagate) hide_from_children();
  if (options.help) {
    tg_options_print();
    tg_catalogue_print();
  }
  tg_register_record(tg_mode_name(options.mode), false);
  if (options.mode == TG_MODE_OFF) return;

  const struct tg_observer *observer = open_diagnostics();
  tg_addon_code_open(options.pin, at_exit);
  armed_process = getpid();
  if (!find_functions(&object) || is_guarded_already(&object)) return;
  const struct tg_earlier_addon *earlier =
      tg_earlier_addons_record(&object.image, tg_redirections, TG_FUNCTIONS);
  if (!open_guard(&object, earlier != NULL)) return;
  tg_guard_observe(&tg_the_guard, observer);
  if (!redirect(&object)) {
    tg_guard_close(&tg_the_guard);
    return;
  }
  tg_loading_open(&object.image);
  if (options.exits_fast) tg_fast_exit_open(&object.image, at_fast_exit);
  report_earlier_addons(earlier);
  tg_register_record(tg_mode_name(options.mode), true);
  atexit(at_last);
  handle_dump_signal();
  if (options.publish) {
    tg_node_learn_version_early();
    observer = tg_publish_open(&source, options.mode == TG_MODE_DIAGNOSE, observer);
    tg_guard_observe(&tg_the_guard, observer);
  }
  if (options.metrics_path[0] != '\0') {
    tg_node_learn_version_early();
    tg_metrics_touch();
  }
  if (options.verbosity) say_armed(&object);
}
