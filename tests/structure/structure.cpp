#include "tests/structure/structure.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <optional>
#include <set>

namespace kith::test {
namespace {

// apps -> scan -> nn -> kernels; data stands beside, used by scan and apps. tests and bench see everything, nobody sees
// them.
const std::map<std::string, std::set<std::string>> kHouse = {
    {"kernels", {"kernels"}},
    {"nn", {"nn", "kernels"}},
    {"data", {"data"}},
    {"scan", {"scan", "nn", "kernels", "data"}},
    {"apps", {"apps", "scan", "nn", "kernels", "data"}},
    {"tests", {"tests", "apps", "scan", "nn", "kernels", "data"}},
    {"bench", {"bench", "tests", "apps", "scan", "nn", "kernels", "data"}},
};

// Rooms of a layer: whom each may include within it, beside itself. Rooms that are not listed may include any.
const std::map<std::string, std::set<std::string>> kRooms = {
    {"scan/text", {}},
    {"scan/config", {"scan/text"}},
    {"scan/metrics", {"scan/text"}},                 // no trainer, no run
    {"scan/report", {"scan/text", "scan/metrics"}},  // no Context, no Session
    {"scan/input", {"scan/config"}},                 // images on their way to the network, whoever asks
    {"scan/run", {"scan/text", "scan/config", "scan/input"}},
    {"scan/train", {"scan/text", "scan/config", "scan/input", "scan/run"}},
    {"scan/pretext", {"scan/config", "scan/input", "scan/run", "scan/train"}},
    {"scan/features", {"scan/text", "scan/metrics", "scan/report", "scan/run", "scan/train"}},  // no image, no stage
    {"scan/preflight", {"scan/text", "scan/config", "scan/run", "scan/pretext"}},
    {"scan/ablate",
     {"scan/text", "scan/config", "scan/metrics", "scan/run", "scan/report"}},  // of finished runs; starts none
    {"nn/state", {"nn/tensor"}},
    {"nn/ops", {"nn/tensor", "nn/device"}},
    {"nn/model", {"nn/tensor", "nn/ops", "nn/state", "nn/device"}},
    {"data/formats", {}},
    {"data/pictures", {"data/formats"}},  // bytes to pixels; knows no data set
    {"data/dataset", {"data/formats", "data/pictures"}},
    {"data/fetch", {"data/formats"}},
    {"apps", {"apps/commands", "apps/answers"}},
};

// "scan/metrics" of "scan/metrics/probe.h"; the layer itself for a file that lies in no room.
std::string room_of(const std::filesystem::path& relative) {
  auto part = relative.begin();
  std::string room = (part++)->string();
  if (part != relative.end() && std::next(part) != relative.end()) room.append("/").append(part->string());
  return room;
}

bool may_include_room(const std::string& from, const std::string& to) {
  const auto room = kRooms.find(from);
  return from == to || room == kRooms.end() || room->second.contains(to);
}

// What stays inside of a part of the house: headers of the first folder are for files of the second, and for tests and bench.
const std::pair<std::string, std::string> kInside[] = {
    {"kernels/cpu/", "kernels/"},
    {"nn/device/onednn/", "nn/device/"},
};

bool is_inside(const std::string& file, const std::string& target) {
  const bool looks_everywhere = file.starts_with("tests/") || file.starts_with("bench/");
  return looks_everywhere || std::ranges::none_of(kInside, [&](const auto& part) {
           return target.starts_with(part.first) && !file.starts_with(part.second);
         });
}

bool is_source(const std::filesystem::path& file) {
  static const std::set<std::string> kinds = {".h", ".cpp", ".cu", ".cuh"};
  return kinds.contains(file.extension().string());
}

// The contract headers of kernels/ are read by compilers that know no CUDA.
bool is_contract(const std::filesystem::path& relative) {
  return *relative.begin() == "kernels" && relative.extension() == ".h" &&
         std::find(relative.begin(), relative.end(), "cuda") == relative.end();
}

void inspect_include(const std::filesystem::path& root, const std::filesystem::path& relative, const std::string& where,
                     const std::string& target, Findings& found) {
  const std::string from = relative.begin()->string(), to = std::filesystem::path(target).begin()->string();
  if (!std::filesystem::exists(root / target))
    found.violations.push_back(where + ": \"" + target + "\" is not a path from the root of the repository");
  else if (!may_include(from, to))
    found.violations.push_back(where + ": " + from + "/ may not include " + to + "/ (\"" + target + "\")");
  else if (const std::string room = room_of(relative), other = room_of(target);
           from == to && !may_include_room(room, other))
    found.violations.push_back(where + ": " + room + "/ may not include " + other + "/ (\"" + target + "\")");
  else if (!is_inside(relative.generic_string(), target))
    found.violations.push_back(where + ": \"" + target + "\" is for the files beside it");
}

// What follows # include on this line, with its opening delimiter: "kernels/topk.h or <vector.
std::optional<std::string> include_of(const std::string& line) {
  std::string_view rest = line;
  for (const std::string_view word : {"#", "include"}) {
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    if (!rest.starts_with(word)) return {};
    rest.remove_prefix(word.size());
  }
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  if (rest.empty() || (rest[0] != '"' && rest[0] != '<')) return {};
  return std::string(rest.substr(0, rest.find(rest[0] == '"' ? '"' : '>', 1)));
}

void inspect_file(const std::filesystem::path& root, const std::filesystem::path& relative, Findings& found) {
  std::ifstream in(root / relative);
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    const std::optional<std::string> include = include_of(line);
    if (!include) continue;
    const std::string where = relative.generic_string() + ":" + std::to_string(number), target = include->substr(1);
    if (include->starts_with('"')) {
      ++found.includes;
      inspect_include(root, relative, where, target, found);
    } else if (target.starts_with("cuda") && is_contract(relative)) {
      found.violations.push_back(where + ": a contract header may not include <" + target + ">");
    }
  }
  const std::string length = relative.generic_string() + ": " + std::to_string(number) + " lines";
  if (number > kLineLimit)
    found.violations.push_back(length + ", at most " + std::to_string(kLineLimit) + " are allowed");
  else if (number > kLineBudget)
    found.long_files.push_back(length + ", the budget is " + std::to_string(kLineBudget));
}

}  // namespace

bool may_include(const std::string& from, const std::string& to) {
  const auto layer = kHouse.find(from);
  return layer != kHouse.end() && layer->second.contains(to);
}

Findings inspect(const std::filesystem::path& root) {
  Findings found;
  for (const auto& [layer, allowed] : kHouse) {
    if (!std::filesystem::exists(root / layer)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / layer)) {
      if (!entry.is_regular_file() || !is_source(entry.path())) continue;
      ++found.files;
      inspect_file(root, std::filesystem::relative(entry.path(), root), found);
    }
  }
  std::ranges::sort(found.violations);
  return found;
}

}  // namespace kith::test
