// The device libraries of a build that has none.
#include "kernels/core/check.h"
#include "nn/device_math.h"

namespace kith {

std::unique_ptr<DeviceMath> make_device_math(Queue, const MathOptions&) {
  throw Error("this build of kith has no cuDNN and cuBLASLt: build it with --preset cuda where their headers are");
}

}  // namespace kith
