# Flags that every target of kith is built with.
add_library(kith_flags INTERFACE)
target_include_directories(kith_flags INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
set(kith_cxx_flags -Wall -Wextra -Wconversion -Wno-sign-conversion -Werror -fno-math-errno)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # A tenth of the compiler's time was collecting its own garbage.
  list(APPEND kith_cxx_flags --param=ggc-min-heapsize=524288)
else()
  # "GCC ivdep"; loops that Clang does not vectorise where the pragma asks for it.
  list(APPEND kith_cxx_flags -Wno-unknown-pragmas -Wno-pass-failed)
endif()
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
if(KITH_FUZZ)
  target_compile_options(kith_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# A target with this property runs CUDA queues under the SIMT runner (kernels/CMakeLists.txt).
define_property(TARGET PROPERTY KITH_SIMT INITIALIZE_FROM_VARIABLE KITH_SIMT BRIEF_DOCS "CUDA queues run under the SIMT runner")

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

# kith_join(target): with KITH_UNITY the target's sources of one folder are compiled as one file, in a third of the time. Their
# anonymous namespaces are one then: a file whose names clash with its neighbours' has SKIP_UNITY_BUILD_INCLUSION.
function(kith_join target)
  get_target_property(files ${target} SOURCES)
  foreach(file ${files})
    cmake_path(ABSOLUTE_PATH file NORMALIZE OUTPUT_VARIABLE folder)
    cmake_path(RELATIVE_PATH folder BASE_DIRECTORY ${PROJECT_SOURCE_DIR})
    cmake_path(GET folder PARENT_PATH folder)
    string(MAKE_C_IDENTIFIER "${folder}" folder)
    set_source_files_properties(${file} PROPERTIES UNITY_GROUP ${folder})
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${KITH_UNITY} UNITY_BUILD_MODE GROUP)
endfunction()

# kith_library(name sources... [NEXT sources...]... [APART sources...]): a static library of this house. With KITH_UNITY its
# sources are compiled as one file, those after each NEXT as another: more than half of the compilation of a folder was headers
# and templates that others use too. The anonymous namespaces of such a file are one. Those apart are compiled each by itself.
function(kith_library name)
  cmake_parse_arguments(arg "" "" "APART" ${ARGN})
  set(group 1)
  set(sources ${arg_APART})
  foreach(file ${arg_UNPARSED_ARGUMENTS})
    if(file STREQUAL "NEXT")
      math(EXPR group "${group} + 1")
    else()
      list(APPEND sources ${file})
      set_source_files_properties(${file} PROPERTIES UNITY_GROUP ${group})
    endif()
  endforeach()
  add_library(${name} STATIC ${sources})
  set_target_properties(${name} PROPERTIES UNITY_BUILD ${KITH_UNITY} UNITY_BUILD_MODE GROUP POSITION_INDEPENDENT_CODE ON)
  if(KITH_SANITIZE)
    kith_join(${name})  # a folder at a time: instrumented code and debug information take more memory
  endif()
  set_source_files_properties(${arg_APART} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:kith_flags>)
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/kith>)
endfunction()

# kith_kernel(name group): one kernel entry, by its stem; fails when one of its files is missing. All that a file's name says is
# registered by it: NAME.cpp and NAME_*.cpp of kernels/, kernels/cpu, tests/kernels, tests/kernels/cuda, bench/kernels and
# bench/study/simt, NAME.cu and NAME_*.cu of kernels/cuda. The tests are in the programs of the group.
function(kith_kernel name group)
  foreach(file kernels/${name}.h kernels/${name}.cpp kernels/cpu/${name}.cpp kernels/cuda/${name}.cu tests/kernels/${name}.cpp
          tests/kernels/cuda/${name}.cpp bench/kernels/${name}.cpp bench/study/simt/${name}.cpp)
    if(NOT EXISTS ${PROJECT_SOURCE_DIR}/${file})
      message(FATAL_ERROR "kernel ${name}: ${file} is missing")
    endif()
  endforeach()
  set_property(GLOBAL APPEND PROPERTY KITH_KERNELS ${name})
  set_property(GLOBAL PROPERTY KITH_KERNEL_GROUP_${name} ${group})
endfunction()

# kith_kernel_files(out folder/*.extension [GROUP group] [OTHERS stems...]): the kernels' files of one kind, or those of a group.
# A file belongs to the longest name that its own begins with (softmax_xent.cpp is not softmax's); fails when it belongs to
# none and is not one of the others. Call after the last kith_kernel.
function(kith_kernel_files out pattern)
  cmake_parse_arguments(arg "" "GROUP" "OTHERS" ${ARGN})
  get_property(names GLOBAL PROPERTY KITH_KERNELS)
  file(GLOB found CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${pattern})
  set(files)
  foreach(file ${found})
    get_filename_component(stem ${file} NAME_WE)
    set(owner "")
    foreach(name ${names})
      string(LENGTH "${name}" length)
      string(LENGTH "${owner}" longest)
      if("${stem}_" MATCHES "^${name}_" AND length GREATER longest)
        set(owner ${name})
      endif()
    endforeach()
    if(owner STREQUAL "")
      if(NOT stem IN_LIST arg_OTHERS)
        message(FATAL_ERROR "${file} belongs to no kernel of kernels/CMakeLists.txt")
      endif()
      continue()
    endif()
    get_property(group GLOBAL PROPERTY KITH_KERNEL_GROUP_${owner})
    if(NOT arg_GROUP OR arg_GROUP STREQUAL group)
      list(APPEND files ${file})
    endif()
  endforeach()
  set(${out} ${files} PARENT_SCOPE)
endfunction()

# kith_kernel_groups(out): the groups of the kernels, each once.
function(kith_kernel_groups out)
  get_property(names GLOBAL PROPERTY KITH_KERNELS)
  set(groups)
  foreach(name ${names})
    get_property(group GLOBAL PROPERTY KITH_KERNEL_GROUP_${name})
    list(APPEND groups ${group})
  endforeach()
  list(REMOVE_DUPLICATES groups)
  set(${out} ${groups} PARENT_SCOPE)
endfunction()
