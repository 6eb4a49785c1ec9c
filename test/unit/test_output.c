/* Writes that raise no signal and never go into another program's file, and the log that uses them.
 *
 * Seen to fail: without tg_hush_begin and tg_hush_end, a signal ends or stops each test of signals;
 * without the check for pending signals, a signal that was already pending is lost; if
 * tg_output_is_same always returns true, the report goes to the other file; without is_torn, the
 * second report is not on a line of its own. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/output.h"
#include "base/text.h"
#include "diag/log.h"

static char directory[] = "/tmp/test_output.XXXXXX";
static char path[sizeof directory + sizeof "/file"];
static volatile sig_atomic_t handled;

static void handle(int number) {
  (void)number;
  handled++;
}

static int make_directory(void **state) {
  (void)state;
  if (mkdtemp(directory) == NULL) return 1;
  snprintf(path, sizeof path, "%s/file", directory);
  return 0;
}

static int remove_directory(void **state) {
  (void)state;
  unlink(path);
  return rmdir(directory);
}

static int open_anew(const char *name) {
  int file = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  assert_true(file >= 0);
  return file;
}

static int broken_pipe(void) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  close(ends[0]);
  return ends[1];
}

static int broken_socket(void) {
  int ends[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  close(ends[0]);
  return ends[1];
}

/* Returns a set of signals (the mask, or those that are pending) as bits. */
static unsigned look_at(int (*ask)(sigset_t *)) {
  static const int watched[] = {SIGPIPE, SIGXFSZ, SIGTTOU, SIGUSR1};
  sigset_t set;
  unsigned bits = 0;
  assert_int_equal(ask(&set), 0);
  for (unsigned i = 0; i < 4; i++) bits |= (unsigned)(sigismember(&set, watched[i]) == 1) << i;
  return bits;
}

static int ask_mask(sigset_t *set) {
  return sigprocmask(SIG_BLOCK, NULL, set);
}

static void block(int how, int number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  assert_int_equal(sigprocmask(how, &set, NULL), 0);
}

/* Expects that a write fails with this error, and changes neither the signal mask nor the pending
 * signals. */
static void expect_quiet(int file, int error) {
  unsigned mask = look_at(ask_mask), pending = look_at(sigpending);
  errno = 0;
  assert_int_equal(tg_write_all(file, "a line\n", 7), 0);
  assert_int_equal(errno, error);
  assert_int_equal(look_at(ask_mask), mask);
  assert_int_equal(look_at(sigpending), pending);
}

static void nobody_reads(void **state) {
  (void)state;
  int (*const makers[])(void) = {broken_pipe, broken_socket};
  for (unsigned i = 0; i < 2; i++) {
    int file = makers[i]();
    void (*const dispositions[])(int) = {SIG_DFL, SIG_IGN, handle};
    for (unsigned j = 0; j < 3; j++) {
      signal(SIGPIPE, dispositions[j]);
      expect_quiet(file, EPIPE);
      block(SIG_BLOCK, SIGPIPE);
      expect_quiet(file, EPIPE);
      block(SIG_UNBLOCK, SIGPIPE);
    }
    signal(SIGPIPE, SIG_DFL);
    close(file);
  }
  assert_int_equal(handled, 0);
}

static void errno_stays_where_all_was_taken(void **state) {
  (void)state;
  int file = open_anew(path);
  errno = ENOTTY;
  assert_int_equal(tg_write_all(file, "a line\n", 7), 7);
  assert_int_equal(errno, ENOTTY);
  close(file);
}

/* A signal that was sent before the write is still delivered. */
static void one_that_was_pending_stays(void **state) {
  (void)state;
  int file = broken_pipe();
  const struct timespec no_time = {0};
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  block(SIG_BLOCK, SIGPIPE);
  raise(SIGPIPE);
  expect_quiet(file, EPIPE);
  assert_int_equal(sigtimedwait(&set, NULL, &no_time), SIGPIPE);
  assert_int_equal(look_at(sigpending), 0);
  kill(getpid(), SIGPIPE);
  expect_quiet(file, EPIPE);
  while (sigtimedwait(&set, NULL, &no_time) == SIGPIPE) continue;
  block(SIG_UNBLOCK, SIGPIPE);
  close(file);
}

static void a_limit_on_the_size_of_files(void **state) {
  (void)state;
  const struct rlimit no_limit = {RLIM_INFINITY, RLIM_INFINITY};
  int file = open_anew(path);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){4, RLIM_INFINITY}), 0);
  assert_int_equal(tg_write_all(file, "a line\n", 7), 4);
  assert_int_equal(errno, EFBIG);
  expect_quiet(file, EFBIG);
  signal(SIGXFSZ, handle);
  expect_quiet(file, EFBIG);
  signal(SIGXFSZ, SIG_DFL);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &no_limit), 0);
  assert_int_equal(handled, 0);
  close(file);
}

/* Writes as a background process, in a session of its own. Its terminal has tostop set. */
static void write_from_the_background(const char *terminal) {
  if (setsid() < 0) _exit(1);
  int file = open(terminal, O_RDWR);
  if (file < 0 || ioctl(file, TIOCSCTTY, 0) < 0) _exit(2);
  struct termios mode;
  tcgetattr(file, &mode);
  mode.c_lflag |= TOSTOP;
  tcsetattr(file, TCSANOW, &mode);
  pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    _exit(tg_write_all(file, "x\n", 2) == 2 ? 0 : 3);
  }
  int status = 0;
  if (waitpid(child, &status, WUNTRACED) != child) _exit(4);
  if (WIFSTOPPED(status)) kill(child, SIGKILL);
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 5);
}

