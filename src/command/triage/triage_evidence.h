/* What was read of a crash: stacks, words that signatures know, and which runtime on what system it was.
 *
 * Bounded: so many stacks of so many frames, the first hit of each signature. Strings are cut. One thread. */
#ifndef TG_COMMAND_TRIAGE_EVIDENCE_H
#define TG_COMMAND_TRIAGE_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "command/common/stack_frame.h"
#include "command/triage/triage_signatures.h"

enum { TG_TRACES_MAX = 48, TG_FRAMES_MAX = 96, TG_QUOTE_MAX = 200 };

/* A stack. Of one that is deeper the last frame is kept too, as it tells whose thread it was. */
struct tg_trace {
  int thread;    /* as the debugger counts; TG_NO_NUMBER */
  uint64_t line; /* of the text; 0: from a core */
  bool has_died; /* the text says so of this thread */
  bool is_bare;  /* names alone: it may be a list of anything */
  bool is_aside; /* of another moment, as where memory was freed */
  unsigned count, seen;
  struct tg_trace_frame frames[TG_FRAMES_MAX];
};

struct tg_hit {
  uint64_t traces; /* in whose frames' names the words are: bit i, of traces[i] */
  bool found;
  uint64_t line; /* 0: of a core */
  char text[TG_QUOTE_MAX];
};

struct tg_evidence {
  struct tg_trace *traces; /* TG_TRACES_MAX of them */
  unsigned count;
  unsigned lost; /* stacks beyond */
  struct tg_hit hits[TG_SIGNATURES_MAX];
  uint32_t facts;                /* those that are in words */
  char runtime[16], version[32]; /* "": not known */
  char addon[TG_OBJECT_MAX];     /* a .node file that is mentioned outside of stacks; "": none */
  bool is_mac, is_windows, is_musl, is_electron, is_guarded;
  int signal;              /* 0: none is named */
  char ring[TG_QUOTE_MAX]; /* what the guard's ring says, of a core; "": nothing */
  /* How the text stands. */
  bool in_javascript; /* a stack of JavaScript's, whose frames are not ours to read */
  bool has_header;    /* a thread was named, whose stack comes next */
  bool next_died, next_aside;
  int next_thread, died_thread, current_thread;
  bool was_killed; /* the debugger says so */
  bool is_alive;   /* a core of a process that lived on */
  uint64_t frame_line;
};

void tg_evidence_open(struct tg_evidence *evidence);
void tg_evidence_close(struct tg_evidence *evidence);

/* The `take` of tg_triage_lines; `argument` is the evidence. */
void tg_evidence_take(void *argument, const char *line, uint64_t number);

/* A new stack; the least telling is given up where there are too many. Never NULL. */
struct tg_trace *tg_evidence_add_trace(struct tg_evidence *evidence);
void tg_trace_add(struct tg_trace *trace, const struct tg_trace_frame *frame);

/* Notes what the name of a frame's file says of the system and the runtime. */
void tg_evidence_note_object(struct tg_evidence *evidence, const char *path);

/* Looks for "node v20.11.1" and the like. */
void tg_evidence_note_version(struct tg_evidence *evidence, const char *line);

#endif
