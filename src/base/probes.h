/* Probes for bpftrace, perf and SystemTap (USDT, provider tsfn_guard): one nop each until somebody
 * attaches.
 *
 * Without TSFN_GUARD_PROBES they compile to nothing and their arguments are not evaluated.
 * bats/probes-build.bats compares the object code, so each call stays on a line of its own. The
 * meaning of the arguments never changes; docs/diagnostics.md describes them. Any thread, with or
 * without locks held. */
#ifndef TG_BASE_PROBES_H
#define TG_BASE_PROBES_H

#include <stddef.h>
#include <stdint.h>

/* For a queue length that is not known, because reading it would slow down the loop thread. */
#define TG_PROBE_UNKNOWN SIZE_MAX

#ifdef TSFN_GUARD_PROBES
#include <sys/sdt.h>

/* A thread-safe function was created. */
static inline void tg_probe_create(const void *handle, size_t max_queue_size, size_t thread_count,
                                   const char *name) {
  STAP_PROBE4(tsfn_guard, create, handle, max_queue_size, thread_count, name);
}

/* A call or a release is about to return `status`, a napi_status. */
static inline void tg_probe_call(const void *handle, int status, size_t queue_length) {
  STAP_PROBE3(tsfn_guard, call, handle, status, queue_length);
}

static inline void tg_probe_release(const void *handle, int status, size_t thread_count) {
  STAP_PROBE3(tsfn_guard, release, handle, status, thread_count);
}

/* An item was taken, at least `queue_length` items are left, and its callback runs next. */
static inline void tg_probe_dispatch(const void *handle, size_t queue_length) {
  STAP_PROBE2(tsfn_guard, dispatch, handle, queue_length);
}

/* The finalizer begins; `queue_length` items are first passed to call_js_cb with a NULL env. */
static inline void tg_probe_finalize(const void *handle, size_t queue_length) {
  STAP_PROBE2(tsfn_guard, finalize, handle, queue_length);
}

/* An event, reported or not: its kind (1 is TSG001), the status returned (-1: none) and the calling
 * code. */
static inline void tg_probe_misuse(const void *handle, int kind, int status, const void *caller) {
  STAP_PROBE4(tsfn_guard, misuse, handle, kind, status, caller);
}

#else
/* Macros, because the arguments of an empty function would still be evaluated: the compiler keeps
 * atomic loads. */
#define tg_probe_create(handle, max_queue_size, thread_count, name) \
  (0 ? ((void)(handle), (void)(max_queue_size), (void)(thread_count), (void)(name)) : (void)0)
#define tg_probe_call(handle, status, queue_length) \
  (0 ? ((void)(handle), (void)(status), (void)(queue_length)) : (void)0)
#define tg_probe_release(handle, status, thread_count) \
  (0 ? ((void)(handle), (void)(status), (void)(thread_count)) : (void)0)
#define tg_probe_dispatch(handle, queue_length) \
  (0 ? ((void)(handle), (void)(queue_length)) : (void)0)
#define tg_probe_finalize(handle, queue_length) \
  (0 ? ((void)(handle), (void)(queue_length)) : (void)0)
#define tg_probe_misuse(handle, kind, status, caller) \
  (0 ? ((void)(handle), (void)(kind), (void)(status), (void)(caller)) : (void)0)
#endif

#endif
