// The folder that kith is called in, as a shell's cd changes it.
#pragma once
#include <filesystem>

namespace kith::test {

struct InFolder {
  explicit InFolder(const std::filesystem::path& folder) { std::filesystem::current_path(folder); }
  ~InFolder() { std::filesystem::current_path(before); }
  std::filesystem::path before = std::filesystem::current_path();
};

}  // namespace kith::test
