// Rows in the order of their labels: which rows a cluster holds, and how many.
//
//   rows    those of label -1, then those of label 0, 1, ...; of one label by descending rank, by ascending row where ranks are
//           equal or there are none
//   starts  label g has rows[starts[g]] ... rows[starts[g + 1] - 1]
//
// By stable sorts: one answer, whatever the number of threads. Cost O(rows) for each byte of a label and of a rank.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace kith::kernels {

struct Groups {
  std::vector<int64_t> rows = {};     // [labels]
  std::vector<int64_t> starts = {0};  // [groups + 1]
  size_t count() const { return starts.size() - 1; }
  std::span<const int64_t> operator[](size_t g) const {
    return {rows.data() + starts[g], static_cast<size_t>(starts[g + 1] - starts[g])};
  }
};

// `rank` [labels], no NaN, or empty. Error on a label outside -1 .. groups - 1, and on ranks of another number.
Groups group_rows(std::span<const int32_t> labels, int64_t groups, std::span<const double> rank = {});

}  // namespace kith::kernels
