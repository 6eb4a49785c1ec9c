/* Writes to descriptors of the program. No write raises a signal. No write goes into another file
 * that has got the same descriptor number meanwhile.
 *
 * All output of the library goes through here. No allocation, no stdio; safe at exit and in a
 * signal handler. */
#ifndef TG_BASE_OUTPUT_H
#define TG_BASE_OUTPUT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes all bytes, with one write(2) if the file accepts them at once. Returns the number of bytes
 * written. If that is less than `length`, errno says why; otherwise errno is preserved. */
size_t tg_write_all(int file, const char *bytes, size_t length);

/* For other calls that may raise SIGPIPE or SIGXFSZ: this thread gets neither between begin and
 * end. `error` is the errno of the call, or 0 if it succeeded. errno is preserved. */
struct tg_hush {
  sigset_t before; /* the thread's previous mask */
  /* signals that were not pending before, so only the call can have raised them */
  sigset_t made;
};

void tg_hush_begin(struct tg_hush *hush);
void tg_hush_end(const struct tg_hush *hush, int error);

/* Identifies a file independently of its descriptor number. All 0: the descriptor was closed. */
struct tg_identity {
  uint64_t device, inode, special_device, type;
  uint64_t born, born_nanoseconds; /* 0: not available */
};

/* A descriptor that was passed to the program. The program may close it at any time. */
struct tg_output {
  int descriptor;
  bool is_recorded; /* false: write to it without a check */
  struct tg_identity identity;
};

/* Standard error. */
extern struct tg_output tg_stderr;

/* Records the file behind the descriptor. Records nothing if the kernel does not allow the
 * query. */
void tg_output_record(struct tg_output *output, int descriptor);

/* Whether the descriptor still refers to the recorded file. */
bool tg_output_is_same(const struct tg_output *output);

/* Like tg_write_all. If the descriptor refers to another file by now, writes nothing and sets errno
 * to EBADF. */
size_t tg_output_write(const struct tg_output *output, const char *bytes, size_t length);

#endif
