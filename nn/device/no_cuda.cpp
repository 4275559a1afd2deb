// What nn asks of CUDA, in a build without it.
#include "kernels/core/check.h"
#include "nn/device/accelerator.h"

namespace kith {

DeviceList list_devices() { return {}; }

std::unique_ptr<Accelerator> open_accelerator(int) { throw Error("CUDA device: this build has no CUDA"); }

}  // namespace kith
