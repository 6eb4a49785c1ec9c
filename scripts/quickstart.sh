#!/usr/bin/env bash
# Builds the guard if needed and runs a program under it. Without a program it demonstrates what the
# guard does.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'END'
usage: scripts/quickstart.sh                       the demonstration
       scripts/quickstart.sh -- PROGRAM ARGUMENTS…  runs PROGRAM guarded

Installs what is missing (a C compiler, cmake, ninja, Node-API's headers), builds
build/release/libtsfnguard.so, and starts PROGRAM with it in LD_PRELOAD: in the
current directory, with its own input, output and exit status.

The demonstration runs the program of nodejs/node#55706, five times without the guard
and five times with it. Its status is 0 if all guarded runs ended with 0.
END
}

LIBRARY=$BUILD/release/libtsfnguard.so
ADDONS=$BUILD/release/addons
RUNS=5
SECONDS_PER_RUN=20

# is_affected VERSION: whether the node of that version (for example v24.13.0) has the defect of
# nodejs/node#55706.
is_affected() {
  [[ $1 =~ ^v([0-9]+)\.([0-9]+)\. ]] || return 1
  local major=${BASH_REMATCH[1]} minor=${BASH_REMATCH[2]}
  ((major < 24 || (major == 24 && minor <= 13) || (major == 25 && minor <= 3))) && [[ $1 != v24.13.[1-9]* ]]
}

# prepare TARGET…: builds these targets of the release preset. It is silent if they are up to date.
prepare() {
  local path headers
  [[ $LIBRARY != *[\ :]* ]] || die "a path without spaces and colons, which LD_PRELOAD cannot hold" "$LIBRARY" \
    "move the repository"
  # A user who may not write to the build directory uses what the owner of the tree has built.
  mkdir -p "$BUILD/release" 2>/dev/null || true
  if [[ ! -w $BUILD/release ]]; then
    for path in "$LIBRARY" "$ADDONS/issue55706.node"; do
      [[ -e $path ]] || die "$path, or the right to build it" "neither, as user $(id -un)" \
        "run scripts/quickstart.sh as the owner of $ROOT"
    done
    return
  fi
  # Several processes may start at once, and only one should build.
  exec 9>"$BUILD/lock"
  ! have flock || flock 9
  "$ROOT/scripts/deps.sh" build-tools
  # The headers of the first build stay usable, no matter which node is in PATH now.
  headers=${NODE_API_HEADERS:-$(cached NODE_API_HEADERS)}
  [[ -e $headers/node_api.h ]] || headers=$("$ROOT/scripts/deps.sh" headers | tail -n 1)
  if [[ $(cached CMAKE_HOME_DIRECTORY) != "$ROOT" || $(cached NODE_API_HEADERS) != "$headers" ]]; then
    say "configuring build/release"
    quietly "a configured build/release" configure "-DNODE_API_HEADERS=$headers"
  fi
  cd "$ROOT"
  [[ -e $LIBRARY ]] || say "building build/release"
  quietly "a built build/release" cmake --build --preset release --target "$@"
}

# choose_node: sets NODE to an affected node, and prints which one and why.
choose_node() {
  local found='' version
  have node || apt_need node:nodejs
  found=$(command -v node)
  version=$("$found" --version)
  if is_affected "$version"; then
    NODE=$found
    say "node: $NODE, $version: the node in PATH, which has the defect"
    return
  fi
  NODE=$("$ROOT/test/runtimes.sh" | sed -n 's/^node-22\t//p')
  if [[ -z $NODE ]]; then
    "$ROOT/scripts/deps.sh" demo-node
    NODE=$(echo "$DEPS"/npm/demo-node*/node_modules/node-22/bin/node)
  fi
  say "node: $NODE, $("$NODE" --version): the node in PATH is $version, which does not have the defect"
}

# run_once HOW NUMBER ENV-ARGUMENT…: runs the program once, and prints a line about how it ended.
# Returns its status.
run_once() {
  local how=$1 number=$2 output status=0 ended
  shift 2
  output=$(ulimit -c 0 && exec timeout --kill-after=5 "$SECONDS_PER_RUN" env "$@" \
    "TEST_ADDONS=$ADDONS" "$NODE" "$ROOT/test/programs/issue55706.js" 2>&1 </dev/null) || status=$?
  case $status in
    124 | 137) ended="still running after $SECONDS_PER_RUN s, stopped" ;;
    129 | 1[3-5]? | 16?) ended="killed by SIG$(kill -l "$status")" ;;
    *) ended="exit $status: $(tail -n 1 <<<"$output")" ;;
  esac
  printf '%s\n' "$how run $number: $ended"
  return "$status"
}

demonstrate() {
  local number native=0 guarded=0 NODE
  choose_node
  for ((number = 1; number <= RUNS; number++)); do
    run_once native "$number" -u LD_PRELOAD || native=$((native + 1))
  done
  for ((number = 1; number <= RUNS; number++)); do
    run_once guarded "$number" "LD_PRELOAD=$LIBRARY" || guarded=$((guarded + 1))
  done
  echo ""
  if ((native)); then
    echo "Without the guard $native of $RUNS runs crashed or hung: the defect of nodejs/node#55706."
  else
    echo "Without the guard none of $RUNS runs crashed; the defect did not show this time."
  fi
  if ((guarded)); then
    echo "With the guard $guarded of $RUNS runs failed. That should not be: please report it with the output above."
    return 1
  fi
  echo "With the guard all $RUNS runs ended normally."
}

case ${1:-} in
  '')
    (prepare tsfnguard addon_issue55706)
    demonstrate
    ;;
  -h | --help) usage ;;
  --)
    shift
    (($#)) || die "a program after --" "nothing" "name one, or leave out -- for the demonstration" 2
    (prepare tsfnguard) </dev/null >&2
    exec env "LD_PRELOAD=$LIBRARY${LD_PRELOAD:+:$LD_PRELOAD}" "$@"
    ;;
  *) die "-- before the program, or no argument" "$1" "see scripts/quickstart.sh --help" 2 ;;
esac
