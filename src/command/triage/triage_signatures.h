/* The table of the signatures of crashes. A signature consists of words that something printed, and
 * of facts about the stack that died. scripts/docs.sh writes the table into docs/triage.md.
 * test/triage has a case for each row. */
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

/* What is known about a crash besides its words. Most facts are about the stack that died, that is,
 * the stack of the thread that died. Below, "it" is that stack, or its thread. */
enum tg_fact {
  /* one of the seven functions; above it only locks, aborts and what the runtime calls there */
  TG_FACT_TSFN_CALL = 1 << 0,
  TG_FACT_TSFN_WAIT = 1 << 1,  /* a thread waits within one of the seven */
  TG_FACT_TSFN_LOOP = 1 << 2,  /* that thread is a loop thread */
  TG_FACT_HANG = 1 << 3,       /* there are stacks, but none seems to have died */
  TG_FACT_ENDING = 1 << 4,     /* it ends the environment or the process */
  TG_FACT_ANY_ENDING = 1 << 5, /* the same in any stack, or a stack closes a TSFN */
  TG_FACT_DELIVERY = 1 << 6,   /* a callback of a thread-safe function is running */
  /* a thread that runs no JavaScript and is not one of the runtime's */
  TG_FACT_OWN_THREAD = 1 << 7,
  TG_FACT_POOL = 1 << 8,      /* a thread of libuv's pool */
  TG_FACT_ADDON_TOP = 1 << 9, /* it died in code of an addon, or of its library */
  /* an addon called the code in which it died, with no JavaScript in between */
  TG_FACT_ADDON_CALLS = 1 << 10,
  TG_FACT_ADDON_IN = 1 << 11,    /* an addon has a frame in it */
  TG_FACT_RUNTIME_TOP = 1 << 12, /* it died in the runtime's code */
  /* it contains only the runtime's code, and enough names to say so */
  TG_FACT_RUNTIME_ONLY = 1 << 13,
  /* it uses Node-API or V8 for something other than a thread-safe function */
  TG_FACT_JS_API = 1 << 14,
  /* it ran at an address without code; the caller is a function that runs callbacks */
  TG_FACT_NO_CODE = 1 << 15,
  /* the same; the caller is a function that runs thread-local destructors */
  TG_FACT_NO_CODE_TLS = 1 << 16,
  TG_FACT_MUTEX = 1 << 17,      /* it died in a function of a mutex */
  TG_FACT_STACK = 1 << 18,      /* there is a stack */
  TG_FACT_SIGNAL = 1 << 19,     /* words or a stack show that something died */
  TG_FACT_JS_MESSAGE = 1 << 20, /* what() of the exception is a message from JavaScript */
  TG_FACT_NAPI_ERROR = 1 << 21, /* an exception of node-addon-api was not caught */
  TG_FACT_BUN = 1 << 22,
  TG_FACT_NODE_API = 1 << 23, /* Node-API or a .node file is mentioned anywhere */
  /* the code to run is not in memory, according to the kernel or the core */
  TG_FACT_NO_MEMORY = 1 << 24,
  TG_FACT_AT_EXIT = 1 << 25,     /* exit handlers or static destructors run in it */
  TG_FACT_ADDON_ASIDE = 1 << 26, /* an addon has freed or allocated the memory in question */
  TG_FACT_FATAL = 1 << 27,       /* an addon ended the process itself: napi_fatal_error() */
  TG_FACT_TERMINATE = 1 << 28,   /* a C++ exception was not caught */
  /* an assertion of the runtime failed */
  TG_FACT_ASSERTION = 1 << 30,
  TG_FACT_WORKER = 1 << 29, /* it is the thread of a worker */
};

enum { TG_WORDS_MAX = 20, TG_SIGNATURES_MAX = 64 };

struct tg_signature {
  const char *name;
  enum tg_triage_verdict verdict;
  enum tg_helps helps;
  /* "key=value" for TG_HELPS_WITH_OPTION; if this library has no such option, it does not help */
  const char *option;
  enum tg_sure sure;
  uint32_t needs, excludes; /* all facts of `needs` hold, none of `excludes` */
  /* A line contains at least one of these; '*' stands for any text. None: the facts suffice. */
  const char *words[TG_WORDS_MAX];
  const char *frames; /* what the stack looks like, for people. NULL: the words suffice */
  const char *page;   /* in docs, with an anchor */
  const char *what;   /* what it is */
  const char *fault;  /* whose fault it is */
  const char *remedy; /* a section of docs/javascript.md. NULL: there is none */
  const char *advice; /* what to do if the guard alone does not help; NULL: use the guard */
};

/* The signature with this number, counted from 0. The first one that fits is the answer. NULL:
 * there are no more. */
const struct tg_signature *tg_signature(unsigned number);

/* Whether this library helps. It does not help if it lacks an option that is needed. */
enum tg_helps tg_signature_helps(const struct tg_signature *signature);

/* Prints the tables of docs/triage.md on standard output. */
void tg_signatures_print(void);

#endif
