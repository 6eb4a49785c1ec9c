/* liboracle.so, for LD_PRELOAD. With it every use of a freed TSFN of the runtime is certain to be a
 * fault.
 *
 * It watches memory that a thread allocates inside the runtime's own
 * napi_create_threadsafe_function and that has the size of the runtime's TSFN. Such memory gets a
 * page of its own, and free() makes that page inaccessible for good. The size differs between
 * versions. It is learned from the first create, because the result of the runtime's create is the
 * object's address. Until then every allocation whose size is plausible gets a page of its own.
 *
 * A fault on such a page is reported with write(2) only, and the process dies by the signal's
 * default action. With ORACLE_TELL=1 the library prints at exit how many TSFNs were created and
 * freed.
 *
 * In LD_PRELOAD this library comes after libtsfnguard.so. The last object is initialized first, so
 * the guard finds this library's create in the runtime's place, and rings doorbells that are
 * watched. */
#include <link.h>
#include <node_api.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "elf/redirect.h"

/* glibc's own malloc and free. This library defines functions with the usual names. */
extern void *__libc_malloc(size_t size);
extern void __libc_free(void *memory);

#ifdef __aarch64__
/* the largest page size of arm64 kernels, and so a multiple of all their page sizes */
enum { PAGE = 65536, PAGES = 1 << 20 };
#else
enum { PAGE = 4096, PAGES = 1 << 24 };
#endif
enum { TSFN_MIN = 200, TSFN_MAX = 4096 };

static char *arena;
static atomic_uint pages_used;
static uint16_t *sizes;           /* of the allocation in each page */
static atomic_size_t tsfn_size;   /* 0: not known yet */
static atomic_uint taken, freed;  /* TSFNs */
static struct sigaction previous; /* how other faults are handled */
static _Thread_local bool inside; /* the thread is inside the runtime's create */

static napi_status create(napi_env env, napi_value func, napi_value async_resource,
                          napi_value async_resource_name, size_t max_queue_size,
                          size_t initial_thread_count, void *thread_finalize_data,
                          napi_finalize thread_finalize_cb, void *context,
                          napi_threadsafe_function_call_js call_js_cb,
                          napi_threadsafe_function *result);

static struct tg_redirection redirection = {.name = "napi_create_threadsafe_function",
                                            .replacement = (void *)create};

#define SAY(text) say(text, sizeof(text) - 1)

static void say(const char *text, size_t length) {
  if (write(STDERR_FILENO, text, length) < 0) _exit(1);
}

_Noreturn static void fail_call(const char *why) {
  fprintf(stderr, "oracle: %s\n", why);
  abort();
}

/* The page of the arena that contains the address, or PAGES if there is none. */
static size_t page_of(const void *address) {
  uintptr_t offset = (uintptr_t)address - (uintptr_t)arena;
  return arena != NULL && offset < (uintptr_t)PAGES * PAGE ? offset / PAGE : PAGES;
}

static bool is_wanted(size_t size) {
  size_t known = atomic_load(&tsfn_size);
  return known == 0 ? size >= TSFN_MIN && size <= TSFN_MAX : size == known;
}

void *malloc(size_t size) {
  if (!inside || !is_wanted(size)) return __libc_malloc(size);
  unsigned page = atomic_fetch_add(&pages_used, 1);
  if (page >= PAGES) fail_call("more TSFNs than there is room for");
  char *memory = arena + (size_t)page * PAGE;
  if (mprotect(memory, PAGE, PROT_READ | PROT_WRITE) != 0) fail_call("mprotect fails");
  sizes[page] = (uint16_t)size;
  return memory;
}

void free(void *memory) {
  size_t page = page_of(memory);
  if (page == PAGES) {
    __libc_free(memory);
    return;
  }
  /* The page is mapped anew, and not only made inaccessible, so that its memory is given back. */
  if (mmap(arena + page * PAGE, PAGE, PROT_NONE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
    fail_call("mmap fails");
  if (sizes[page] == atomic_load(&tsfn_size)) atomic_fetch_add(&freed, 1);
}

static void on_fault(int number, siginfo_t *info, void *context) {
  size_t page = page_of(info->si_addr);
  if (page != PAGES) {
    if (sizes[page] == atomic_load(&tsfn_size))
      SAY("oracle: use after free of TSFN memory\n");
    else
      SAY("oracle: use after free of memory made with a TSFN\n");
    signal(number, SIG_DFL);
  } else if (previous.sa_flags & SA_SIGINFO) {
    previous.sa_sigaction(number, info, context);
  } else {
    sigaction(number, &previous, NULL); /* the fault happens again, with the previous handler */
  }
}

/* Node sets all signals to their defaults when it starts, and then changes some of them. So this is
 * called by the first create, and not by the constructor. */
static void catch_faults(void) {
  static atomic_flag done = ATOMIC_FLAG_INIT;
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  if (!atomic_flag_test_and_set(&done)) sigaction(SIGSEGV, &action, &previous);
}

static void learn_size(const void *tsfn) {
  size_t page = page_of(tsfn);
  if (page == PAGES || tsfn != arena + page * PAGE)
    fail_call("the TSFN is not in memory of its own");
  size_t unknown = 0;
  if (!atomic_compare_exchange_strong(&tsfn_size, &unknown, sizes[page]) && unknown != sizes[page])
    fail_call("the TSFN has changed its size");
  atomic_fetch_add(&taken, 1);
}

static napi_status create(napi_env env, napi_value func, napi_value async_resource,
                          napi_value async_resource_name, size_t max_queue_size,
                          size_t initial_thread_count, void *thread_finalize_data,
                          napi_finalize thread_finalize_cb, void *context,
                          napi_threadsafe_function_call_js call_js_cb,
                          napi_threadsafe_function *result) {
  napi_status (*original)(napi_env, napi_value, napi_value, napi_value, size_t, size_t, void *,
                          napi_finalize, void *, napi_threadsafe_function_call_js,
                          napi_threadsafe_function *);
  memcpy(&original, &redirection.original, sizeof original);
  catch_faults();
  inside = true;
  napi_status status =
      original(env, func, async_resource, async_resource_name, max_queue_size, initial_thread_count,
               thread_finalize_data, thread_finalize_cb, context, call_js_cb, result);
  inside = false;
  if (status == napi_ok) learn_size(*result);
  return status;
}

static void *map(size_t size, int protection) {
  void *memory = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) fail_call("mmap fails");
  return memory;
}

static int arm(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size;
  (void)argument;
  struct tg_image image;
  if (!tg_image_open(&image, info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum)) return 0;
  if (tg_redirect_find(&image, &redirection, 1) != NULL) return 0;
  arena = map((size_t)PAGES * PAGE, PROT_NONE);
  sizes = map(PAGES * sizeof *sizes, PROT_READ | PROT_WRITE);
  if (!tg_redirect_apply(&image, &redirection, 1)) fail_call("mprotect fails");
  return 1;
}

__attribute__((constructor)) static void open_oracle(void) {
  dl_iterate_phdr(arm, NULL);
}

__attribute__((destructor)) static void print_totals(void) {
  if (arena != NULL && getenv("ORACLE_TELL") != NULL)
    fprintf(stderr, "oracle: TSFNs made=%u freed=%u\n", atomic_load(&taken), atomic_load(&freed));
}
