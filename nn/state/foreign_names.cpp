#include "nn/state/foreign_names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>

#include "kernels/core/check.h"

namespace kith {
namespace {

using Parts = std::vector<std::string>;

Parts split(const std::string& name) {
  Parts parts;
  for (size_t at = 0;;) {
    const size_t dot = name.find('.', at);
    parts.push_back(name.substr(at, dot - at));
    if (dot == std::string::npos) return parts;
    at = dot + 1;
  }
}

std::string joined(const Parts& parts) { return fmt::format("{}", fmt::join(parts, ".")); }

struct Named {
  std::string file;  // the name in the file
  Parts parts;       // without what wraps the model
};

// DataParallel wraps all of a model, or all of a part of it: names with and without "module" side by side are those of two files.
void expect_one_wrapping(const std::string& file, const std::vector<std::string>& names) {
  std::map<std::string, std::vector<std::string>> with, without;  // of each part, by what stands before "module"
  for (const std::string& name : names) {
    const Parts parts = split(name);
    const auto at = std::ranges::find(parts, "module");
    const std::string before = at == parts.end() ? "" : joined({parts.begin(), at});
    (at == parts.end() ? without[""] : with[before]).push_back(name);
  }
  for (const auto& [before, wrapped] : with) {
    std::vector<std::string> bare;
    for (const std::string& name : without[""])
      if (before.empty() || name.starts_with(before + ".")) bare.push_back(name);
    if (bare.empty()) continue;
    const auto& fewer = bare.size() <= wrapped.size() ? bare : wrapped;
    constexpr size_t kShown = 3;
    const auto end = fewer.begin() + static_cast<std::ptrdiff_t>(std::min(kShown, fewer.size()));
    throw Error(fmt::format("{}: {} names are below {}module. and {} are not; expected all or none: {}{}", file,
                            wrapped.size(), before.empty() ? "" : before + ".", bare.size(),
                            fmt::join(fewer.begin(), end, ", "), fewer.size() > kShown ? ", ..." : ""));
  }
}

std::vector<Named> unwrapped(const std::vector<std::string>& names) {
  std::vector<Named> all;
  for (const std::string& name : names) {
    all.push_back({name, split(name)});
    std::erase(all.back().parts, "module");
  }
  for (const char* wrapper : {"state_dict", "model"})
    if (std::ranges::all_of(all, [&](const Named& n) { return n.parts.size() > 1 && n.parts.front() == wrapper; }))
      for (Named& n : all) n.parts.erase(n.parts.begin());
  return all;
}

// Where the backbone is: what stands before conv1.weight, or before 0.weight in nn.Sequential.
struct Layout {
  Parts prefix;
  Parts children = {};  // by number, of nn.Sequential
};

std::optional<Layout> layout_of(const std::vector<Named>& names) {
  std::set<std::string> known;
  for (const Named& n : names) known.insert(joined(n.parts));
  for (const Parts& prefix : {Parts{"backbone"}, Parts{"encoder"}, Parts{"resnet"}, Parts{}}) {
    const std::string before = prefix.empty() ? "" : prefix.front() + ".";
    if (known.contains(before + "conv1.weight")) return Layout{.prefix = prefix};
    if (!known.contains(before + "0.weight") || !known.contains(before + "1.running_mean")) continue;
    // torchvision's has its ReLU and its max-pool, which hold no tensor, at 2 and 3; lightly's its first layers.
    if (known.contains(before + "2.0.conv1.weight"))
      return Layout{prefix, {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4"}};
    return Layout{prefix, {"conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"}};
  }
  return {};
}

std::optional<size_t> number(const std::string& text) {
  size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

bool begins(const Parts& parts, const Parts& with) {
  return parts.size() >= with.size() && std::equal(with.begin(), with.end(), parts.begin());
}

// One linear map: "fc.weight", not "fc.0.weight".
bool is_classifier(const Parts& parts) {
  return parts.size() == 2 && (parts[0] == "fc" || parts[0] == "linear" || parts[0] == "classifier");
}

// Of the two linear maps of a projection head; empty where it is none.
std::string head_name(const Parts& parts) {
  for (const Parts& prefix : {Parts{"contrastive_head"}, Parts{"projector"}, Parts{"projection_head", "layers"},
                              Parts{"projection_head"}, Parts{"fc"}}) {
    if (!begins(parts, prefix) || parts.size() != prefix.size() + 2) continue;
    const std::string& place = parts[prefix.size()];
    if (place == "0" || place == "2") return "contrastive_head." + place + "." + parts.back();
  }
  return "";
}

// Below the backbone's prefix: our name, or what it was.
Parts backbone_name(Parts parts, const Layout& layout) {
  if (!layout.children.empty())
    if (const auto child = number(parts.front()); child && *child < layout.children.size())
      parts.front() = layout.children[*child];
  std::ranges::replace(parts, "downsample", "shortcut");
  parts.insert(parts.begin(), "backbone");
  return parts;
}

bool is_backbone(const Parts& parts, const Layout& layout) {
  if (!layout.prefix.empty()) return true;
  return parts[0] == "conv1" || parts[0] == "bn1" || parts[0].starts_with("layer") || number(parts[0]);
}

// Our name of a tensor; empty: it is left out.
std::string our_name(const Named& named, const Layout& layout) {
  if (is_classifier(named.parts)) return "";
  if (const std::string head = head_name(named.parts); !head.empty()) return head;
  if (!begins(named.parts, layout.prefix)) return joined(named.parts);
  const Parts below(named.parts.begin() + static_cast<std::ptrdiff_t>(layout.prefix.size()), named.parts.end());
  if (below.empty() || is_classifier(below)) return "";
  if (below.front() == "fc")
    if (const std::string head = head_name(below); !head.empty()) return head;
  return is_backbone(below, layout) ? joined(backbone_name(below, layout)) : joined(named.parts);
}

std::vector<std::string> kept_names(const SafeTensors& file, const std::vector<std::string>& ignore,
                                    std::vector<std::string>& left_out) {
  std::vector<std::string> kept;
  std::set<std::string> used;
  for (const auto& [name, array] : file.arrays) {
    const auto prefix = std::ranges::find_if(ignore, [&of = name](const std::string& p) { return of.starts_with(p); });
    if (prefix != ignore.end()) used.insert(*prefix);
    (prefix != ignore.end() ? left_out : kept).push_back(name);
  }
  for (const std::string& prefix : ignore)
    if (!used.contains(prefix)) throw Error(fmt::format("{}: no tensor begins with {}", file.file, prefix));
  return kept;
}

HostArray no_batches() { return {.dtype = "I64", .shape = {}, .bytes = std::vector<std::byte>(sizeof(int64_t))}; }

void add_counters(SafeTensors& weights) {
  const std::string end = ".running_var";
  std::vector<std::string> layers;
  for (const auto& [name, array] : weights.arrays)
    if (name.ends_with(end)) layers.push_back(name.substr(0, name.size() - end.size()));
  for (const std::string& layer : layers) weights.arrays.try_emplace(layer + ".num_batches_tracked", no_batches());
}

}  // namespace

ForeignWeights with_our_names(const SafeTensors& file, const std::vector<std::string>& ignore) {
  ForeignWeights out;
  out.weights.file = file.file;
  const std::vector<std::string> kept = kept_names(file, ignore, out.left_out);
  expect_one_wrapping(file.file, kept);
  const std::vector<Named> names = unwrapped(kept);
  const std::optional<Layout> layout = layout_of(names);
  if (!layout)
    throw Error(
        fmt::format("{}: no ResNet: a tensor conv1.weight expected, by itself or below backbone., encoder. or "
                    "resnet. (in nn.Sequential 0.weight); found {} tensors{}",
                    file.file, names.size(), names.empty() ? "" : ", the first " + names.front().file));
  std::set<int> heads;
  for (const Named& named : names) {
    const std::string ours = our_name(named, *layout);
    if (ours.empty()) {
      out.left_out.push_back(named.file);
      continue;
    }
    if (!out.weights.arrays.emplace(ours, file.arrays.at(named.file)).second)
      throw Error(fmt::format("{}: both {} and {} are {}", file.file, out.weights.called.at(ours), named.file, ours));
    out.weights.called[ours] = named.file;
    out.has_head |= ours.starts_with("contrastive_head.");
    if (const Parts parts = split(ours); parts.size() == 3 && parts[0] == "cluster_head")
      if (const auto head = number(parts[1])) heads.insert(static_cast<int>(*head));
  }
  out.cluster_heads.assign(heads.begin(), heads.end());
  add_counters(out.weights);
  return out;
}

}  // namespace kith
