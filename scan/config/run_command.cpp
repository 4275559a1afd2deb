#include "scan/config/run_command.h"

#include <fmt/format.h>

#include <filesystem>

#include "data/dataset/dataset.h"
#include "kernels/core/check.h"
#include "scan/text/shell_word.h"

namespace kith {
namespace {

RunConfig begun_from(const RunConfig& config) {
  RunConfig base;
  try {
    base = load_config(config.preset, {"data.spec=" + config.data.spec});
  } catch (const Error&) {  // a file of one's own that is gone
  }
  base.preset = config.preset;
  return base;
}

}  // namespace

std::vector<Difference> differences_from_preset(const RunConfig& config) {
  return differences(begun_from(config), config);
}

std::string shown_data(const std::string& spec) {
  const std::string kind = data::kind_of(spec);
  if (!data::is_picture_kind(spec)) return kind;
  std::filesystem::path place = std::filesystem::path(data::path_of(spec)).lexically_normal();
  if (!place.has_filename()) place = place.parent_path();  // a slash at the end
  const std::string name = place.filename().string();
  return fmt::format("{} {}", kind, name.empty() ? place.string() : name);
}

std::string run_command(const RunConfig& config, const std::string& out) {
  std::string text = fmt::format("kith run --data {} --preset {} --seed {}", shell_word(config.data.spec),
                                 shell_word(config.preset), config.seed);
  for (const Difference& d : differences_from_preset(config))
    if (d.field == "precision")
      text += " --precision " + d.right.substr(1, d.right.size() - 2);  // a string of TOML
    else if (d.field != "seed" && d.field != "data.spec" && d.field != "threads")
      text += " --set " + shell_word(d.field + "=" + d.right);
  return text + " --out " + shell_word(out);
}

}  // namespace kith
