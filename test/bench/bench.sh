#!/usr/bin/env bash
# Measures Node with and without the guard, side by side. docs/performance.md explains the figures.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

usage() {
  cat <<'END'
usage: test/bench/bench.sh [--quick] [--json FILE] [--svg FILE] [--rounds N] [--runtime NAME] [--only REGEXP]
                        [--against LIBRARY] [--counts]

  --quick            fewer cases and slices: three minutes on an idle machine instead of five
  --json FILE        writes all figures there, every round's too
  --svg FILE         draws the ratios there
  --rounds N         9 unless said otherwise; with fewer than 6 there is no interval, only a range
  --runtime NAME     of test/runtimes.sh; node-22 unless said otherwise
  --only REGEXP      only the measurements whose id matches: flood-1-0-c, burst-js, cycle, latency, live-1000, …
  --against LIBRARY  measures another build of libtsfnguard.so too
  --counts           also counts instructions on node with callgrind, which takes some minutes

An idle machine of two processors or more gives the narrowest intervals. No figure makes it fail.
END
}

runtime=node-22 arguments=() json='' svg='' counts=''
while (($#)); do
  case $1 in
    -h | --help) usage && exit ;;
    --quick) arguments+=("$1") && shift && continue ;;
    --counts) counts=1 && shift && continue ;;
    --json | --svg | --rounds | --runtime | --only | --against) ;;
    *) die "the arguments that --help lists" "$1" "correct them" 2 ;;
  esac
  [[ -n ${2:-} ]] || die "a value after $1" "nothing" "see --help" 2
  case $1 in
    --json) json=$(realpath -m "$2") ;;
    --svg) svg=$(realpath -m "$2") ;;
    --rounds)
      [[ $2 =~ ^[1-9][0-9]{0,2}$ ]] || die "1 to 999 rounds" "$2" "correct it" 2
      arguments+=("$1" "$2")
      ;;
    --runtime) runtime=$2 ;;
    --only) arguments+=("$1" "$2") ;;
    --against)
      [[ -e $2 ]] || die "a libtsfnguard.so" "no file $2" "build one, say in a worktree of an older commit" 2
      arguments+=(--other "$(realpath "$2")")
      ;;
  esac
  shift 2
done
for file in "$json" "$svg"; do
  [[ -z $file || -w $(dirname "$file") ]] || die "a directory to write $file to" "none" "create it" 2
done

"$ROOT/scripts/deps.sh" build-tools
"$ROOT/scripts/deps.sh" addon-api || say "SKIPPED: without node-addon-api the two alternatives are not measured"
node=$("$ROOT/test/runtimes.sh" | sed -n "s/^$runtime\t//p")
if [[ -z $node ]]; then
  "$ROOT/scripts/deps.sh" runtimes
  node=$("$ROOT/test/runtimes.sh" | sed -n "s/^$runtime\t//p")
fi
[[ -n $node ]] || die "a runtime that test/runtimes.sh lists" "$runtime" "see test/runtimes.sh" 2
if "$ROOT/scripts/deps.sh" real; then
  arguments+=(--modules "$DEPS/npm/real/node_modules")
else
  say "SKIPPED: without the packages of scripts/npm/real the real workloads are not measured"
fi

# If the build tree is already configured, as in a test run, it is not configured again.
if [[ $(cached BUILD_TESTING) != ON || $(cached CMAKE_HOME_DIRECTORY) != "$ROOT" ]]; then
  headers=$("$ROOT/scripts/deps.sh" headers | tail -n 1)
  quietly "a configured build/release" configure -DBUILD_TESTING=ON "-DNODE_API_HEADERS=$headers" \
    "-DNODE_ADDON_API=$DEPS/npm/addon-api/node_modules/node-addon-api"
fi
cd "$ROOT"
quietly "a built build/release" cmake --build --preset release --target tsfnguard bench

results=$json
if [[ -z $results ]]; then
  results=$(mktemp)
  trap 'rm -f "$results"' EXIT
fi
"$node" test/bench/bench.js "$BUILD/release/libtsfnguard.so" "$BUILD/release/bench" --json "$results" "${arguments[@]}"
[[ -z $svg ]] || "$node" test/bench/plot.js "$results" >"$svg"
if [[ -x $BUILD/release/test/bench/instructions ]]; then
  echo "The core's instructions, counted by callgrind:"
  test/bench/instructions.sh "$BUILD/release/test/bench/instructions"
fi
if type -P valgrind >/dev/null; then
  echo "The start-up's instructions, counted by callgrind:"
  test/bench/startup.sh --total "$node" "$BUILD/release/libtsfnguard.so"
  [[ -z $counts ]] || test/bench/on_node.sh "$node" "$BUILD/release/libtsfnguard.so" "$BUILD/release/bench/plain.node"
fi
