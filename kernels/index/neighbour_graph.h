// A table of neighbours as a graph in compressed sparse rows.
//
//   symmetric   i and j are joined where i lists j or j lists i
//   mutual      i and j are joined where i lists j and j lists i
//
//   row i is joined to columns[starts[i]] ... columns[starts[i + 1] - 1], ascending, each once; both forms hold (i, j) and (j, i)
//   own[e], other[e]   of the edge (i, j): where in the table i lists j, and where j lists i; kNone where it does not
//
// Negative neighbours are none; of a neighbour that is named twice the first place counts. A row that lists itself is joined to
// itself.
// By stable sorts of whole numbers: one answer, whatever the number of threads. Cost O(rows K) for each byte of two row numbers;
// 112 rows K B while it works. On the host: tables are files, and what searches leave.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/core/types.h"

namespace kith::kernels {

enum class GraphForm : uint8_t { symmetric, mutual };

struct NeighbourGraph {
  static constexpr int64_t kNone = -1;
  std::vector<int64_t> starts, columns, own, other;
};

// lists [rows, K]. Error on a neighbour that is no row, and beyond 2^31 rows.
NeighbourGraph neighbour_graph(Matrix<const int64_t> lists, GraphForm);

}  // namespace kith::kernels
