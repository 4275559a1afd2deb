#include "bench/study/simt/predict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <regex>

#include "tests/budget/budget.h"

namespace kith::study {
namespace {

std::string read(const std::filesystem::path& file) {
  std::ifstream in(file);
  check(in.good(), fmt::format("cannot read {}", file.string()));
  return {std::istreambuf_iterator<char>(in), {}};
}

int64_t rounded_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

// Microseconds of one launch by each limit that is a multiprocessor's or the L2's.
std::array<double, kLimits> of_launch(const Card& c, const simt::Counts& n, double fill, double flops) {
  const double clocks_per_us = c.multiprocessors.value * fill * c.clock.value * 1e3;
  const auto bytes = static_cast<double>(sector_bytes(n));
  std::array<double, kLimits> us{};
  us[kL2] = std::max(bytes / (c.l2.value * 1e6), bytes / (c.l2_port.value * clocks_per_us));
  us[kShared] = static_cast<double>(n.shared_wavefronts) * 128 / (c.shared.value * clocks_per_us);
  us[kMatrix] = (static_cast<double>(n.mma_flops) / c.matrix_share.value +
                 static_cast<double>(n.wgmma_flops) / c.wgmma_share.value) /
                (c.matrix.value * 1e6 * fill);
  us[kFp32] = flops / (c.fp32.value * 1e6 * fill);
  us[kSpecial] = static_cast<double>(n.special) / (c.special.value * clocks_per_us);
  us[kLaunch] = c.launch.value;
  return us;
}

}  // namespace

Registers registers_of_launches(const std::string& sources) {
  Registers found;
  const std::string file = sources + "/budget.toml";
  const budget::Budget budget = budget::parse_budget(read(file), file);
  static const std::regex kLaunchLine(R"re(launch\(\s*"(\w+)",\s*(\w+))re");
  for (const auto& entry : std::filesystem::directory_iterator(sources)) {
    if (entry.path().extension() != ".cu") continue;
    const std::string text = read(entry.path()), stem = entry.path().stem().string();
    for (std::sregex_iterator it(text.begin(), text.end(), kLaunchLine), end; it != end; ++it) {
      const auto line = budget.find({stem, (*it)[2].str()});
      if (line == budget.end() || !line->second.registers.contains("sm_90a")) continue;
      found[(*it)[1].str()] = line->second.registers.at("sm_90a");
    }
  }
  return found;
}

int resident_blocks(const Card& c, const simt::LaunchRecord& l, int registers) {
  constexpr int64_t kWarp = 32, kSharedOfTheSystem = 1024;  // of each block (CUDA C++ Programming Guide)
  const int64_t threads = rounded_up(static_cast<int64_t>(l.block.count()), kWarp);
  const auto shared = static_cast<int64_t>(l.dynamic_shared + l.counts.static_shared) + kSharedOfTheSystem;
  int64_t most = std::min({static_cast<int64_t>(c.blocks.value), static_cast<int64_t>(c.threads.value) / threads,
                           static_cast<int64_t>(c.shared_memory.value) / shared});
  if (registers > 0)
    most = std::min(most, static_cast<int64_t>(c.registers.value) / (rounded_up(registers, 8) * threads));
  return static_cast<int>(std::max(most, int64_t{1}));
}

double fill_of(const Card& c, uint64_t blocks, int resident) {
  const auto n = static_cast<double>(blocks), slots = c.multiprocessors.value * resident;
  if (n <= slots) return n / (c.multiprocessors.value * std::ceil(n / c.multiprocessors.value));
  return n / (std::ceil(n / slots) * slots);
}

Limit Prediction::largest() const { return static_cast<Limit>(std::max_element(us.begin(), us.end()) - us.begin()); }

Prediction predict(const Result& r, const Card& c, const Registers& registers) {
  const simt::Counts sum = total(r);
  Prediction p;
  p.launches = r.launches.size();
  p.us[kDram] = r.cost.bytes / (c.dram.value * 1e6);
  double longest = -1;
  for (const simt::LaunchRecord& l : r.launches) {
    const auto known = registers.find(l.kernel);
    const int resident = resident_blocks(c, l, known == registers.end() ? 0 : known->second);
    const double fill = fill_of(c, l.grid.count(), resident);
    // Arithmetic outside the matrix units is not counted: the contract's, divided among the launches like their traffic.
    const double share = static_cast<double>(sector_bytes(l.counts)) / static_cast<double>(sector_bytes(sum));
    const auto us = of_launch(c, l.counts, fill, sum.mma + sum.wgmma == 0 ? share * r.cost.flops : 0);
    for (size_t i = 0; i < kLimits; ++i) p.us[i] += us[i];
    const double own = *std::max_element(us.begin(), us.begin() + kLaunch);
    if (own <= longest) continue;
    longest = own;
    p.blocks = l.grid.count(), p.resident = resident, p.fill = fill;
  }
  return p;
}

std::string prediction_head(const Card& c) {
  std::string out = fmt::format("**PREDICTION for one {}, not a measurement.**\n\n", c.title);
  std::string rule = "|---|---|--:|--:|--:|--:|";
  out += "| kernel | sizes | launches | blocks | resident | fill |";
  for (const char* name : kLimitNames) out += fmt::format(" {} |", name), rule += "--:|";
  return out + " limit |\n" + rule + "---|\n";
}

std::string prediction_row(const Result& r, const Prediction& p) {
  std::string out = fmt::format("| {} | {} | {} | {} | {} | {:.2f} |", r.kernel, r.sizes.text(), p.launches, p.blocks,
                                p.resident, p.fill);
  for (size_t i = 0; i < kLimits; ++i) {
    if (p.us[i] == 0) {
      out += " |";
    } else {
      const char* mark = i == p.largest() ? "**" : "";
      out += fmt::format(" {}{:.2f}{} |", mark, p.us[i], mark);
    }
  }
  return out + fmt::format(" {} |\n", kLimitNames[p.largest()]);
}

}  // namespace kith::study
