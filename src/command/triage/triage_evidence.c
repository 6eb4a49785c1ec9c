/* Implements the collection of evidence from lines of text. */
#include "command/triage/triage_evidence.h"

#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "command/common/tables.h"
#include "command/triage/triage_words.h"

void tg_evidence_open(struct tg_evidence *evidence) {
  memset(evidence, 0, sizeof *evidence);
  evidence->traces = tg_resize(NULL, TG_TRACES_MAX, sizeof *evidence->traces);
  evidence->next_thread = evidence->died_thread = evidence->current_thread = TG_NO_NUMBER;
}

void tg_evidence_close(struct tg_evidence *evidence) {
  free(evidence->traces);
  evidence->traces = NULL;
}

static bool has(const char *line, const char *piece) {
  return strstr(line, piece) != NULL;
}

/* --- Stacks */

_Static_assert(TG_TRACES_MAX <= 64, "a hit has a bit for each");

static void forget_trace(struct tg_evidence *evidence, unsigned number) {
  for (unsigned i = 0; i < TG_SIGNATURES_MAX; i++)
    evidence->hits[i].traces &= ~(UINT64_C(1) << number);
}

struct tg_trace *tg_evidence_add_trace(struct tg_evidence *evidence) {
  struct tg_trace *trace;
  if (evidence->count < TG_TRACES_MAX) {
    trace = &evidence->traces[evidence->count++];
  } else {
    /* The stack that died is usually among the first stacks, or it is the last one. So the last
     * place is overwritten. */
    evidence->lost++;
    forget_trace(evidence, TG_TRACES_MAX - 1);
    trace = &evidence->traces[TG_TRACES_MAX - 1];
  }
  trace->thread = TG_NO_NUMBER;
  trace->line = 0;
  trace->has_died = trace->is_bare = trace->is_aside = false;
  trace->count = trace->seen = 0;
  return trace;
}

void tg_trace_add(struct tg_trace *trace, const struct tg_trace_frame *frame) {
  trace->seen++;
  if (trace->count < TG_FRAMES_MAX) trace->count++;
  trace->frames[trace->count - 1] = *frame;
}

/* The last stack. There must be one. */
static struct tg_trace *current(struct tg_evidence *evidence) {
  return &evidence->traces[evidence->count - 1];
}

/* The number of the last frame, if the frame in this line may continue its stack. TG_NO_NUMBER if
 * there is no last frame, or if a header or too many lines lie between. */
static int last_number(const struct tg_evidence *evidence, uint64_t line) {
  enum { GAP_MAX = 6 };
  if (evidence->has_header || evidence->count == 0 || line > evidence->frame_line + GAP_MAX)
    return TG_NO_NUMBER;
  const struct tg_trace *trace = &evidence->traces[evidence->count - 1];
  return trace->count == 0 ? TG_NO_NUMBER : trace->frames[trace->count - 1].number;
}

static struct tg_trace *begin_trace(struct tg_evidence *evidence, uint64_t line) {
  struct tg_trace *trace = tg_evidence_add_trace(evidence);
  trace->line = line;
  trace->thread = evidence->next_thread;
  trace->has_died = evidence->next_died;
  trace->is_aside = evidence->next_aside;
  evidence->next_thread = TG_NO_NUMBER;
  evidence->has_header = evidence->next_died = evidence->next_aside = false;
  return trace;
}

/* gdb prints the frame at which the program stops, and prints this frame again as a part of the
 * whole stack. */
static bool is_printed_again(const struct tg_evidence *evidence,
                             const struct tg_trace_frame *frame) {
  if (evidence->count == 0 || evidence->has_header || frame->number != 0) return false;
  const struct tg_trace *trace = &evidence->traces[evidence->count - 1];
  return trace->count == 1 && trace->is_bare == frame->is_bare && trace->frames[0].number == 0 &&
         trace->frames[0].address == frame->address &&
         strcmp(trace->frames[0].function, frame->function) == 0;
}

static void add_frame(struct tg_evidence *evidence, const struct tg_trace_frame *frame,
                      uint64_t line) {
  int last = last_number(evidence, 0);
  if (is_printed_again(evidence, frame)) current(evidence)->count = current(evidence)->seen = 0;
  bool goes_on = evidence->count != 0 && !evidence->has_header &&
                 (frame->number > last || current(evidence)->count == 0);
  if (goes_on && frame->is_bare != current(evidence)->is_bare) goes_on = false;
  struct tg_trace *trace = goes_on ? current(evidence) : begin_trace(evidence, line);
  trace->is_bare = frame->is_bare;
  tg_trace_add(trace, frame);
  evidence->frame_line = line;
  tg_evidence_note_object(evidence, frame->object);
  if (has(frame->source, "bun-usockets") || has(frame->source, "napi_body.rs"))
    evidence->facts |= TG_FACT_BUN;
}

