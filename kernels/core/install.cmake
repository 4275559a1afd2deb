# The library as one name, and the package that find_package(kith) finds.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(kith_parts kith_core kith_cuda kith_kernels kith_nn_cuda kith_nn kith_data kith_scan)
foreach(part ${kith_parts})
  string(REPLACE kith_ "" short ${part})
  set_target_properties(${part} PROPERTIES EXPORT_NAME ${short})
endforeach()
add_library(kith INTERFACE)
target_link_libraries(kith INTERFACE ${kith_parts})
target_compile_features(kith INTERFACE cxx_std_20)
add_library(kith::kith ALIAS kith)

install(TARGETS kith ${kith_parts} EXPORT kith_targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT kith_targets FILE kith-targets.cmake NAMESPACE kith:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/kith)
foreach(layer kernels nn data scan)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${layer} DESTINATION include/kith FILES_MATCHING PATTERN "*.h"
          PATTERN cpu EXCLUDE PATTERN cuda EXCLUDE PATTERN cudnn EXCLUDE PATTERN cublas EXCLUDE PATTERN ordered.h EXCLUDE)
endforeach()

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/kith-config.cmake.in ${PROJECT_BINARY_DIR}/kith-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/kith)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/kith-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/kith-config.cmake ${PROJECT_BINARY_DIR}/kith-config-version.cmake
  ${CMAKE_CURRENT_LIST_DIR}/FindOneDNN.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/kith)

# Shared objects of the relocatable tree: all that its programs need but the C library, which a system has one of.
install(RUNTIME_DEPENDENCY_SET kith_dist PRE_EXCLUDE_REGEXES "^(ld-linux.*|lib(c|m|dl|rt|pthread))[.]so"
  LIBRARY DESTINATION lib COMPONENT dist EXCLUDE_FROM_ALL)
