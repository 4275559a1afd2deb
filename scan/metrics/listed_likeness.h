// How like rows are to the rows that a table of neighbours lists for them: rows that are nearly the same as another, and rows
// that are like none. Nothing is searched: of two rows that do not list each other nothing is known.
//
//   cosine(a, b) = <x_a, x_b> / (|x_a| |x_b|), in f64; 0 where either row is zero
//   listed(a)    the rows of a's list up to -1, without a itself
//   mean(a)      mean of cosine(a, b) over listed(a)
//   near pair    a < b, one of which lists the other, of a cosine of at least `least`
//   exact pair   a < b of equal content, a the first with it; found in all rows, listed or not; its cosine counts as 1
//   group        rows that near and exact pairs connect, directly or through others
//
// Deterministic on any number of threads. Cost 2 rows k dim flop.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "kernels/core/types.h"

namespace kith {

struct NearPair {
  int64_t a = 0, b = 0;
  float cosine = 0;
  bool exact = false;
  auto operator<=>(const NearPair&) const = default;
};

struct ListedLikeness {
  std::vector<float> mean;     // [rows]; NaN where a row lists no other
  std::vector<NearPair> near;  // ascending, each once
};
// lists [rows, k]; rows(index, out) writes those rows, [index, dim].
using RowsOf = std::function<void(std::span<const int64_t> index, float* out)>;
ListedLikeness listed_likeness(const Matrix<const int64_t>& lists, int64_t dim, double least, const RowsOf& rows);

// The exact pairs of rows 0 .. rows - 1, whose content has these digests: one for each row that another before it equals.
std::vector<NearPair> exact_pairs(int64_t rows, const std::function<std::string(int64_t)>& digest_of);

struct NearGroups {
  struct Member {
    int64_t row = 0, nearest = 0;  // an exact partner, else that of its greatest cosine; the lowest on a tie
    float cosine = 0;
    bool exact = false;  // `nearest` is equal
  };
  int64_t rows = 0, exact = 0;              // in all groups, and those of them that equal another
  std::vector<std::vector<Member>> groups;  // the largest first, then by their first row; rows ascend
};
NearGroups near_groups(std::span<const NearPair>);

// What is listed as unlike all others: the hundredth of the rows with the least `value`, or 20 where that is more, the least
// first, the lower row first on a tie. Left out are rows of NaN, and those that are as much like others as any row is, whose
// value is the greatest one, or below it by no more than `noise`. Of rows that are all alike none is listed.
std::vector<int64_t> least_rows(std::span<const float> value, float noise = 0);

}  // namespace kith