static bool continues_frame(struct tg_evidence *evidence, const char *line, uint64_t number) {
  if (evidence->count == 0) return false;
  struct tg_trace *trace = current(evidence);
  if (trace->count == 0 || evidence->has_header || number > evidence->frame_line + 1) return false;
  struct tg_trace_frame *frame = &trace->frames[trace->count - 1];
  if (!tg_trace_frame_continue(line, frame)) return false;
  evidence->frame_line = number;
  tg_evidence_note_object(evidence, frame->object);
  return true;
}

/* --- Headers */

/* The number after a word, or TG_NO_NUMBER. */
static int number_behind(const char *line, const char *word) {
  const char *at = strstr(line, word);
  if (at == NULL) return TG_NO_NUMBER;
  at += strlen(word);
  return isdigit((unsigned char)*at) ? atoi(at) % 1000000 : TG_NO_NUMBER;
}

static void header(struct tg_evidence *evidence, int thread, bool died, bool aside) {
  evidence->has_header = true;
  evidence->next_thread = thread;
  evidence->next_died = died;
  evidence->next_aside = aside;
  evidence->in_javascript = false;
}

/* Records whether the process is alive: a debugger has stopped it, or a signal has ended it. The
 * last such line counts. */
static void note_stop(struct tg_evidence *evidence, const char *line) {
  bool is_stop = has(line, " hit Breakpoint ") || strncmp(line, "Breakpoint ", 11) == 0 ||
                 has(line, "received signal SIGINT") || has(line, "stop reason = breakpoint");
  if (is_stop)
    evidence->is_alive = true;
  else if (has(line, "received signal SIG") || has(line, "Program terminated with signal"))
    evidence->is_alive = false;
}

/* "[Current thread is 1 (…)]": in a core this is the thread that died. */
static bool take_current(struct tg_evidence *evidence, const char *line) {
  if (has(line, "Program terminated with signal")) evidence->was_killed = true;
  if (!has(line, "[Current thread is ")) return false;
  evidence->current_thread = number_behind(line, "[Current thread is ");
  if (evidence->was_killed) evidence->died_thread = evidence->current_thread;
  return true;
}

/* "Thread 3 (Thread 0x… (LWP 12)):", "Thread 7 Crashed:: WorkerThread", "Thread 4 "node" received
 * signal SIGSEGV". */
static bool take_numbered(struct tg_evidence *evidence, const char *line) {
  int thread = number_behind(line, "Thread ");
  if (thread == TG_NO_NUMBER) return false;
  bool was_signalled = has(line, "received signal SIG");
  bool died = was_signalled || has(line, " Crashed:") || has(line, " (crashed)");
  if (was_signalled) evidence->died_thread = thread;
  if (!died && !has(line, "(Thread 0x") && !has(line, "(LWP ") && !has(line, "(process "))
    return false;
  header(evidence, thread, died || thread == evidence->died_thread, false);
  return true;
}

/* Headers of stacks that gdb has not numbered: Node's, lldb's, coredumpctl's, eu-stack's
 * ("TID 12:"). */
static bool take_unnumbered(struct tg_evidence *evidence, const char *line) {
  bool is_node = has(line, "Native stack trace -----"), is_lldb = has(line, "thread #");
  bool is_tid = line[strlen(line) - 1] == ':' && number_behind(line, "TID ") != TG_NO_NUMBER;
  bool died = is_node || (is_lldb && (has(line, "* thread #") || (has(line, "stop reason = sig") &&
                                                                  !has(line, "signal SIGSTOP"))));
  if (!is_node && !is_lldb && !is_tid && !has(line, "Stack trace of thread ")) return false;
  header(evidence, is_lldb ? number_behind(line, "thread #") : TG_NO_NUMBER, died, false);
  return true;
}

/* Sanitizers and valgrind also print stacks from other moments. */
static bool take_moment(struct tg_evidence *evidence, const char *line) {
  static const char *const others[] = {"freed by thread",     "previously allocated by",
                                       "allocated by thread", "created by T",
                                       " was alloc'd",        "free'd",
                                       "is located ",         " in loss record ",
                                       "Previous read",       "Previous write"};
  bool is_other = false;
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) is_other |= has(line, others[i]);
  bool is_this = has(line, "ERROR: AddressSanitizer") || has(line, "WARNING: ThreadSanitizer");
  if (!is_other && !is_this) return false;
  header(evidence, TG_NO_NUMBER, !is_other, is_other);
  return true;
}

