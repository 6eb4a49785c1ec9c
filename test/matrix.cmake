# Which test runs on which runtimes, and in which tier. There is one row for each test or directory.
# test/CMakeLists.txt reads this file, and test/README.md explains it.
#
# The tiers are CTest presets. Each tier contains all those before it:
#   quick    for use before a commit: under three minutes
#   default  what scripts/test.sh and CI run: everything that guards a promise of docs/contract.md
#   full     by hand: every runtime, five times the repetitions, the large configurations
#
# A column says on which runtimes the test runs in that tier: one of these sets, `once` if the test
# uses no particular runtime, or `-`. Tests that do not depend on the runtime's version run on the
# oldest and on the newest. Debian's node has its functions in libnode.so, so it runs the tests for
# which that matters. Node 22 is the newest line in which every release frees functions that threads
# still hold.
set(ON_all node-18 node-20 node-22 node-24.13 node-24.21 node-26 debian-18)
set(ON_node node-18 node-20 node-22 node-24.13 node-24.21 node-26)
set(ON_lines node-18 node-20 node-22 node-24.21 node-26)
set(ON_ends node-18 node-26)
set(ON_ends+22 node-18 node-22 node-26)
set(ON_ends+libnode node-18 node-26 debian-18)
set(ON_20 node-20)
set(ON_20+26 node-20 node-26)
set(ON_once once)
set(ON_- "")

# `seconds` is the time on an idle machine. The longest tests start first. `cores` is one of these:
#   1        for most tests; they, too, wait for a third of their time
#   half     for a test that computes for less than half of its time, because it waits for programs
#            that hang without the guard, or that sleep
#   all      for a test that keeps every core busy; nothing runs beside it, so it does not disturb
#            tests that depend on time
# CTest counts half cores. scripts/test.sh gives it -j with three times the number of cores, because
# tests wait. A file without a row uses the row of its directory, which ends in *.bats.
set(TEST_MATRIX
# test                          | quick | default     | full    | seconds | cores
  "unit/*                       | once  | once        | once    |   1     | 1"
  "unit/asan-ubsan              | -     | once        | once    |  25     | all"
  "unit/tsan                    | -     | once        | once    |  25     | all"
  "lint                         | -     | once        | once    |  60     | all"
  "docs/snippets                | -     | once        | once    |  18     | 1"
  "docs/links                   | once  | once        | once    |   1     | 1"
  "mutations                    | once  | once        | once    |   8     | 1"
  "model                        | -     | once        | once    |  90     | all"
  "model/large                  | -     | -           | once    | 300     | all"
  "litmus                       | -     | once        | once    |  20     | 1"
  "conformance/all              | -     | -           | once    | 900     | 1"
  "bench/instructions           | -     | once        | once    |   1     | 1"
  "bench/smoke                  | -     | once        | once    |  43     | half"
  "bench/startup                | -     | once        | once    |  15     | 1"
  "fuzz/*                       | -     | once        | once    |  15     | 1"
  "bats/*.bats                  | -     | once        | once    |  15     | 1"
  "bats/arm64.bats              | -     | once        | once    | 100     | 1"
  "bats/bare.bats               | -     | once        | once    |  24     | half"
  "bats/command.bats            | once  | once        | once    |  12     | 1"
  "bats/conformance.bats        | -     | once        | once    | 100     | 1"
  "bats/electron.bats           | -     | once        | once    |  45     | 1"
  "bats/debian.bats             | -     | -           | once    |  60     | 1"
  "bats/doctor.bats             | -     | once        | once    |  36     | half"
  "bats/inert.bats              | once  | once        | once    |   3     | 1"
  "bats/library.bats            | once  | once        | once    |   1     | 1"
  "bats/javascript.bats         | -     | once        | once    |  25     | half"
  "bats/options.bats            | once  | once        | once    |   3     | 1"
  "bats/redirect.bats           | once  | once        | once    |  12     | 1"
  "bats/runtimes.bats           | -     | once        | once    |  58     | half"
  "bats/scan.bats               | -     | once        | once    |  20     | 1"
  "bats/single.bats             | -     | once        | once    |  40     | 1"
  "bats/status.bats             | -     | once        | once    |  25     | 1"
  "bats/top.bats                | -     | once        | once    |  28     | half"
  "bats/triage.bats             | -     | once        | once    |  40     | 1"
  "bats/runtime/*.bats          | -     | ends        | all     |  10     | 1"
  "bats/runtime/addon-api.bats  | -     | ends        | all     |   8     | 1"
  "bats/runtime/armed.bats      | ends  | all         | all     |   4     | 1"
  "bats/runtime/blocked.bats    | -     | ends        | all     |  13     | half"
  "bats/runtime/events.bats     | -     | ends        | all     |  19     | half"
  "bats/runtime/clean.bats      | ends  | ends        | all     |   3     | 1"
  "bats/runtime/exceptions.bats | -     | all         | all     |   4     | 1"
  "bats/runtime/fast-exit.bats  | -     | ends        | all     |  40     | half"
  "bats/runtime/faults.bats     | -     | ends        | all     |  35     | half"
  "bats/runtime/hooks.bats      | -     | ends        | all     |  11     | half"
  "bats/runtime/children.bats   | -     | ends+libnode| all     |   2     | 1"
  "bats/runtime/issue55706.bats | ends  | all         | all     |   4     | 1"
  "bats/runtime/mapped.bats     | -     | ends        | all     |  14     | half"
  "bats/runtime/unload.bats     | -     | ends+libnode| all     |  18     | half"
  "bats/runtime/oracle.bats     | -     | ends+22     | all     |  20     | 1"
  "bats/runtime/probes.bats     | -     | 20+26       | 20+26   |   5     | 1"
  "bats/runtime/bindings.bats   | ends  | all         | all     |   2     | 1"
  "bats/runtime/register.bats   | -     | ends+libnode| all     |   8     | 1"
  "bats/runtime/ring.bats       | -     | 20+26       | 20+26   |  20     | 1"
  "bats/runtime/shared-count.bats | ends| node        | all     |   5     | 1"
  "bats/runtime/stress.bats     | -     | ends        | all     |  20     | all"
  "bats/runtime/summary.bats    | ends  | ends        | all     |   7     | 1"
  "bats/runtime/table.bats      | ends  | ends        | all     |  15     | 1"
  "bats/runtime/unthrowable.bats | ends | all         | all     |   3     | 1"
  "bats/runtime/transcript.bats | ends  | ends        | all     |  16     | 1"
  "bats/runtime/transcript-options.bats| -| ends      | all     |  12     | 1"
  "real/*.bats                  | -     | 20          | lines   |  10     | 1"
  "real/koffi.bats              | -     | ends        | lines   |   6     | 1"
  "real/lightningcss.bats       | -     | ends        | lines   |   7     | 1"
  "real/node-pty.bats           | -     | ends        | lines   |  34     | half"
  "real/parcel-watcher.bats     | -     | ends        | lines   |  21     | half"
  "real/rolldown.bats           | -     | 20          | lines   |  18     | 1"
  "real/soak.bats               | -     | 20          | lines   |  23     | 1"
  "real/worker-server.bats      | -     | 20          | lines   |  14     | 1"
)

