# What the Bats files share that run the small programs of test/helpers: fake runtimes, "addons", wrappers.

bats_require_minimum_version 1.5.0
HELPERS=$TG_BUILD/helpers
export LD_LIBRARY_PATH=$HELPERS

# natively PROGRAM ARGS… / preloaded PROGRAM ARGS…
natively() {
  timeout -k 5 20 "$@"
}

preloaded() {
  LD_PRELOAD=$TG_LIB timeout -k 5 20 "$@"
}

# answers WHO: what the probe of libcalls-*.so prints where WHO answers all seven calls.
answers() {
  printf "%s: $1\n" create get_context call acquire release ref unref
}

# holders OBJECT: what the probe of libpointers.so prints where all seven lie in OBJECT, however they are looked up.
holders() {
  printf "%s: 7 in $1\n" load default program
}

# The answer of a probe, without the program's own first line.
probed() {
  sed 1d <<<"$output"
}

# Takes process ids out of our lines.
without_pid() {
  sed 's/^tsfn-guard\[[0-9]*\]: /tsfn-guard[PID]: /' <<<"$1"
}

# What the guard says but for reports of events, which the probes of libcalls-*.so commit, and for the summary.
without_reports() {
  without_pid "$1" | sed -E '/^tsfn-guard\[PID\]: (TSG[0-9]{3} |summary(:|$)|  )/d'
}