static void a_terminal_stops_no_program_for_our_line(void **state) {
  (void)state;
  int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) skip();
  pid_t child = fork();
  if (child == 0) write_from_the_background(ptsname(terminal));
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  close(terminal);
}

/* --- Is the descriptor still that of our file? */

static void a_number_that_is_another_file_is_left_alone(void **state) {
  (void)state;
  struct tg_output output = {.is_recorded = false};
  char other[sizeof path + 1];
  snprintf(other, sizeof other, "%s2", path);
  int file = open_anew(path), kept = dup(file);
  tg_output_record(&output, file);
  assert_int_equal(tg_output_write(&output, "1", 1), 1);

  assert_int_equal(dup2(open_anew(other), file), file);
  assert_int_equal(tg_output_write(&output, "2", 1), 0);
  assert_int_equal(errno, EBADF);
  struct stat status;
  assert_int_equal(fstat(file, &status), 0);
  assert_int_equal(status.st_size, 0);

  close(file);
  assert_int_equal(tg_output_write(&output, "3", 1), 0);
  assert_int_equal(errno, EBADF);

  assert_int_equal(dup2(kept, file), file); /* the program has restored it */
  assert_int_equal(tg_output_write(&output, "4", 1), 1);
  assert_int_equal(fstat(file, &status), 0);
  assert_int_equal(status.st_size, 2);
  close(file);
  close(kept);
  unlink(other);
}

static void devices_are_distinguished(void **state) {
  (void)state;
  struct tg_output output = {.is_recorded = false};
  int file = open("/dev/null", O_WRONLY), other = open("/dev/zero", O_WRONLY);
  tg_output_record(&output, file);
  dup2(other, file);
  assert_false(tg_output_is_same(&output));
  close(other);
  other = open("/dev/null", O_WRONLY);
  dup2(other, file);
  assert_true(tg_output_is_same(&output));
  close(other);
  close(file);
}

static void what_was_closed_at_the_start_is_never_ours(void **state) {
  (void)state;
  struct tg_output output = {.is_recorded = false};
  int file = open_anew(path);
  close(file);
  tg_output_record(&output, file);
  assert_int_equal(tg_output_write(&output, "1", 1), 0);
  assert_int_equal(open_anew(path), file);
  assert_int_equal(tg_output_write(&output, "1", 1), 0);
  close(file);
}

/* Waits until the clock that file systems use has advanced. It waits for two ticks, because a
 * program may read the old time for a moment after the kernel's own tick. */
static void pass_a_tick(void) {
  for (unsigned ticks = 0; ticks < 2; ticks++) {
    struct timespec start, now;
    clock_gettime(CLOCK_REALTIME_COARSE, &start);
    do clock_gettime(CLOCK_REALTIME_COARSE, &now);
    while (now.tv_sec == start.tv_sec && now.tv_nsec == start.tv_nsec);
  }
}

/* A file system may reuse the inode of a deleted file at once. */
static void a_file_in_the_place_of_a_deleted_one_is_another(void **state) {
  (void)state;
  for (unsigned i = 0; i < 20; i++) {
    struct tg_output output = {.is_recorded = false};
    int file = open_anew(path);
    tg_output_record(&output, file);
    unlink(path);
    close(file);
    pass_a_tick();
    assert_int_equal(open_anew(path), file);
    assert_false(tg_output_is_same(&output));
    close(file);
  }
}

/* --- The log */

static void expect_file(const char *expected) {
  char text[256];
  int file = open(path, O_RDONLY);
  ssize_t length = read(file, text, sizeof text - 1);
  assert_true(length >= 0);
  text[length] = '\0';
  close(file);
  assert_string_equal(text, expected);
}

/* If the log's file is full, its lines go to stderr and are counted. */
static void a_log_that_is_full_is_said_once_and_counted(void **state) {
  (void)state;
  const struct rlimit no_limit = {RLIM_INFINITY, RLIM_INFINITY};
  int ends[2], stderr_before = dup(STDERR_FILENO);
  assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
  dup2(ends[1], STDERR_FILENO);
  unlink(path);
  tg_log_open(path);
  tg_log_write("first\n", 6);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){9, RLIM_INFINITY}), 0);
  tg_log_write("second\n", 7);
  tg_log_write("third\n", 6);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &no_limit), 0);
  tg_log_write("fourth\n", 7);
  dup2(stderr_before, STDERR_FILENO);

  expect_file("first\nsec\nfourth\n");
  assert_int_equal(tg_log_missed(), 2);
  char said[1024];
  ssize_t length = read(ends[0], said, sizeof said - 1);
  assert_true(length > 0);
  said[length] = '\0';
  char expected[512];
  snprintf(expected, sizeof expected,
           "tsfn-guard[%d]: log_path: needed a file that accepts reports, found %s: File too "
           "large; stderr is used instead: correct log_path\nsecond\nthird\n",
           getpid(), path);
  assert_string_equal(said, expected);
  close(ends[0]);
  close(ends[1]);
  close(stderr_before);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nobody_reads),
      cmocka_unit_test(errno_stays_where_all_was_taken),
      cmocka_unit_test(one_that_was_pending_stays),
      cmocka_unit_test(a_limit_on_the_size_of_files),
      cmocka_unit_test(a_terminal_stops_no_program_for_our_line),
      cmocka_unit_test(a_number_that_is_another_file_is_left_alone),
      cmocka_unit_test(devices_are_distinguished),
      cmocka_unit_test(what_was_closed_at_the_start_is_never_ours),
      cmocka_unit_test(a_file_in_the_place_of_a_deleted_one_is_another),
      cmocka_unit_test(a_log_that_is_full_is_said_once_and_counted),
  };
  return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
