/* Which metrics files are removed: those of processes that are gone, and nothing else.
 *
 * Seen to fail: each test of a file that stays, without the condition that the test names (age,
 * user, first line, namespace, O_NOFOLLOW, own id); a_process_that_runs, without kill, and without
 * the start times; one_among_thousands, if the directory is read only once. Two checks refuse what
 * is not a regular file, so that test does not fail if one of them is missing. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "diag/leftover.h"

static char directory[] = "/tmp/test_leftover.XXXXXX";
static struct tg_path pattern;
static char own[TG_PATH_MAX];
static pid_t gone, alive;
static char ours_namespace[64];

static char *place_of(const char *name) {
  static char place[256];
  snprintf(place, sizeof place, "%s/%s", directory, name);
  return place;
}

static void write_file(const char *name, const char *first_line, long age_s) {
  FILE *file = fopen(place_of(name), "w");
  assert_non_null(file);
  fprintf(file, "%s\n# HELP x y\n", first_line);
  fclose(file);
  const struct timespec times[2] = {{time(NULL) - age_s, 0}, {time(NULL) - age_s, 0}};
  assert_int_equal(utimensat(AT_FDCWD, place_of(name), times, 0), 0);
}

static const char *line_of(pid_t process, unsigned long long started, const char *namespace) {
  static char line[TG_LEFTOVER_LINE_MAX];
  snprintf(line, sizeof line, "# tsfn-guard metrics of process %d, started %llu, %s", process,
           started, namespace);
  return line;
}

static const char *name_of(pid_t process) {
  static char name[64];
  snprintf(name, sizeof name, "guard-%d.prom", process);
  return name;
}

/* Looks for leftover files. Returns whether this one is still there afterwards. */
static bool stays(const char *name) {
  tg_leftover_remove(&pattern, own);
  bool is_there = access(place_of(name), F_OK) == 0;
  unlink(place_of(name));
  return is_there;
}

static bool stays_with(pid_t process, const char *line, long age_s) {
  write_file(name_of(process), line, age_s);
  return stays(name_of(process));
}

enum { OLD = TG_LEFTOVER_KEPT_S + 5, NEW = TG_LEFTOVER_KEPT_S - 60 };

static void the_line_of_this_process(void **state) {
  (void)state;
  char start[128];
  snprintf(start, sizeof start, "# tsfn-guard metrics of process %d, started ", getpid());
  assert_memory_equal(tg_leftover_line(), start, strlen(start));
  assert_true(strtoull(tg_leftover_line() + strlen(start), NULL, 10) > 0);
  assert_string_equal(strrchr(tg_leftover_line(), ' ') + 1, ours_namespace);
}

static void a_process_that_is_gone(void **state) {
  (void)state;
  assert_false(stays_with(gone, line_of(gone, 5, ours_namespace), OLD));
}

static void one_whose_last_figures_are_new(void **state) {
  (void)state;
  assert_true(stays_with(gone, line_of(gone, 5, ours_namespace), NEW));
}

static void a_process_that_runs(void **state) {
  (void)state;
  unsigned long long started = 0;
  char path[64], stat[1024] = "";
  snprintf(path, sizeof path, "/proc/%d/stat", alive);
  FILE *file = fopen(path, "r");
  assert_non_null(fgets(stat, sizeof stat, file));
  fclose(file);
  const char *field = strrchr(stat, ')') + 1;
  for (int i = 0; i < 19; i++) field = strchr(field + 1, ' ');
  started = strtoull(field, NULL, 10);
  assert_true(started > 0);
  assert_true(stays_with(alive, line_of(alive, started, ours_namespace), OLD));
  /* That id now belongs to another process. */
  assert_false(stays_with(alive, line_of(alive, started - 1, ours_namespace), OLD));
}

static void own_file(void **state) {
  (void)state;
  assert_true(stays_with(getpid(), line_of(getpid(), 1, ours_namespace), OLD));
}

static void another_namespace(void **state) {
  (void)state;
  assert_true(stays_with(gone, line_of(gone, 5, "pid:[1]"), OLD));
}

static void another_first_line(void **state) {
  (void)state;
  assert_true(stays_with(gone, "# HELP tsfn_guard_info x", OLD));
  assert_true(stays_with(gone, "", OLD));
  assert_true(stays_with(gone, line_of(gone + 1, 5, ours_namespace), OLD));
}

static void another_name(void **state) {
  (void)state;
  char name[80];
  snprintf(name, sizeof name, "other-%d.prom", gone);
  write_file(name, line_of(gone, 5, ours_namespace), OLD);
  assert_true(stays(name));
}

static void a_link(void **state) {
  (void)state;
  write_file("target", line_of(gone, 5, ours_namespace), OLD);
  assert_int_equal(symlink("target", place_of(name_of(gone))), 0);
  assert_true(stays(name_of(gone)));
  unlink(place_of("target"));
}

static void a_fifo_and_a_directory(void **state) {
  (void)state;
  assert_int_equal(mkfifo(place_of(name_of(gone)), 0600), 0);
  assert_true(stays(name_of(gone)));
  assert_int_equal(mkdir(place_of(name_of(gone)), 0700), 0);
  tg_leftover_remove(&pattern, own);
  assert_int_equal(rmdir(place_of(name_of(gone))), 0);
}

static void of_another_user(void **state) {
  (void)state;
  if (geteuid() != 0) skip();
  write_file(name_of(gone), line_of(gone, 5, ours_namespace), OLD);
  assert_int_equal(chown(place_of(name_of(gone)), 1, 1), 0);
  assert_true(stays(name_of(gone)));
}

static void one_among_thousands(void **state) {
  (void)state;
  char name[64];
  for (int i = 0; i < 2000; i++) {
    snprintf(name, sizeof name, "a-file-with-a-long-name-%d", i);
    write_file(name, "", OLD);
  }
  assert_false(stays_with(gone, line_of(gone, 5, ours_namespace), OLD));
  for (int i = 0; i < 2000; i++) {
    snprintf(name, sizeof name, "a-file-with-a-long-name-%d", i);
    unlink(place_of(name));
  }
}

static void a_directory_that_is_not_there(void **state) {
  (void)state;
  errno = 0;
  tg_leftover_remove(&pattern, "/tmp/no such directory/guard-1.prom");
}

static pid_t start_child(void) {
  pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  return child;
}

static void end_child(pid_t child) {
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_line_of_this_process),
      cmocka_unit_test(a_process_that_is_gone),
      cmocka_unit_test(one_whose_last_figures_are_new),
      cmocka_unit_test(a_process_that_runs),
      cmocka_unit_test(own_file),
      cmocka_unit_test(another_namespace),
      cmocka_unit_test(another_first_line),
      cmocka_unit_test(another_name),
      cmocka_unit_test(a_link),
      cmocka_unit_test(a_fifo_and_a_directory),
      cmocka_unit_test(of_another_user),
      cmocka_unit_test(one_among_thousands),
      cmocka_unit_test(a_directory_that_is_not_there),
  };
  struct tg_text problem;
  char given[64];
  if (mkdtemp(directory) == NULL) return 1;
  snprintf(given, sizeof given, "%s/guard-%%p.prom", directory);
  if (!tg_path_open(&pattern, given, &problem)) return 1;
  tg_path_expand(&pattern, own);
  ssize_t length = readlink("/proc/self/ns/pid", ours_namespace, sizeof ours_namespace - 1);
  if (length < 0) return 1;
  gone = start_child();
  end_child(gone);
  alive = start_child();
  tg_leftover_open();
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  end_child(alive);
  rmdir(directory);
  return failed;
}
