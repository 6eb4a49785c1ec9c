/* Implements the reading of frames. Each form of line has a function. The first function that
 * recognises a line reads it. */
#include "command/common/stack_frame.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "command/common/demangle.h"

/* --- Pieces of a line */

static void copy_piece(char *to, size_t size, const char *from, size_t length) {
  if (length >= size) length = size - 1;
  memcpy(to, from, length);
  to[length] = '\0';
}

/* Keeps the end of a path that is too long, because the end says most. */
static void copy_path(char to[TG_OBJECT_MAX], const char *from, size_t length) {
  while (length != 0 && from[length - 1] == ' ') length--;
  size_t cut = length >= TG_OBJECT_MAX ? length - TG_OBJECT_MAX + 1 : 0;
  copy_piece(to, TG_OBJECT_MAX, from + cut, length - cut);
}

static const char *skip_spaces(const char *at) {
  while (*at == ' ') at++;
  return at;
}

static bool is_word_char(char byte) {
  return isalnum((unsigned char)byte) || byte == '_';
}

/* Reads a number and moves *at behind it. False: there are no digits, or the number is too large
 * for a frame. */
static bool read_number(const char **at, int *number) {
  const char *from = *at;
  int value = 0;
  while (isdigit((unsigned char)*from) && value < 10000) value = value * 10 + (*from++ - '0');
  if (from == *at || isdigit((unsigned char)*from) || value >= 10000) return false;
  *number = value;
  *at = from;
  return true;
}

/* "0x…", or if `bare` is set at least eight hexadecimal digits. */
static bool read_address(const char **at, uint64_t *address, bool bare) {
  const char *from = *at;
  bool has_prefix = from[0] == '0' && from[1] == 'x';
  if (has_prefix) from += 2;
  char *end;
  if (!isxdigit((unsigned char)*from)) return false;
  uint64_t value = strtoull(from, &end, 16);
  if (is_word_char(*end) || (!has_prefix && (!bare || end - from < 8))) return false;
  *address = value;
  *at = end;
  return true;
}

static const char *find_last(const char *text, const char *piece) {
  const char *found = NULL, *at = text;
  while ((at = strstr(at, piece)) != NULL) found = at++;
  return found;
}

/* --- Names */

static bool starts(const char *text, const char *with) {
  return strncmp(text, with, strlen(with)) == 0;
}

/* Removes the variable parts of a C++ name: "(anonymous namespace)", arguments, ".cold", "[clone
 * …]", "+0x12". */
static void plain_name(char name[TG_FUNCTION_MAX]) {
  static const char returns[] = "void ";
  static const char anonymous[] = "(anonymous namespace)";
  static const char *const ends[] = {
      " [clone", ".cold", ".part.", ".constprop.", ".isra.", ".llvm.", "@plt", "@@",
      "@",       "$plt",  " const", "+0x",         "+",      " + 0x",  " + ",  " in "};
  char *at;
  while ((at = strstr(name, anonymous)) != NULL) {
    memcpy(at, "{anon}", 6);
    memmove(at + 6, at + strlen(anonymous), strlen(at + strlen(anonymous)) + 1);
  }
  if (starts(name, returns))
    memmove(name, name + strlen(returns), strlen(name + strlen(returns)) + 1);
  bool is_operator = strstr(name, "operator") != NULL;
  char *paren = strchr(name, '(');
  if (paren != NULL && paren != name && !is_operator) *paren = '\0';
  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
    at = strstr(name, ends[i]);
    if (at != NULL && at != name && !is_operator) *at = '\0';
  }
  size_t length = strlen(name);
  while (length != 0 && name[length - 1] == ' ') name[--length] = '\0';
}

/* Whether the offset in the name is large. The name is then that of the last exported function
 * before the code, and says nothing about the code. */
static bool is_far(const char *name, size_t length) {
  enum { FAR = 0x4000 };
  size_t plus = length;
  while (plus != 0 && name[plus - 1] != '+') plus--;
  if (plus == 0) return false;
  const char *digits = name + plus;
  while (digits < name + length && *digits == ' ') digits++;
  char *end;
  unsigned long offset = isdigit((unsigned char)*digits) ? strtoul(digits, &end, 0) : 0;
  return offset > FAR;
}

static void set_function(struct tg_trace_frame *frame, const char *name, size_t length) {
  while (length != 0 && *name == ' ') name++, length--;
  while (length != 0 && name[length - 1] == ' ') length--;
  bool unknown = length == 0 || (length >= 2 && strncmp(name, "??", 2) == 0) ||
                 (length == 3 && strncmp(name, "n/a", 3) == 0) ||
                 strncmp(name, "<unknown", 8) == 0 || strncmp(name, "___lldb_unnamed", 15) == 0 ||
                 strncmp(name, "<redacted", 9) == 0;
  if (!unknown && !is_far(name, length))
    copy_piece(frame->function, sizeof frame->function, name, length);
}

