#include "scan/run/outlook.h"

#include <fmt/format.h>

namespace kith {

std::string advice(const Outlook& next, const std::filesystem::path& run_dir, const std::string& does) {
  const std::string command = fmt::format("kith run --out {}", run_dir.string());
  if (!next.refusal.empty()) return fmt::format("{} refuses to go on: {}", command, next.refusal);
  if (!next.otherwise.empty())
    return fmt::format("{} reads its images in another way ({}), and refuses to go on where they come out as others",
                       command, next.otherwise);
  return fmt::format("{} {}", command, does);
}

std::string does_with_changed(const Outlook& next) {
  return fmt::format("would take what is there now, and run {}", to_run_text(next.stages));
}

}  // namespace kith
