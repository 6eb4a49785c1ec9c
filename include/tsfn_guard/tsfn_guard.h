/* tsfn-guard's public face for other programs: its version, its environment variable, its exit status.
 *
 * The library is used by preloading it (README.md) or with tsfn-guard/register; it has no functions
 * for others to call (the two that it exports are register.node's own). */
#ifndef TSFN_GUARD_H
#define TSFN_GUARD_H

#define TSFN_GUARD_VERSION "0.1.0"

/* "key=value:key=value", read once, before main or when tsfn-guard/register is loaded; ignored in set-user-ID programs (AT_SECURE). */
#define TSFN_GUARD_OPTIONS_VARIABLE "TSFN_GUARD_OPTIONS"

/* What a program exits with, then, where require=1 and it cannot be guarded (EX_CONFIG of sysexits.h). */
#define TSFN_GUARD_EXIT_NOT_ARMED 78

#endif
