/* Runs a JavaScript runtime with doctor's probe addon, and reads what the addon prints. */
#ifndef TG_COMMAND_PROBE_RUN_H
#define TG_COMMAND_PROBE_RUN_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* What a program printed on stdout and stderr, and how it ended. */
struct tg_outcome {
  char said[32 * 1024];
  int status; /* as waitpid reports it; -1: no process could be created */
  bool timed_out;
};

/* Runs a program, with `library` preloaded unless it is NULL. A program that does not end in time
 * is killed. */
void tg_run_captured(char *const argv[], const char *library, struct tg_outcome *outcome);

/* Describes the end for people: "exit status 1", "signal 6 (Aborted)",
 * "did not end within 20 s". */
void tg_describe_end(const struct tg_outcome *outcome, char *text, size_t size);

/* Copies the first line that contains `mark`, beginning at the mark. Returns false if there is
 * none. */
bool tg_line_with(const struct tg_outcome *outcome, const char *mark, char *line, size_t size);

struct tg_doctor_run {
  struct tg_outcome outcome;
  char runtime[32]; /* "node", "bun", "deno", "bare", "electron"; empty: the script did not run */
  char version[64];
  /* process.versions.node: the Node that it is, or claims to be like; "none": Bare has none */
  char node_version[64];
  char libc[64];         /* glibc's version, or "other" */
  char holder[PATH_MAX]; /* the object with all seven functions; empty: none, or several */
  bool in_program;       /* the holder is the main program */
  char missing[256];     /* one of the seven that it lacks; empty: none */
  bool is_guarded;       /* the handle is one of the guard's */
  bool works;            /* the item was delivered, and the function finalized */
};

/* Runs `runtime` with --version. If it answers like a runtime, runs it with the probe and returns
 * true. Otherwise returns false, and `outcome` is that of --version. */
bool tg_try_runtime(const char *runtime, const char *probe, const char *library,
                    struct tg_doctor_run *run);

#endif
