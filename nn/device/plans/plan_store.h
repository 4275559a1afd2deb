// Results of searches for the fastest convolution, kept in memory and in a file, so that it is made once for each shape on
// each machine. Knows no vendor library.
//
// The file is JSON, one for each identity: the device's name, its driver and the library's version. Anything else in it, and
// damage of any kind, makes it count as absent; warning() says so.
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nn/device/conv_shape.h"
#include "nn/tensor/tensor.h"

namespace kith {

struct ConvPlanKey {
  ConvShape shape;
  Pass pass = Pass::forward;
  DType dtype = DType::f32;
  Write write = Write::overwrite;
  bool tf32 = false;
  int alignment = 16;  // bytes that every operand's address is a multiple of
  auto operator<=>(const ConvPlanKey&) const = default;
};

std::string to_string(const ConvPlanKey&);  // "convolution 512x32x32x64 -> 64, ..., backward_data, bf16, add"

// An engine of the library and how it is set.
struct PlanChoice {
  int64_t engine = 0;
  std::vector<std::pair<int64_t, int64_t>> knobs = {};  // type, value
  int64_t workspace = 0;                                // bytes
  double microseconds = 0;                              // as measured when it was chosen
  bool operator==(const PlanChoice&) const = default;
};

struct PlanIdentity {
  std::string device, driver, library;
  bool operator==(const PlanIdentity&) const = default;
};

class PlanStore {
 public:
  // Reads what `folder` holds for this identity; an empty folder name keeps plans in memory only.
  PlanStore(PlanIdentity identity, const std::filesystem::path& folder);

  const PlanChoice* find(const ConvPlanKey&) const;
  void put(const ConvPlanKey&, PlanChoice);  // and writes the file

  const std::filesystem::path& file() const { return file_; }
  const std::string& warning() const { return warning_; }  // one line, or empty
  size_t size() const { return plans_.size(); }

 private:
  void read();
  void write();
  PlanIdentity identity_;
  std::filesystem::path file_;
  std::string warning_;
  std::map<ConvPlanKey, PlanChoice> plans_;
};

// KITH_CACHE, or XDG_CACHE_HOME/kith, or HOME/.cache/kith; empty when none of them is set.
std::filesystem::path default_plan_folder();

}  // namespace kith
