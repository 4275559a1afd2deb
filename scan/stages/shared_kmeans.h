// k-means (kernels/kmeans.h) of rows that all ranks of a context share.
//
// On the CPU each rank looks at its own rows: the centroids are those of one rank that has them all, to the bit, however many
// ranks there are. On devices rank 0 has all rows, and the others wait for its centroids.
#pragma once
#include <functional>

#include "scan/run/session.h"

namespace kith {

struct RowsOfRank {
  int64_t first = 0, count = 0;
};
// Those of this rank; there may be none.
RowsOfRank kmeans_rows(Context&, int64_t rows, int64_t cols, int64_t clusters);

struct SharedKMeans {
  Matrix<const float> own;  // rows of this rank, as kmeans_rows has them
  int64_t rows = 0;         // of all ranks
  int restarts = 10;
  uint64_t seed = 0;
  Matrix<float> centroids;  // [clusters, cols], written on every rank
  std::function<void()> between =
      {};  // of restarts; called on rank 0 alone, and what it throws is thrown on every rank
};
// The mean squared distance of a row to its centroid, on every rank. Errors are everybody's.
double shared_kmeans(Context&, const SharedKMeans&);

}  // namespace kith
