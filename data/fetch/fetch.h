// Downloads of the supported data sets: official address first, then the fall-backs; sizes and SHA-256 checked.
#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace kith::data {

// Fetches NAME (cifar10, cifar100, fashion-mnist) below root and returns the SPEC to load it with.
// Resumable, atomic: files appear under their final names only when complete and verified. Does nothing when all are
// there. `say` receives one line per event.
std::string fetch(std::string_view name, const std::filesystem::path& root,
                  const std::function<void(const std::string&)>& say);

}  // namespace kith::data