include(ProcessorCount)
ProcessorCount(all_cores)
if(all_cores EQUAL 0)
  set(all_cores 2)
endif()

# A row for a file that does not exist is an error. Otherwise nobody would notice that a test is
# gone.
set(rows_of_tests)
foreach(line IN LISTS TEST_MATRIX)
  string(REGEX REPLACE " *\\| *" ";" row "${line}")
  list(LENGTH row columns)
  list(GET row 0 test)
  string(FIND "${test}" "*" wildcard)
  if(NOT columns EQUAL 6)
    message(FATAL_ERROR "test/matrix.cmake: needed: 6 columns\n  found: ${line}\n  do: correct that row")
  elseif(wildcard EQUAL -1 AND test MATCHES "\\.bats$" AND NOT EXISTS ${CMAKE_CURRENT_LIST_DIR}/${test})
    message(FATAL_ERROR "test/matrix.cmake: needed: a file test/${test}\n  found: none\n  do: correct its row, or remove it")
  endif()
  set("row_of_${test}" "${row}")
endforeach()

# matrix_row(TEST): sets `row` to the row of the test itself or of its directory.
function(matrix_row test)
  if(NOT DEFINED "row_of_${test}")
    string(REGEX REPLACE "[^/.]+((\\.bats)?)$" "*\\1" test "${test}")
  endif()
  if(NOT DEFINED "row_of_${test}")
    message(FATAL_ERROR "test/matrix.cmake: needed: a row for ${test}\n  found: none\n  do: add one")
  endif()
  set(row "${row_of_${test}}" PARENT_SCOPE)
endfunction()

# matrix_tier(TEST RUNTIME): sets `tier` to the first tier in which TEST runs on RUNTIME, or to "".
# RUNTIME is `once` for a test that uses no particular runtime.
function(matrix_tier test runtime)
  matrix_row("${test}")
  set(column 0)
  set(tier "" PARENT_SCOPE)
  foreach(name quick default full)
    math(EXPR column "${column} + 1")
    list(GET row ${column} set)
    if(NOT DEFINED "ON_${set}")
      message(FATAL_ERROR "test/matrix.cmake: needed: a set of runtimes\n  found: ${set}\n  do: correct the row of ${test}")
    endif()
    if(runtime IN_LIST "ON_${set}")
      set(tier ${name} PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

# matrix_properties(NAME TEST TIER LABEL): sets the properties of the CTest test NAME, which runs
# TEST, from the row of TEST.
function(matrix_properties name test tier label)
  matrix_row("${test}")
  list(GET row 4 seconds)
  list(GET row 5 cores)
  set(half_cores 2)
  if(cores STREQUAL half)
    set(half_cores 1)
  elseif(cores STREQUAL all)
    math(EXPR half_cores "3 * ${all_cores}")
    math(EXPR seconds "${seconds} + 1000") # these start first; later they would have to wait until every core is idle
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${label};tier-${tier}" COST ${seconds} PROCESSORS ${half_cores})
endfunction()

# matrix_test(NAME LABEL PROPERTY VALUE…): the same for a CTest test that runs once, and whose row
# has its name. It also sets the properties that are given.
function(matrix_test name label)
  matrix_tier(${name} once)
  matrix_properties(${name} ${name} ${tier} ${label})
  set_tests_properties(${name} PROPERTIES ${ARGN})
endfunction()
