/* What libstdc++ of GCC 14 and Debian's libgcc_s need from glibc, but musl does not have. scripts/deps.sh
 * links it into the libstdc++ with which the tests run a Node for musl. */
#include <locale.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#pragma GCC diagnostic ignored "-Wmissing-prototypes"

__attribute__((visibility("hidden"))) void *__dso_handle;
char __libc_single_threaded; /* 0: there may be threads */

/* -1: libgcc walks the list of objects instead. */
int _dl_find_object(void) {
  return -1;
}

unsigned arc4random(void) {
  return 4; /* for std::random_device, which Node does not use */
}

unsigned long __isoc23_strtoul(const char *text, char **end, int base) {
  return strtoul(text, end, base);
}

size_t __strftime_l(char *to, size_t size, const char *format, const struct tm *time, locale_t locale) {
  return strftime_l(to, size, format, time, locale);
}

/* Old names in libgcc_s. Nobody queries the processor by them. */
char __cpu_model[64];

int __cpu_indicator_init(void) {
  return 0;
}

/* istream::ignore(count) without a delimiter, which libstdc++ has only for old programs. */
void *ignore_until(void *stream, long count, int delimiter) __asm__("_ZNSi6ignoreEli");
void *ignore(void *stream, long count) __asm__("_ZNSi6ignoreEl");
void *ignore(void *stream, long count) {
  return ignore_until(stream, count, -1);
}

void *wide_ignore_until(void *stream, long count,
                        unsigned delimiter) __asm__("_ZNSt13basic_istreamIwSt11char_traitsIwEE6ignoreElj");
void *wide_ignore(void *stream, long count) __asm__("_ZNSt13basic_istreamIwSt11char_traitsIwEE6ignoreEl");
void *wide_ignore(void *stream, long count) {
  return wide_ignore_until(stream, count, -1U);
}

/* Destructors of thread-local objects. They run when a thread ends, the last one first. */
struct destructor {
  void (*run)(void *);
  void *object;
  struct destructor *next;
};

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void run_all(void *list) {
  for (struct destructor *next, *destructor = list; destructor != NULL; destructor = next) {
    next = destructor->next;
    destructor->run(destructor->object);
    free(destructor);
  }
}

static void make_key(void) {
  pthread_key_create(&key, run_all);
}

int __cxa_thread_atexit_impl(void (*run)(void *), void *object, void *dso_symbol) {
  (void)dso_symbol;
  pthread_once(&once, make_key);
  struct destructor *destructor = malloc(sizeof *destructor);
  if (destructor == NULL) return -1;
  *destructor = (struct destructor){run, object, pthread_getspecific(key)};
  return pthread_setspecific(key, destructor);
}
