/* A constructor that waits for the main thread, until the file $GATE is gone. It creates the file
 * $INSIDE when it begins. */
#include <fcntl.h>
#include <node_api.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

__attribute__((constructor)) static void wait_for_main_thread(void) {
  const struct timespec millisecond = {.tv_nsec = 1000000};
  const char *gate = getenv("GATE"), *inside = getenv("INSIDE");
  if (gate == NULL || inside == NULL) return;
  close(open(inside, O_CREAT | O_WRONLY, 0600));
  while (access(gate, F_OK) == 0) nanosleep(&millisecond, NULL);
}

NAPI_MODULE_INIT() {
  (void)env;
  return exports;
}
