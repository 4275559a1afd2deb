// Exact nearest neighbours of rows in host memory, found on the context's device.
#pragma once
#include <vector>

#include "nn/tensor/context.h"

namespace kith {

// Whether such a search runs on the context's device; else the CPU finds the same lists.
bool searched_on_device(const Context&, int64_t k, int64_t cols);
// Queries of one search on a device: bounds the memory that they, their lists and the search's candidates take.
inline constexpr int64_t kDeviceQueries = int64_t{1} << 17;

// Keeps a reference to `database`, and a copy of it on the device where it fits there (it is streamed otherwise).
class NeighbourSearch {
 public:
  NeighbourSearch(Context&, Matrix<const float> database);

  struct Lists {
    std::vector<float> score;    // [queries, k], descending
    std::vector<int64_t> index;  // in the order of kernels/topk.h: by the score before rounding, then by index
    int64_t uncertified = 0;     // lists that needed the second search of kernels/topk.h
  };
  // exclude_self leaves out row q + query_offset for query q.
  Lists operator()(Matrix<const float> queries, int64_t k, bool exclude_self = false, int64_t query_offset = 0) const;

 private:
  Lists on_host(Matrix<const float> queries, int64_t k, bool exclude_self, int64_t query_offset) const;

  Context& ctx_;
  Matrix<const float> host_;
  Tensor device_;  // empty: on the CPU, or too large
};

// The k most similar other rows of every row, most similar first; include_self adds the row itself to its list, as the
// authors' k + 1 columns do. k is cut to rows - 1.
struct Neighbours {
  int64_t rows = 0, k = 0;     // k: columns
  std::vector<int64_t> index;  // [rows, k]
  std::vector<float> score;    // [rows, k]
  int64_t uncertified = 0;     // as of Lists
  Matrix<const int64_t> view() const { return {index.data(), rows, k}; }
};
Neighbours nearest(Context&, const Matrix<const float>& unit_rows, int64_t k, bool include_self);

}  // namespace kith
