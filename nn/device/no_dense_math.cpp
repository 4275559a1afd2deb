// The device libraries of a build that has none.
#include "kernels/core/check.h"
#include "nn/device/dense_math.h"

namespace kith {

constexpr const char* kNone =
    "this build of kith has no cuDNN and cuBLASLt: configure it with cmake --preset cuda where their headers are";

std::string accelerator_libraries() { throw Error(kNone); }

std::unique_ptr<DenseMath> make_accelerator_math(Queue, const MathOptions&) { throw Error(kNone); }

}  // namespace kith
