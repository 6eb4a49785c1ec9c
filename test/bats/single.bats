# Tests single executable applications: those of Node (--build-sea and postject), of pkg, and of
# `bun build --compile`. Those of pkg and Bun contain the addon and unpack it; Bun does so under a
# made-up name. docs/runtimes.md says what works there.
#
# Seen to fail: "Bun", before reports took the name with which an addon was linked
# (/tmp/.bun-0-….node); "doctor", before it looked into applications ("not a known runtime"); the
# last lines of "pkg's own Node", before doctor ran the application as the Node in it ("redirect:
# not tried"); both tests of pkg, before triage looked for the program's file, and before it
# considered that frames have no names (both "addon-own, does not help").

bats_require_minimum_version 1.5.0
load helper

NPM=$TG_SOURCE/build/deps/npm
POSTJECT=$NPM/postject/node_modules/postject/dist/cli.js
FUSE=NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  # Addons are linked with their name, as node-gyp does it.
  cc -O2 -fPIC -shared -isystem "$NODE_API_HEADERS" -D_GNU_SOURCE -DNODE_GYP_MODULE_NAME=lifetime \
    -Wl,-soname,lifetime.node -o lifetime.node "$TG_SOURCE/test/addons/lifetime.c" -lpthread
  cp "$PROGRAMS/single.js" .
}

teardown() {
  [[ -z ${waiting:-} ]] || kill "$waiting"
}

# sea NODE: makes `app` with this node: by itself since Node 25.5, else with postject.
sea() {
  if [[ $("$1" --help) == *--build-sea* ]]; then
    echo '{ "main": "single.js", "output": "app", "disableExperimentalSEAWarning": true }' >sea.json
    "$1" --build-sea sea.json
    return
  fi
  echo '{ "main": "single.js", "output": "blob", "disableExperimentalSEAWarning": true }' >sea.json
  "$1" --experimental-sea-config sea.json
  cp "$1" app
  "$1" "$POSTJECT" app NODE_SEA_BLOB blob --sentinel-fuse $FUSE
}

# guarded_app ARGS…: runs it. Its reports are in the file log.
guarded_app() {
  rm -f log
  LD_PRELOAD=$TG_LIB TSFN_GUARD_OPTIONS=verbosity=1:format=json:log_path=log timeout -k 5 "$TG_TIMEOUT" ./app "$@"
}

# of_misuse FIELD: prints this field of the reports about threads that came late.
of_misuse() {
  jq -r "select(.code == \"TSG007\" or .code == \"TSG011\") | $1" log | sort -u
}

@test "Node's, on 20, 22, 24 and 26: arms, ends well, and reports name the version and the addon" {
  [[ -e $POSTJECT ]] || skip "no postject here; scripts/deps.sh postject fetches it"
  local name node version
  while IFS=$'\t' read -r name node; do
    case $name in node-20 | node-22 | node-24.21 | node-26) ;; *) continue ;; esac
    version=$("$node" -p process.versions.node)
    sea "$(readlink -f "$node")"
    run guarded_app
    assert_success
    assert_line --index 0 --regexp "armed: node $version, redirected the seven functions of $PWD/app"
    assert_line 'functions=1 finalized_once=1 foreign=0 disordered=0 late=0 lost=0'
    assert_equal "$(of_misuse .runtime)" "node $version"
    assert_equal "$(of_misuse .addon)" "$PWD/lifetime.node"
  done < <("$TG_SOURCE/test/runtimes.sh")
  [[ -n ${version:-} ]] || skip "no runtime was fetched"
}

@test "doctor: for an application of Node it prints the Node version in it, and the faults of that version" {
  [[ -e $POSTJECT ]] || skip "no postject here; scripts/deps.sh postject fetches it"
  runtime node-24.21
  sea "$(readlink -f "$node")"
  run "$TG_BUILD/tsfn-guard" doctor ./app
  assert_success
  assert_line 'ok    runtime: an application with node 24.21.0 in it, by its file; it was not run'
  assert_line "ok    symbols: all seven are in the program itself, ./app"
  assert_line --partial 'warn  redirect: not tried, because such an application runs only its own script'
  assert_line --partial 'ok    affected: without the guard, node 24.21.0 has: '
}

@test "Bun's, 1.3 and 1.4: arms, ends well, and reports name the addon as it was linked" {
  local version bun here=0
  for version in 1-3 1-4; do
    bun=$NPM/other-runtimes/node_modules/bun-$version/bin/bun
    [[ -x $bun ]] || continue
    here=1
    rm -f app
    "$bun" build --compile single.js --outfile app
    run guarded_app
    assert_success
    assert_line 'functions=1 finalized_once=1 foreign=0 disordered=0 late=0 lost=0'
    assert_line --index 0 --regexp "armed: runtime of unknown version, redirected the seven functions of $PWD/app"
    assert_regex "$(of_misuse .runtime)" '^a runtime like node [0-9.]+$'
    assert_equal "$(of_misuse .addon)" lifetime.node
    assert_equal "$(of_misuse .handle.addon)" lifetime.node
    run "$TG_BUILD/tsfn-guard" doctor ./app
    assert_success
    # An application of Bun behaves as Bun itself if this variable is set.
    assert_line --regexp "^ok    runtime: bun ${version/-/\\.}\."
    assert_line --partial 'ok    redirect: the seven functions lead to the guard'
  done
  ((here)) || skip "no Bun here; scripts/deps.sh other-runtimes fetches it"
}