static void read_mangled(char name[TG_FUNCTION_MAX]) {
  const char *mangled = name[0] == '_' && name[1] == '_' && name[2] == 'Z' ? name + 1 : name;
  if (!starts(mangled, "_Z")) return;
  char *plain = tg_demangle(mangled);
  if (plain == NULL) return;
  copy_piece(name, TG_FUNCTION_MAX, plain, strlen(plain));
  free(plain);
}

bool tg_name_fits(const char *name, const char *pattern) {
  const char *star = strchr(pattern, '*');
  if (star == NULL) return strcmp(name, pattern) == 0;
  size_t before = (size_t)(star - pattern);
  if (strncmp(name, pattern, before) != 0) return false;
  const char *rest = star + 1;
  if (*rest == '\0') return true;
  for (name += before; *name != '\0'; name++)
    if (tg_name_fits(name, rest)) return true;
  return false;
}

/* --- Owners */

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/'), *back = strrchr(path, '\\');
  if (back != NULL && (slash == NULL || back > slash)) slash = back;
  return slash == NULL ? path : slash + 1;
}

static bool fits_any(const char *name, const char *const *patterns, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (tg_name_fits(name, patterns[i])) return true;
  return false;
}
#define FITS(name, patterns) fits_any(name, patterns, sizeof(patterns) / sizeof((patterns)[0]))

/* Addons that only print the stack of a crash. */
static bool prints_crashes(const char *name) {
  return starts(name, "segfault-handler") || starts(name, "segfault_handler") ||
         starts(name, "segvhandler") || strcmp(name, "segfault.node") == 0;
}

static enum tg_owner owner_of_object(const char *object) {
  static const char *const runtimes[] = {
      "node",  "node.exe", "node-*",   "node_g",    "nodejs",      "libnode.*", "bun",    "bun.exe",
      "bun-*", "deno",     "deno.exe", "electron*", "Electron*",   "node18*",   "node2*", "libv8*",
      "iojs",  "code",     "chrome",   "libuv.*",   "libcrypto.*", "libssl.*",  "libicu*"};
  static const char *const systems[] = {
      "libc.*",      "libc-*",     "libpthread*",  "ld-linux*",   "ld-musl*",       "ld-2*",
      "libstdc++*",  "libgcc_s*",  "libm.*",       "libm-*",      "libdl*",         "linux-vdso*",
      "linux-gate*", "[vdso]",     "libasan*",     "libtsan*",    "libubsan*",      "libc++*",
      "libsystem_*", "libdyld*",   "dyld",         "libobjc*",    "CoreFoundation", "libdispatch*",
      "ntdll*",      "kernel32*",  "KERNEL32*",    "KERNELBASE*", "ucrtbase*",      "msvcrt*",
      "VCRUNTIME*",  "vgpreload*", "libjemalloc*", "memcheck-*",  "librt*",         "libmimalloc*",
      "libtcmalloc*"};
  char name[TG_OBJECT_MAX];
  /* without the ":arm64" of "node:arm64" */
  copy_piece(name, sizeof name, base_name(object), strcspn(base_name(object), ":"));
  size_t length = strlen(name);
  if (starts(name, "libtsfnguard")) return TG_OWNER_GUARD;
  if (prints_crashes(name)) return TG_OWNER_SYSTEM;
  if (length > 5 && strcmp(name + length - 5, ".node") == 0) return TG_OWNER_ADDON;
  if (FITS(name, systems)) return TG_OWNER_SYSTEM;
  if (FITS(name, runtimes)) return TG_OWNER_RUNTIME;
  if (strchr(object, '[') != NULL || strcmp(object, "???") == 0) return TG_OWNER_NOBODY;
  bool is_library = strstr(name, ".so") != NULL || strstr(name, ".dylib") != NULL ||
                    strstr(name, ".dll") != NULL || strstr(name, "_extension") != NULL;
  return is_library ? TG_OWNER_LIBRARY : TG_OWNER_UNKNOWN;
}

