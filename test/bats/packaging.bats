# The installed files and the packages are complete, can be moved, and are right for Debian. Also
# the manual page and the completion in each shell. scripts/package.sh --check installs the .deb
# into a clean Debian, which takes too long for this file.

load helper

setup_file() {
  # The tree has no test/. To build it, a packager needs a compiler, cmake, node_api.h and jsmn.h.
  export TREE=$BATS_FILE_TMPDIR/tree
  mkdir -p "$TREE"
  cp -r "$TG_SOURCE"/{CMakeLists.txt,CHANGELOG.md,LICENSE,README.md,docs,include,scripts,src} "$TREE"
  PACKAGES=$(SOURCE_DATE_EPOCH=1700000000 "$TREE/scripts/package.sh")
  export PACKAGES
}

setup() {
  NODE=$("$TG_SOURCE/test/runtimes.sh" | sed -n '1s/.*\t//p')
}

# package SUFFIX: prints the path of that package. The symbols are in -debug.tar.gz and in
# dbgsym.deb.
package() {
  case $1 in
    dbgsym.deb) grep '/tsfn-guard-dbgsym_.*\.deb$' <<<"$PACKAGES" ;;
    .deb) grep '/tsfn-guard_.*\.deb$' <<<"$PACKAGES" ;;
    .tar.gz) grep '\.tar\.gz$' <<<"$PACKAGES" | grep -v -e '-debug' ;;
    *) grep -e "$1\$" <<<"$PACKAGES" ;;
  esac
}

# unpacked: unpacks the .tar.gz, and prints where.
unpacked() {
  mkdir -p "$BATS_TEST_TMPDIR/unpacked"
  tar -xzf "$(package .tar.gz)" -C "$BATS_TEST_TMPDIR/unpacked"
  echo "$BATS_TEST_TMPDIR"/unpacked/*
}

# assert_arms LIBRARY
assert_arms() {
  [[ -n $NODE ]] || skip "no runtime was fetched"
  LD_PRELOAD=$1 TSFN_GUARD_OPTIONS=verbosity=1:require=1 run "$NODE" -p 42
  assert_success
  assert_output --partial 'armed: '
  assert_line 42
}

# options_of_help [SUBCOMMAND]: prints the options that the help of the subcommand (or of the
# command itself) explains.
options_of_help() {
  local output
  run "$TG_BUILD/tsfn-guard" "$@" --help
  assert_success
  # The command's own usage contains the options of its subcommands.
  (($#)) || output=$(sed '/^usage:/,/^$/d' <<<"$output")
  grep -oE -- '--[a-z][a-z-]*' <<<"$output" | sort -u
}

# complete_line WORD…: the completions of the last word. The words are split as readline splits
# them.
complete_line() {
  run bash --norc -c '. "$1" && shift && COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) && _tsfn_guard && printf "%s\n" "${COMPREPLY[@]}"' \
    bash "$TG_SOURCE/src/command/completion.bash" tsfn-guard "$@"
}

# assert_completes EXPECTED WORD…
assert_completes() {
  complete_line "${@:2}"
  assert_equal "$(sort <<<"$output")" "$(tr ' ' '\n' <<<"$1" | sort)"
}

@test "cmake --install under DESTDIR: every file has its place, and the tree may be moved" {
  DESTDIR=$BATS_TEST_TMPDIR/staged run cmake --install "$TG_BUILD" --prefix /opt/tsfn-guard
  assert_success
  local moved=$BATS_TEST_TMPDIR/moved library
  mv "$BATS_TEST_TMPDIR/staged/opt/tsfn-guard" "$moved"
  run bash -c "cd '$moved' && find . -type f | grep -v '^./share/doc' | sed 's#^./lib[^/]*/\\($(cc -print-multiarch)/\\)\\?#LIB/#; s#^./##' | LC_ALL=C sort"
  assert_output "LIB/pkgconfig/tsfn-guard.pc
LIB/tsfn-guard/doctor_probe.node
LIB/tsfn-guard/libtsfnguard.so
LIB/tsfn-guard/register.node
bin/tsfn-guard
$(cd "$TG_SOURCE" && find include -name '*.h' | LC_ALL=C sort)
share/bash-completion/completions/tsfn-guard
share/fish/vendor_completions.d/tsfn-guard.fish
share/man/man1/tsfn-guard.1
share/tsfn-guard/tsfn-guard.dashboard.json
share/tsfn-guard/tsfn-guard.rules.yml
share/zsh/site-functions/_tsfn-guard"
  run python3 "$TG_SOURCE/test/docs/check_links.py" "$moved/share/doc/tsfn-guard"
  # A link may lead to nothing only if its target is not installed (tests, sources).
  refute_line --regexp '^[^:]+:[0-9]+: (\.\./(README|CHANGELOG|docs|scripts)|[^.]).*: there is no'
  assert_line --partial ' links in '

  command -v pkg-config >/dev/null || skip "no pkg-config here"
  export PKG_CONFIG_PATH
  PKG_CONFIG_PATH=$(dirname "$(find "$moved" -name tsfn-guard.pc)")
  library=$(pkg-config --variable=preload tsfn-guard)
  assert_equal "$(realpath "$library")" "$(realpath "$(find "$moved" -name libtsfnguard.so)")"
  assert_equal "$(pkg-config --modversion tsfn-guard)" "$(sed -n 's/.*TSFN_GUARD_VERSION "\(.*\)"/\1/p' "$TG_SOURCE/include/tsfn_guard/tsfn_guard.h")"
  echo '#include <tsfn_guard/ring.h>' >"$BATS_TEST_TMPDIR/use.c"
  # shellcheck disable=SC2046
  run cc -fsyntax-only $(pkg-config --cflags tsfn-guard) "$BATS_TEST_TMPDIR/use.c"
  assert_success
  assert_arms "$(realpath "$library")"
}

