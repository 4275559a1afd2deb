#include "scan/train/sampler.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/core/hash.h"
#include "kernels/core/philox.h"

namespace kith {

uint64_t seed_of(uint64_t seed, std::string_view purpose) { return derive_seed(seed, fnv1a(purpose)); }

std::vector<int64_t> epoch_order(int64_t n, uint64_t seed, int64_t epoch) {
  check(n >= 0 && n <= std::numeric_limits<uint32_t>::max(), "epoch_order: n out of range");
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  Random random(seed, static_cast<uint32_t>(epoch), 0, 0);
  for (int64_t i = n - 1; i > 0; --i) std::swap(order[i], order[random.below(static_cast<uint32_t>(i + 1))]);
  return order;
}

int64_t draw_below(int64_t n, int64_t sample, uint64_t seed, int64_t epoch) {
  check(n >= 1 && n <= std::numeric_limits<uint32_t>::max(), "draw_below: n out of range");
  return Random(seed, static_cast<uint32_t>(epoch), static_cast<uint64_t>(sample), 0).below(static_cast<uint32_t>(n));
}

int64_t draw_neighbour(const Matrix<const int64_t>& neighbours, int64_t anchor, uint64_t seed, int64_t epoch) {
  check(anchor >= 0 && anchor < neighbours.rows, "draw_neighbour: anchor out of range");
  const auto row = neighbours.row(anchor);
  const int64_t count = std::ranges::find(row, int64_t{-1}) - row.begin();
  if (count == 0) return anchor;
  return row[static_cast<size_t>(draw_below(count, anchor, seed, epoch))];
}

std::vector<int32_t> by_chance(std::span<const int32_t> assignments, uint64_t seed) {
  std::vector<int32_t> out;
  out.reserve(assignments.size());
  for (const int64_t i : epoch_order(static_cast<int64_t>(assignments.size()), seed_of(seed, "chance"), 0))
    out.push_back(assignments[static_cast<size_t>(i)]);
  return out;
}

std::vector<int64_t> sample_of_rows(int64_t rows, int64_t most, uint64_t seed) {
  std::vector<int64_t> index = epoch_order(rows, seed_of(seed, "sample"), 0);
  index.resize(static_cast<size_t>(std::min(rows, most)));
  std::ranges::sort(index);
  return index;
}

}  // namespace kith
