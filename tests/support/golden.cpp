#include "tests/support/golden.h"

#include <filesystem>

namespace kith::test {

SafeTensors golden(const std::string& name) {
  return read_safetensors(std::filesystem::path(KITH_GOLDEN_DIR) / (name + ".safetensors"));
}

}  // namespace kith::test