static enum tg_owner owner_of_source(const char *source) {
  static const char *const runtimes[] = {"*/deps/v8/*",
                                         "*/deps/uv/*",
                                         "../deps/openssl/*",
                                         "../deps/llhttp/*",
                                         "../deps/http_parser/*",
                                         "../deps/nghttp2/*",
                                         "../deps/cares/*",
                                         "../deps/zlib/*",
                                         "../deps/icu-small/*",
                                         "../deps/sqlite/*",
                                         "../deps/ncrypto/*",
                                         "../src/node*",
                                         "../src/api/*",
                                         "../src/js_native*",
                                         "*/node/src/*",
                                         "*/libuv/src/*",
                                         "../src/env*",
                                         "../src/debug*",
                                         "../src/async_wrap*",
                                         "*/nodejs-*/src/*",
                                         "*node_api.cc",
                                         "*js_native_api_v8.cc",
                                         "*node_worker.cc",
                                         "packages/bun-*",
                                         "src/uws_sys/*",
                                         "src/jsc/*",
                                         "src/runtime/*",
                                         "src/bun.js/*",
                                         "*.zig",
                                         "*/bun/src/*",
                                         "cli/napi/*",
                                         "*/JavaScriptCore/*"};
  static const char *const systems[] = {
      "*/sysdeps/*",       "*./nptl/*",       "*/nptl/*",
      "*./stdlib/*",       "*./elf/*",        "*./malloc/*",
      "*/libgcc/*",        "*./io/*",         "*/c++/*",
      "*./csu/*",          "*./misc/*",       "*./signal/*",
      "*/libstdc++-v3/*",  "*/compiler-rt/*", "*/libsanitizer/*",
      "*./dlfcn/*",        "pthread_*.c",     "raise.c",
      "abort.c",           "malloc.c",        "*vg_replace_malloc.c*",
      "*segfault-handler*"};
  if (FITS(source, systems)) return TG_OWNER_SYSTEM;
  if (FITS(source, runtimes)) return TG_OWNER_RUNTIME;
  return TG_OWNER_ADDON;
}

static enum tg_owner owner_of_function(const char *function) {
  static const char *const runtimes[] = {"node::*",
                                         "v8::*",
                                         "v8impl::*",
                                         "heap::base::*",
                                         "PushAllRegistersAndIterateStack*",
                                         "napi_*",
                                         "node_api_*",
                                         "uv_*",
                                         "uv__*",
                                         "Builtins_*",
                                         "cppgc::*",
                                         "icu_*",
                                         "Builtin*",
                                         "node_napi_env__*",
                                         "node_module_register",
                                         "LazyCompile:*",
                                         "non-virtual thunk to node::*",
                                         "JSC::*",
                                         "WTF::*",
                                         "Bun::*",
                                         "Zig::*",
                                         "bun_*",
                                         "bun.js*",
                                         "deno_*",
                                         "void node::*",
                                         "std::*<node::*",
                                         "v8_*",
                                         "worker_*main",
                                         "electron::*",
                                         "content::*",
                                         "base::*",
                                         "OPENSSL_*"};
  static const char *const systems[] = {"raise",
                                        "abort",
                                        "__GI_*",
                                        "start_thread",
                                        "clone",
                                        "clone3",
                                        "__clone*",
                                        "pthread_*",
                                        "__pthread_*",
                                        "___pthread*",
                                        "gsignal",
                                        "malloc*",
                                        "free",
                                        "calloc",
                                        "realloc",
                                        "cfree",
                                        "_int_*",
                                        "__libc_*",
                                        "std::*",
                                        "__cxa_*",
                                        "__cxxabiv1::*",
                                        "__gnu_cxx::*",
                                        "core::*",
                                        "alloc::*",
                                        "rust_*",
                                        "__rust_*",
                                        "__rdl_*",
                                        "__rg_*",
                                        "std_*",
                                        "_Unwind_*",
                                        "_Unwind*",
                                        "operator new*",
                                        "operator delete*",
                                        "__assert*",
                                        "_start",
                                        "exit",
                                        "__run_exit_handlers",
                                        "_dl_*",
                                        "__nptl_*",
                                        "__call_tls_dtors",
                                        "memcpy*",
                                        "memmove*",
                                        "memset*",
                                        "memcmp*",
                                        "__mem*",
                                        "strlen*",
                                        "strcmp*",
                                        "strcpy*",
                                        "__str*",
                                        "__futex*",
                                        "__lll_*",
                                        "futex_*",
                                        "epoll_*",
                                        "__asan*",
                                        "__interceptor_*",
                                        "__sanitizer*",
                                        "___interceptor*",
                                        "tcache_*",
                                        "tgkill",
                                        "munmap*",
                                        "_exit",
                                        "__fortify*",
                                        "__chk_fail",
                                        "__stack_chk*",
                                        "killpg",
                                        "syscall",
                                        "unlink_chunk*",
                                        "kill",
                                        "_pthread_*",
                                        "thread_start",
                                        "start",
                                        "main",
                                        "__restore_rt",
                                        "__clone3",
                                        "_fini",
                                        "dlclose",
                                        "__dlclose",
                                        "poll",
                                        "read",
                                        "select"};
  if (FITS(function, runtimes)) return TG_OWNER_RUNTIME;
  if (FITS(function, systems)) return TG_OWNER_SYSTEM;
  /* Any other C++ or Rust name belongs to an addon: the runtimes' names are in a few namespaces. */
  return strstr(function, "::") != NULL ? TG_OWNER_ADDON : TG_OWNER_UNKNOWN;
}