static bool take_header(struct tg_evidence *evidence, const char *line) {
  return take_current(evidence, line) || take_numbered(evidence, line) ||
         take_unnumbered(evidence, line) || take_moment(evidence, line);
}

static bool take_javascript_header(struct tg_evidence *evidence, const char *line) {
  if (!has(line, "JavaScript stack trace -----") && !has(line, "JS stacktrace") &&
      !has(line, "JS stack trace ="))
    return false;
  evidence->in_javascript = true;
  return true;
}

/* --- Runtime and system */

static bool read_version(const char *at, char version[32]) {
  const char *start = at;
  for (unsigned part = 0; part < 3; part++) {
    size_t digits = strspn(at, "0123456789");
    if (digits == 0 || digits > 4) return false;
    at += digits;
    if (part < 2 && *at++ != '.') return false;
  }
  size_t length = (size_t)(at - start);
  if (length >= 32 || *at == '.' || isdigit((unsigned char)*at)) return false;
  memcpy(version, start, length);
  version[length] = '\0';
  return true;
}

/* Skips what may stand between a runtime's name and its version. */
static const char *skip_to_version(const char *at) {
  static const char *const fillers[] = {".js",     "js", "Version", "version",
                                        "runtime", "-v", "-linux",  "v"};
  for (unsigned steps = 0; steps < 12; steps++) {
    const char *before = at;
    while (*at != '\0' && strchr(" :/@_-=\"'`*|(,", *at) != NULL) at++;
    for (size_t i = 0; i < sizeof fillers / sizeof fillers[0]; i++) {
      size_t length = strlen(fillers[i]);
      if (strncmp(at, fillers[i], length) == 0) {
        at += length;
        break;
      }
    }
    if (at == before) break;
  }
  return at;
}

static void set_runtime(struct tg_evidence *evidence, const char *runtime, const char *version) {
  tg_copy_string(evidence->runtime, sizeof evidence->runtime, runtime);
  tg_copy_string(evidence->version, sizeof evidence->version, version);
}

static bool note_runtime(struct tg_evidence *evidence, const char *line, const char *word,
                         const char *runtime) {
  char version[32];
  for (const char *at = line; (at = strstr(at, word)) != NULL; at += strlen(word)) {
    if (at != line && isalnum((unsigned char)at[-1])) continue;
    const char *behind = skip_to_version(at + strlen(word));
    if (behind == at + strlen(word) || !read_version(behind, version)) continue;
    set_runtime(evidence, runtime, version);
    return true;
  }
  return false;
}

void tg_evidence_note_version(struct tg_evidence *evidence, const char *line) {
  static const struct {
    const char *word, *runtime;
  } words[] = {{"node", "node"},   {"Node", "node"}, {"NODE", "node"}, {"nodejsVersion", "node"},
               {"nodejs", "node"}, {"Bun", "bun"},   {"bun", "bun"},   {"Deno", "deno"},
               {"deno", "deno"}};
  char version[32];
  for (size_t i = 0; evidence->version[0] == '\0' && i < sizeof words / sizeof words[0]; i++)
    if (note_runtime(evidence, line, words[i].word, words[i].runtime)) return;
  if (evidence->version[0] == '\0' && line[0] == 'v' && read_version(line + 1, version) &&
      strlen(line) < 12)
    set_runtime(evidence, "node", version);
}

void tg_evidence_note_object(struct tg_evidence *evidence, const char *path) {
  if (path[0] == '\0') return;
  if (has(path, "libsystem_") || has(path, ".dylib") || strncmp(path, "/Users/", 7) == 0 ||
      has(path, "darwin"))
    evidence->is_mac = true;
  if (has(path, "ntdll") || has(path, ".dll") || has(path, ".exe") || has(path, ":\\") ||
      has(path, "KERNEL32") || has(path, "KERNELBASE"))
    evidence->is_windows = true;
  if (has(path, "ld-musl")) evidence->is_musl = true;
  if (has(path, "lectron")) evidence->is_electron = true;
  if (has(path, "libtsfnguard")) evidence->is_guarded = true;
  if (has(path, ".node")) evidence->facts |= TG_FACT_NODE_API;
  tg_evidence_note_version(evidence, path);
}

/* Whether the line shows that the library was loaded. An environment variable that names it does
 * not show this, unless it is LD_PRELOAD. */
