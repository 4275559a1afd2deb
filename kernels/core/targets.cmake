# Flags that every target of kith is built with.
add_library(kith_flags INTERFACE)
target_include_directories(kith_flags INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
set(kith_cxx_flags -Wall -Wextra -Wconversion -Wno-sign-conversion -Werror -fno-math-errno)
if(KITH_NATIVE)
  list(APPEND kith_cxx_flags -march=native)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    list(APPEND kith_cxx_flags -mprefer-vector-width=512)
  endif()
endif()
target_compile_options(kith_flags INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${kith_cxx_flags}>"
  "$<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings;-Xcompiler=-Wall,-Wextra,-Werror>")
if(KITH_DIST AND KITH_HAS_CUDA AND CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 13)
  # Less than half the size; every driver of CUDA 13 unpacks it.
  target_compile_options(kith_flags INTERFACE "$<$<COMPILE_LANGUAGE:CUDA>:--compress-mode=size>")
endif()
if(KITH_SANITIZE)
  target_compile_options(kith_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(kith_flags INTERFACE -fsanitize=address,undefined)
endif()

# kith_dist(target folder): the program goes into that folder of the relocatable tree (component `dist` of an installation, see
# .ci/dist), and is built by the target `device`: all that a machine with a GPU wants to run.
add_custom_target(device)
function(kith_dist target folder)
  add_dependencies(device ${target})
  install(TARGETS ${target} RUNTIME_DEPENDENCY_SET kith_dist RUNTIME DESTINATION ${folder} COMPONENT dist EXCLUDE_FROM_ALL)
  # The old tag, unlike RUNPATH, also serves what the shared objects beside it need themselves.
  set_target_properties(${target} PROPERTIES INSTALL_RPATH "$ORIGIN/../lib")
  target_link_options(${target} PRIVATE -Wl,--disable-new-dtags)
endfunction()

# kith_library(name sources...): a static library of this house.
function(kith_library name)
  add_library(${name} STATIC ${ARGN})
  target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:kith_flags>)
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/kith>)
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
endfunction()

# kith_kernel(name [more.cu...]): the sources of one kernel entry; fails when one of its files is missing. The entry and its
# CPU backend join kith_kernels; kernels/cuda/NAME.cu, where it exists, and more join kith_cuda in a CUDA build.
function(kith_kernel name)
  foreach(file kernels/${name}.h kernels/${name}.cpp kernels/cpu/${name}.cpp tests/kernels/${name}.cpp bench/kernels/${name}.cpp)
    if(NOT EXISTS ${PROJECT_SOURCE_DIR}/${file})
      message(FATAL_ERROR "kernel ${name}: ${file} is missing")
    endif()
  endforeach()
  target_sources(kith_kernels PRIVATE ${PROJECT_SOURCE_DIR}/kernels/${name}.cpp ${PROJECT_SOURCE_DIR}/kernels/cpu/${name}.cpp)
  set(device ${ARGN})
  list(TRANSFORM device PREPEND ${PROJECT_SOURCE_DIR}/kernels/)
  if(EXISTS ${PROJECT_SOURCE_DIR}/kernels/cuda/${name}.cu)
    list(PREPEND device ${PROJECT_SOURCE_DIR}/kernels/cuda/${name}.cu)
  endif()
  set_property(GLOBAL APPEND PROPERTY KITH_CUDA_SOURCES ${device})  # the SIMT runner compiles the same list
  if(KITH_HAS_CUDA)
    target_sources(kith_cuda PRIVATE ${device})
  endif()
endfunction()