void tg_trace_frame_finish(struct tg_trace_frame *frame) {
  read_mangled(frame->function);
  plain_name(frame->function);
  enum tg_owner by_object =
      frame->object[0] == '\0' ? TG_OWNER_UNKNOWN : owner_of_object(frame->object);
  if (by_object == TG_OWNER_UNKNOWN && frame->is_module) by_object = TG_OWNER_LIBRARY;
  if (by_object != TG_OWNER_UNKNOWN) {
    frame->owner = by_object;
    return;
  }
  if (frame->function[0] == '\0') {
    frame->owner = frame->object[0] == '\0' ? TG_OWNER_NOBODY : TG_OWNER_UNKNOWN;
    return;
  }
  frame->owner = owner_of_function(frame->function);
  if (frame->owner == TG_OWNER_RUNTIME || frame->owner == TG_OWNER_SYSTEM) return;
  if (frame->source[0] != '\0') frame->owner = owner_of_source(frame->source);
}

/* --- What follows a frame's number */

/* Reads where the function is: "(args) at file:line", "from file", "(module + 0x12)", " in /path",
 * "(/path+0x12)". */
static void read_place(const char *text, struct tg_trace_frame *frame) {
  const char *from = find_last(text, " from "), *at = find_last(text, " at "),
             *plus = find_last(text, "+ 0x");
  const char *tight = find_last(text, "+0x"), *in = find_last(text, " (in "), *open;
  if (from != NULL) {
    copy_path(frame->object, from + 6, strlen(from + 6));
  } else if (in != NULL) {
    copy_path(frame->object, in + 5, strcspn(in + 5, ")"));
  } else if (plus != NULL && plus[-1] == ' ') {
    for (open = plus; open > text && *open != '('; open--) continue;
    if (*open == '(') copy_path(frame->object, open + 1, (size_t)(plus - open) - 1);
  } else if (tight != NULL && (open = find_last(text, "(")) != NULL && open < tight) {
    copy_path(frame->object, open + 1, (size_t)(tight - open) - 1);
  } else if (at != NULL) {
    copy_path(frame->source, at + 4, strcspn(at + 4, ": "));
  } else if ((open = find_last(text, " - /")) != NULL) {
    copy_path(frame->object, open + 3, strcspn(open + 3, " "));
  } else if ((open = find_last(text, " /")) != NULL) {
    copy_path(frame->source, open + 1, strcspn(open + 1, ": "));
  }
}

/* The length of a function's name. It ends at the arguments or at the place. Parentheses that
 * belong to the name do not end it. */
static size_t name_length(const char *text) {
  static const char *const ends[] = {" (", " - /", " from ", " at ", " /", " in /"};
  size_t length = strlen(text);
  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
    const char *end = strstr(text, ends[i]);
    while (end != NULL && starts(end, " (anonymous")) end = strstr(end + 1, ends[i]);
    if (end != NULL && end != text && (size_t)(end - text) < length) length = (size_t)(end - text);
  }
  return length;
}

static void read_function_and_place(const char *text, struct tg_trace_frame *frame) {
  text = skip_spaces(text);
  size_t length = name_length(text);
  set_function(frame, text, length);
  read_place(text, frame);
}

/* --- The forms */

/* "f() at x.c:12": only frames are written like this. */
static bool has_source(const char *text) {
  const char *at = find_last(text, " at "), *colon = at == NULL ? NULL : strchr(at, ':');
  return colon != NULL && isdigit((unsigned char)colon[1]) && strchr(at + 4, ' ') == NULL;
}

/* Reads what follows the number and the address: lldb's "node`uv_run", a tombstone's
 * "/system/lib/libc.so (abort+4)", or gdb's "uv_run () at core.c:5". */
