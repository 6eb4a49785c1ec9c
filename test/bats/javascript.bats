# Tests the examples of docs/javascript.md. Without the guard each example ends well. If what the
# example advises is undone, it dies. The addon of the examples is addons/feed.c. Where freed memory
# is used, the oracle (helpers/oracle.c) makes the fault certain.

bats_require_minimum_version 1.5.0
load helper

# section TITLE: writes the section's examples to the files that their first lines name, in a
# project with the addon.
section() {
  mkdir -p "$BATS_TEST_TMPDIR/project/node_modules/feed"
  cd "$BATS_TEST_TMPDIR/project"
  echo 'module.exports = require(`${process.env.TEST_ADDONS}/feed.node`);' >node_modules/feed/index.js
  awk -v title="## $1" '
    /^## / { inside = $0 == title }
    !inside { next }
    /^```js$/ { code = 1; next }
    /^```$/ { code = 0; next }
    code && /^\/\/ [a-z]*\.js$/ { file = $2 }
    code { print >file }' "$TG_SOURCE/docs/javascript.md"
  assert [ -s main.js ]
  cp main.js good.js
}

run_main() {
  timeout -k 5 20 "$node" main.js
}

# lives OUTPUT: expects that the example prints this and ends well, several times, on an affected
# Node and on a newer one.
lives() {
  for name in node-20 node-26; do
    runtime "$name"
    for _ in 1 2 3 4 5; do
      run run_main
      assert_success
      assert_output "$1"
    done
  done
  runtime node-20
}

# undone SED: changes main.js with this sed script, and expects that this makes a difference.
undone() {
  sed "$1" good.js >main.js
  run diff good.js main.js
  assert_failure 1
}

@test "Post a stop message, unsubscribe, then exit" {
  section "$BATS_TEST_DESCRIPTION"
  lives 'the worker has ended: 0'
  undone "s/worker.postMessage('stop')/worker.terminate()/"
  LD_PRELOAD=$ORACLE one_dies run_main
}

@test "Never terminate a busy worker" {
  section "$BATS_TEST_DESCRIPTION"
  # Seen to die on Node 20, while the example ended the worker at the last answer: the addon's
  # thread released 1 to 15 ms too late.
  lives 'pending: 0'
  # The changed example ends the worker after the first answer, while the second is computed. Its
  # process is still alive when the second answer arrives. On a busy machine a worker needs a second
  # to start or to end.
  undone 's/ && pending === 0//; s/ask(500)/ask(2000)/; $a worker.once("exit", () => setTimeout(() => {}, 10000));'
  LD_PRELOAD=$ORACLE one_dies run_main
}

@test "Load addons in the main thread first" {
  section "$BATS_TEST_DESCRIPTION"
  lives 'still alive'
  undone "/^require('feed')/d"
  one_dies run_main
}

@test "Close watchers before process.exit" {
  section "$BATS_TEST_DESCRIPTION"
  lives ''
  undone '/feed.unsubscribe/d'
  one_dies run_main
}

@test "Catch what your callbacks throw" {
  section "$BATS_TEST_DESCRIPTION"
  lives 'caught: SyntaxError'
  undone '/try {/d; /catch (error)/,/^  }/d'
  one_dies run_main
}

@test "Use an addon in one thread" {
  section "$BATS_TEST_DESCRIPTION"
  lives '1 computed'
  run grep -c "require('feed')" main.js worker.js
  assert_output $'main.js:1\nworker.js:0'
}

@test "each section of the page is tested here, and each remedy that triage names is a section" {
  sed -n 's/^## //p' "$TG_SOURCE/docs/javascript.md" | sort >sections
  sed -n 's/^@test "\(.*\)" {$/\1/p' "$BATS_TEST_FILENAME" | sort >tests
  run comm -23 sections tests
  assert_output ''
  run grep -oh '(javascript.md#[a-z.-]*)' "$TG_SOURCE/docs/triage.md"
  assert [ "${#lines[@]}" -gt 15 ]
}
