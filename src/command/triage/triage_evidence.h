/* What is known about a crash: the stacks, the words of signatures that were found, the runtime and
 * the system.
 *
 * The size is bounded. There is a maximum of stacks and of frames, only the first hit of each
 * signature is kept, and long strings are cut. Only one thread may use it. */
#ifndef TG_COMMAND_TRIAGE_EVIDENCE_H
#define TG_COMMAND_TRIAGE_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "command/common/stack_frame.h"
#include "command/triage/triage_signatures.h"

enum { TG_TRACES_MAX = 48, TG_FRAMES_MAX = 96, TG_QUOTE_MAX = 200 };

/* A stack. If it is too deep, its last frame replaces the last one that is kept, because it shows
 * whose thread it is. */
struct tg_trace {
  int thread;    /* the debugger's number, or TG_NO_NUMBER */
  uint64_t line; /* of the text; 0: it is from a core */
  bool has_died; /* the text says that this thread died */
  bool is_bare;  /* only names, so it may be a list of anything */
  bool is_aside; /* from another moment, for example when memory was freed */
  unsigned count, seen;
  struct tg_trace_frame frames[TG_FRAMES_MAX];
};

struct tg_hit {
  uint64_t traces; /* bit i: the words are in names of frames of traces[i] */
  bool found;
  uint64_t line; /* 0: it is from a core */
  char text[TG_QUOTE_MAX];
};

struct tg_evidence {
  struct tg_trace *traces; /* TG_TRACES_MAX elements */
  unsigned count;
  unsigned lost; /* stacks that were overwritten, because there were too many */
  struct tg_hit hits[TG_SIGNATURES_MAX];
  uint32_t facts;                /* the facts that single lines show */
  char runtime[16], version[32]; /* "": unknown */
  char addon[TG_OBJECT_MAX];     /* a .node file that is mentioned outside of stacks; "": none */
  bool is_mac, is_windows, is_musl, is_electron, is_guarded;
  int signal;              /* 0: no signal is named */
  char ring[TG_QUOTE_MAX]; /* what the core's copy of the guard's ring says; "": nothing */
  /* The state of the reader. */
  bool in_javascript; /* in a JavaScript stack; its frames are ignored */
  bool has_header;    /* a header named a thread, and its stack comes next */
  bool next_died, next_aside;
  int next_thread, died_thread, current_thread;
  bool was_killed; /* the debugger says that a signal ended the process */
  bool is_alive;   /* the process was stopped or copied while it was alive */
  uint64_t frame_line;
};

void tg_evidence_open(struct tg_evidence *evidence);
void tg_evidence_close(struct tg_evidence *evidence);

/* To be passed to tg_triage_lines as `take`. `argument` is the evidence. */
void tg_evidence_take(void *argument, const char *line, uint64_t number);

/* Adds a stack. If there are too many, it replaces the last one. Never NULL. */
struct tg_trace *tg_evidence_add_trace(struct tg_evidence *evidence);
void tg_trace_add(struct tg_trace *trace, const struct tg_trace_frame *frame);

/* Records what the path of a frame's file says about the system and the runtime. */
void tg_evidence_note_object(struct tg_evidence *evidence, const char *path);

/* Records the runtime and its version if the line contains text like "node v20.11.1". */
void tg_evidence_note_version(struct tg_evidence *evidence, const char *line);

#endif
