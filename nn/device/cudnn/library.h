// cuDNN's backend interface, loaded when it is first used. Its functions by their own names: cudnn().backend_execute(...).
#pragma once
#include <cudnn.h>

#include <string>

#include "nn/device/shared_library.h"

namespace kith {

struct Cudnn {
  Cudnn();
  SharedLibrary library;
  decltype(&cudnnGetVersion) get_version;
  decltype(&cudnnGetCudartVersion) get_cudart_version;
  decltype(&cudnnGetErrorString) get_error_string;
  decltype(&cudnnGetLastErrorString) get_last_error_string;
  decltype(&cudnnCreate) create;
  decltype(&cudnnDestroy) destroy;
  decltype(&cudnnSetStream) set_stream;
  decltype(&cudnnBackendCreateDescriptor) create_descriptor;
  decltype(&cudnnBackendDestroyDescriptor) destroy_descriptor;
  decltype(&cudnnBackendSetAttribute) set_attribute;
  decltype(&cudnnBackendGetAttribute) get_attribute;
  decltype(&cudnnBackendFinalize) finalize;
  decltype(&cudnnBackendExecute) execute;
};

// The process's cuDNN. Error when there is none, or one older than kith's plans need.
const Cudnn& cudnn();
std::string cudnn_version();  // "9.28.1"

// Error("<what>: <cuDNN's own words>") unless the status is success.
void cudnn_check(cudnnStatus_t status, const std::string& what);

}  // namespace kith
