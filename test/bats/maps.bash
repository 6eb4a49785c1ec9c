# Reading /proc/PID/maps from stdin.

# segments PATH: prints the mappings of one object as "from-to permissions", by offset in its file.
# Neighbours with the same permissions are joined, because the kernel may have split a mapping,
# which does not matter. A second mapping of the same part of the file is left out: V8 places a copy
# of its builtins beside its code, but not in every process (not in 2 of 250 processes of Node 22
# without the guard).
segments() {
  local range permissions offset rest from to last_to=none last_permissions=none path=$1
  while read -r range permissions offset rest; do
    [[ $rest == *" $path" ]] || continue
    from=$((16#$offset))
    to=$((from + 16#${range#*-} - 16#${range%-*}))
    if [[ $from == "$last_to" && $permissions == "$last_permissions" ]]; then
      printf '%s' "+"
    else
      printf '\n%x %s ' "$from" "$permissions"
    fi
    printf '%x' "$to"
    last_to=$to last_permissions=$permissions
  done | sed -e 's/[0-9a-f]*+//g' -e '/^$/d' | without_copies
}

# without_copies: prints the lines of segments, without those that are inside another one.
without_copies() {
  local i j copy ranges=() from=() to=()
  mapfile -t ranges
  for i in "${!ranges[@]}"; do
    from[i]=$((16#${ranges[i]%% *})) to[i]=$((16#${ranges[i]##* }))
  done
  for i in "${!ranges[@]}"; do
    copy=false
    for j in "${!ranges[@]}"; do
      ((to[j] - from[j] > to[i] - from[i] && from[j] <= from[i] && to[i] <= to[j])) && copy=true
    done
    "$copy" || echo "${ranges[i]}"
  done
}

# reservations: prints the sizes in MiB of all inaccessible anonymous mappings of at least 32 MiB.
# The guard's first reservation has 32 MiB.
reservations() {
  local range permissions inode size
  while read -r range permissions _ _ inode _; do
    [[ $permissions == ---p && $inode == 0 ]] || continue
    size=$(((16#${range#*-} - 16#${range%-*}) >> 20))
    ((size < 32)) || echo "$size"
  done
}
