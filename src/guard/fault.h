/* What the core tells about a misuse that it absorbed. */
#ifndef TG_GUARD_FAULT_H
#define TG_GUARD_FAULT_H

#include <node_api.h>

enum { TG_NAME_SIZE = 32 }; /* bytes kept of a thread-safe function's async resource name, with the NUL */

enum tg_fault_kind {
  TG_FAULT_USE_AFTER_FINALIZE, /* the runtime has freed the object by now */
  TG_FAULT_NEVER_A_HANDLE,     /* the value was never given out */
  TG_FAULT_NULL_HANDLE,
  TG_FAULT_NULL_RESULT,       /* get_context without a place for the result */
  TG_FAULT_BLOCKED_AT_CLOSE,  /* more callers blocked on a full queue than the runtime wakes */
  TG_FAULT_OWN_LOOP_BLOCKING, /* a blocking call on a full queue from the thread that empties it */
  TG_FAULT_FOREIGN_REF,       /* ref or unref from a thread that is not the loop thread */
  TG_FAULT_HANDLES_USED_UP, /* no misuse: the table has no handle left, the runtime serves the function itself */
  TG_FAULT_KINDS
};

struct tg_addon;

/* Valid only while on_fault runs. */
struct tg_fault {
  enum tg_fault_kind kind;
  const char *function;         /* Node-API's name of the entry point */
  const void *caller;           /* return address in the calling code; NULL: unknown */
  const struct tg_addon *addon; /* who created the function; NULL: unknown */
  napi_status answer;
  char name[TG_NAME_SIZE]; /* empty: unknown */
};

#endif
