/* Implements exception_guard.h with one frame in assembler and its personality routine. */
#include "preload/exception_guard.h"

#include <stddef.h>
#include <stdint.h>
#include <unwind.h>

#include "preload/addon_code.h"

/* Calls call_js_cb with the first four arguments. Returns NULL, or the exception that was caught.
 * `owner` is kept in a callee-saved register, so that the personality routine can read it from the
 * context. */
struct _Unwind_Exception *tg_exception_guard_enter(napi_env env, napi_value js_callback,
                                                   void *context, void *data,
                                                   napi_threadsafe_function_call_js call_js_cb,
                                                   napi_env owner);

/* The landing pad: tg_exception_guard_enter continues here with an exception in its result
 * register. */
extern const char tg_exception_guard_landing[];

#if defined(__x86_64__)
enum { OWNER_REGISTER = 3 /* rbx */ };
#define CALL                   \
  "  endbr64\n"                \
  "  pushq %rbx\n"             \
  "  .cfi_def_cfa_offset 16\n" \
  "  .cfi_offset %rbx, -16\n"  \
  "  movq %r9, %rbx\n"         \
  "  callq *%r8\n"             \
  "  xorl %eax, %eax\n"
#define RETURN                \
  "  endbr64\n"               \
  "  popq %rbx\n"             \
  "  .cfi_def_cfa_offset 8\n" \
  "  retq\n"
#elif defined(__aarch64__)
enum { OWNER_REGISTER = 19 };
/* hint 34 and 36 are "bti c" and "bti j". */
#define CALL                      \
  "  hint #34\n"                  \
  "  stp x29, x30, [sp, #-32]!\n" \
  "  .cfi_def_cfa_offset 32\n"    \
  "  .cfi_offset x29, -32\n"      \
  "  .cfi_offset x30, -24\n"      \
  "  mov x29, sp\n"               \
  "  str x19, [sp, #16]\n"        \
  "  .cfi_offset x19, -16\n"      \
  "  mov x19, x5\n"               \
  "  blr x4\n"                    \
  "  mov x0, #0\n"
#define RETURN                  \
  "  hint #36\n"                \
  "  ldr x19, [sp, #16]\n"      \
  "  ldp x29, x30, [sp], #32\n" \
  "  .cfi_restore x19\n"        \
  "  .cfi_restore x29\n"        \
  "  .cfi_restore x30\n"        \
  "  .cfi_def_cfa_offset 0\n"   \
  "  ret\n"
#else
#error "needed x86-64 or arm64"
#endif

/* There is no language-specific data area, because there is one call and one landing pad. The
 * encoding 0x1b is DW_EH_PE_pcrel | DW_EH_PE_sdata4, which needs no relocation. The symbols are
 * global, because a link-time optimizer may separate assembler from C. They are also hidden. */
__asm__(
    ".pushsection .text\n"
    ".globl tg_exception_guard_enter, tg_exception_guard_landing\n"
    ".hidden tg_exception_guard_enter, tg_exception_guard_landing\n"
    ".type tg_exception_guard_enter, %function\n"
    "tg_exception_guard_enter:\n"
    "  .cfi_startproc\n"
    "  .cfi_personality 0x1b, tg_exception_guard_personality\n" CALL
    "tg_exception_guard_landing:\n" RETURN
    "  .cfi_endproc\n"
    ".size tg_exception_guard_enter, . - tg_exception_guard_enter\n"
    ".popsection\n");

static const struct tg_exception_guard_questions *runtime_questions;

void tg_exception_guard_open(const struct tg_exception_guard_questions *questions) {
  runtime_questions = questions;
}

/* The functions of the unwinder that calls the personality routine: its contexts work with its own
 * functions only. */
struct unwinder {
  _Unwind_Word (*get_gr)(struct _Unwind_Context *, int);
  void (*set_gr)(struct _Unwind_Context *, int, _Unwind_Word);
  void (*set_ip)(struct _Unwind_Context *, _Unwind_Ptr);
  _Unwind_Ptr (*get_ip)(struct _Unwind_Context *);
  _Unwind_Word (*get_cfa)(struct _Unwind_Context *);
  _Unwind_Reason_Code (*backtrace)(_Unwind_Trace_Fn, void *);
};

static bool find_unwinder(const void *code, struct unwinder *unwinder) {
  return tg_addon_lookup_in_same_object(code, "_Unwind_GetGR", &unwinder->get_gr) &&
         tg_addon_lookup_in_same_object(code, "_Unwind_SetGR", &unwinder->set_gr) &&
         tg_addon_lookup_in_same_object(code, "_Unwind_SetIP", &unwinder->set_ip) &&
         tg_addon_lookup_in_same_object(code, "_Unwind_GetIP", &unwinder->get_ip) &&
         tg_addon_lookup_in_same_object(code, "_Unwind_GetCFA", &unwinder->get_cfa) &&
         tg_addon_lookup_in_same_object(code, "_Unwind_Backtrace", &unwinder->backtrace);
}

/* Whether a C++ runtime, GCC's or LLVM's, has thrown it. The last byte distinguishes a primary from
 * a dependent (rethrown) exception. */
