/* What is known about a crash: stacks, words that signatures ask for, and which runtime on which
 * system it was.
 *
 * The amount is bounded: a maximum of stacks and frames, and the first hit of each signature.
 * Strings are cut. For one thread. */
#ifndef TG_COMMAND_TRIAGE_EVIDENCE_H
#define TG_COMMAND_TRIAGE_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "command/common/stack_frame.h"
#include "command/triage/triage_signatures.h"

enum { TG_TRACES_MAX = 48, TG_FRAMES_MAX = 96, TG_QUOTE_MAX = 200 };

/* A stack. If it is too deep, the last frame is kept too, because it shows whose thread it was. */
struct tg_trace {
  int thread;    /* the debugger's number, or TG_NO_NUMBER */
  uint64_t line; /* of the text; 0: it is from a core */
  bool has_died; /* the text says that this thread died */
  bool is_bare;  /* only names: it may be a list of anything */
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
  unsigned lost; /* stacks for which there was no room */
  struct tg_hit hits[TG_SIGNATURES_MAX];
  uint32_t facts;                /* the facts that words alone show */
  char runtime[16], version[32]; /* "": unknown */
  char addon[TG_OBJECT_MAX];     /* a .node file that is mentioned outside of stacks; "": none */
  bool is_mac, is_windows, is_musl, is_electron, is_guarded;
  int signal;              /* 0: no signal is named */
  char ring[TG_QUOTE_MAX]; /* what the guard's ring in a core says; "": nothing */
  /* The state of the reader. */
  bool in_javascript; /* in a stack of JavaScript, whose frames are ignored */
  bool has_header;    /* a header named a thread, and its stack comes next */
  bool next_died, next_aside;
  int next_thread, died_thread, current_thread;
  bool was_killed; /* the debugger says so */
  bool is_alive;   /* a core of a process that continued to live */
  uint64_t frame_line;
};

void tg_evidence_open(struct tg_evidence *evidence);
void tg_evidence_close(struct tg_evidence *evidence);

/* To be passed to tg_triage_lines as `take`. `argument` is the evidence. */
void tg_evidence_take(void *argument, const char *line, uint64_t number);

/* Adds a stack. If there are too many, it replaces the last one. Never NULL. */
struct tg_trace *tg_evidence_add_trace(struct tg_evidence *evidence);
void tg_trace_add(struct tg_trace *trace, const struct tg_trace_frame *frame);

/* Notes what the file name of a frame says about the system and the runtime. */
void tg_evidence_note_object(struct tg_evidence *evidence, const char *path);

/* Looks for text like "node v20.11.1". */
void tg_evidence_note_version(struct tg_evidence *evidence, const char *line);

#endif
