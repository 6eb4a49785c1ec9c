/* Lets the dynamic command start on glibc 2.28. The command is linked with --wrap for each of these
 * functions, so all its calls of them come here. (base/glibc_floor.h does the same for functions
 * that have an older version. These functions have none, or are called by the compiler's own start
 * file.) */
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- stat and its relatives are functions only since glibc 2.33. The kernel fills in the same
 * struct. */

int __wrap_stat(const char *path, struct stat *status);
int __wrap_lstat(const char *path, struct stat *status);
int __wrap_fstat(int file, struct stat *status);
int __wrap_fstatat(int directory, const char *path, struct stat *status, int flags);

int __wrap_fstatat(int directory, const char *path, struct stat *status, int flags) {
  return (int)syscall(SYS_newfstatat, directory, path, status, flags);
}

int __wrap_stat(const char *path, struct stat *status) {
  return __wrap_fstatat(AT_FDCWD, path, status, 0);
}

int __wrap_lstat(const char *path, struct stat *status) {
  return __wrap_fstatat(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}

int __wrap_fstat(int file, struct stat *status) {
  return (int)syscall(SYS_fstat, file, status);
}

/* --- The start. glibc 2.34 runs the program's constructors itself. An older glibc calls the
 * functions that the start file passes to it. A start file of glibc 2.34 or newer passes none. */

typedef int main_function(int, char **, char **);
typedef void init_function(int, char **, char **);

int start_main(main_function *main, int argc, char **argv, init_function *init, void (*fini)(void),
               void (*rtld_fini)(void), void *stack_end);
int __wrap___libc_start_main(main_function *main, int argc, char **argv, init_function *init,
                             void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

#if defined(__x86_64__)
__asm__(".symver start_main, __libc_start_main@GLIBC_2.2.5");
#else
__asm__(".symver start_main, __libc_start_main@GLIBC_2.17");
#endif

extern init_function *__init_array_start[] __attribute__((visibility("hidden")));
extern init_function *__init_array_end[] __attribute__((visibility("hidden")));
extern void _init(void) __attribute__((visibility("hidden")));

static void run_constructors(int argc, char **argv, char **environment) {
  _init();
  for (init_function **constructor = __init_array_start; constructor < __init_array_end;
       constructor++)
    (*constructor)(argc, argv, environment);
}

int __wrap___libc_start_main(main_function *main, int argc, char **argv, init_function *init,
                             void (*fini)(void), void (*rtld_fini)(void), void *stack_end) {
  return start_main(main, argc, argv, init == NULL ? run_constructors : init, fini, rtld_fini,
                    stack_end);
}