static bool is_cxx_exception(_Unwind_Exception_Class exception_class) {
  const _Unwind_Exception_Class gnu = 0x474e5543432b2b00 /* GNUCC++ */,
                                llvm = 0x434c4e47432b2b00 /* CLNGC++ */;
  _Unwind_Exception_Class vendor = exception_class & ~(_Unwind_Exception_Class)0xff;
  return vendor == gnu || vendor == llvm;
}

/* A walk from the throw outwards to the exception guard's frame. */
struct walk {
  const struct unwinder *unwinder;
  _Unwind_Word guard_frame; /* its canonical frame address */
  bool arrived;
};

static _Unwind_Reason_Code step_outwards(struct _Unwind_Context *context, void *argument) {
  struct walk *walk = argument;
  walk->arrived = walk->unwinder->get_cfa(context) == walk->guard_frame;
  if (walk->arrived ||
      runtime_questions->is_runtime_code((const void *)walk->unwinder->get_ip(context)))
    return _URC_NORMAL_STOP;
  return _URC_NO_REASON;
}

/* Whether only the addon's code lies between the throw and the exception guard. The runtime's
 * frames have unwind tables but clean nothing up: an exception that passes them leaves V8's scopes
 * pointing into a stack that is gone. There are such frames in between if napi_call_function has
 * called a C++ function, or if an addon's callback runs the loop. */
static bool is_addon_code_only(const struct unwinder *unwinder,
                               struct _Unwind_Context *guard_frame) {
  struct walk walk = {.unwinder = unwinder, .guard_frame = unwinder->get_cfa(guard_frame)};
  unwinder->backtrace(step_outwards, &walk);
  return walk.arrived;
}

/* The unwinder of the search phase. Its functions are used if those of the unwinder that enters the
 * landing pad cannot be found. This happens if the throw passes code with a hidden unwinder of its
 * own: such code resumes with that unwinder after each destructor, even if another one began. Then
 * the contexts of one unwinder are passed to the functions of another. A C++ runtime's personality
 * routine does the same, because it does not know the unwinder either. */
static _Thread_local struct unwinder searcher;

static _Unwind_Reason_Code search_handler(const void *caller, struct _Unwind_Context *context) {
  struct unwinder unwinder;
  if (!find_unwinder(caller, &unwinder)) return _URC_CONTINUE_UNWIND;
  napi_env owner = (napi_env)unwinder.get_gr(context, OWNER_REGISTER);
  if (!runtime_questions->is_over(owner) || !is_addon_code_only(&unwinder, context))
    return _URC_CONTINUE_UNWIND;
  searcher = unwinder;
  return _URC_HANDLER_FOUND;
}

static _Unwind_Reason_Code enter_handler(const void *caller, struct _Unwind_Context *context,
                                         struct _Unwind_Exception *exception) {
  struct unwinder unwinder;
  if (!find_unwinder(caller, &unwinder)) unwinder = searcher;
  unwinder.set_gr(context, __builtin_eh_return_data_regno(0), (_Unwind_Word)exception);
  unwinder.set_ip(context, (_Unwind_Ptr)tg_exception_guard_landing);
  return _URC_INSTALL_CONTEXT;
}

/* The unwinder calls this routine through the table of tg_exception_guard_enter: first in the
 * search phase, before anything is unwound, and again to enter the handler if the search chose it.
 * Thread exit (pthread_exit, pthread_cancel) has no search phase. `used`: a link-time optimizer
 * does not see the reference in the assembler. */
__attribute__((visibility("hidden"), used)) _Unwind_Reason_Code tg_exception_guard_personality(
    int version, _Unwind_Action actions, _Unwind_Exception_Class exception_class,
    struct _Unwind_Exception *exception, struct _Unwind_Context *context) {
  const void *caller = __builtin_return_address(0);
  if (version != 1 || !is_cxx_exception(exception_class)) return _URC_CONTINUE_UNWIND;
  if ((actions & _UA_SEARCH_PHASE) != 0) return search_handler(caller, context);
  if ((actions & _UA_HANDLER_FRAME) != 0) return enter_handler(caller, context, exception);
  return _URC_CONTINUE_UNWIND;
}

/* Ends the exception as an empty `catch (...)` does, by means of the C++ runtime that has thrown
 * it. If that runtime hides its functions, the exception is destroyed all the same, but the runtime
 * counts it as uncaught for ever (std::uncaught_exceptions). */
__attribute__((noinline, cold)) static void end_exception(struct _Unwind_Exception *exception) {
  void *(*begin_catch)(void *);
  void (*end_catch)(void);
  const void *runtime = (const void *)exception->exception_cleanup;
  if (runtime == NULL) return;
  if (tg_addon_lookup_in_same_object(runtime, "__cxa_begin_catch", &begin_catch) &&
      tg_addon_lookup_in_same_object(runtime, "__cxa_end_catch", &end_catch)) {
    begin_catch(exception);
    end_catch();
  } else {
    exception->exception_cleanup(_URC_FOREIGN_EXCEPTION_CAUGHT, exception);
  }
}

bool tg_exception_guard_call_js(napi_env env, napi_value js_callback, void *context, void *data,
                                napi_threadsafe_function_call_js call_js_cb, napi_env owner) {
  struct _Unwind_Exception *exception =
      tg_exception_guard_enter(env, js_callback, context, data, call_js_cb, owner);
  if (exception == NULL) return true;
  end_exception(exception);
  return false;
}
