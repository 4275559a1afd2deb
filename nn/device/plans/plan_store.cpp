#include "nn/device/plans/plan_store.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"

namespace kith {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;  // of the file; another number counts as absent
constexpr std::array<const char*, 3> kPasses{"forward", "backward_data", "backward_weights"};

std::string pass_name(Pass pass) { return kPasses[static_cast<size_t>(pass)]; }

// A file name of letters, digits, points and dashes.
std::string slug(const std::string& text) {
  std::string name;
  for (const char c : text) name += std::isalnum(static_cast<unsigned char>(c)) || c == '.' ? c : '-';
  return name;
}

json to_json(const ConvPlanKey& k, const PlanChoice& c) {
  const ConvShape& s = k.shape;
  return {{"shape", {s.images, s.height, s.width, s.in, s.out, s.kernel, s.stride, s.padding}},
          {"pass", pass_name(k.pass)},
          {"dtype", name_of(k.dtype)},
          {"add", k.write == Write::add},
          {"tf32", k.tf32},
          {"alignment", k.alignment},
          {"engine", c.engine},
          {"knobs", c.knobs},
          {"workspace", c.workspace},
          {"microseconds", c.microseconds}};
}

ConvPlanKey key_of(const json& j) {
  const auto extents = j.at("shape").get<std::array<int64_t, 8>>();
  const auto pass = std::ranges::find(kPasses, j.at("pass").get<std::string>());
  const auto dtype = j.at("dtype").get<std::string>();
  check(pass != kPasses.end() && (dtype == name_of(DType::f32) || dtype == name_of(DType::bf16)),
        "unknown pass or dtype");
  return {.shape = {.images = extents[0],
                    .height = extents[1],
                    .width = extents[2],
                    .in = extents[3],
                    .out = extents[4],
                    .kernel = static_cast<int>(extents[5]),
                    .stride = static_cast<int>(extents[6]),
                    .padding = static_cast<int>(extents[7])},
          .pass = static_cast<Pass>(pass - kPasses.begin()),
          .dtype = dtype == name_of(DType::bf16) ? DType::bf16 : DType::f32,
          .write = j.at("add").get<bool>() ? Write::add : Write::overwrite,
          .tf32 = j.at("tf32").get<bool>(),
          .alignment = j.at("alignment").get<int>()};
}

PlanChoice choice_of(const json& j) {
  return {.engine = j.at("engine").get<int64_t>(),
          .knobs = j.at("knobs").get<std::vector<std::pair<int64_t, int64_t>>>(),
          .workspace = j.at("workspace").get<int64_t>(),
          .microseconds = j.at("microseconds").get<double>()};
}

json header(const PlanIdentity& identity) {
  return {{"format", kFormat}, {"device", identity.device}, {"driver", identity.driver}, {"library", identity.library}};
}

bool same_header(const json& file, const json& wanted) {
  return std::ranges::all_of(wanted.items(), [&](const auto& item) {
    return file.contains(item.key()) && file.at(item.key()) == item.value();
  });
}

}  // namespace

std::string to_string(const ConvPlanKey& k) {
  return fmt::format("convolution {}, {}, {}{}{}", to_string(k.shape), pass_name(k.pass), name_of(k.dtype),
                     k.write == Write::add ? ", add" : "", k.tf32 ? ", TF32" : "");
}

PlanStore::PlanStore(PlanIdentity identity, const std::filesystem::path& folder) : identity_(std::move(identity)) {
  if (folder.empty()) return;
  file_ = folder /
          slug(fmt::format("convolutions {} driver {} {}.json", identity_.device, identity_.driver, identity_.library));
  read();
}

void PlanStore::read() {
  std::ifstream in(file_);
  if (!in) return;  // the first run here
  try {
    const json file = json::parse(in);
    check(same_header(file, header(identity_)), "of another format, device, driver or library");
    std::map<ConvPlanKey, PlanChoice> plans;
    const json numbers = file.at("plans").flatten();
    for (const auto& [key, value] : numbers.items())  // beyond 64 bits: a float, and no integer's
      check(!value.is_number_float() || key.ends_with("/microseconds"), "not whole numbers");
    for (const json& entry : file.at("plans")) plans.emplace(key_of(entry), choice_of(entry));
    plans_ = std::move(plans);
  } catch (const std::exception& e) {  // anything that is wrong with it means searching again
    warning_ = fmt::format("{}: ignored, searched anew: {}", file_.string(), e.what());
  }
}

const PlanChoice* PlanStore::find(const ConvPlanKey& key) const {
  const auto it = plans_.find(key);
  return it == plans_.end() ? nullptr : &it->second;
}

void PlanStore::put(const ConvPlanKey& key, PlanChoice choice) {
  plans_.insert_or_assign(key, std::move(choice));
  write();
}

void PlanStore::write() {
  if (file_.empty()) return;
  json file = header(identity_);
  file["plans"] = json::array();
  for (const auto& [key, choice] : plans_) file["plans"].push_back(to_json(key, choice));
  // Written beside and renamed, so that a reader or a crash meets a whole file; named after the process, so that two runs
  // do not share it. What cannot be written costs the next run a search, not this one its life.
  std::error_code failed;
  std::filesystem::create_directories(file_.parent_path(), failed);
  const std::filesystem::path beside = fmt::format("{}.{}", file_.string(), getpid());
  bool written = false;
  {
    std::ofstream out(beside);
    out << file.dump(1) << '\n';
    written = static_cast<bool>(out.flush());
  }
  if (written) std::filesystem::rename(beside, file_, failed);
  if (!written || failed) {
    warning_ = fmt::format("{}: cannot be written, the next run searches again", file_.string());
    std::filesystem::remove(beside, failed);
  }
}

std::filesystem::path default_plan_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::filesystem::path(value == nullptr ? "" : value);
  };
  if (const auto own = variable("KITH_CACHE"); !own.empty()) return own;
  if (const auto cache = variable("XDG_CACHE_HOME"); !cache.empty()) return cache / "kith";
  if (const auto home = variable("HOME"); !home.empty()) return home / ".cache" / "kith";
  return {};
}

}  // namespace kith