@test "the .tar.gz runs wherever it is unpacked, and the command is linked statically" {
  local root
  root=$(unpacked)
  assert_arms "$root/lib/tsfn-guard/libtsfnguard.so"
  run readelf -l "$root/bin/tsfn-guard"
  refute_output --partial INTERP
  run readelf -S "$root/lib/tsfn-guard/libtsfnguard.so"
  refute_output --partial .symtab
}

@test "a build without a type is a Release build; one with a packager's own flags does not check lock ranks" {
  run sed -n 's/^CMAKE_BUILD_TYPE:STRING=//p' "$TREE/build/package/CMakeCache.txt"
  assert_output Release
  run cmake -S "$TREE" -B "$BATS_TEST_TMPDIR/none" -DCMAKE_BUILD_TYPE=None -DBUILD_TESTING=OFF \
    -DNODE_API_HEADERS="$NODE_API_HEADERS"
  assert_success
  run cat "$BATS_TEST_TMPDIR/none/compile_commands.json"
  assert_output --partial src/core/api.c
  refute_output --partial TG_LOCK_CHECKS
}

@test "the command of the .tar.gz finds the library that was unpacked with it" {
  local root
  root=$(unpacked)
  run "$root/bin/tsfn-guard" --version
  assert_success
  assert_output --partial "$root/lib/tsfn-guard/libtsfnguard.so"
  [[ -n $NODE ]] || skip "no runtime was fetched"
  run "$root/bin/tsfn-guard" --verbosity --require "$NODE" -p 42
  assert_success
  assert_output --partial 'armed: '
}

# Seen to fail: register.node was not installed.
@test "the .tar.gz: node -r register.node arms from its directory, doctor finds its addon" {
  local root
  root=$(unpacked)
  [[ -n $NODE ]] || skip "no runtime was fetched"
  TSFN_GUARD_OPTIONS=verbosity=1:require=1 run "$NODE" -r "$root/lib/tsfn-guard/register.node" -p 42
  assert_success
  assert_output --partial 'armed: '
  assert_line 42
  run "$root/bin/tsfn-guard" doctor "$NODE"
  assert_success
  assert_line --partial 'ok    redirect: '
}

