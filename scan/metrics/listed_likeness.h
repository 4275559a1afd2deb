// How like rows are to the rows that a table of neighbours lists for them: rows that are nearly the same as another, and rows
// that are like none. Nothing is searched: of two rows that do not list each other nothing is known.
//
//   cosine(a, b) = <x_a, x_b> / (|x_a| |x_b|), in f64; 0 where either row is zero
//   listed(a)    the rows of a's list up to -1, without a itself
//   mean(a)      mean of cosine(a, b) over listed(a)
//   near pair    a < b, one of which lists the other, of a cosine of at least `least`
//   group        rows that near pairs connect, directly or through others
//
// Deterministic on any number of threads. Cost 2 rows k dim flop.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "kernels/core/types.h"

namespace kith {

struct NearPair {
  int64_t a = 0, b = 0;
  float cosine = 0;
  auto operator<=>(const NearPair&) const = default;
};

struct ListedLikeness {
  std::vector<float> mean;     // [rows]; NaN where a row lists no other
  std::vector<NearPair> near;  // ascending, each once
};
// lists [rows, k]; rows(index, out) writes those rows, [index, dim].
using RowsOf = std::function<void(std::span<const int64_t> index, float* out)>;
ListedLikeness listed_likeness(const Matrix<const int64_t>& lists, int64_t dim, double least, const RowsOf& rows);

struct NearGroups {
  struct Member {
    int64_t row = 0, nearest = 0;  // the partner of its greatest cosine, the lowest on a tie
    float cosine = 0;
  };
  int64_t rows = 0;                         // in all groups
  std::vector<std::vector<Member>> groups;  // the largest first, then by their first row; rows ascend
};
NearGroups near_groups(std::span<const NearPair>);

// What is listed as unlike all others: the hundredth of the rows with the least `value`, or 20 where that is more (or all rows),
// the least first, the lower row first on a tie; rows of NaN are left out.
std::vector<int64_t> least_rows(std::span<const float> value);

}  // namespace kith
