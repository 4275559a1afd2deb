// The rows of a table that one of several processes has in a k-means (KMeansShares), and what all put together: in the order of
// the rows, so that sums are those of one process that has them all.
#pragma once
#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "kernels/core/parallel.h"
#include "kernels/kmeans.h"

namespace kith::kernels::cpu {

class RowShares {
 public:
  // With no others, all of the table's rows are here. Keeps a reference.
  explicit RowShares(int64_t rows, const KMeansShares* with = nullptr)
      : with_(with), whole_(with == nullptr ? rows : with->bounds.back()), count_(rows) {}

  int64_t whole() const { return whole_; }  // rows of the table
  int64_t first() const { return with_ == nullptr ? 0 : with_->bounds[static_cast<size_t>(with_->rank)]; }
  size_t rank() const { return with_ == nullptr ? 0 : static_cast<size_t>(with_->rank); }
  bool has(int64_t row) const { return row >= first() && row < first() + count_; }
  size_t owner(int64_t row) const {
    if (with_ == nullptr) return 0;
    return static_cast<size_t>(std::ranges::upper_bound(with_->bounds, row) - with_->bounds.begin() - 1);
  }
  size_t processes() const { return with_ == nullptr ? 1 : with_->bounds.size() - 1; }

  // `all` has `width` values for every `grain` rows of the table: this process's are there, then those of all. Shares begin at
  // multiples of the grain.
  template <class V>
  void gather(std::vector<V>& all, int64_t grain, int64_t width = 1) const {
    if (with_ == nullptr) return;
    std::vector<int64_t> items;
    for (const int64_t b : with_->bounds) items.push_back(ceil_div(b, grain) * width);
    gather_parts(all, std::move(items));
  }

  // The same of parts of any size: bounds [processes + 1], in values.
  template <class V>
  void gather_parts(std::vector<V>& all, std::vector<int64_t> bounds) const {
    if (with_ == nullptr) return;
    for (int64_t& b : bounds) b *= static_cast<int64_t>(sizeof(V));
    with_->gather(std::as_writable_bytes(std::span(all)), bounds);
  }

  // counts[p]: the values of process p in what gather_parts puts together.
  static std::vector<int64_t> bounds_of(const std::vector<int64_t>& counts) {
    std::vector<int64_t> bounds = {0};
    for (const int64_t c : counts) bounds.push_back(bounds.back() + c);
    return bounds;
  }

 private:
  const KMeansShares* with_;
  int64_t whole_, count_;
};

}  // namespace kith::kernels::cpu
