/* Shows what runs at the end of a process and what does not: an addon's cleanup hook, exit handler
 * and static destructor, and the flushing of stdio.
 *
 * Exports:
 *   speak(): from now on the first three write their names to file descriptor 3 when they run; only
 *     the first call in a process has an effect
 *   print(text): puts text into the buffer of a new C stream to stdout (Node takes away the buffer
 *     of C's own stdout)
 *   lock(): a thread of the addon takes the lock of C's stdin, and keeps it */
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "addon.h"

static bool speaks;

static void say(const char *text) {
  if (speaks && write(3, text, strlen(text)) < 0) abort();
}

static void at_cleanup(void *unused) {
  (void)unused;
  say("cleanup hook\n");
}

static void at_exit(void) {
  say("exit handler\n");
}

__attribute__((destructor)) static void destruct(void) {
  say("destructor\n");
}

static napi_value speak(napi_env env, napi_callback_info info) {
  (void)info;
  if (speaks) return NULL;
  speaks = true;
  MUST(env, napi_add_env_cleanup_hook(env, at_cleanup, NULL));
  atexit(at_exit);
  return NULL;
}

static napi_value print(napi_env env, napi_callback_info info) {
  char text[256];
  MUST(env, napi_get_value_string_utf8(env, argument(env, info, 0), text, sizeof text, NULL));
  FILE *stream = fdopen(dup(STDOUT_FILENO), "w");
  if (stream == NULL || fputs(text, stream) < 0) abort();
  return NULL;
}

static void *hold_lock(void *held) {
  flockfile(stdin);
  sem_post(held);
  for (;;) pause();
  return NULL;
}

static napi_value lock(napi_env env, napi_callback_info info) {
  pthread_t thread;
  sem_t held;
  (void)env;
  (void)info;
  sem_init(&held, 0, 0);
  if (pthread_create(&thread, NULL, hold_lock, &held) != 0) abort();
  while (sem_wait(&held) != 0) continue;
  return NULL;
}

NAPI_MODULE_INIT() {
  export_function(env, exports, "speak", speak);
  export_function(env, exports, "print", print);
  export_function(env, exports, "lock", lock);
  return exports;
}