@test "the .deb: its fields, its files and their modes, and what Debian requires" {
  local deb listing
  deb=$(package .deb) || skip "no dpkg-deb here"
  run dpkg-deb -f "$deb" Package Version Architecture Depends Section Enhances
  assert_output "Package: tsfn-guard
Version: $(sed -n 's/.*TSFN_GUARD_VERSION "\(.*\)"/\1/p' "$TG_SOURCE/include/tsfn_guard/tsfn_guard.h")-1
Architecture: $(dpkg --print-architecture)
Depends: libc6 (>= 2.28)
Section: javascript
Enhances: nodejs"
  # It has no scripts: installing it only copies files.
  run dpkg-deb --ctrl-tarfile "$deb"
  assert_equal "$(dpkg-deb --ctrl-tarfile "$deb" | tar -t | grep -v '/$' | sort | xargs)" './control ./md5sums'
  listing=$(dpkg-deb -c "$deb")
  for file in bin/tsfn-guard lib/tsfn-guard/{doctor_probe.node,libtsfnguard.so,register.node} share/man/man1/tsfn-guard.1.gz share/tsfn-guard/tsfn-guard.{rules.yml,dashboard.json} \
    share/zsh/vendor-completions/_tsfn-guard share/fish/vendor_completions.d/tsfn-guard.fish share/doc/tsfn-guard/copyright \
    share/doc/tsfn-guard/changelog.gz share/doc/tsfn-guard/changelog.Debian.gz share/lintian/overrides/tsfn-guard; do
    assert grep -q " ./usr/$file\$" <<<"$listing"
  done
  run awk '$2 != "root/root" || ($1 != "drwxr-xr-x" && $1 != "-rw-r--r--" && $6 != "./usr/bin/tsfn-guard")' <<<"$listing"
  assert_output ''
  dpkg-deb -x "$deb" "$BATS_TEST_TMPDIR/root"
  run cat "$BATS_TEST_TMPDIR/root/usr/share/doc/tsfn-guard/copyright"
  assert_line 'License: Expat'
  assert_line " Permission is hereby granted, free of charge, to any person obtaining a copy"
  assert_line --partial 'Copyright: 20'
}

# frame LIBRARY [GDB-OPTION…]: the innermost frame where an addon creates a function under this
# library.
frame() {
  local library=$1
  shift
  cat >"$BATS_TEST_TMPDIR/create.js" <<<'require(`${process.env.TEST_ADDONS}/script.node`).create({ func: () => {} });'
  timeout -k 5 60 gdb -batch -nx "$@" -ex 'set breakpoint pending on' -ex 'set startup-with-shell off' \
    -ex "set environment LD_PRELOAD $library" -ex 'break tg_create' -ex run -ex 'bt 2' -ex kill \
    --args "$NODE" "$BATS_TEST_TMPDIR/create.js" 2>&1 | grep '^#'
}

# Seen to fail: without the section .gnu_debuglink; with a file name that is not the build-id's.
@test "the symbols: frames of the stripped library have names and lines, by the archive and by the .deb" {
  local root deb
  command -v gdb >/dev/null || skip "no gdb here"
  [[ -n $NODE ]] || skip "no runtime was fetched"
  root=$(unpacked)
  run frame "$root/lib/tsfn-guard/libtsfnguard.so"
  refute_output --partial tg_create
  tar -xzf "$(package -debug.tar.gz)" -C "$BATS_TEST_TMPDIR/unpacked"
  run frame "$root/lib/tsfn-guard/libtsfnguard.so"
  assert_line --index 0 --regexp '^#0 .*tg_create \(.* at .*src/core/api\.c:[0-9]+$'
  assert_line --index 1 --regexp '^#1 .*src/preload/entry_points\.c:[0-9]+$'
  refute_output --partial "$TREE"

  deb=$(package .deb) || skip "no dpkg-deb here"
  dpkg-deb -x "$deb" "$BATS_TEST_TMPDIR/root"
  run frame "$BATS_TEST_TMPDIR/root/usr/lib/tsfn-guard/libtsfnguard.so" -iex "set debug-file-directory $BATS_TEST_TMPDIR/root/usr/lib/debug"
  refute_output --partial tg_create
  dpkg-deb -x "$(package dbgsym.deb)" "$BATS_TEST_TMPDIR/root"
  run frame "$BATS_TEST_TMPDIR/root/usr/lib/tsfn-guard/libtsfnguard.so" -iex "set debug-file-directory $BATS_TEST_TMPDIR/root/usr/lib/debug"
  assert_line --index 0 --regexp '^#0 .*tg_create \(.* at .*src/core/api\.c:[0-9]+$'
  run dpkg-deb -f "$(package dbgsym.deb)" Package Depends Section
  assert_output "Package: tsfn-guard-dbgsym
Depends: tsfn-guard (= $(dpkg-deb -f "$deb" Version))
Section: debug"
}

