#include "nn/device/cudnn/library.h"

#include <fmt/format.h>

#include <array>

#include "kernels/core/check.h"

namespace kith {
namespace {

constexpr size_t kOldest = 90000;  // the backend's attributes have their present meaning from here on

std::string dotted(size_t version) {
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

// Some engines of cuDNN open these by their bare names. Loaded from where we find them, they are found by name as well;
// where there is none such engines refuse, and others are taken.
void load_helpers(size_t cuda_major) {
  for (const char* part : {"cublasLt", "nvrtc"}) {
    try {
      const SharedLibrary helper(fmt::format("lib{}.so.{}", part, cuda_major), cuda_library_folders());
    } catch (const Error&) {  // not there
    }
  }
}

}  // namespace

Cudnn::Cudnn()
    : library(fmt::format("libcudnn.so.{}", CUDNN_MAJOR), cuda_library_folders()),
      get_version(library.symbol<decltype(get_version)>("cudnnGetVersion")),
      get_cudart_version(library.symbol<decltype(get_cudart_version)>("cudnnGetCudartVersion")),
      get_error_string(library.symbol<decltype(get_error_string)>("cudnnGetErrorString")),
      get_last_error_string(library.symbol<decltype(get_last_error_string)>("cudnnGetLastErrorString")),
      create(library.symbol<decltype(create)>("cudnnCreate")),
      destroy(library.symbol<decltype(destroy)>("cudnnDestroy")),
      set_stream(library.symbol<decltype(set_stream)>("cudnnSetStream")),
      create_descriptor(library.symbol<decltype(create_descriptor)>("cudnnBackendCreateDescriptor")),
      destroy_descriptor(library.symbol<decltype(destroy_descriptor)>("cudnnBackendDestroyDescriptor")),
      set_attribute(library.symbol<decltype(set_attribute)>("cudnnBackendSetAttribute")),
      get_attribute(library.symbol<decltype(get_attribute)>("cudnnBackendGetAttribute")),
      finalize(library.symbol<decltype(finalize)>("cudnnBackendFinalize")),
      execute(library.symbol<decltype(execute)>("cudnnBackendExecute")) {
  const size_t found = get_version();
  check(found >= kOldest,
        fmt::format("cuDNN {} found, {} or newer is needed: update it", dotted(found), dotted(kOldest)));
  load_helpers(get_cudart_version() / 1000);
}

const Cudnn& cudnn() {
  static const Cudnn library;  // a loaded library belongs to the process
  return library;
}

std::string cudnn_version() { return dotted(cudnn().get_version()); }

void cudnn_check(cudnnStatus_t status, const std::string& what) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  std::array<char, 512> detail{};
  cudnn().get_last_error_string(detail.data(), detail.size());
  throw Error(fmt::format("{}: cuDNN {}: {}{}{}", what, cudnn_version(), cudnn().get_error_string(status),
                          detail[0] == 0 ? "" : ", ", detail.data()));
}

}  // namespace kith
