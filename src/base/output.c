/* Implements output.h. */
#include "base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct tg_output tg_stderr = {.descriptor = STDERR_FILENO};

/* --- Signals */

/* The SIGPIPE or SIGXFSZ of a write is sent to the calling thread itself. SIGTTOU (the program is
 * in the background, and its terminal has tostop) is not raised while it is blocked. sigprocmask
 * acts on the calling thread only, as pthread_sigmask does. It is used because the symbol version
 * of pthread_sigmask in libc is newer than glibc 2.28. */
void tg_hush_begin(struct tg_hush *hush) {
  sigset_t hushed, pending;
  int saved = errno;
  sigemptyset(&hushed);
  sigaddset(&hushed, SIGPIPE);
  sigaddset(&hushed, SIGXFSZ);
  hush->made = hushed;
  sigaddset(&hushed, SIGTTOU);
  sigprocmask(SIG_BLOCK, &hushed, &hush->before);
  /* A signal that is not blocked is never pending. */
  if (!sigismember(&hush->before, SIGPIPE) && !sigismember(&hush->before, SIGXFSZ)) return;
  sigpending(&pending);
  if (sigismember(&pending, SIGPIPE)) sigdelset(&hush->made, SIGPIPE);
  if (sigismember(&pending, SIGXFSZ)) sigdelset(&hush->made, SIGXFSZ);
  errno = saved;
}

/* sigtimedwait takes the thread's signal before the process's, so a signal that somebody else has
 * sent meanwhile stays pending. */
void tg_hush_end(const struct tg_hush *hush, int error) {
  const struct timespec no_time = {0};
  sigset_t made;
  int saved = errno, number = error == EPIPE ? SIGPIPE : SIGXFSZ;
  sigemptyset(&made);
  sigaddset(&made, number);
  if ((error == EPIPE || error == EFBIG) && sigismember(&hush->made, number))
    sigtimedwait(&made, NULL, &no_time);
  sigprocmask(SIG_SETMASK, &hush->before, NULL);
  errno = saved;
}

/* --- Writing */

/* If stderr is a pipe, Node makes it non-blocking, and the reader may be slow. The wait is limited,
 * so that a program whose log nobody reads does not hang here. */
static bool is_writable_soon(int file) {
  enum { PATIENCE_MS = 1000 };
  struct pollfd wanted = {.fd = file, .events = POLLOUT};
  int ready = poll(&wanted, 1, PATIENCE_MS);
  return ready > 0 ? (wanted.revents & POLLOUT) != 0 : ready < 0 && errno == EINTR;
}

/* Sets *error to 0, or to the errno of the write that failed. Returns the number of bytes
 * written. */
static size_t write_until(int file, const char *bytes, size_t length, int *error) {
  size_t written = 0;
  *error = 0;
  while (written < length) {
    ssize_t result = write(file, bytes + written, length - written);
    if (result > 0) {
      written += (size_t)result;
      continue;
    }
    *error = result == 0 ? EIO : errno;
    if (*error == EINTR || (*error == EAGAIN && is_writable_soon(file))) continue;
    return written;
  }
  *error = 0;
  return written;
}

size_t tg_write_all(int file, const char *bytes, size_t length) {
  struct tg_hush hush;
  int saved = errno, error;
  tg_hush_begin(&hush);
  size_t written = write_until(file, bytes, length, &error);
  tg_hush_end(&hush, error);
  errno = error == 0 ? saved : error;
  return written;
}

/* --- What a descriptor is */

/* Raw system calls, because the fstat(3) symbol of glibc 2.33 and newer does not exist in 2.28. The
 * birth time distinguishes a file from a deleted one that had the same inode. Returns 0 or an
 * errno. */
static int identify_descriptor(int descriptor, struct tg_identity *identity) {
  struct statx status;
  struct stat plain;
  const unsigned wanted = STATX_TYPE | STATX_INO | STATX_BTIME;
  *identity = (struct tg_identity){0};
  if (syscall(SYS_statx, descriptor, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, wanted, &status) ==
      0) {
    bool is_dated = (status.stx_mask & STATX_BTIME) != 0;
    identity->device = (uint64_t)status.stx_dev_major << 32 | status.stx_dev_minor;
    identity->inode = status.stx_ino;
    identity->special_device = (uint64_t)status.stx_rdev_major << 32 | status.stx_rdev_minor;
    identity->type = status.stx_mode & S_IFMT;
    identity->born = is_dated ? (uint64_t)status.stx_btime.tv_sec : 0;
    identity->born_nanoseconds = is_dated ? status.stx_btime.tv_nsec : 0;
    return 0;
  }
  if (errno == EBADF) return EBADF;
  /* Linux before 4.11, or a seccomp filter that does not know statx. */
  if (syscall(SYS_fstat, descriptor, &plain) != 0) return errno;
  identity->device = plain.st_dev;
  identity->inode = plain.st_ino;
  identity->special_device = plain.st_rdev;
  identity->type = plain.st_mode & S_IFMT;
  return 0;
}

void tg_output_record(struct tg_output *output, int descriptor) {
  int saved = errno, error = identify_descriptor(descriptor, &output->identity);
  output->descriptor = descriptor;
  output->is_recorded = error == 0 || error == EBADF;
  errno = saved;
}

/* A network file system may learn the birth time later. */
static bool is_birth_compatible(const struct tg_identity *a, const struct tg_identity *b) {
  if (a->born == 0 || b->born == 0) return true;
  return a->born == b->born && a->born_nanoseconds == b->born_nanoseconds;
}

static bool is_same_identity(const struct tg_identity *a, const struct tg_identity *b) {
  return a->device == b->device && a->inode == b->inode && a->special_device == b->special_device &&
         a->type == b->type && is_birth_compatible(a, b);
}

bool tg_output_is_same(const struct tg_output *output) {
  struct tg_identity now;
  if (!output->is_recorded) return true;
  int saved = errno, error = identify_descriptor(output->descriptor, &now);
  errno = saved;
  return error == 0 && is_same_identity(&now, &output->identity);
}

size_t tg_output_write(const struct tg_output *output, const char *bytes, size_t length) {
  if (tg_output_is_same(output)) return tg_write_all(output->descriptor, bytes, length);
  errno = EBADF;
  return 0;
}
