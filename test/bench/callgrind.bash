# Counts a process's instructions, for startup.sh and on_node.sh.

# count_instructions ENVIRONMENT NODE SCRIPT [OPTION…]: prints the number of instructions of node -e
# SCRIPT, with these options of callgrind. The count can be repeated, because there is no JIT
# compiler and only one thread. The kernel's instructions are not counted.
count_instructions() {
  local output
  # shellcheck disable=SC2086 # several assignments, or none
  output=$(env $1 valgrind --tool=callgrind --callgrind-out-file=/dev/null "${@:4}" \
    "$2" --jitless --single-threaded --predictable -e "$3" 2>&1) || true
  sed -n 's/^==[0-9]*== Collected : //p' <<<"$output" | grep -x '[0-9]\+' || {
    echo "${0##*/}: needed: a count by callgrind; found: $output; do: run valgrind by hand" >&2
    return 1
  }
}
