#include "kernels/core/check.h"

#include <fmt/format.h>

namespace kith {

std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (const auto byte = static_cast<unsigned char>(c); byte < 0x20 || byte == 0x7f)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  return out;
}

Error Error::of_list(std::string_view head, std::span<const std::string> each) {
  std::string lines = one_line(head) + ":";
  for (const std::string& line : each) lines += "\n  " + one_line(line);
  return {AsItIs{}, lines};
}

void check(bool ok, std::string_view what, std::source_location at) {
  if (ok) return;
  const std::string_view path = at.file_name();
  throw Error(fmt::format("{} ({}:{})", what, path.substr(path.find_last_of('/') + 1), at.line()));
}

}  // namespace kith