static void read_after_address(const char *text, struct tg_trace_frame *frame) {
  const char *back = strchr(text, '`');
  if (back != NULL && back != text && strchr(text, ' ') > back) {
    copy_path(frame->object, text, (size_t)(back - text));
    set_function(frame, back + 1, name_length(back + 1));
    return;
  }
  if (!starts(text, "/")) {
    read_function_and_place(text, frame);
    return;
  }
  size_t path = strcspn(text, " ");
  copy_path(frame->object, text, path);
  const char *name = skip_spaces(text + path);
  if (*name == '(') set_function(frame, name + 1, strcspn(name + 1, "+)"));
}

/* gdb, eu-stack, coredumpctl, ASan and tombstones: "#3 0x… in f (…) from /x.so". If there is no
 * address, any text may follow the number (the title of an issue, for example). In that case the
 * number must be the next one. */
static bool parse_hash(const char *line, int previous, struct tg_trace_frame *frame) {
  for (const char *at = strchr(line, '#'); at != NULL; at = strchr(at + 1, '#')) {
    const char *rest = at + 1;
    if ((at != line && is_word_char(at[-1])) || !read_number(&rest, &frame->number)) continue;
    bool has_colon = *rest == ':';
    if (has_colon) rest++;
    if (*rest != ' ') continue;
    rest = skip_spaces(rest);
    if (starts(rest, "pc ")) rest = skip_spaces(rest + 3);
    bool has_address = read_address(&rest, &frame->address, true);
    rest = skip_spaces(rest);
    if (starts(rest, "in ")) rest += 3;
    bool goes_on =
        frame->number == 0 || (previous != TG_NO_NUMBER && frame->number == previous + 1);
    bool is_frame = has_address || has_source(rest) ||
                    (goes_on && (strstr(rest, " (") != NULL || *rest == '<'));
    if (!is_frame) continue;
    read_after_address(rest, frame);
    return true;
  }
  return false;
}

/* gdb, at the place where the program stops: "0x… in f (…) at x.cc:12". */
static bool parse_stop(const char *line, struct tg_trace_frame *frame) {
  const char *at = line;
  if (!starts(at, "0x") || !read_address(&at, &frame->address, false) || !starts(at, " in "))
    return false;
  frame->number = 0;
  read_function_and_place(at + 4, frame);
  return true;
}

/* StackWalker, on Windows: "00007FF66C9D84CE (node): (filename not available): uv_run", "d:\x.cpp
 * (12): f". */
static bool parse_stack_walker(const char *line, int previous, struct tg_trace_frame *frame) {
  static const char no_source[] = "): (filename not available): ";
  const char *close = strstr(line, no_source), *open = strstr(line, " ("), *at = line;
  frame->number = previous + 1;
  if (close != NULL && open != NULL && open < close && read_address(&at, &frame->address, true)) {
    const char *name = close + strlen(no_source);
    copy_path(frame->object, open + 2, (size_t)(close - open) - 2);
    if (!starts(name, "(function-name")) set_function(frame, name, strlen(name));
    frame->is_module = true;
    return true;
  }
  const char *source = strstr(line, ".cpp (");
  if (source == NULL) source = strstr(line, ".cc (");
  if (source == NULL || (close = strstr(source, "): ")) == NULL || line[1] != ':') return false;
  open = strchr(source, '(');
  if (strspn(open + 1, "0123456789") != (size_t)(close - open) - 1) return false;
  copy_path(frame->source, line, (size_t)(open - line));
  set_function(frame, close + 3, strlen(close + 3));
  return true;
}

/* lldb: "frame #0: 0x… libc.so.6`raise + 4 at raise.c:50". */
static bool parse_lldb(const char *line, struct tg_trace_frame *frame) {
  const char *at = strstr(line, "frame #");
  if (at == NULL) return false;
  at += strlen("frame #");
  if (!read_number(&at, &frame->number) || *at != ':') return false;
  at = skip_spaces(at + 1);
  if (!read_address(&at, &frame->address, false)) return false;
  at = skip_spaces(at);
  const char *tick = strchr(at, '`');
  if (tick == NULL) {
    copy_path(frame->object, at, strcspn(at, " "));
    return true;
  }
  copy_path(frame->object, at, (size_t)(tick - at));
  const char *source = strstr(tick, " at ");
  set_function(frame, tick + 1, source == NULL ? strlen(tick + 1) : (size_t)(source - tick) - 1);
  if (source != NULL) copy_path(frame->source, source + 4, strcspn(source + 4, ": "));
  return true;
}

/* Reads the last "[…]" of a line as a path. *name is the length of the text before it. */
static void read_bracket(const char *text, struct tg_trace_frame *frame, size_t *name) {
  const char *open = find_last(text, "[");
  *name = strlen(text);
  if (open == NULL || text[*name - 1] != ']') return;
  copy_path(frame->object, open + 1, (size_t)(text + *name - open) - 2);
  *name = (size_t)(open - text);
}

