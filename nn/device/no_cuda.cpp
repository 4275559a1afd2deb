// Stubs of nn for builds without CUDA.
#include "kernels/core/check.h"
#include "nn/device/accelerator.h"

namespace kith {

DeviceList list_devices() { return {}; }

std::unique_ptr<Accelerator> open_accelerator(int) { throw Error("CUDA device: this build has no CUDA"); }

}  // namespace kith