@test "the same source makes the same packages" {
  local before
  before=$(cat $PACKAGES | sha256sum)
  touch "$TREE/README.md"
  SOURCE_DATE_EPOCH=1700000000 run "$TREE/scripts/package.sh"
  assert_success
  assert_equal "$(cat $PACKAGES | sha256sum)" "$before"
}

@test "the manual page has no findings" {
  local page=$TG_SOURCE/docs/tsfn-guard.1
  command -v man >/dev/null || command -v mandoc >/dev/null || skip "no man here"
  if command -v man >/dev/null; then
    LC_ALL=C.UTF-8 MANROFFSEQ='' run bash -c "man --warnings -E UTF-8 -l -Tutf8 -Z '$page' 2>&1 >/dev/null"
    assert_output ''
  fi
  if command -v mandoc >/dev/null; then
    run mandoc -T lint -W warning "$page"
    assert_output ''
  fi
}

# zsh_offers LINE, fish_offers LINE: prints what Tab offers at the end of that line, one word a
# line.
zsh_offers() {
  command -v zsh >/dev/null || skip "no zsh here"
  mkdir -p "$BATS_TEST_TMPDIR/zsh"
  cp "$TG_SOURCE/src/command/completion.zsh" "$BATS_TEST_TMPDIR/zsh/_tsfn-guard"
  run timeout -k 5 60 zsh -f "$TG_SOURCE/test/helpers/complete.zsh" "$BATS_TEST_TMPDIR/zsh" "$1"
}

fish_offers() {
  command -v fish >/dev/null || skip "no fish here"
  mkdir -p "$BATS_TEST_TMPDIR/fish/fish/completions"
  cp "$TG_SOURCE/src/command/completion.fish" "$BATS_TEST_TMPDIR/fish/fish/completions/tsfn-guard.fish"
  XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/fish XDG_DATA_HOME=$BATS_TEST_TMPDIR/fish PATH=$TG_BUILD:$PATH \
    run timeout -k 5 60 fish -c 'complete -C $argv[1] | string split -f 1 \t' "$1"
}

# knows_options SHELL…: expects that each option that the help names is in the manual page and is
# offered by the function.
knows_options() {
  local subcommand option manual offered options
  manual=$(sed 's/\\-/-/g; s/Fl /-/g' "$TG_SOURCE/docs/tsfn-guard.1")
  for subcommand in '' doctor explain report scan status top triage; do
    # shellcheck disable=SC2086
    options=$(options_of_help $subcommand)
    [[ $subcommand == explain ]] || assert [ -n "$options" ]
    "$@" "tsfn-guard ${subcommand:+$subcommand }--"
    offered=$output
    for option in $options; do
      assert grep -qF -- "$option" <<<"$manual"
      assert grep -qxF -- "$option" <<<"$offered"
    done
  done
}