@test "an addon that was linked without a name keeps the name of its file" {
  local bun=$NPM/other-runtimes/node_modules/bun-1-4/bin/bun
  [[ -x $bun ]] || skip "no Bun here; scripts/deps.sh other-runtimes fetches it"
  cp "$TEST_ADDONS/lifetime.node" .
  "$bun" build --compile single.js --outfile app
  run guarded_app
  assert_success
  assert_regex "$(of_misuse .addon)" '/\.bun-[^/]*\.node$'
}

PKG=$NPM/pkg/node_modules/@yao-pkg/pkg/lib-es5/bin.js
PKG_NODE=$TG_SOURCE/build/deps/pkg-node/node

# pkg_app OPTION…: packs single-pkg.js with pkg into ./app, with its addons as a package. pkg needs
# Node 22 or newer.
pkg_app() {
  local node
  runtime node-22
  mkdir -p project/node_modules/@acme/sensor
  cp "$PROGRAMS/single-pkg.js" project/
  cp "$TEST_ADDONS"/{issue55706,lifetime}.node project/node_modules/@acme/sensor/
  echo '{ "name": "@acme/sensor", "version": "2.1.0" }' >project/node_modules/@acme/sensor/package.json
  echo '{ "name": "app", "version": "1.0.0", "bin": "single-pkg.js" }' >project/package.json
  rm -f app
  "$node" "$PKG" --output app "$@" project
}

# fetched_node VERSION NODE: makes the files that pkg leaves when it has fetched this version from
# nodejs.org.
fetched_node() {
  local name=node-v$1-linux-x64 to=.pkg-cache/sea
  mkdir -p "$to/$name/bin"
  touch "$to/$name.tar.gz"{,.ok} "$to/$name/bin/node.ok"
  ln -s "$2" "$to/$name/bin/node"
}

# dies_as VERDICT GUARD: expects that the application dies without the guard. If there is a core,
# expects that triage says this about it.
dies_as() {
  ulimit -S -c unlimited || true
  rm -f core
  one_dies ./app issue
  ulimit -S -c 0
  [[ -e core ]] || return 0
  run "$TG_BUILD/tsfn-guard" triage core
  rm -f core
  assert_line "verdict: $1"
  assert_line "guard:   $2"
}

# guarded_pkg_app VERSION: expects that both cases end as the contract says, and that reports and
# status name the version and the addon.
guarded_pkg_app() {
  run guarded_app issue
  assert_success
  assert_line --index 0 --regexp "armed: node $1, redirected the seven functions of $PWD/app"
  assert_line 'threads=32 closing=32 invalid_arg=0 finalized=1'
  run guarded_app workers
  assert_success
  assert_line 'functions=5 finalized_once=5 foreign=0 disordered=0 late=0 lost=0'
  assert_line --regexp '^threads=20 closing=20 closing_once=[0-9]+ wrong=0$'
  assert_equal "$(jq -r 'select(.package) | .package + " " + .runtime' log | sort -u)" "@acme/sensor@2.1.0 node $1"
  assert_regex "$(jq -r 'select(.package) | .addon' log | sort -u)" \
    "^$PWD/\\.cache/pkg/[0-9a-f]{64}/@acme/sensor/lifetime\\.node\$"

  rm -f said # that of the last version would say "waits" while the process is still bash
  LD_PRELOAD=$TG_LIB ./app wait >said 2>&1 3>&- &
  waiting=$!
  await grep -q '^waits$' said
  run "$TG_BUILD/tsfn-guard" status $waiting
  kill $waiting
  wait $waiting || true
  waiting=
  assert_success
  assert_line --regexp "^runtime +node $1, $PWD/app\$"
  assert_line --regexp ' open +yes +1 +0 +1 lifetime +lifetime\.node$'
}

@test "pkg's, as single executables of Node 22, 24 and 26: arm, end well, and reports name the version and the package" {
  [[ -e $PKG ]] || skip "no pkg here; scripts/deps.sh pkg fetches it"
  local name node version
  export HOME=$PWD
  while IFS=$'\t' read -r name node; do
    case $name in node-22 | node-24.21 | node-26) ;; *) continue ;; esac
    version=$("$node" -p process.versions.node)
    fetched_node "$version" "$(readlink -f "$node")"
    pkg_app --sea --target "node$version-linux-x64"
    [[ $name != node-22 ]] || dies_as 'tsfn-use-after-free (tsfn-freed)' helps
    guarded_pkg_app "$version"
    run "$TG_BUILD/tsfn-guard" doctor ./app
    assert_success
    assert_line "ok    runtime: an application with node $version in it, by its file; it was not run"
  done < <("$TG_SOURCE/test/runtimes.sh")
  [[ -n ${version:-} ]] || skip "no runtime was fetched"
}

@test "pkg's own Node 20 with the code behind its end: arms, ends well; doctor tries that Node, not the code" {
  [[ -e $PKG && -e $PKG_NODE ]] || skip "no pkg with its Node here; scripts/deps.sh pkg fetches it"
  export HOME=$PWD
  PKG_NODE_PATH=$PKG_NODE pkg_app --target node20-linux-x64
  # This Node has no symbols, so nothing says in which of its functions it died.
  dies_as 'addon-own (died-near-addon)' 'not known to help'
  guarded_pkg_app 20.11.1
  run "$TG_BUILD/tsfn-guard" doctor ./app
  assert_success
  assert_line 'ok    runtime: node 20.11.1'
  assert_line --partial 'ok    redirect: the seven functions lead to the guard'
  assert_line 'verdict: needed and works'
}
