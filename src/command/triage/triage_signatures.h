/* The table of what crashes look like: words that are printed, and facts about the stack that died. docs/triage.md is printed
 * from it; test/triage has a case for each row. */
#ifndef TG_COMMAND_TRIAGE_SIGNATURES_H
#define TG_COMMAND_TRIAGE_SIGNATURES_H

#include <stdbool.h>
#include <stdint.h>

enum tg_triage_verdict {
  TG_VERDICT_TSFN_USE_AFTER_FREE,
  TG_VERDICT_TSFN_OTHER,
  TG_VERDICT_UNMAPPED_CODE,
  TG_VERDICT_JAVASCRIPT_FORBIDDEN,
  TG_VERDICT_V8_WRONG_THREAD,
  TG_VERDICT_UV_LOOP_CLOSE,
  TG_VERDICT_OOM,
  TG_VERDICT_ADDON_OWN,
  TG_VERDICT_NOT_AN_ADDON,
  TG_VERDICT_UNKNOWN,
  TG_VERDICTS
};

extern const char *const tg_verdict_names[TG_VERDICTS];

enum tg_helps { TG_HELPS_YES, TG_HELPS_WITH_OPTION, TG_HELPS_NO, TG_HELPS_UNKNOWN };

extern const char *const tg_helps_names[];

enum tg_sure { TG_SURE_CERTAIN, TG_SURE_LIKELY, TG_SURE_POSSIBLE };

extern const char *const tg_sure_names[];

/* What is known of a crash beside its words; most are about the stack that died. */
enum tg_fact {
  TG_FACT_TSFN_CALL = 1 << 0,     /* one of the seven functions, with nothing but locks and aborts above it */
  TG_FACT_TSFN_WAIT = 1 << 1,     /* some thread waits within one of the seven */
  TG_FACT_TSFN_LOOP = 1 << 2,     /* and it is a loop's own */
  TG_FACT_HANG = 1 << 3,          /* stacks, and none of them has died */
  TG_FACT_ENDING = 1 << 4,        /* the environment or the process is being taken down in it */
  TG_FACT_ANY_ENDING = 1 << 5,    /* in any of the stacks */
  TG_FACT_DELIVERY = 1 << 6,      /* a callback of a thread-safe function is running */
  TG_FACT_OWN_THREAD = 1 << 7,    /* a thread that runs no JavaScript, nor is one of the runtime's */
  TG_FACT_POOL = 1 << 8,          /* a thread of libuv's pool */
  TG_FACT_ADDON_TOP = 1 << 9,     /* an addon's code, or its library's, died */
  TG_FACT_ADDON_CALLS = 1 << 10,  /* an addon called what died, with no JavaScript between */
  TG_FACT_ADDON_IN = 1 << 11,     /* an addon is somewhere in it */
  TG_FACT_RUNTIME_TOP = 1 << 12,  /* the runtime's code died */
  TG_FACT_RUNTIME_ONLY = 1 << 13, /* no code of others in it, and enough names to say so */
  TG_FACT_JS_API = 1 << 14,       /* Node-API or V8 is used in it, and not to call a thread-safe function */
  TG_FACT_NO_CODE = 1 << 15,      /* it ran where there is no code, called by what runs callbacks */
  TG_FACT_NO_CODE_TLS = 1 << 16,  /* called by what runs thread-local destructors */
  TG_FACT_MUTEX = 1 << 17,        /* it died of a mutex */
  TG_FACT_STACK = 1 << 18,        /* there is a stack */
  TG_FACT_SIGNAL = 1 << 19,       /* words or a stack that say that something died */
  TG_FACT_JS_MESSAGE = 1 << 20,   /* what() of the exception is a message of JavaScript's own */
  TG_FACT_NAPI_ERROR = 1 << 21,   /* an exception of node-addon-api was not caught */
  TG_FACT_BUN = 1 << 22,
  TG_FACT_NODE_API = 1 << 23,    /* Node-API or a .node file is mentioned anywhere */
  TG_FACT_NO_MEMORY = 1 << 24,   /* what was to be run is not in memory, as the kernel or the core says */
  TG_FACT_AT_EXIT = 1 << 25,     /* exit handlers and static destructors are running in it */
  TG_FACT_ADDON_ASIDE = 1 << 26, /* an addon has freed or made the memory in question */
  TG_FACT_FATAL = 1 << 27,       /* an addon ended the process itself: napi_fatal_error() */
  TG_FACT_TERMINATE = 1 << 28,   /* a C++ exception was not caught */
  TG_FACT_ASSERTION = 1 << 30,   /* of the runtime's own, in a call of one of the seven */
  TG_FACT_WORKER = 1 << 29,      /* a worker ran it */
};

enum { TG_WORDS_MAX = 20, TG_SIGNATURES_MAX = 64 };

struct tg_signature {
  const char *name;
  enum tg_triage_verdict verdict;
  enum tg_helps helps;
  const char *option; /* with-option: "key=value"; where this library has no such option, the answer is no */
  enum tg_sure sure;
  uint32_t needs, not ; /* facts: all of these, and none of those */
  const char
      *words[TG_WORDS_MAX]; /* one of these is in a line; '*' stands for anything. None: facts suffice */
  const char *frames;       /* for people: what the stack looks like. NULL: the words suffice */
  const char *page;         /* in docs, with its anchor */
  const char *what;         /* what it is */
  const char *fault;        /* whose */
  const char
      *remedy; /* what one can do in one's own JavaScript: a section of docs/javascript.md. NULL: nothing */
  const char *advice; /* what to do, where the guard does not help by itself; NULL: run it guarded */
};

/* The signature of a number, counted from 0; the first that fits is the answer. NULL: there are no more. */
const struct tg_signature *tg_signature(unsigned number);

/* Whether the guard helps, as far as this library goes: one without the option does not. */
enum tg_helps tg_signature_helps(const struct tg_signature *signature);

/* The tables of docs/triage.md, on standard output. */
void tg_signatures_print(void);

#endif
