/* Runs when the library is loaded into a process: does nothing, or arms the guard. If the library
 * is preloaded, this happens before main. If it is loaded as part of tsfn-guard/register
 * (preload/register.h), the process already has threads and maybe addons.
 *
 * Rules, because every child process inherits LD_PRELOAD:
 *  - A process without a runtime gets no mapping, no output and no symbol of ours that shadows
 *    another one. The library costs it some microseconds.
 *  - The library never starts a thread. It installs no signal handler, changes nothing in the
 *    environment and keeps no file open unless an option asks for it (docs/contract.md, "What is
 *    reported", lists these options). No write raises a signal.
 *  - Only libc is needed, and nothing newer than glibc 2.28.
 *  - Either all seven symbols are redirected, or none. If none, one line says why. */
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/addresses.h"
#include "base/glibc_floor.h"
#include "base/output.h"
#include "base/text.h"
#include "diag/catalogue.h"
#include "diag/describe.h"
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
#include "options/quirks.h"
#include "preload/addon_code.h"
#include "preload/addon_threads.h"
#include "preload/cleanup_hooks.h"
#include "preload/dying.h"
#include "preload/earlier_addons.h"
#include "preload/entry_points.h"
#include "preload/fast_exit.h"
#include "preload/loading.h"
#include "preload/program.h"
#include "preload/register.h"
#include "preload/runtime_node.h"
#include "preload/unthrowable.h"
#include "tsfn_guard/tsfn_guard.h"

static struct tg_options options;
static pid_t armed_process;

/* The object that exports the seven functions. */
struct runtime_object {
  struct tg_image image;
  char path[4096];
};

static int match_runtime(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size;
  struct runtime_object *object = argument;
  if (!tg_image_open(&object->image, info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum)) return 0;
  if (tg_image_find(&object->image, tg_redirections[TG_CREATE].name, STT_FUNC) == NULL) return 0;
  tg_copy_string(object->path, sizeof object->path, info->dlpi_name);
  return 1;
}

/* The loader's list has no name for the main program. */
static void name_main_program(struct runtime_object *object) {
  const char *path = tg_program_path();
  if (object->path[0] != '\0') return;
  tg_copy_string(object->path, sizeof object->path, path[0] == '\0' ? "the main program" : path);
}

/* The sum of all reservations. It is never changed by two threads at once: the first reservation is
 * made before all else, and later ones with the lock of the handle table held. */
static size_t reserved_size;

/* Whether enough address space is left for the program too. A 39-bit address space (some arm64
 * kernels) has only 512 GiB. */
static bool leaves_enough(size_t size) {
  const size_t factor = 4;
  void *probe = tg_reserve_anywhere(size * factor);
  if (probe != NULL) munmap(probe, size * factor);
  return probe != NULL;
}

/* A program with a limit on its address space needs most of it: V8 reserves some GiB, and each
 * WebAssembly memory 8 or 10 GiB. They fail if they do not get it. So all our reservations together
 * take at most an eighth of the limit. Only the first one is made whatever the limit is. The limit
 * is queried each time, because it may have been lowered. */
static bool is_affordable(size_t size) {
  struct rlimit limit;
  if (reserved_size == 0) return true;
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return leaves_enough(size);
  return reserved_size + size <= limit.rlim_cur / 8;
}

static void *reserve_addresses(size_t size) {
  int saved = errno;
  void *memory = is_affordable(size) ? tg_reserve_below(TG_ADDRESS_LIMIT, size) : NULL;
  if (memory != NULL) {
    reserved_size += size;
    madvise(memory, size, MADV_DONTDUMP);
  }
  errno = saved;
  return memory;
}

static void unmap_pages(void *memory, size_t size) {
  munmap(memory, size);
}

