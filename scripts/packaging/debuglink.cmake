# CPack runs this on the staged files, which are stripped. It writes into each binary the name of
# the file with its symbols, so that debuggers find that file in .debug beside the binary.
# scripts/package.sh has made the files with the symbols.
if(NOT EXISTS ${CPACK_TSFN_GUARD_SYMBOLS})
  return()
endif()
file(GLOB symbols ${CPACK_TSFN_GUARD_SYMBOLS}/*.debug)
foreach(file IN LISTS symbols)
  get_filename_component(name ${file} NAME)
  string(REGEX REPLACE "\\.debug$" "" name ${name})
  file(GLOB_RECURSE stripped ${CPACK_TEMPORARY_DIRECTORY}/bin/${name} ${CPACK_TEMPORARY_DIRECTORY}/usr/bin/${name}
    ${CPACK_TEMPORARY_DIRECTORY}/lib/tsfn-guard/${name} ${CPACK_TEMPORARY_DIRECTORY}/usr/lib/tsfn-guard/${name})
  execute_process(COMMAND objcopy --add-gnu-debuglink=${file} ${stripped} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
