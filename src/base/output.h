/* Writing into descriptors of the program: no write raises a signal, none goes into a file that has got the number since.
 *
 * Everything of the library that writes goes through here. No allocation, no stdio; safe at exit and in a signal handler. */
#ifndef TG_BASE_OUTPUT_H
#define TG_BASE_OUTPUT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes all of it, with one write(2) where the file takes it at once. How many bytes it took; fewer than all: errno
 * says why. Else errno is as it was. */
size_t tg_write_all(int file, const char *bytes, size_t length);

/* For another call that may raise SIGPIPE or SIGXFSZ: between begin and end this thread gets neither. `end` takes `error`,
 * the errno of the call (0: it went well), and leaves errno as it was. */
struct tg_hush {
  sigset_t before; /* the thread's mask */
  sigset_t made;   /* what can only come of the call, as it was not pending before */
};

void tg_hush_begin(struct tg_hush *hush);
void tg_hush_end(const struct tg_hush *hush, int error);

/* What a file is, whatever its number. All 0: there was none. */
struct tg_identity {
  uint64_t device, inode, special_device, type;
  uint64_t born, born_nanoseconds; /* 0: the file system does not say */
};

/* A descriptor that the program was given, and may close at any time. */
struct tg_output {
  int descriptor;
  bool is_recorded; /* else it is written to whatever it is */
  struct tg_identity identity;
};

/* Standard error. */
extern struct tg_output tg_stderr;

/* Notes what the descriptor is now. Where that cannot be asked, nothing is noted. */
void tg_output_record(struct tg_output *output, int descriptor);

/* Whether the descriptor still is what was noted. */
bool tg_output_is_same(const struct tg_output *output);

/* As tg_write_all; where the descriptor is another file by now it takes nothing, and errno is EBADF. */
size_t tg_output_write(const struct tg_output *output, const char *bytes, size_t length);

#endif
