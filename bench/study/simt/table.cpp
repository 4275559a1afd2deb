#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "bench/study/simt/study.h"

namespace kith::study {
namespace {

// 1234567 -> 1,234,567
std::string grouped(uint64_t n) {
  std::string digits = std::to_string(n);
  for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

std::string extent(const simt::Extent& e) {
  return e.z > 1   ? fmt::format("{} x {} x {}", e.x, e.y, e.z)
         : e.y > 1 ? fmt::format("{} x {}", e.x, e.y)
                   : grouped(e.x);
}

struct Line {
  const char* label;
  uint64_t (*value)(const simt::Counts&);
};
constexpr Line kLines[] = {
    {"loads, bytes requested", [](const simt::Counts& c) { return c.global_load_bytes; }},
    {"  bytes of 32-byte sectors", [](const simt::Counts& c) { return 32 * c.global_load_sectors; }},
    {"  by cp.async", [](const simt::Counts& c) { return c.async_bytes; }},
    {"  by tensor copies", [](const simt::Counts& c) { return c.tensor_bytes; }},
    {"stores, bytes requested", [](const simt::Counts& c) { return c.global_store_bytes; }},
    {"  bytes of 32-byte sectors", [](const simt::Counts& c) { return 32 * c.global_store_sectors; }},
    {"atomics, of threads", [](const simt::Counts& c) { return c.atomics; }},
    {"shared accesses, of warps", [](const simt::Counts& c) { return c.shared_accesses; }},
    {"  wavefronts", [](const simt::Counts& c) { return c.shared_wavefronts; }},
    {"  without bank conflicts", [](const simt::Counts& c) { return c.shared_ideal; }},
    {"barriers, of blocks", [](const simt::Counts& c) { return c.block_barriers; }},
    {"barriers, of warps", [](const simt::Counts& c) { return c.warp_barriers; }},
    {"collectives, of warps", [](const simt::Counts& c) { return c.collectives; }},
    {"  mma.sync", [](const simt::Counts& c) { return c.mma; }},
    {"  flop in mma.sync", [](const simt::Counts& c) { return c.mma_flops; }},
    {"products of warpgroups, wgmma", [](const simt::Counts& c) { return c.wgmma; }},
    {"  flop in wgmma", [](const simt::Counts& c) { return c.wgmma_flops; }},
    {"exponentials and the like, of threads", [](const simt::Counts& c) { return c.special; }},
};

// Launches of one kernel with one shape, together.
struct Column {
  simt::LaunchRecord sum;
  uint64_t launches = 0;
};

std::vector<Column> columns_of(const std::vector<simt::LaunchRecord>& launches) {
  std::vector<Column> columns;
  const auto shape = [](const simt::Extent& e) { return std::tuple(e.x, e.y, e.z); };
  for (const simt::LaunchRecord& l : launches) {
    auto it = std::find_if(columns.begin(), columns.end(), [&](const Column& c) {
      return c.sum.kernel == l.kernel && shape(c.sum.grid) == shape(l.grid) && shape(c.sum.block) == shape(l.block);
    });
    if (it == columns.end()) it = columns.insert(it, {{l.kernel, l.grid, l.block, 0, {}}, 0});
    it->sum.dynamic_shared = std::max(it->sum.dynamic_shared, l.dynamic_shared);
    it->sum.counts.add(l.counts);
    ++it->launches;
  }
  return columns;
}

}  // namespace

std::string table(const Result& r) {
  const simt::Counts sum = total(r);
  const auto used = [&](const Line& line) { return line.value(sum) > 0; };
  std::vector<std::vector<std::string>> columns{{"", "launches", "grid", "block", "shared memory, bytes/block"}};
  for (const Line& line : kLines)
    if (used(line)) columns[0].push_back(line.label);
  const auto add = [&](std::vector<std::string> head, const simt::Counts& c) {
    for (const Line& line : kLines)
      if (used(line)) head.push_back(grouped(line.value(c)));
    columns.push_back(std::move(head));
  };
  for (const auto& [l, launches] : columns_of(r.launches))
    add({l.kernel, grouped(launches), extent(l.grid), extent(l.block),
         grouped(l.dynamic_shared + l.counts.static_shared)},
        l.counts);
  if (r.launches.size() > 1) add({"together", grouped(r.launches.size()), "", "", ""}, sum);

  std::string out = fmt::format("{} {}\n\n", r.kernel, r.sizes.text());
  for (size_t row = 0; row < columns[0].size(); ++row) {
    std::string line;
    for (const auto& column : columns) {
      size_t width = 0;
      for (const std::string& cell : column) width = std::max(width, cell.size());
      line += line.empty() ? fmt::format("{:<{}}", column[row], width) : fmt::format("  {:>{}}", column[row], width);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  const auto compare = [&](const char* what, double necessary, uint64_t done, const char* where) {
    out += fmt::format("{:<8}{:>22}{:>24}{:<14}{:>8}\n", what, grouped(static_cast<uint64_t>(necessary)), grouped(done),
                       where,
                       done > 0 && necessary > 0 ? fmt::format("{:.2f}", static_cast<double>(done) / necessary) : "-");
  };
  out += fmt::format("\n{:<8}{:>22}{:>24}{:<14}{:>8}\n", "", "necessary (contract)", "done", "", "ratio");
  compare("bytes", r.cost.bytes, sector_bytes(sum), " in sectors");
  compare("flop", r.cost.flops, sum.mma_flops + sum.wgmma_flops, sum.wgmma > 0 ? " in wgmma" : " in mma.sync");
  out += "\nSectors count every request of a warp, also those that a cache answers.\n";
  if (r.verdict && r.verdict->results.difference.empty()) out += r.verdict->line() + "\n";
  return out;
}

std::string json(const Result& r) {
  using Json = nlohmann::ordered_json;
  const auto of = [](const simt::Counts& c) {
    return Json{{"global_load_bytes", c.global_load_bytes},
                {"global_store_bytes", c.global_store_bytes},
                {"global_load_sectors", c.global_load_sectors},
                {"global_store_sectors", c.global_store_sectors},
                {"async_bytes", c.async_bytes},
                {"tensor_bytes", c.tensor_bytes},
                {"atomics", c.atomics},
                {"shared_accesses", c.shared_accesses},
                {"shared_wavefronts", c.shared_wavefronts},
                {"shared_ideal", c.shared_ideal},
                {"block_barriers", c.block_barriers},
                {"warp_barriers", c.warp_barriers},
                {"collectives", c.collectives},
                {"mma", c.mma},
                {"mma_flops", c.mma_flops},
                {"wgmma", c.wgmma},
                {"wgmma_flops", c.wgmma_flops},
                {"special", c.special}};
  };
  Json out{{"kernel", r.kernel}, {"sizes", Json::object()}, {"launches", Json::array()}};
  for (const auto& [name, value] : r.sizes.all()) out["sizes"][name] = value;
  for (const simt::LaunchRecord& l : r.launches) {
    Json launch{{"name", l.kernel},
                {"grid", {l.grid.x, l.grid.y, l.grid.z}},
                {"block", {l.block.x, l.block.y, l.block.z}},
                {"shared_bytes", l.dynamic_shared + l.counts.static_shared}};
    launch.update(of(l.counts));
    out["launches"].push_back(launch);
  }
  out["total"] = of(total(r));
  out["contract"] = {{"bytes", r.cost.bytes}, {"flops", r.cost.flops}};
  if (r.verdict) {
    const Verdict& v = *r.verdict;
    out["verdict"] = {{"clean", v.clean()},
                      {"orders", v.orders},
                      {"compared", v.not_compared.empty()},
                      {"arrays", v.results.arrays},
                      {"largest_difference", v.results.largest},
                      {"line", v.line()}};
  }
  return out.dump(2) + "\n";
}

}  // namespace kith::study
