# The USDT probes: there are six if they are built in. Otherwise the object code is that of sources
# without any probes. runtime/probes.bats tests that they fire.

load helper

# tree NAME SOURCE ARGUMENTS… -- TARGET…: configures a separate build, and builds the targets in it.
tree() {
  local name=$1 source=$2 arguments=()
  shift 2
  while [[ $1 != -- ]]; do
    arguments+=("$1")
    shift
  done
  # This is not a Release build, because LTO makes different objects in each build.
  cmake -S "$source" -B "$BATS_FILE_TMPDIR/$name" -DCMAKE_BUILD_TYPE=MinSizeRel -DBUILD_TESTING=OFF \
    -DCMAKE_C_FLAGS_MINSIZEREL='-O3 -DNDEBUG' \
    -DNODE_API_HEADERS="$NODE_API_HEADERS" "${arguments[@]}" &&
    cmake --build "$BATS_FILE_TMPDIR/$name" --target "${@:2}"
}

# commands NAME: prints the compiler's commands of that build, without its directory.
commands() {
  sed "s#$BATS_FILE_TMPDIR/$1#BUILD#g" "$BATS_FILE_TMPDIR/$1/compile_commands.json"
}

# probes LIBRARY: "provider name arguments" of each place; the arguments are printed as their sizes.
probes() {
  readelf -nW "$1" | awk '/Provider: / { provider = $NF } $1 == "Name:" { name = $2 }
    $1 == "Arguments:" { sizes = ""
      for (i = 2; i <= NF; i++) if (split($i, part, "@") > 1) sizes = sizes " " part[1]
      print provider, name sizes }' | sort -u
}

@test "ON: six probes with the arguments that docs/diagnostics.md lists, in a stripped library too" {
  [[ -e /usr/include/sys/sdt.h || -n $(cc -E -include sys/sdt.h -x c /dev/null 2>/dev/null) ]] || skip "no sys/sdt.h here"
  run tree on "$TG_SOURCE" -DTSFN_GUARD_PROBES=ON -- tsfnguard
  assert_success
  strip "$BATS_FILE_TMPDIR/on/libtsfnguard.so"
  run probes "$BATS_FILE_TMPDIR/on/libtsfnguard.so"
  # The size in bytes, negative if signed.
  assert_output 'tsfn_guard call 8 -4 8
tsfn_guard create 8 8 8 8
tsfn_guard dispatch 8 8
tsfn_guard finalize 8 8
tsfn_guard misuse 8 -4 -4 8
tsfn_guard release 8 -4 8'
}

@test "ON without sys/sdt.h: a clear message, and the build is not configured" {
  run tree refused "$TG_SOURCE" -DTSFN_GUARD_PROBES=ON -DTSFN_GUARD_HAS_SDT= -- tsfnguard
  assert_failure
  assert_output --partial 'needed sys/sdt.h for -DTSFN_GUARD_PROBES=ON, found none; install'
}

@test "OFF, and AUTO without sys/sdt.h: every object is that of the sources with the probes' lines deleted" {
  run tree off "$TG_SOURCE" -DTSFN_GUARD_PROBES=OFF -- tsfnguard
  assert_success
  # The same sources with the same commands make the same objects.
  run tree auto "$TG_SOURCE" -DTSFN_GUARD_PROBES=AUTO -DTSFN_GUARD_HAS_SDT= -- help
  assert_success
  assert_equal "$(commands auto)" "$(commands off)"
  run probes "$BATS_FILE_TMPDIR/off/libtsfnguard.so"
  assert_output ''

  local without=$BATS_FILE_TMPDIR/source
  mkdir "$without"
  cp -r "$TG_SOURCE"/{CMakeLists.txt,src,include,scripts} "$without"
  perl -0pi -e 's/^ *(if \([^;{}]*\)\s+)?tg_probe_[a-z]+\([^;]*;\n//mg; s/^#include "base\/probes.h"\n//mg' "$without"/src/*/*.c
  run grep -rE 'tg_probe_|probes\.h' "$without/src" --include='*.c'
  assert_output ''
  run tree without "$without" -DTSFN_GUARD_PROBES=OFF -- parts
  assert_success

  local objects object count=0
  mapfile -t objects < <(cd "$BATS_FILE_TMPDIR/without" && find . -name '*.c.o')
  for object in "${objects[@]}"; do
    cmp "$BATS_FILE_TMPDIR/off/$object" "$BATS_FILE_TMPDIR/without/$object"
    count=$((count + 1))
  done
  assert [ "$count" -ge 20 ]
  # With probes, commands and objects must differ. Otherwise this would compare nothing.
  [[ ! -e $BATS_FILE_TMPDIR/on ]] || [[ $(commands on) != "$(commands off)" ]]
  [[ ! -e $BATS_FILE_TMPDIR/on ]] || ! cmp -s "$BATS_FILE_TMPDIR"/{on,without}/CMakeFiles/parts.dir/src/core/api.c.o
}
