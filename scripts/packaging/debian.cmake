# CPack runs this on the staged files. For the .deb only, it changes them as Debian's policy
# requires.
if(NOT CPACK_GENERATOR STREQUAL DEB)
  return()
endif()
set(root ${CPACK_TEMPORARY_DIRECTORY}/usr)
set(doc ${root}/share/doc/tsfn-guard)

function(compress file)
  execute_process(COMMAND gzip -9nf ${file} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(GLOB pages ${root}/share/man/man*/*.[0-9])
foreach(page IN LISTS pages)
  compress(${page})
endforeach()
file(RENAME ${doc}/CHANGELOG.md ${doc}/changelog)
compress(${doc}/changelog)
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC) # SOURCE_DATE_EPOCH's, if that is set
set(version ${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})
file(WRITE ${doc}/changelog.Debian "tsfn-guard (${version}) unstable; urgency=medium\n\n"
  "  * Packaged by CPack; changelog.gz tells what changed.\n\n -- ${CPACK_PACKAGE_CONTACT}  ${date}\n")
compress(${doc}/changelog.Debian)

file(READ ${doc}/LICENSE license)
file(REMOVE ${doc}/LICENSE)
string(REGEX REPLACE "^MIT License\n\nCopyright \\(c\\) ([^\n]*)\n\n" "" text "${license}")
set(owner ${CMAKE_MATCH_1})
string(REGEX REPLACE "\n\n" "\n.\n" text "${text}")
string(REGEX REPLACE "\n([^\n])" "\n \\1" text "${text}")
file(WRITE ${doc}/copyright "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
  "Upstream-Name: tsfn-guard\n\nFiles: *\nCopyright: ${owner}\nLicense: Expat\n ${text}")

# Debian's zsh does not read /usr/share/zsh/site-functions.
file(RENAME ${root}/share/zsh/site-functions ${root}/share/zsh/vendor-completions)

file(MAKE_DIRECTORY ${root}/share/lintian/overrides)
file(COPY_FILE ${CMAKE_CURRENT_LIST_DIR}/lintian-overrides ${root}/share/lintian/overrides/tsfn-guard)
