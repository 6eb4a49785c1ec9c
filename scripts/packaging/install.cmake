# What is installed where, and the packages that CPack makes from it. scripts/package.sh builds and
# checks these packages.
include(GNUInstallDirs)

# The library is for LD_PRELOAD, not for linking, so it is in a separate directory. The command
# finds it relative to its own path, so all that is installed may be moved as a whole.
set(private_directory ${CMAKE_INSTALL_LIBDIR}/tsfn-guard)
set(for_all_to_read OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
set(CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS ${for_all_to_read} OWNER_EXECUTE GROUP_EXECUTE WORLD_EXECUTE)

install(TARGETS tsfn-guard RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
# Two addons are beside the library: doctor's, and the one for node -r, which looks for the library
# in its own directory.
install(TARGETS tsfnguard doctor_probe register_node LIBRARY DESTINATION ${private_directory} PERMISSIONS ${for_all_to_read} COMPONENT runtime)
install(FILES docs/tsfn-guard.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT runtime)
install(FILES src/command/completion.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
  RENAME tsfn-guard COMPONENT runtime)
install(FILES src/command/completion.zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions
  RENAME _tsfn-guard COMPONENT runtime)
install(FILES src/command/completion.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d
  RENAME tsfn-guard.fish COMPONENT runtime)

# Alert rules for Prometheus, and a dashboard for Grafana.
install(FILES scripts/packaging/tsfn-guard.rules.yml scripts/packaging/tsfn-guard.dashboard.json
  DESTINATION ${CMAKE_INSTALL_DATADIR}/tsfn-guard COMPONENT runtime)

# tsfn-guard.pc contains the prefix as a path relative to its own directory.
set(pkgconfig_directory ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH prefix_from_pkgconfig ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(scripts/packaging/tsfn-guard.pc.in tsfn-guard.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/tsfn-guard.pc DESTINATION ${pkgconfig_directory} COMPONENT development)
install(DIRECTORY include/tsfn_guard DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)

# The layout is that of the source tree, so that the links between the pages work.
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT documentation)
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT documentation PATTERN *.1 EXCLUDE)
install(FILES scripts/packaging/ring.gdb DESTINATION ${CMAKE_INSTALL_DOCDIR}/scripts/packaging COMPONENT documentation)

set(TSFN_GUARD_MAINTAINER "The tsfn-guard authors <tsfn-guard@localhost>" CACHE STRING
  "Who answers for a package built here, as Debian wants it: Name <address>")
set(CPACK_GENERATOR DEB TGZ)
set(CPACK_PACKAGE_CONTACT ${TSFN_GUARD_MAINTAINER})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "keeps Node.js alive when addons misuse thread-safe functions")
set(CPACK_PACKAGE_DESCRIPTION "A native addon of Node.js that uses a napi_threadsafe_function while a
worker ends or the process exits may take the process with it: SIGSEGV,
SIGABRT, a hang. Preloaded, this library makes those functions safe, without
a change to the addon or to Node.js, and tells which addon did what.
.
The command tsfn-guard starts programs so, says whether they can be guarded,
reads the logs and watches processes.")
set(CPACK_PACKAGE_FILE_NAME tsfn-guard-${PROJECT_VERSION}-linux-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS ${CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS})

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION javascript)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_ENHANCES nodejs)
# dpkg-shlibdeps would require glibc 2.34, in which dlopen moved to libc. That reference is weak
# here. test/bats/library.bats checks that glibc 2.28 is enough.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libc6 (>= 2.28)")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/scripts/packaging/debian.cmake
  ${CMAKE_SOURCE_DIR}/scripts/packaging/debuglink.cmake)
set(CPACK_TSFN_GUARD_SYMBOLS ${CMAKE_BINARY_DIR}/symbols)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL aarch64)
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE arm64)
endif()
include(CPack)