/* Node: " 1: 0xb95b60 node::Abort() [node]", older Node: " 1: node::Abort() [node]", and Rust:
 * "  4: core::panicking::panic". */
static bool parse_colon(const char *line, int previous, struct tg_trace_frame *frame) {
  for (const char *at = line; (at = strstr(at, ": ")) != NULL; at += 2) {
    const char *digits = at;
    while (digits > line && isdigit((unsigned char)digits[-1])) digits--;
    if (digits == at || (digits > line && strchr(" |>]\"", digits[-1]) == NULL)) continue;
    const char *number = digits;
    if (!read_number(&number, &frame->number)) continue;
    const char *rest = skip_spaces(at + 2);
    bool has_address = strspn(rest, "0123456789ABCDEF") == 16 || starts(rest, "0x");
    has_address = has_address && read_address(&rest, &frame->address, true);
    rest = skip_spaces(rest);
    if (has_address && starts(rest, "- ")) rest = skip_spaces(rest + 2);
    size_t length = strlen(rest), name;
    bool has_bracket = length > 2 && rest[length - 1] == ']' && strchr(rest, '[') != NULL;
    bool goes_on =
        frame->number <= 1 || (previous != TG_NO_NUMBER && frame->number == previous + 1);
    if (!has_address && !(has_bracket && goes_on) &&
        !(goes_on && strstr(rest, "::") != NULL && strchr(rest, ' ') == NULL))
      continue;
    read_bracket(rest, frame, &name);
    set_function(frame, rest, name);
    return true;
  }
  return false;
}

/* valgrind: "==12== at 0x4C2F0A3: free (vg_replace_malloc.c:530)". A stack begins with "at". */
static bool parse_valgrind(const char *line, int previous, struct tg_trace_frame *frame) {
  const char *mark = strstr(line, "==");
  if (mark == NULL || !isdigit((unsigned char)mark[2])) return false;
  const char *at = strstr(mark, " at 0x"), *by = strstr(mark, " by 0x");
  const char *rest = at != NULL ? at + 4 : by != NULL ? by + 4 : NULL;
  if (rest == NULL || !read_address(&rest, &frame->address, false) || *rest != ':') return false;
  frame->number = at != NULL ? 0 : previous + 1;
  rest = skip_spaces(rest + 1);
  const char *in = find_last(rest, " (in "), *file = find_last(rest, " (");
  set_function(frame, rest,
               file == NULL ? strlen(rest) : (size_t)((in != NULL ? in : file) - rest));
  if (in != NULL)
    copy_path(frame->object, in + 5, strcspn(in + 5, ")"));
  else if (file != NULL)
    copy_path(frame->source, file + 2, strcspn(file + 2, ":)"));
  return true;
}

/* The form of parse_mac as people shorten it: "0 libsystem_kernel.dylib __pthread_kill + 10". */
static bool parse_mac_without_address(const char *object, size_t length,
                                      struct tg_trace_frame *frame) {
  const char *name = skip_spaces(object + length), *plus = find_last(name, " + ");
  if (plus == NULL || plus == name || plus[3] == '\0' ||
      strspn(plus + 3, "0123456789") != strlen(plus + 3))
    return false;
  copy_path(frame->object, object, length);
  if (owner_of_object(frame->object) == TG_OWNER_UNKNOWN) return false;
  set_function(frame, name, strlen(name));
  return true;
}

/* macOS: "0   libsystem_kernel.dylib   0x00007fff8de9d286 __pthread_kill + 10". */
static bool parse_mac(const char *line, struct tg_trace_frame *frame) {
  const char *at = skip_spaces(line);
  if (!read_number(&at, &frame->number) || *at != ' ') return false;
  at = skip_spaces(at);
  size_t object = strcspn(at, " ");
  const char *rest = at + object, *address = strstr(rest, " 0x");
  if (object == 0) return false;
  if (address == NULL || skip_spaces(rest) != address + 1)
    return parse_mac_without_address(at, object, frame);
  address++;
  if (!read_address(&address, &frame->address, false) || *address != ' ') return false;
  if (strncmp(at, "???", 3) != 0) copy_path(frame->object, at, object);
  address = skip_spaces(address);
  if (!starts(address, "0x") && !isdigit((unsigned char)*address))
    set_function(frame, address, strlen(address));
  return true;
}

