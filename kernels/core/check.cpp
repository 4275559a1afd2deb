#include "kernels/core/check.h"

#include <fmt/format.h>

namespace kith {

void check(bool ok, std::string_view what, std::source_location at) {
  if (ok) return;
  const std::string_view path = at.file_name();
  throw Error(fmt::format("{} ({}:{})", what, path.substr(path.find_last_of('/') + 1), at.line()));
}

}  // namespace kith