static bool shows_guard(const char *line) {
  const char *library = strstr(line, "libtsfnguard.so");
  if (library == NULL) return has(line, "tsfn-guard[");
  if (has(line, "LD_PRELOAD")) return true;
  for (const char *at = line; at < library; at++)
    if (*at == '=' || strncmp(at, "\": ", 3) == 0) return false;
  return true;
}

static void note_system(struct tg_evidence *evidence, const char *line) {
  if (has(line, "macOS") || has(line, "Darwin ") || has(line, "darwin-arm64") ||
      has(line, "darwin-x64") || has(line, "zsh: abort") || has(line, "zsh: segmentation fault") ||
      has(line, "libc++abi: "))
    evidence->is_mac = true;
  if (has(line, "ld-musl") || has(line, "Alpine Linux") || has(line, "linux-musl"))
    evidence->is_musl = true;
  if (has(line, "third_party/electron_node") || has(line, "/electron/") || has(line, "Electron"))
    evidence->is_electron = true;
  if (shows_guard(line)) evidence->is_guarded = true;
  if (has(line, "napi_") || has(line, ".node")) evidence->facts |= TG_FACT_NODE_API;
  if (has(line, "Bun v") || has(line, "Bun has crashed") || has(line, "bun.report"))
    evidence->facts |= TG_FACT_BUN;
  tg_evidence_note_version(evidence, line);
}

/* Records the first .node file that a line mentions. Only the end of its path is needed to find its
 * package. */
static void note_addon(struct tg_evidence *evidence, const char *line) {
  const char *end = strstr(line, ".node");
  if (end == NULL || evidence->addon[0] != '\0') return;
  end += strlen(".node");
  if (isalnum((unsigned char)*end) || *end == '/' || *end == '.') return;
  const char *start = end;
  while (start > line && strchr(" '\"`([=", start[-1]) == NULL) start--;
  if (end - start > 5 && end - start < TG_OBJECT_MAX) {
    memcpy(evidence->addon, start, (size_t)(end - start));
    evidence->addon[end - start] = '\0';
  }
}

/* --- Words */

/* The signal that these words stand for. SIGABRT also stands for a signal that is not named. */
static const struct {
  const char *words;
  int signal;
} signals[] = {{"SIGSEGV", SIGSEGV},
               {"egmentation fault", SIGSEGV},
               {"SIGABRT", SIGABRT},
               {"Aborted (core dumped)", SIGABRT},
               {"SIGBUS", SIGBUS},
               {"SIGILL", SIGILL},
               {"SIGTRAP", SIGTRAP},
               {"(core dumped)", SIGABRT},
               {"dumped core", SIGABRT},
               {"(ABRT)", SIGABRT},
               {"exit code 139", SIGSEGV},
               {"exit code 134", SIGABRT},
               {"code: 134", SIGABRT},
               {"code: 139", SIGSEGV},
               {"with code 139", SIGSEGV},
               {"with code 134", SIGABRT},
               {"status 139", SIGSEGV},
               {"status 134", SIGABRT},
               {"zsh: abort", SIGABRT},
               {"trace trap", SIGTRAP},
               {"Illegal instruction", SIGILL},
               {"Bus error", SIGBUS},
               {"segfault at ", SIGSEGV},
               {"general protection", SIGSEGV},
               {"AddressSanitizer", SIGABRT},
               {"SEGV", SIGSEGV},
               {"Program terminated with signal", SIGABRT},
               {"Access violation", SIGSEGV},
               {"EXCEPTION_ACCESS_VIOLATION", SIGSEGV},
               {"terminated by signal", SIGABRT},
               {"3221225477", SIGSEGV},
               {"0xC0000005", SIGSEGV},
               {"EXC_BAD_ACCESS", SIGSEGV},
               {"terminate called", SIGABRT},
               {"libc++abi", SIGABRT},
               {"FATAL ERROR: ", SIGABRT},
               {"Assertion failed: ", SIGABRT},
               {"EXC_CRASH", SIGABRT},
               {"uv loop at [", SIGABRT},
               {"Abort trap", SIGABRT}};

/* ids from here on are rows of the table above; smaller ids are signatures */
enum { SIGNAL_IDS = 1 << 16 };

static const struct tg_word_set *all_words(void) {
  static struct tg_word_set set;
  const struct tg_signature *signature;
  if (set.count != 0) return &set;
  for (unsigned i = 0; (signature = tg_signature(i)) != NULL; i++)
    for (unsigned word = 0; word < TG_WORDS_MAX && signature->words[word] != NULL; word++)
      tg_word_set_add(&set, signature->words[word], i);
  for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++)
    tg_word_set_add(&set, signals[i].words, SIGNAL_IDS + i);
  return &set;
}