/* backtrace_symbols(): "/app/x.node(name+0x12) [0x7f…]". These frames have no numbers. */
static bool parse_glibc(const char *line, int previous, struct tg_trace_frame *frame) {
  const char *open = strrchr(line, '['), *paren = strrchr(line, '(');
  if (open == NULL || strncmp(open, "[0x", 3) != 0) return false;
  const char *at = open + 1;
  if (!read_address(&at, &frame->address, false) || *at != ']') return false;
  frame->number = previous + 1;
  if (paren == NULL || paren > open) {
    const char *start = skip_spaces(line);
    size_t path = strcspn(start, " [");
    if (start + path != open || previous == TG_NO_NUMBER) return false;
    copy_path(frame->object, start, path);
    return true;
  }
  const char *path = paren;
  while (path > line && path[-1] != ' ') path--;
  copy_path(frame->object, path, (size_t)(paren - path));
  set_function(frame, paren + 1, strcspn(paren + 1, "+)"));
  return strchr(paren, '+') != NULL &&
         (frame->object[0] == '/' || owner_of_object(frame->object) != TG_OWNER_UNKNOWN);
}

/* WinDbg and minidump_stackwalk: " 3  node!uv_mutex_lock [thread.c : 332 + 0x5]", "00 0000… 0000…
 * node!f+0x1a". */
static bool parse_bang(const char *line, int previous, struct tg_trace_frame *frame) {
  const char *bang = strchr(line, '!'), *from = bang;
  if (bang == NULL || !(is_word_char(bang[1]) || bang[1] == '<')) return false;
  while (from > line && from[-1] != ' ') from--;
  const char *at = skip_spaces(line);
  bool numbered = read_number(&at, &frame->number) && *at == ' ';
  bool windbg = strchr(line, '`') != NULL && strchr(line, '`') < bang;
  bool is_module = memchr(from, '.', (size_t)(bang - from)) != NULL && strchr(bang, '(') != NULL;
  if (from == bang || !(numbered || windbg || is_module)) return false;
  if (!numbered) frame->number = previous + 1;
  copy_path(frame->object, from, (size_t)(bang - from));
  size_t length = strlen(bang + 1);
  const char *place = strstr(bang, " [");
  if (place != NULL) length = (size_t)(place - bang) - 1;
  set_function(frame, bang + 1, length);
  return true;
}

/* minidump_stackwalk without symbols: " 0  libc.so.6 + 0x9bbbc". */
static bool parse_plus(const char *line, struct tg_trace_frame *frame) {
  const char *at = skip_spaces(line);
  if (!read_number(&at, &frame->number) || *at != ' ') return false;
  at = skip_spaces(at);
  size_t object = strcspn(at, " ");
  if (object == 0 || !starts(at + object, " + 0x")) return false;
  copy_path(frame->object, at, object);
  return true;
}

/* Zig, as Bun prints it: "???:?:?: 0x7f… in napi_call_threadsafe_function (bun)". */
static bool parse_zig(const char *line, int previous, struct tg_trace_frame *frame) {
  const char *at = strstr(line, ": 0x"), *in = at == NULL ? NULL : strstr(at, " in ");
  if (in == NULL) return false;
  at += 2;
  if (!read_address(&at, &frame->address, false) || at != in) return false;
  const char *open = find_last(in, " (");
  if (open == NULL || line[strlen(line) - 1] != ')') return false;
  frame->number = previous + 1;
  set_function(frame, in + 4, (size_t)(open - in) - 4);
  copy_path(frame->object, open + 2, strcspn(open + 2, ")"));
  return true;
}

/* bun.report: "- ??? at `0x31b6` in x.node", "- `VMTraps.h:207`:
 * `JSC::VMTraps::maybeNeedHandling`". */
static bool parse_bun_report(const char *line, int previous, struct tg_trace_frame *frame) {
  const char *dash = strstr(line, "- "), *in = strstr(line, "` in "), *name = strstr(line, "`: `");
  if (dash == NULL) return false;
  size_t length = strlen(dash);
  if (dash[2] == '`' && dash[length - 1] == '`' && length > 5 && in == NULL && name == NULL)
    name = dash - 1;
  if (in == NULL && name == NULL) return false;
  if (in != NULL && strstr(line, " at `0x") == NULL) return false;
  frame->number = previous + 1;
  if (in != NULL)
    copy_path(frame->object, in + 5, strcspn(in + 5, " "));
  else
    set_function(frame, name + 4, strcspn(name + 4, "`"));
  if (in == NULL) copy_path(frame->object, "bun", strlen("bun")); /* other frames name their file */
  return true;
}

/* The length of a function's name without its arguments. 0: it contains other characters, as prose
 * does. */
