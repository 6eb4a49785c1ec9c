# Reading /proc/PID/maps from stdin.

# segments PATH: the mappings of one object as "from-to permissions" by offset in its file, neighbours of the same
# permissions as one: the kernel may split a mapping and leave it so, and that is nothing to us.
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
  done | sed -e 's/[0-9a-f]*+//g' -e '/^$/d'
}

# reservations: the sizes in GiB of all inaccessible anonymous mappings from 1 GiB up. The guard's is one.
reservations() {
  local range permissions inode size
  while read -r range permissions _ _ inode _; do
    [[ $permissions == ---p && $inode == 0 ]] || continue
    size=$(((16#${range#*-} - 16#${range%-*}) >> 30))
    [[ $size == 0 ]] || echo "$size"
  done
}
