#!/usr/bin/env bash
# Compiles each C and C++ block of docs/misuse/*.md by itself: check_snippets.sh [PAGE.md…]. See
# usage below.
set -euo pipefail
# shellcheck source=../../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

usage() {
  cat >&2 <<'END'
usage: test/docs/check_snippets.sh [PAGE.md…]        all pages of docs/misuse

NODE_API_HEADERS is the directory of node_api.h, NODE_ADDON_API that of napi.h; both are looked for where
scripts/deps.sh puts them. Without napi.h or a C++ compiler the C++ blocks are left out, which is said.
END
}

# What the pages presuppose: includes, and an addon's own items.
C_PRELUDE='#define _GNU_SOURCE
#include <dlfcn.h>
#include <node_api.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
struct item;
struct item *next_item(void);
void free_item(struct item *item);'
CPP_PRELUDE='#include <napi.h>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
struct Item { int number; };
std::unique_ptr<Item> NextItem();'

COMMON=(-Wall -Wextra -Wno-unused-parameter -Werror -DNODE_GYP_MODULE_NAME=snippet)

# blocks PAGE LANGUAGE: prints each block as "line number, tab, its text with \n for newlines".
blocks() {
  awk -v language="$2" '
    $0 == "```" language { inside = 1; start = NR; text = ""; next }
    inside && $0 == "```" { inside = 0; print start "\t" text; next }
    inside { gsub(/\\/, "\\\\"); text = text $0 "\\n" }
    END { if (inside) print start "\t#error this block never ends" }' "$1"
}

checked=0
failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# prepare LANGUAGE PRELUDE COMPILER…: compiles the prelude once, because napi.h alone takes a
# second.
prepare() {
  local language=$1
  printf '%s\n' "$2" >"$work/prelude.h"
  quietly "that the prelude compiles" "${@:3}" -x "$language-header" "$work/prelude.h" -o "$work/prelude.h.gch"
}

# check LANGUAGE PRELUDE COMPILER…: compiles each block in that language of each page. Prints the
# errors, with the page's own line numbers.
check() {
  local language=$1 name=$1 page line text messages
  [[ $language != cpp ]] || name=c++
  prepare "$name" "${@:2}"
  for page in "${pages[@]}"; do
    while IFS=$'\t' read -r line text; do
      checked=$((checked + 1))
      messages=$(printf '#line %d "%s"\n%b' $((line + 1)) "$page" "$text" |
        "${@:3}" -fsyntax-only -include "$work/prelude.h" -x "$name" - 2>&1) && continue
      failed=$((failed + 1))
      say "$page:$line: this $language block does not compile:"
      say "$messages"
    done < <(blocks "$page" "$language")
  done
}

if [[ ${1:-} == -h || ${1:-} == --help ]]; then
  usage
  exit 0
fi
pages=("$@")
if ((!$#)); then
  cd "$ROOT"
  pages=(docs/misuse/*.md)
fi
headers=${NODE_API_HEADERS:-$("$ROOT/scripts/deps.sh" headers | tail -n 1)}
[[ -e $headers/node_api.h ]] || die "node_api.h in $headers" "none" "set NODE_API_HEADERS to its directory"
addon_api=${NODE_ADDON_API:-$DEPS/npm/addon-api/node_modules/node-addon-api}
cpp=1
[[ -e $addon_api/napi.h ]] && have "${CXX:-c++}" || cpp=0
((cpp)) || say "SKIPPED: the C++ blocks; needed: a C++ compiler, and napi.h in $addon_api (scripts/deps.sh addon-api)"

for page in "${pages[@]}"; do
  [[ -e $page ]] || die "a page" "no $page" "name one of docs/misuse" 2
done

check c "$C_PRELUDE" "${CC:-cc}" -std=c11 "${COMMON[@]}" -isystem "$headers"
# Compiles as addons are built: with C++ exceptions, and without.
check_cpp() {
  check cpp "$CPP_PRELUDE" "${CXX:-c++}" -std=c++17 "$@" "${COMMON[@]}" -isystem "$headers" -isystem "$addon_api"
}
if ((cpp)); then
  check_cpp -DNODE_ADDON_API_CPP_EXCEPTIONS
  check_cpp -DNODE_ADDON_API_DISABLE_CPP_EXCEPTIONS -fno-exceptions
fi
((checked > 0)) || die "C or C++ blocks in docs/misuse" "none" "see whether the pages still begin them with \`\`\`c and \`\`\`cpp"
say "$checked compilations, $failed failed"
((failed == 0))
