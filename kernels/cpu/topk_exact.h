// The contract's score of top-K, for one pair of rows and for tiles of them. Both sum in one order, so they give the same bits.
#pragma once
#include <cstdint>

#include "kernels/core/types.h"

namespace kith::kernels::cpu {

// Lanes of the contract; 8 doubles fill a vector register.
constexpr int64_t kScoreLanes = 8;

double exact_score(const float* a, const float* b, int64_t dim);

// Rows as doubles, `width` of them side by side, in the order in which the score adds their elements: lane after lane, the
// rest last. out [ceil(count / width)][dim][width]; rows beyond `count` are zero. row(i) is the address of row i.
template <class Row>
void pack_exact(int64_t count, int64_t dim, int64_t width, const Row& row, double* out) {
  const int64_t whole = dim - dim % kScoreLanes, length = whole / kScoreLanes;
  for (int64_t first = 0; first < count; first += width) {
    for (int64_t i = 0; i < width; ++i) {
      const float* x = first + i < count ? row(first + i) : nullptr;
      double* to = out + first * dim + i;
      if (x == nullptr) {
        for (int64_t d = 0; d < dim; ++d) to[d * width] = 0;
        continue;
      }
      for (int64_t n = 0; n < length; ++n)
        for (int64_t l = 0; l < kScoreLanes; ++l) to[(l * length + n) * width] = x[n * kScoreLanes + l];
      for (int64_t d = whole; d < dim; ++d) to[d * width] = x[d];
    }
  }
}

// Rows to a panel: a register tile is one panel of queries against one of the database.
constexpr int64_t kQueryPanel = 4;
#if defined(__AVX512F__)
constexpr int64_t kDatabasePanel = 16;
#elif defined(__AVX__)
constexpr int64_t kDatabasePanel = 8;
#else
constexpr int64_t kDatabasePanel = 4;
#endif
constexpr int64_t padded(int64_t rows, int64_t panel) { return (rows + panel - 1) / panel * panel; }

// tile[i][j] = the score of packed query i and packed database row j. tile [padded(queries)][padded(database)].
// Cost 2 queries database dim flop in double, vectorised over database rows.
void exact_tile(const double* queries, int64_t query_rows, const double* database, int64_t database_rows, int64_t dim,
                double* tile);

}  // namespace kith::kernels::cpu
