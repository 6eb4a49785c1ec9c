# Tests Debian's other releases: the nodejs of Debian 11, 13 and sid, with the libc that it runs on
# there, in a root directory of its own. The library and the command are those of this build. The
# addons are linked with the libc of the release, as if they had been built there.
#
# Without the guard, the cases died or hung in every run on all three. The only exception is
# nodejs/node#55706 on sid, because Node 24.22 has the fix.

load helper

setup_file() {
  run "$TG_SOURCE/scripts/deps.sh" debian-roots
  [[ $status -ne 3 ]] || skip "${lines[-1]}"
  assert_success
  unshare -m true 2>/dev/null || skip "needs the right to mount"
  local suite
  for suite in bullseye trixie sid; do build_for "$suite"; done
}

# build_for SUITE: makes the directory that the root of this release gets at /mnt.
build_for() {
  local to=$BATS_FILE_TMPDIR/$1 libraries=$TG_SOURCE/build/deps/debian-roots/$1/lib/x86_64-linux-gnu name
  mkdir -p "$to/addons"
  cp "$TG_BUILD"/{libtsfnguard.so,tsfn-guard,doctor_probe.node,helpers/liboracle.so} "$to/"
  cp -r "$PROGRAMS" "$to/programs"
  for name in issue55706 lifetime; do
    cc -O2 -fPIC -shared -nostdlib -isystem "$NODE_API_HEADERS" -D_GNU_SOURCE -DNODE_GYP_MODULE_NAME=$name \
      -o "$to/addons/$name.node" "$TG_SOURCE/test/addons/$name.c" "$libraries/libc.so.6" "$libraries/libpthread.so.0"
  done
}

# in_root SECONDS COMMAND…: runs it in the root of $suite. Its mounts end with it.
in_root() {
  # shellcheck disable=SC2016 # for the inner shell
  TEST_ADDONS=/mnt/addons NODE_EXTRA_CA_CERTS='' timeout -k 5 "$1" unshare -m bash -c '
    mount --bind /proc "$0/proc" && mount --bind /dev "$0/dev" && mount --bind "$1" "$0/mnt" || exit
    exec chroot "$0" "${@:2}"' "$TG_SOURCE/build/deps/debian-roots/$suite" "$BATS_FILE_TMPDIR/$suite" "${@:2}"
}

# with_guard PROGRAM.js ARGS… / with_oracle LIBRARIES PROGRAM.js ARGS…: runs it in the root of
# $suite, guarded / with these libraries preloaded.
with_guard() {
  in_root 60 /mnt/tsfn-guard --summary=never /usr/bin/node "/mnt/programs/$1" "${@:2}"
}

with_oracle() {
  in_root 60 /bin/busybox env ORACLE_TELL=1 "LD_PRELOAD=$1" /usr/bin/node "/mnt/programs/$2" "${@:3}"
}

# on_each COMMAND: runs it for each release. $suite is the release.
on_each() {
  local suite
  for suite in bullseye trixie sid; do "$@"; done
}

releases() {
  local expected='v12\.[0-9.]+ 2\.31'
  [[ $suite != trixie ]] || expected='v20\.[0-9.]+ 2\.41'
  [[ $suite != sid ]] || expected='v[0-9.]+ 2\.[4-9][0-9]'
  run in_root 60 /usr/bin/node -p 'process.version + " " + process.report.getReport().header.glibcVersionRuntime'
  assert_output --regexp "^$expected\$"
}

@test "Node 12 on glibc 2.31, Node 20 on 2.41, and what sid has" {
  on_each releases
}

doctor() {
  run in_root 60 /mnt/tsfn-guard doctor /usr/bin/node
  assert_success
  assert_line --regexp '^ok +symbols: all seven are in the library /usr/lib/x86_64-linux-gnu/libnode\.so\.'
  assert_line --regexp '^ok +redirect: '
}

@test "doctor: this node can be guarded" {
  on_each doctor
}

issue_native() {
  [[ $suite == sid ]] || one_dies in_root 30 /usr/bin/node /mnt/programs/issue55706.js
}

@test "nodejs/node#55706 without the guard: dies on Debian 11 and 13" {
  on_each issue_native
}

issue_guarded() {
  for _ in $(seq "$(repetitions 3)"); do
    run with_guard issue55706.js
    assert_success
    assert_line 'threads=32 closing=32 invalid_arg=0 finalized=1'
  done
  run with_oracle '/mnt/libtsfnguard.so /mnt/liboracle.so' issue55706.js
  assert_success
  assert_line 'oracle: TSFNs made=1 freed=1'
}

@test "nodejs/node#55706 guarded: exit 0, 32 times napi_closing, one finalizer" {
  on_each issue_guarded
}

worker_native() {
  one_dies with_oracle /mnt/liboracle.so lifetime-worker.js 5 4 500
  assert_line 'oracle: use after free of TSFN memory'
}

@test "in workers, without the guard: uses freed memory" {
  on_each worker_native
}

worker_guarded() {
  run with_oracle '/mnt/libtsfnguard.so /mnt/liboracle.so' lifetime-worker.js 20 4 500
  assert_success
  assert_line 'functions=20 finalized_once=20 foreign=0 disordered=0 late=0 lost=0'
  assert_line --regexp '^threads=80 closing=80 closing_once=[0-9]+ wrong=0$'
  assert_line 'oracle: TSFNs made=20 freed=20'
}

@test "in workers, guarded, under the oracle: every answer within the contract, one finalizer each" {
  on_each worker_guarded
}

blocked_native() {
  run in_root 10 /usr/bin/node /mnt/programs/lifetime-blocked.js abort 16
  assert_failure 124
}

@test "blocked callers, without the guard: it hangs" {
  on_each blocked_native
}

blocked_guarded() {
  local ending
  for ending in abort worker natural; do
    run with_guard lifetime-blocked.js $ending 16
    assert_success
    assert_line 'functions=1 finalized_once=1 foreign=0 disordered=0 late=0 lost=0'
    assert_line 'threads=16 closing=16 closing_once=16 wrong=0'
  done
}

@test "blocked callers, guarded: all are woken, however the function ends" {
  on_each blocked_guarded
}