static size_t bare_length(const char *text) {
  static const char returns[] = "void ";
  size_t skipped = starts(text, returns) ? strlen(returns) : 0;
  size_t length = skipped + strcspn(text + skipped, " (+");
  for (size_t i = skipped; i < length; i++)
    if (!is_word_char(text[i]) && strchr(":~<>$'{}.*&,-#@", text[i]) == NULL) return 0;
  if (length < 5 || isdigit((unsigned char)text[skipped]) || text[length - 1] == ':' ||
      text[length - 1] == '.')
    return 0;
  const char *rest = text + length;
  if (*rest == '(') rest = strrchr(rest, ')');
  rest = rest == NULL ? "" : rest + (*rest == ')');
  return *rest == '\0' || starts(rest, " const") || starts(rest, " + ") || starts(rest, "+")
             ? length
             : 0;
}

/* Ubuntu's apport: "f() () from /app/x.node". These frames have no numbers. */
static bool parse_apport(const char *text, int previous, struct tg_trace_frame *frame) {
  const char *from = find_last(text, " () from /");
  if (from == NULL || strchr(from + 10, ' ') != NULL) return false;
  frame->number = previous + 1;
  set_function(frame, text, (size_t)(from - text));
  copy_path(frame->object, from + 9, strlen(from + 9));
  return true;
}

/* Only a name, as people paste it, sometimes after the file: "pty.node
 * Napi::ThreadSafeFunction::CallJS()". */
static bool parse_bare(const char *line, int previous, struct tg_trace_frame *frame) {
  static const char framework[] = "Electron Framework ";
  const char *at = skip_spaces(line);
  if (strlen(at) > 400) return false;
  size_t object = starts(at, framework) ? strlen(framework) - 1 : strcspn(at, " ");
  const char *name = skip_spaces(at + object);
  bool has_object = *name != '\0' && object > 3;
  if (has_object) {
    copy_path(frame->object, at, object);
    has_object = owner_of_object(frame->object) != TG_OWNER_UNKNOWN;
    if (!has_object) frame->object[0] = '\0';
  }
  if (!has_object) name = at;
  if (parse_apport(name, previous, frame)) return true;
  size_t length = bare_length(name);
  if (length == 0) return false;
  set_function(frame, name, length);
  plain_name(frame->function);
  enum tg_owner owner = owner_of_function(frame->function);
  bool is_typical = owner == TG_OWNER_RUNTIME || strstr(frame->function, "::") != NULL ||
                    (owner == TG_OWNER_SYSTEM && (strchr(frame->function, '_') != NULL ||
                                                  strcmp(frame->function, "abort") == 0));
  frame->is_bare = true;
  frame->number = previous + 1;
  bool is_of_addon = has_object && owner_of_object(frame->object) == TG_OWNER_ADDON;
  return is_typical || (is_of_addon && owner == TG_OWNER_UNKNOWN && strpbrk(name, "_:(") != NULL);
}

/* The "symbol" of a diagnostic report. */
static bool parse_report(const char *line, int previous, struct tg_trace_frame *frame) {
  size_t name;
  if (!starts(line, "symbol: ")) return false;
  frame->number = previous + 1;
  read_bracket(line + 8, frame, &name);
  set_function(frame, line + 8, name);
  return true;
}

static bool parse(const char *line, int previous, struct tg_trace_frame *frame) {
  return parse_report(line, previous, frame) || parse_lldb(line, frame) ||
         parse_valgrind(line, previous, frame) || parse_hash(line, previous, frame) ||
         parse_stop(line, frame) || parse_stack_walker(line, previous, frame) ||
         parse_zig(line, previous, frame) || parse_mac(line, frame) ||
         parse_glibc(line, previous, frame) || parse_colon(line, previous, frame) ||
         parse_bang(line, previous, frame) || parse_plus(line, frame) ||
         parse_bun_report(line, previous, frame) || parse_bare(line, previous, frame);
}

bool tg_trace_frame_continue(const char *line, struct tg_trace_frame *frame) {
  const char *at = skip_spaces(line);
  if (at == line) return false;
  if (starts(at, "from /") && frame->object[0] == '\0') {
    copy_path(frame->object, at + 5, strcspn(at + 5, " "));
  } else if (starts(at, "at ") && frame->source[0] == '\0' && strchr(at, ':') != NULL) {
    copy_path(frame->source, at + 3, strcspn(at + 3, ": "));
  } else {
    return false;
  }
  tg_trace_frame_finish(frame);
  return true;
}

bool tg_trace_frame_parse(const char *line, int previous, struct tg_trace_frame *frame) {
  memset(frame, 0, sizeof *frame);
  frame->number = TG_NO_NUMBER;
  if (!parse(line, previous, frame)) return false;
  tg_trace_frame_finish(frame);
  return true;
}
