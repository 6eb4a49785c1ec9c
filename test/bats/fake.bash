# Shared by the Bats files that run the small programs of test/helpers: fake runtimes, "addons",
# wrappers.

bats_require_minimum_version 1.5.0
HELPERS=$TG_BUILD/helpers
export LD_LIBRARY_PATH=$HELPERS

# natively PROGRAM ARGS… / preloaded PROGRAM ARGS…: runs it without / with the guard.
natively() {
  timeout -k 5 20 "$@"
}

preloaded() {
  LD_PRELOAD=$TG_LIB timeout -k 5 20 "$@"
}

# answers WHO: prints what the probe of libcalls-*.so prints if WHO answers all seven calls.
answers() {
  printf "%s: $1\n" create get_context call acquire release ref unref
}

# holders OBJECT: prints what the probe of libpointers.so prints if OBJECT contains all seven
# functions, however they are looked up.
holders() {
  printf "%s: 7 in $1\n" load default program
}

# Prints the output of a probe, without the program's own first line.
probed() {
  sed 1d <<<"$output"
}

# Replaces the process ids in the guard's lines.
without_pid() {
  sed 's/^tsfn-guard\[[0-9]*\]: /tsfn-guard[PID]: /' <<<"$1"
}

# The guard's output without the summary and without the reports of events. (The probes of
# libcalls-*.so cause events.)
without_reports() {
  without_pid "$1" | sed -E '/^tsfn-guard\[PID\]: (TSG[0-9]{3} |summary(:|$)|  )/d'
}
