#include "scan/metrics/neighbour_lists.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <string>
#include <unordered_set>

#include "data/formats/csr.h"
#include "data/formats/npy.h"
#include "kernels/core/check.h"

namespace kith {
namespace {

constexpr int64_t kNone = -1, kLongestList = 4096;

class ListMaker {
 public:
  ListMaker(std::string file, int64_t rows, bool include_self)
      : file_(std::move(file)), include_self_(include_self), lists_(static_cast<size_t>(rows)) {
    out_.rows = rows;
  }

  // The neighbours of one row, nearest first.
  void add(int64_t row, std::span<const int64_t> neighbours) {
    std::unordered_set<int64_t> seen;
    std::vector<int64_t>& list = lists_[static_cast<size_t>(row)];
    for (const int64_t j : neighbours) {
      if (j == kNone) continue;
      if (j < 0 || j >= out_.rows)
        throw Error(fmt::format("{}: row {} has the neighbour {}, expected 0 to {}, or -1: none", file_, row, j,
                                out_.rows - 1));
      const bool first = seen.insert(j).second;
      if (!first)
        ++out_.repeated;
      else if (j == row && !include_self_)
        ++out_.itself;
      else
        list.push_back(j);
    }
    const auto length = static_cast<int64_t>(list.size());
    if (length > kLongestList)
      throw Error(fmt::format("{}: row {} has {} neighbours, expected at most {}: keep the nearest", file_, row, length,
                              kLongestList));
    out_.k = std::max(out_.k, length);
    out_.empty += length == 0;
  }

  void left_out(int64_t entries) { out_.unlike += entries; }

  NeighbourLists finish() {
    if (out_.k == 0) throw Error(fmt::format("{}: no row has a neighbour", file_));
    out_.index.assign(static_cast<size_t>(out_.rows * out_.k), kNone);
    for (size_t i = 0; i < lists_.size(); ++i)
      std::ranges::copy(lists_[i], out_.index.begin() + static_cast<int64_t>(i) * out_.k);
    return std::move(out_);
  }

 private:
  std::string file_;
  bool include_self_;
  std::vector<std::vector<int64_t>> lists_;
  NeighbourLists out_;
};

[[noreturn]] void refuse_shape(const std::filesystem::path& path, const std::vector<int64_t>& shape,
                               const std::string& expected) {
  throw Error(
      fmt::format("{}: shape [{}], expected {} for each image", path.string(), fmt::join(shape, ", "), expected));
}

std::vector<int64_t> whole_numbers(const std::filesystem::path& path, const data::NpyArray<double>& array) {
  std::vector<int64_t> out;
  out.reserve(array.values.size());
  constexpr double kExact = 0x1p53;
  for (const double value : array.values) {
    if (!(value == std::trunc(value) && std::abs(value) <= kExact))  // nor NaN
      throw Error(fmt::format("{}: row {} has the neighbour {}, expected a whole number, or -1: none", path.string(),
                              static_cast<int64_t>(out.size()) / array.shape[1], value));
    out.push_back(static_cast<int64_t>(value));
  }
  return out;
}

void add_array(ListMaker& lists, const std::filesystem::path& path, int64_t rows) {
  const data::NpyLayout layout = data::npy_layout(path);
  if (layout.shape.size() != 2 || layout.shape[0] != rows)
    refuse_shape(path, layout.shape, fmt::format("[{}, k]: a row", rows));
  const std::vector<int64_t> index =
      layout.kind == 'f' ? whole_numbers(path, data::read_npy<double>(path)) : data::read_npy<int64_t>(path).values;
  const auto k = static_cast<size_t>(layout.shape[1]);
  for (int64_t i = 0; i < rows; ++i) lists.add(i, std::span(index).subspan(static_cast<size_t>(i) * k, k));
}

void add_graph(ListMaker& lists, const std::filesystem::path& path, int64_t rows) {
  const data::CsrGraph graph = data::read_csr(path);
  if (graph.rows != rows || graph.columns != rows)
    refuse_shape(path, {graph.rows, graph.columns}, fmt::format("[{0}, {0}]: a row and a column", rows));
  std::vector<size_t> order;
  std::vector<int64_t> list;
  for (int64_t i = 0; i < rows; ++i) {
    const auto first = static_cast<size_t>(graph.starts[static_cast<size_t>(i)]);
    order.resize(static_cast<size_t>(graph.starts[static_cast<size_t>(i) + 1]) - first);
    std::iota(order.begin(), order.end(), first);
    const auto none = std::erase_if(order, [&](size_t e) { return std::isnan(graph.values[e]); });
    lists.left_out(static_cast<int64_t>(none));
    std::ranges::sort(order, [&](size_t a, size_t b) {
      return graph.values[a] != graph.values[b] ? graph.values[a] > graph.values[b]
                                                : graph.indices[a] < graph.indices[b];
    });
    list.clear();
    for (const size_t e : order) list.push_back(graph.indices[e]);
    lists.add(i, list);
  }
}

}  // namespace

NeighbourLists read_neighbour_lists(const std::filesystem::path& path, int64_t rows, bool include_self) {
  ListMaker lists(path.string(), rows, include_self);
  if (path.extension() == ".npz")
    add_graph(lists, path, rows);
  else if (path.extension() == ".npy")
    add_array(lists, path, rows);
  else
    throw Error(fmt::format("{}: expected a name ending in .npy or .npz", path.string()));
  return lists.finish();
}

}  // namespace kith
