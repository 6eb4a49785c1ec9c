#!/usr/bin/env bash
# Lists the node binaries on which the tests run. Prints NAME<TAB>PATH of those that are present, or
# with --missing NAME<TAB>WHY of the others.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

case ${1:-} in
  '' | --missing) ;;
  *) die "no argument, or --missing" "$*" "correct the arguments" 2 ;;
esac

tree=$DEPS/npm/runtimes
why="not fetched; scripts/deps.sh runtimes fetches it"
[[ $(uname -m) != aarch64 ]] || tree+=-arm64
for name in node-18 node-20 node-22 node-24.13 node-24.21 node-26 debian-18; do
  path=$tree/node_modules/${name/./-}/bin/node
  because=$why
  if [[ $name == debian-18 ]]; then
    path=$DEPS/debian-node/node
    because=$(cat "$DEPS/debian-node/skipped" 2>/dev/null) || because="not fetched; scripts/deps.sh debian-node fetches it"
  elif [[ $name == node-24.13 && $tree == *-arm64 ]]; then
    because="not on npm for arm64"
  fi
  if [[ -x $path ]]; then
    [[ ${1:-} == --missing ]] || printf '%s\t%s\n' "$name" "$path"
  else
    [[ ${1:-} != --missing ]] || printf '%s\t%s\n' "$name" "$because"
  fi
done
