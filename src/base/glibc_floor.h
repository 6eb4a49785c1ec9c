/* Keeps the library loadable on glibc 2.28: binds dlsym and similar functions to their oldest
 * symbol versions.
 *
 * glibc 2.34 moved them from libdl and libpthread to libc under a new version. They are weak,
 * because an older glibc has them only in processes that have loaded those libraries: every Node
 * process has done so, but a shell that inherits LD_PRELOAD may not have. */
#ifndef TG_BASE_GLIBC_FLOOR_H
#define TG_BASE_GLIBC_FLOOR_H

#include <dlfcn.h>
#include <pthread.h>

#if defined(__x86_64__)
__asm__(".symver dlinfo, dlinfo@GLIBC_2.3.3");
__asm__(".symver pthread_key_create, pthread_key_create@GLIBC_2.2.5");
__asm__(".symver pthread_setspecific, pthread_setspecific@GLIBC_2.2.5");
__asm__(".symver dlsym, dlsym@GLIBC_2.2.5");
#elif defined(__aarch64__)
__asm__(".symver dlinfo, dlinfo@GLIBC_2.17");
__asm__(".symver pthread_key_create, pthread_key_create@GLIBC_2.17");
__asm__(".symver pthread_setspecific, pthread_setspecific@GLIBC_2.17");
__asm__(".symver dlsym, dlsym@GLIBC_2.17");
#else
#error "tsfn-guard supports x86-64 and arm64"
#endif

#pragma weak dlinfo
#pragma weak pthread_key_create
#pragma weak pthread_setspecific
#pragma weak dlsym

#endif
