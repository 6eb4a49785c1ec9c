# The children of a guarded runtime. The guard does nothing in children that are not a runtime. A
# child that is a node is guarded too.

load ../helper
load ../maps

# same PROGRAM ARGS…: expects that, as a child, it ends and prints as without the guard.
same() {
  run native children.js "$@"
  local native_status=$status native_output=$output
  run guarded children.js "$@"
  assert_equal "$status" "$native_status"
  assert_output "$native_output"
}

@test "children that are not a runtime run as without the guard" {
  same true
  assert_success
  assert_output ''
  same sh -c 'echo out; echo err >&2; exit 5'
  assert_failure 5
  assert_output $'out\nerr'
  same sh -c 'kill -TERM $$'
  assert_failure 143
}

@test "a child that is not a runtime has the library, and no mapping of the guard" {
  run guarded children.js cat /proc/self/maps
  assert_success
  assert_line --partial "$(readlink -f "$TG_LIB")"
  assert_equal "$(reservations <<<"$output")" ''
}

@test "a node that is a child is guarded" {
  run guarded children.js "$TG_NODE" "$PROGRAMS/bindings.js"
  assert_success
  assert_line 'main load: 7 in libtsfnguard.so'
  assert_line 'worker default: 7 in libtsfnguard.so'
  run guarded children.js "$TG_NODE" "$PROGRAMS/maps.js"
  assert_success
  assert_equal "$(reservations <<<"$output" | grep -cx 32)" 1
}

@test "a node that a child shell starts is guarded, once, and says so itself" {
  TSFN_GUARD_OPTIONS=verbosity=1 run guarded children.js sh -c '"$0" -e 0; exit 6' "$TG_NODE"
  assert_failure 6
  assert_equal "${#lines[@]}" 2
  assert_regex "${lines[0]}" '^tsfn-guard\[[0-9]+\]: tsfn-guard .* armed: '
  assert_equal "${lines[0]#*]}" "${lines[1]#*]}"
  assert_not_equal "${lines[0]%%]*}" "${lines[1]%%]*}"
}
