// The presets that come with the program: the files scan/config/presets/*.toml, compiled in.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kith {

struct Preset {
  std::string_view name, text;
};
std::span<const Preset> presets();
bool is_preset(std::string_view name);

// Kinds of data set (data::dataset_names) that the preset says it is for, made_for = ["cifar10"]; empty: any, or a file that is not
// there any more.
std::vector<std::string> made_for(const std::string& preset_or_path);

}  // namespace kith
