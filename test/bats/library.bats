# What the built library looks like to the dynamic linker: it needs only libc, exports what
# debuggers and register.node need, is hardened, and is small.

load helper

# The versions that the library needs, as "LIBRARY VERSION".
needed_versions() {
  objdump -p "$TG_LIB" | awk '/^Version References:/ { on = 1; next } /^$/ { on = 0 }
    on && /required from/ { sub(":", "", $3); library = $3; next } on { print library, $4 }'
}

# header TYPE: the program headers of that type, as readelf prints them.
header() {
  readelf -lW "$TG_LIB" | awk -v type="$1" '$1 == type { print }'
}

@test "needs libc.so.6 and nothing else" {
  run bash -c 'readelf -dW "$TG_LIB" | sed -n "s/.*(NEEDED).*\[\(.*\)\]/\1/p"'
  assert_success
  assert_output libc.so.6
}

# It exports no napi_register_module_v1, see src/preload/register.h. register.node does, and is
# never preloaded.
@test "exports the ring for debuggers, what register.node calls, and nothing else" {
  run bash -c 'nm -D --defined-only "$TG_LIB" | cut -d " " -f 2-'
  assert_success
  assert_output $'T tsfn_guard_events\nD tsfn_guard_ring\nT tsfn_guard_stats'
}

@test "binds to nothing newer than glibc 2.28" {
  run needed_versions
  assert_success
  assert_line --regexp '^libc\.so\.6 GLIBC_2\.'
  local library version
  while read -r library version; do
    assert_equal "$library" libc.so.6
    [[ $version == GLIBC_2.* ]] || fail "$version"
    assert_equal "$(printf '%s\n' "$version" GLIBC_2.28 | sort -V | tail -n 1)" GLIBC_2.28
  done <<<"$output"
}

# Seen to fail: without src/command/glibc_floor.c (GLIBC_2.34).
@test "the command binds to nothing newer than glibc 2.28 either" {
  local version
  run bash -c 'objdump -p "$TG_BUILD/tsfn-guard" | sed -n "s/^ *0x.* \(GLIBC_[0-9.]*\)$/\1/p"'
  assert_success
  assert_line --regexp '^GLIBC_2\.'
  for version in "${lines[@]}"; do
    assert_equal "$(printf '%s\n' "$version" GLIBC_2.28 | sort -V | tail -n 1)" GLIBC_2.28
  done
}

# If these are missing (glibc < 2.34 without libdl or libpthread; musl, which has no backtrace), the
# library must still load.
@test "what glibc had in libdl and libpthread, and backtrace, is needed weakly, everything else strongly" {
  run bash -c 'nm -D --undefined-only "$TG_LIB" | sed -n "s/^ *w \([a-z][^@]*\).*/\1/p" | sort'
  assert_output $'backtrace\ndlinfo\ndlsym\npthread_key_create\npthread_setspecific'
}

# inert.bats tests that it opens no file and handles no signal unless an option asks for it.
@test "uses no stdio, no locale and no thread" {
  run bash -c 'nm -D --undefined-only "$TG_LIB" | awk "{ sub(\"@.*\", \"\", \$2); print \$2 }"'
  assert_success
  assert_line write
  local name
  for name in "${lines[@]}"; do
    case $name in
      *printf* | *scanf* | put* | fput* | fopen* | fwrite | perror | std* | *locale* | setenv | *pthread_create | \
        fork | system | __*_chk)
        fail "uses $name" ;;
    esac
  done
}

@test "has no executable stack, full RELRO and no text relocation" {
  run header GNU_STACK
  assert_output --regexp ' RW +0x10$'
  run header GNU_RELRO
  assert_output --partial GNU_RELRO
  run readelf -dW "$TG_LIB"
  assert_output --regexp '\(FLAGS\).*BIND_NOW'
  assert_output --regexp '\(FLAGS_1\).*NOW'
  assert_output --regexp '\(FLAGS_1\).*NODELETE'
  refute_output --partial TEXTREL
}

@test "has no segment that is both writable and executable" {
  run header LOAD
  assert_output --partial ' R E '
  refute_output --partial 'RWE'
}

# glibc keeps little surplus for static TLS, and other preloaded libraries need some too.
@test "takes at most 1 KiB of static TLS" {
  local fields # type, offset, virtual and physical address, size in the file and in memory
  read -ra fields < <(header TLS)
  assert_equal "${fields[0]}" TLS
  assert [ $((fields[5])) -le 1024 ]
}

# The size was 190 KB, because the library keeps addon code mapped exactly as long as needed, and
# has unwind tables for cancelled threads. It was 245 KB with a wrapper for each function that needs
# JavaScript (quirks) and with exit=fast, 260 KB with the packages' names in reports and the
# clean-up of metrics files, and 269 KB with the cache of stacks of mode=diagnose and with cohorts.
# It grows by pages of 4 KB.
@test "is smaller than 275 KB" {
  assert [ "$(stat -L -c %s "$TG_LIB")" -lt 275000 ]
}