# bash_offers LINE: the same for bash. LINE must have no quotes.
bash_offers() {
  # shellcheck disable=SC2086
  complete_line ${1#tsfn-guard }
}

# Seen to fail: with the row of one option, or of one subcommand, left out of the file of each
# shell.
@test "the manual page and the completion know every option that the help names: bash" {
  knows_options bash_offers
}

@test "the same of zsh" {
  command -v zsh >/dev/null || skip "no zsh here"
  run zsh -n "$TG_SOURCE/src/command/completion.zsh"
  assert_output ''
  knows_options zsh_offers
}

@test "the same of fish" {
  command -v fish >/dev/null || skip "no fish here"
  run fish --no-execute "$TG_SOURCE/src/command/completion.fish"
  assert_output ''
  knows_options fish_offers
}

# assert_offers SHELL_OFFERS EXPECTED LINE: expects that this function offers exactly these words.
assert_offers() {
  "$1" "$3"
  assert_equal "$(sort <<<"$output" | xargs)" "$2"
}

# Seen to fail, in zsh: without the space before actions, which then get words that zsh itself adds;
# in fish: when an empty list of words counted as one word.
@test "zsh and fish: subcommands, values, files, events, and the program's own arguments" {
  local shell
  cd "$TG_SOURCE"
  for shell in zsh_offers fish_offers; do
    "$shell" 'tsfn-guard do'
    assert_line doctor
    "$shell" 'tsfn-guard --rate 5 slee'
    assert_line sleep
    refute_line scan
    assert_offers "$shell" 'diagnose off protect' 'tsfn-guard --mode '
    assert_offers "$shell" 'fatal-avoided hang-avoided info leak warn' 'tsfn-guard report --fail-on '
    assert_offers "$shell" 'README.md' 'tsfn-guard report LICENSE --html READ'
    assert_offers "$shell" 'README.md' 'tsfn-guard --suppressions READ'
    assert_offers "$shell" 'call-after-finalize call-without-count' 'tsfn-guard explain call-'
    assert_offers "$shell" 'scan status' 'tsfn-guard help s'
    "$shell" 'tsfn-guard scan scri'
    assert_output --regexp '^scripts/?$'
    assert_offers "$shell" '' 'tsfn-guard --rate 5 sleep --mod'
  done
  assert_offers zsh_offers 'abort ignore log stop' 'tsfn-guard --on TSG001='
  assert_offers fish_offers 'TSG001=abort TSG001=ignore TSG001=log TSG001=stop' 'tsfn-guard --on TSG001='
  assert_offers zsh_offers '0 1' 'tsfn-guard --require='
  assert_offers fish_offers '--require=0 --require=1' 'tsfn-guard --require='
}

@test "the completion: subcommands, options, values, files, events" {
  cd "$TG_SOURCE"
  complete_line ''
  assert_line doctor
  assert_line report
  assert_line top
  complete_line --
  assert_line --mode
  assert_line --log-path
  assert_line --best-effort
  refute_line --on.EVENT
  assert_completes --metrics-path --met
  assert_completes 'protect diagnose off' --mode ''
  assert_completes diagnose --mode d
  assert_completes diagnose --mode = d
  assert_completes 'protect diagnose off' --mode =
  assert_completes '0 1' --require =
  assert_completes '' --rate ''
  assert_completes stderr --log-path std
  assert_completes README.md --log-path READ
  assert_completes README.md --suppressions = READ
  assert_completes 'call-after-finalize= call-without-count=' --on call-
  assert_completes abort --on TSG001 = a
  assert_completes 'log ignore abort stop' --on = fatal-avoided =
  assert_completes '--table --json --output --help --version' doctor --
  assert_completes '--json --output --help --version' scan --
  assert_completes README.md scan -o READ
  assert_completes README.md status --output READ
  assert_completes 'call-after-finalize call-without-count' explain call-
  assert_completes 'scan status' help s
  assert_completes scripts scan scri
  assert_completes 'fatal-avoided hang-avoided warn leak info' report --fail-on ''
  assert_completes README.md report LICENSE READ
  assert_completes README.md report --html READ
}

@test "the completion: the program, and then its own arguments" {
  cd "$TG_SOURCE"
  complete_line --require sleepi
  assert_output ''
  complete_line --require slee
  assert_line sleep
  complete_line --mode diagnose -- slee
  assert_line sleep
  complete_line doctor slee
  assert_line sleep
  # A value is not taken for a program, and what follows a program is not taken for an option of
  # ours.
  assert_completes '' --rate 5 sleep --mo
  assert_completes README.md --pin sleep READ
  assert_completes LICENSE -- sleep LICE
}

@test "the completion of top: the guarded processes" {
  [[ -n $NODE ]] || skip "no runtime was fetched"
  LD_PRELOAD=$TG_LIB "$NODE" -e 'setTimeout(() => {}, 20000)' 3>&- &
  local pid=$!
  await grep -q libtsfnguard "/proc/$pid/maps"
  complete_line top ''
  kill "$pid"
  assert_line "$pid"
  refute_line "$$"
}
