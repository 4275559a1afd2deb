#include "scan/preflight/preset_fit.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "data/formats/counted.h"
#include "data/formats/text.h"
#include "scan/config/presets.h"
#include "scan/config/run_command.h"
#include "scan/preflight/work_estimate.h"

namespace kith {
namespace {

bool of_ones_own(const std::string& spec) {
  return data::is_picture_kind(spec) || data::kind_of(spec) == "cifar-format";
}

bool holds(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// Presets for a kind of data set: the three whose names are most like this one's, then those for any.
std::vector<std::string> fitting_presets(const std::string& kind, const std::string& name) {
  std::vector<std::string> out, any;
  for (const std::string& preset : preset_names()) {
    const std::vector<std::string> kinds = made_for(preset);
    if (kinds.empty()) any.push_back(preset);
    if (holds(kinds, kind)) out.push_back(preset);
  }
  std::ranges::stable_sort(out, {}, [&](const std::string& other) { return data::edit_distance(name, other); });
  if (out.size() > 3) out.resize(3);
  out.insert(out.end(), any.begin(), any.end());
  return out;
}

// Whether the first layers suit images of that side, with room: below, the last layers see no more than a pixel or two; above,
// sixteen times the pixels that were meant, for as many times the work.
bool suits(Stem stem, int side) {
  if (stem == Stem::cifar) return side < 128;
  return stem == Stem::stl ? side >= 32 && side < 384 : side >= 64;
}

std::optional<std::string> other_size(const RunConfig& c, const data::Dataset& data) {
  constexpr int kCifarSide = 32;
  const std::string any = fmt::format("those for any: {}", fmt::join(fitting_presets("", c.preset), ", "));
  if (data::kind_of(data.spec) == "cifar-format" && c.data.size > 2 * kCifarSide)
    return fmt::format("preset: {0} enlarges images of {1} x {1} to {2} x {2}; {3}", c.preset, kCifarSide, c.data.size,
                       any);
  const DataShape views = views_of(shape_of(data), c.pretext.augment);
  const int side = std::min(views.height, views.width);
  if (suits(c.model.stem, side)) return {};
  return fmt::format(
      "preset: {}: its first layers are for {} images, and these are {} x {}; --set model.stem={}, or {}", c.preset,
      c.model.stem == Stem::cifar ? "smaller" : "larger", views.height, views.width,
      side < 64    ? "cifar"
      : side < 160 ? "stl"
                   : "imagenet",
      any);
}

}  // namespace

std::optional<std::string> unfit_preset(const RunConfig& c, const data::Dataset& data) {
  const std::string kind = data::kind_of(data.spec);
  const std::vector<std::string> kinds = made_for(c.preset);
  if (kinds.empty()) return {};
  if (of_ones_own(data.spec)) return other_size(c, data);
  if (holds(kinds, kind)) return {};
  const std::string resized = c.data.size > 0 ? fmt::format(" (its images become {0} x {0})", c.data.size) : "";
  return fmt::format("preset: {} was made for {}, not for {}{}; those that fit: {}", c.preset,
                     fmt::join(kinds, " and "), kind, resized, fmt::join(fitting_presets(kind, c.preset), ", "));
}

std::optional<std::string> few_steps(const RunConfig& c, const std::string& stage, const TrainConfig& t, int64_t images,
                                     int64_t steps) {
  // The shortest pretext that was measured has 1,170 steps: quick on Fashion-MNIST (docs/results.md).
  constexpr int64_t few = 1000;
  if (stage != "pretext" || t.epochs == 0 || steps >= few || !is_preset(c.preset)) return {};
  for (const Difference& d : differences_from_preset(c))
    if (d.field == stage + ".epochs") return {};  // as was meant
  const int64_t each = std::max<int64_t>(steps / t.epochs, 1);
  return fmt::format(
      "{0}: {1} of {2} are {3} of {4}, and it wants {5} or more: --set {0}.epochs={6}, or a smaller batch", stage,
      data::counted(t.epochs, "epoch"), data::counted(images, "image"), data::counted(steps, "step"),
      std::min(t.batch, images), few, (few + each - 1) / each);
}

}  // namespace kith
