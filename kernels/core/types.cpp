#include "kernels/core/types.h"

#include <fmt/format.h>

#include "kernels/core/check.h"

namespace kith {

void require_cpu(Queue queue, std::string_view entry) {
  if (queue.device != Device::cpu) throw Error(fmt::format("{}: this build has no CUDA kernels", entry));
}

}  // namespace kith