static void *map_pages(size_t size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

/* With mode=diagnose, tg_summary_record_exit also reports what kept the process alive. */
static void record_exit(void) {
  if (options.summary != TG_SUMMARY_NEVER || options.mode == TG_MODE_DIAGNOSE)
    tg_summary_record_exit();
}

/* Does nothing in a child that was forked without exec. Such a child has none of the threads, so
 * there is nobody to wait for, but some of their locks may stay held in it. */
static void reject_callers_at_exit(void) {
  if (getpid() != armed_process) return;
  record_exit();
  tg_reject_all(&tg_the_guard);
}

/* Writes the summary and the metrics. True: the option exitcode decides the status. */
static bool write_last(void) {
  bool errors = tg_summary_has_errors();
  if (options.summary == TG_SUMMARY_ALWAYS || (options.summary == TG_SUMMARY_ERRORS && errors))
    tg_summary_write();
  tg_metrics_write_last();
  return errors && options.exitcode != 0;
}

/* Runs as the last exit handler, because it is registered before those of the guarded addons. */
static void write_summary_at_exit(void) {
  if (getpid() != armed_process) return;
  /* glibc allows an exit handler to call exit: the remaining handlers run, and stdio is flushed,
   * with the new status. */
  if (write_last()) exit((int)options.exitcode);
}

/* With exit=fast, this runs instead of the exit handlers. Returns the status to end with. */
static int write_summary_at_fast_exit(int status) {
  record_exit();
  return write_last() ? (int)options.exitcode : status;
}

static void on_dump_signal(int number) {
  (void)number;
  tg_summary_dump();
}

/* Whether the signal reports a fault. If a handler returns from one, the same fault occurs again at
 * once. */
static bool is_fault(int number) {
  return number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGFPE ||
         number == SIGTRAP || number == SIGSYS;
}

/* Whether Node uses the signal itself. Observed with Node 18 to 26: at startup (SIGINT and SIGTERM
 * restore the terminal, SIGUSR1 opens the inspector, SIGPIPE and SIGXFSZ are ignored), with the
 * first child process, with a terminal, and while the profiler runs. */
static bool is_taken_by_node(int number) {
  return number == SIGINT || number == SIGTERM || number == SIGUSR1 || number == SIGPIPE ||
         number == SIGXFSZ || number == SIGCHLD || number == SIGWINCH || number == SIGPROF;
}

/* Returns NULL, or the reason why the signal cannot be used. */
static const char *install_dump_signal(int number) {
  struct sigaction action = {.sa_handler = on_dump_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
  sigfillset(&action.sa_mask);
  if (is_fault(number)) return "the signal reports a fault";
  if (is_taken_by_node(number)) return "the runtime uses it itself (12, SIGUSR2, is free)";
  return sigaction(number, &action, NULL) == 0 ? NULL : strerror(errno);
}

static void set_up_dump_signal(void) {
  if (options.dump_signal == 0) return;
  const char *reason = install_dump_signal((int)options.dump_signal);
  if (reason == NULL) return;
  struct tg_text line;
  tg_text_start(&line);
  tg_text_add(&line, "dump_signal: needed a signal that can be handled, found ");
  tg_text_add_number(&line, options.dump_signal);
  tg_text_add(&line, ": ");
  tg_text_add(&line, reason);
  tg_text_add(&line, "; no signal will write a dump: correct dump_signal");
  tg_text_write(&line);
}

/* Whether an entry of LD_PRELOAD names this library. */
static bool names_this_library(const char *entry, size_t length) {
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

/* Removes this library from LD_PRELOAD, in place. If the library was not preloaded, other threads
 * may be reading the environment, so nothing is changed. */
static void hide_from_children(void) {
  char *list = getenv("LD_PRELOAD");
  if (list == NULL) return;
  char *to = list;
  const char *from = list;
  while (*from != '\0') {
    size_t length = strcspn(from, " :"), separator = from[length] != '\0';
    if (!names_this_library(from, length)) {
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

/* Reports in one line why the program stays unguarded. */
static void report_not_armed(const struct runtime_object *object, const char *needed,
                             const char *found, const char *detail, const char *remedy) {
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
  report_not_armed(object, "the functions of Node-API version 4 and newer", "no ", missing,
                   "use an unmodified Node.js 12.22 or newer");
  return false;
}

/* Finds another copy of this library that has redirected the functions; its path is stored in
 * `argument`. */
static int match_other_guard(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size;
  struct tg_place *other = argument;
  struct tg_image image;
  if (!tg_image_open(&image, info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum)) return 0;
  if (tg_image_find(&image, "tsfn_guard_ring", STT_OBJECT) == NULL) return 0;
  if (!tg_image_contains(&image, (uintptr_t)tg_redirections[TG_CREATE].original, 1, NULL)) return 0;
  tg_copy_string(other->file, sizeof other->file, info->dlpi_name);
  return 1;
}

/* Whether another copy has already redirected the runtime's functions. If so, reports it. */
static bool is_guarded_already(const struct runtime_object *object) {
  struct tg_place other;
  if (dl_iterate_phdr(match_other_guard, &other) == 0) return false;
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

/* The first redirection that dlsym does not confirm, and what dlsym finds instead; NULL: all are
 * confirmed. */
static const struct tg_redirection *find_unconfirmed(const void **found) {
  for (size_t i = 0; i < TG_FUNCTIONS; i++) {
    *found = dlsym == NULL ? NULL : dlsym(RTLD_DEFAULT, tg_redirections[i].name);
    if (*found != tg_redirections[i].replacement) return &tg_redirections[i];
  }
  return NULL;
}

static bool redirect_functions(const struct runtime_object *object) {
  if (!tg_redirect_apply(&object->image, tg_redirections, TG_FUNCTIONS)) {
    report_not_armed(object, "to write to the in-memory symbol table",
                     "that mprotect refuses it: ", strerror(errno),
                     "allow it in the security policy (SELinux: execmod)");
    return false;
  }
  const void *found;
  const struct tg_redirection *culprit = find_unconfirmed(&found);
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
  report_not_armed(object, "that dlsym finds the guard's functions", "another definition of ",
                   definition.bytes,
                   "remove the other preloaded library, or link the program without taking the "
                   "function's address");
  return false;
}

static const struct tg_host host = {
    .allocate = malloc,
    .release = free,
    .map = map_pages,
    .reserve = reserve_addresses,
    .unmap = unmap_pages,
    .register_addon = tg_addon_register,
    .is_in_addon = tg_addon_has_code,
    .join_addons = tg_addon_join,
    .count_unloads = tg_addon_count_unloads,
    .leave_addon = tg_addon_leave,
    .record_thread = tg_addon_threads_record,
    .on_event = tg_report_event,
};

/* Called before the functions are redirected, because other threads may call them from then on.
 * `passes_through`: the runtime may have given out handles of its own already. */
static bool open_guard(const struct runtime_object *object, bool passes_through) {
  bool warns = options.mode == TG_MODE_DIAGNOSE && options.queue_warn != 0;
  const struct tg_guard_options guard_options = {
      .deadlock = options.deadlock,
      .queue_warn = warns ? options.queue_warn : SIZE_MAX,
      .passes_through = passes_through};
  if (tg_guard_open(&tg_the_guard, tg_node_runtime(tg_redirections), &host, &guard_options))
    return true;
  report_not_armed(object, "32 MiB of address space for handles", "", "less",
                   "raise the limit on virtual memory (ulimit -v, RLIMIT_AS)");
  return false;
}

/* Reports in one line which addons stay unguarded. If there are many, the line names only some, so
 * that it has space for the rest of its text. */
static void report_earlier_addons(const struct tg_earlier_addon *addon) {
  enum { NAMES_MAX = 512 };
  struct runtime_object object;
  struct tg_text names = {.length = 0};
  if (addon == NULL) return;
  for (; addon != NULL; addon = addon->next) {
    bool fits = names.length + strlen(addon->file) < NAMES_MAX;
    if (names.length != 0) tg_text_add(&names, ", ");
    tg_text_add(&names, fits ? addon->file : "and others");
    if (!fits) break;
  }
  tg_copy_string(object.path, sizeof object.path, tg_text_string(&names));
  report_not_armed(&object, "the guard before the addon", "that the addon was loaded first", "",
                   "load tsfn-guard/register before all addons (node -r tsfn-guard/register)");
}

static void report_armed(const struct runtime_object *object) {
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

static const struct tg_report_source report_source = {tg_addon_locate, tg_addon_name_symbol,
                                                      tg_addon_path, tg_node_version};

/* Opens everything that reports. Returns the guard's observer; NULL: none is needed. */
static const struct tg_observer *open_diagnostics(void) {
  bool diagnose = options.mode == TG_MODE_DIAGNOSE, metrics = options.metrics_path[0] != '\0';
  tg_policy_log_up_to(diagnose ? TG_INFO : TG_WARN);
  tg_policy_set_rate(options.rate);
  if (options.suppressions[0] != '\0') tg_policy_read_suppressions(options.suppressions);
  tg_log_open(options.log_path);
  tg_stacks_open(diagnose ? (unsigned)options.stack_depth : 0, tg_addon_locate,
                 tg_addon_count_unloads);
  const struct tg_report_options report = {.format = options.format,
                                           .diagnose = diagnose,
                                           .counted = tg_publish_event,
                                           .reported = tg_metrics_touch,
                                           .aborting = tg_metrics_write_last};
  tg_report_open(&report_source, &report);
  const struct tg_trace_options trace = {
      .diagnose = diagnose,
      .finalize_warn_ms = options.finalize_warn_ms,
      .map = map_pages,
      .changed = metrics ? tg_metrics_touch : NULL,
      .worker_id = tg_node_worker_id,
      .has_exception = tg_node_was_left_exception,
      .is_javascript_forbidden = tg_node_is_javascript_forbidden};
  const struct tg_observer *observer = diagnose || metrics ? tg_trace_open(&trace) : NULL;
  const struct tg_summary_options summary = {.format = options.format,
                                             .diagnose = diagnose,
                                             .counts = observer != NULL,
                                             .is_loop_kept_by = tg_node_is_loop_kept_by};
  tg_summary_open(&tg_the_guard, &report_source, &summary);
  if (metrics) tg_metrics_open(&tg_the_guard, &report_source, options.metrics_path);
  return observer;
}

__attribute__((constructor)) static void arm_guard(void) {
  struct runtime_object object;
  if (dl_iterate_phdr(match_runtime, &object) == 0) return;
  tg_output_record(&tg_stderr, STDERR_FILENO);
  tg_program_learn();
  name_main_program(&object);
  tg_options_parse(&options, secure_getenv(TSFN_GUARD_OPTIONS_VARIABLE));
  if (!options.propagate) hide_from_children();
  if (options.help) {
    tg_options_print();
    tg_catalogue_print();
    tg_quirks_print();
  }
  tg_register_record(tg_mode_name(options.mode), false);
  tg_describe_mode(tg_mode_name(options.mode));
  if (options.mode == TG_MODE_OFF) return;

  const struct tg_observer *observer = open_diagnostics();
  tg_quirks_open(options.quirks);
  tg_addon_code_open(options.pin, reject_callers_at_exit);
  armed_process = getpid();
  if (!find_functions(&object) || is_guarded_already(&object)) return;
  const struct tg_earlier_addon *earlier =
      tg_earlier_addons_record(&object.image, tg_redirections, TG_FUNCTIONS);
  if (!open_guard(&object, earlier != NULL)) return;
  tg_guard_observe(&tg_the_guard, observer);
  if (!redirect_functions(&object)) {
    tg_guard_close(&tg_the_guard);
    return;
  }
  tg_loading_open(&object.image);
  tg_unthrowable_open(&object.image);
  tg_cleanup_hooks_open(&object.image);
  tg_dying_open(&object.image);
  if (options.exits_fast) tg_fast_exit_open(&object.image, write_summary_at_fast_exit);
  report_earlier_addons(earlier);
  tg_register_record(tg_mode_name(options.mode), true);
  tg_describe_table(&tg_the_guard.table, tg_addon_path_offset());
  atexit(write_summary_at_exit);
  set_up_dump_signal();
  if (options.publish) {
    tg_node_learn_version_early();
    observer = tg_publish_open(&report_source, options.mode == TG_MODE_DIAGNOSE, observer);
    tg_guard_observe(&tg_the_guard, observer);
  }
  if (options.metrics_path[0] != '\0') {
    tg_node_learn_version_early();
    tg_metrics_touch();
  }
  if (options.verbosity) report_armed(&object);
}
