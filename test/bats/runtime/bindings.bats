# Tests the redirect on real runtimes. Without the guard an addon finds the seven functions in the
# main program (in libnode.so on debian-18). With the guard it finds them in libtsfnguard.so,
# however it looks for them.

load ../helper
load ../maps

# The object that has the seven functions without the guard.
home() {
  if [[ $TG_RUNTIME == debian-18 ]]; then echo libnode.so.108; else echo node; fi
}

expected() {
  local where way
  for where in main worker; do
    for way in load default program; do echo "$where $way: 7 in $1"; done
  done
}

@test "without the guard: addons find the runtime's own functions" {
  run native bindings.js
  assert_success
  assert_output "$(expected "$(home)")"
}

@test "guarded: addons find ours, bound at load and through dlsym, in the main thread and in a worker" {
  run guarded bindings.js
  assert_success
  assert_output "$(expected libtsfnguard.so)"
}

@test "guarded: the permissions of the runtime's pages are as without the guard" {
  local maps object segments
  maps=$(native maps.js)
  object=$(awk -v name="/$(home)" 'substr($6, length($6) - length(name) + 1) == name { print $6; exit }' <<<"$maps")
  segments=$(segments "$object" <<<"$maps")
  assert [ "$(wc -l <<<"$segments")" -ge 3 ]
  maps=$(guarded maps.js)
  # It must be armed. Otherwise the comparison would show nothing.
  assert_equal "$(reservations <<<"$maps" | grep -cx 32)" 1
  assert_equal "$(segments "$object" <<<"$maps")" "$segments"
}
