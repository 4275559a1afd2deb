#include "kernels/cpu/topk_exact.h"

#include <cstring>

namespace kith::kernels::cpu {
namespace {

constexpr int64_t kVectors = 2, kVectorDoubles = kDatabasePanel / kVectors;
using Vector [[gnu::vector_size(kVectorDoubles * sizeof(double))]] = double;

// One sum for each pair of a panel of queries and a panel of the database.
struct Sums {
  Vector of[kQueryPanel][kVectors];
  void operator+=(const Sums& b) {
    for (int64_t i = 0; i < kQueryPanel; ++i)
      for (int64_t v = 0; v < kVectors; ++v) of[i][v] += b.of[i][v];
  }
};

// Sums over `count` elements one after the other. Sums are local while they grow: they stay in registers.
[[gnu::noinline]] void sum_lane(const double* q, const double* x, int64_t count, Sums* out) {
  Vector sum[kQueryPanel][kVectors] = {};
  for (int64_t n = 0; n < count; ++n, q += kQueryPanel, x += kDatabasePanel) {
    Vector column[kVectors];
    std::memcpy(column, x, sizeof column);
#pragma GCC unroll 4
    for (int64_t i = 0; i < kQueryPanel; ++i)
#pragma GCC unroll 2
      for (int64_t v = 0; v < kVectors; ++v) sum[i][v] += q[i] * column[v];
  }
  std::memcpy(out->of, sum, sizeof sum);
}

// The tree of exact_score: ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)), then the rest.
void sum_panels(const double* q, const double* x, int64_t dim, Sums* out) {
  const int64_t length = dim / kScoreLanes;
  const auto lane = [&](int64_t l, Sums* sums) {
    sum_lane(q + l * length * kQueryPanel, x + l * length * kDatabasePanel, length, sums);
  };
  Sums a, b, c;
  const auto add_pair = [&](int64_t l, Sums* sums) {  // lanes l and l + 4
    lane(l, sums);
    lane(l + 4, &c);
    *sums += c;
  };
  add_pair(0, out);
  add_pair(2, &a);
  *out += a;
  add_pair(1, &a);
  add_pair(3, &b);
  a += b;
  *out += a;
  const int64_t whole = length * kScoreLanes;
  if (whole == dim) return;
  sum_lane(q + whole * kQueryPanel, x + whole * kDatabasePanel, dim - whole, &a);
  *out += a;
}

}  // namespace

double exact_score(const float* a, const float* b, int64_t dim) {
  double lane[kScoreLanes] = {};
  int64_t d = 0;
  for (; d + kScoreLanes <= dim; d += kScoreLanes)
    for (int64_t l = 0; l < kScoreLanes; ++l) lane[l] += double{a[d + l]} * double{b[d + l]};
  double rest = 0;
  for (; d < dim; ++d) rest += double{a[d]} * double{b[d]};
  const double sum = ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
  return sum + rest;
}

void exact_tile(const double* queries, int64_t query_rows, const double* database, int64_t database_rows, int64_t dim,
                double* tile) {
  const int64_t ld = padded(database_rows, kDatabasePanel);
  for (int64_t j = 0; j < database_rows; j += kDatabasePanel) {  // a panel of the database stays in the first-level cache
    for (int64_t i = 0; i < query_rows; i += kQueryPanel) {
      Sums sums;
      sum_panels(queries + i * dim, database + j * dim, dim, &sums);
      for (int64_t n = 0; n < kQueryPanel; ++n) std::memcpy(tile + (i + n) * ld + j, sums.of[n], sizeof sums.of[n]);
    }
  }
}

}  // namespace kith::kernels::cpu
