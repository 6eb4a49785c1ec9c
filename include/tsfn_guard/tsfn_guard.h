/* tsfn-guard's public interface for other programs: its version, its environment variable, its exit
 * status.
 *
 * The library is preloaded (README.md) or loaded by tsfn-guard/register. It has no functions for
 * other programs; the two that it exports are for register.node only. */
#ifndef TSFN_GUARD_H
#define TSFN_GUARD_H

#define TSFN_GUARD_VERSION "0.1.0"

/* "key=value:key=value", read once, before main or when tsfn-guard/register is loaded. Ignored in
 * set-user-ID programs (AT_SECURE). */
#define TSFN_GUARD_OPTIONS_VARIABLE "TSFN_GUARD_OPTIONS"

/* The exit status of a program that cannot be guarded, with require=1 (EX_CONFIG of sysexits.h). */
#define TSFN_GUARD_EXIT_NOT_ARMED 78

#endif
