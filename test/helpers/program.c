/* The main program of the fake runtimes. It prints "main" and then does what its arguments say, in
 * pairs:
 *   now|lazy ADDON   loads an addon (RTLD_NOW or RTLD_LAZY) and runs its probe
 *   open LIBRARY     loads a library into the global scope
 *   library NAME     from here on the probes look into this library too
 *   maps -           copies /proc/self/maps to stdout */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *library;

/* If the code of a program that is not a PIE takes the address of a library's function, the linker
 * gives the function a definition in the program itself (its PLT entry), which the whole process
 * sees. */
#ifdef TAKES_ADDRESS
void napi_ref_threadsafe_function(void);
static void take_address(void) {
  void (*volatile address)(void) = napi_ref_threadsafe_function;
  (void)address;
}
#else
static void take_address(void) {}
#endif

static void *open_or_die(const char *path, int mode) {
  void *handle = dlopen(path, mode);
  if (handle != NULL) return handle;
  fprintf(stderr, "%s\n", dlerror());
  exit(99);
}

static void run_addon(const char *path, int mode) {
  void (*probe)(const char *);
  *(void **)&probe = dlsym(open_or_die(path, mode), "probe");
  if (probe == NULL) exit(98);
  probe(library);
}

static void print_maps(void) {
  FILE *maps = fopen("/proc/self/maps", "r");
  if (maps == NULL) exit(97);
  for (int byte; (byte = fgetc(maps)) != EOF;) putchar(byte);
  fclose(maps);
}

static void act(const char *verb, const char *object) {
  if (strcmp(verb, "now") == 0) {
    run_addon(object, RTLD_NOW | RTLD_LOCAL);
  } else if (strcmp(verb, "lazy") == 0) {
    run_addon(object, RTLD_LAZY | RTLD_LOCAL);
  } else if (strcmp(verb, "open") == 0) {
    open_or_die(object, RTLD_NOW | RTLD_GLOBAL);
  } else if (strcmp(verb, "library") == 0) {
    library = object;
  } else if (strcmp(verb, "maps") == 0) {
    print_maps();
  } else {
    exit(96);
  }
}

int main(int argc, char **argv) {
  take_address();
  puts("main");
  fflush(stdout);
  for (int i = 1; i + 1 < argc; i += 2) act(argv[i], argv[i + 1]);
  return 0;
}