struct found {
  struct tg_evidence *evidence;
  const char *line;
  uint64_t number;
  /* in a frame, words for a signal do not count: they may be part of a function's name */
  bool is_frame;
};

static void take_word(void *argument, uint32_t id) {
  const struct found *found = argument;
  struct tg_evidence *evidence = found->evidence;
  if (id >= SIGNAL_IDS) {
    if (found->is_frame) return;
    evidence->facts |= TG_FACT_SIGNAL;
    if (evidence->signal == 0) evidence->signal = signals[id - SIGNAL_IDS].signal;
    return;
  }
  struct tg_hit *hit = &evidence->hits[id % TG_SIGNATURES_MAX];
  if (found->is_frame && evidence->count != 0) {
    hit->traces |= UINT64_C(1) << (evidence->count - 1);
    return;
  }
  if (hit->found) return;
  hit->found = true;
  hit->line = found->number;
  tg_copy_string(hit->text, sizeof hit->text, found->line);
}

static void note_words(struct tg_evidence *evidence, const char *line, uint64_t number,
                       bool is_frame) {
  struct found found = {evidence, line, number, is_frame};
  tg_word_set_find(all_words(), line, take_word, &found);
}

/* "node[12]: segfault at 7f12 ip 00007f12 sp …". If both addresses are equal and not near NULL, the
 * process jumped to an address without code. */
static void note_kernel(struct tg_evidence *evidence, const char *line) {
  const char *at = strstr(line, "segfault at "), *ip = at == NULL ? NULL : strstr(at, " ip ");
  if (ip == NULL) return;
  uint64_t address = strtoull(at + strlen("segfault at "), NULL, 16),
           code = strtoull(ip + 4, NULL, 16);
  if (address == code && address >= 4096) evidence->facts |= TG_FACT_NO_MEMORY;
}

/* If the exception has no message from JavaScript, node-addon-api prints one of its own texts. */
static void note_exception(struct tg_evidence *evidence, const char *line) {
  static const char *const own[] = {"Unknown failure",
                                    "Error in native callback",
                                    "exception is pending",
                                    "Cannot run JavaScript",
                                    "cannot run JavaScript",
                                    "Invalid argument",
                                    "unknown"};
  if (has(line, "instance of 'Napi::") || has(line, "exception of type Napi::"))
    evidence->facts |= TG_FACT_NAPI_ERROR;
  if (has(line, "terminate called after throwing")) evidence->facts |= TG_FACT_TERMINATE;
  const char *what = strstr(line, "what():");
  if (what == NULL)
    what = has(line, "exception of type Napi::Error: ") ? strstr(line, "Napi::Error:") : NULL;
  if (what == NULL) return;
  what = strchr(what, ':') + 1;
  while (*what == ' ' || *what == ':') what++;
  for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
    if (has(what, own[i])) return;
  if (*what != '\0') evidence->facts |= TG_FACT_JS_MESSAGE;
}

/* Takes what triage_unwind.c prints besides the stacks. */
static bool take_core(struct tg_evidence *evidence, const char *line) {
  static const char ring[] = "tsfn-guard ring: ";
  if (strncmp(line, ring, strlen(ring)) == 0)
    tg_copy_string(evidence->ring, sizeof evidence->ring, line + strlen(ring));
  else if (strcmp(line, "tsfn-guard core: no signal") == 0)
    evidence->is_alive = true;
  else if (strcmp(line, "tsfn-guard core: no memory at the code") == 0)
    evidence->facts |= TG_FACT_NO_MEMORY;
  else
    return false;
  return true;
}

void tg_evidence_take(void *argument, const char *line, uint64_t number) {
  struct tg_evidence *evidence = argument;
  struct tg_trace_frame frame;
  if (continues_frame(evidence, line, number)) return;
  if (take_core(evidence, line)) return;
  if (take_javascript_header(evidence, line)) return;
  note_stop(evidence, line);
  if (take_header(evidence, line)) {
    note_system(evidence, line);
    note_words(evidence, line, number, false);
    return;
  }
  if (!evidence->in_javascript &&
      tg_trace_frame_parse(line, last_number(evidence, number), &frame)) {
    add_frame(evidence, &frame, number);
    note_words(evidence, line, number, true);
    return;
  }
  note_kernel(evidence, line);
  note_exception(evidence, line);
  note_system(evidence, line);
  note_addon(evidence, line);
  note_words(evidence, line, number, false);
}
