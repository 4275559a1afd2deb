# Headers of cuDNN and cuBLASLt, wherever they are: the system, CUDA_HOME, the wheels of a Python environment, or the folder
# that .ci/cuda_libraries fills. The libraries themselves are looked for when the program first needs them (shared_library.h),
# so nothing is linked here. KITH_HAS_CUDNN says whether both were found.
set(wheels "")
foreach(environment $ENV{VIRTUAL_ENV} $ENV{CONDA_PREFIX})
  file(GLOB found ${environment}/lib/python3*/site-packages/nvidia/*/include)
  list(APPEND wheels ${found})
endforeach()
file(GLOB fetched ${PROJECT_SOURCE_DIR}/build/cuda_libraries/nvidia/*/include)
set(places ${CUDAToolkit_INCLUDE_DIRS} $ENV{CUDA_HOME}/include $ENV{CUDNN_HOME}/include ${wheels} ${fetched})
find_path(KITH_CUDNN_INCLUDE cudnn.h HINTS ${places})
find_path(KITH_CUBLAS_INCLUDE cublasLt.h HINTS ${places})
mark_as_advanced(KITH_CUDNN_INCLUDE KITH_CUBLAS_INCLUDE)
set(KITH_HAS_CUDNN OFF)
if(KITH_CUDNN_INCLUDE AND KITH_CUBLAS_INCLUDE)
  set(KITH_HAS_CUDNN ON)
else()
  message(STATUS "kith: no cudnn.h and cublasLt.h, so no convolutions and linear layers on CUDA devices; the CUDA kernels are built. "
    ".ci/cuda_libraries fetches both")
endif()
