// The presets that come with the program: the files scan/config/presets/*.toml, compiled in.
#pragma once
#include <span>
#include <string_view>

namespace kith {

struct Preset {
  std::string_view name, text;
};
std::span<const Preset> presets();

}  // namespace kith
