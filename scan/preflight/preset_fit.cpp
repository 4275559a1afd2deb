#include "scan/preflight/preset_fit.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "data/formats/text.h"
#include "scan/config/presets.h"
#include "scan/config/run_command.h"
#include "scan/preflight/work_estimate.h"
#include "scan/text/few_steps.h"

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

struct FewSteps {
  std::string_view stage;
  int64_t steps;
};
// Fewer than these are told of. Each is below the shortest training that was measured (docs/results.md), all of preset quick:
//   pretext    1,170 steps, five epochs of Fashion-MNIST
//   cluster    970 steps, ten epochs of CIFAR-10; heads on rows still gain up to 600 steps, and little above
//              (scan/features/scan.cpp)
//   selflabel  195 steps, one epoch of CIFAR-10: it only sharpens what SCAN found
// The refinement, which no preset has by itself, was measured too little.
constexpr auto kFewSteps = std::to_array<FewSteps>({{"pretext", 1000}, {"cluster", 500}, {"selflabel", 150}});

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
  const auto few = std::ranges::find(kFewSteps, stage, &FewSteps::stage);
  if (few == kFewSteps.end() || t.epochs == 0 || !is_preset(c.preset)) return {};
  const std::string field = stage + ".epochs";
  for (const Difference& d : differences_from_preset(c))
    if (d.field == field) return {};  // as was meant
  return few_steps_text({.stage = stage,
                         .sample = "image",
                         .field = field,
                         .samples = images,
                         .batch = t.batch,
                         .epochs = t.epochs,
                         .steps_per_epoch = steps / t.epochs},
                        few->steps);
}

}  // namespace kith
