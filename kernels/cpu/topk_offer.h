// A tile's scores on their way to lists: compared with what they must reach to enter, and taken where they do. Lists are
// ApproximateList or ExactList.
#pragma once
#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include <algorithm>
#include <bit>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "kernels/cpu/block_pairs.h"

namespace kith::kernels::cpu {

constexpr int64_t kGroup = 64;

// The limits that a row of scores is compared with: one query's, or the lower of that and those of consecutive queries.
template <class T>
struct OneLimit {
  T value;
  T at(int64_t) const { return value; }
#ifdef __AVX512F__
  auto load(int64_t) const {
    if constexpr (std::is_same_v<T, float>)
      return _mm512_set1_ps(value);
    else
      return _mm512_set1_pd(value);
  }
  static auto read(const T* values) {
    if constexpr (std::is_same_v<T, float>)
      return _mm512_loadu_ps(values);
    else
      return _mm512_loadu_pd(values);
  }
#endif
};
template <class T>
struct LowerLimits {
  T value;
  const T* values;
  T at(int64_t i) const { return std::min(value, values[i]); }
#ifdef __AVX512F__
  auto load(int64_t i) const {
    const auto one = OneLimit<T>{value}.load(i), other = OneLimit<T>::read(values + i);
    return one < other ? one : other;
  }
#endif
};

// Bit i is set where s[i] is not below its limit. Nearly always none is, so this comparison is all that most scores see:
// written out where the compiler's own vector code is several times slower. An overflowed product may be NaN although the
// exact score is not: NaN is not below.
template <class T, class Limit>
uint64_t not_below(const T* s, int64_t count, Limit limit) {
  uint64_t bits = 0;
#ifdef __AVX512F__
  if (count == kGroup) {
    constexpr int64_t kLanes = 64 / sizeof(T);
    for (int64_t i = 0; i < kGroup; i += kLanes) {
      if constexpr (std::is_same_v<T, float>)
        bits |= static_cast<uint64_t>(_mm512_cmp_ps_mask(_mm512_loadu_ps(s + i), limit.load(i), _CMP_NLT_UQ)) << i;
      else
        bits |= static_cast<uint64_t>(_mm512_cmp_pd_mask(_mm512_loadu_pd(s + i), limit.load(i), _CMP_NLT_UQ)) << i;
    }
    return bits;
  }
#endif
  int any = 0;
#pragma omp simd reduction(| : any)
  for (int64_t i = 0; i < count; ++i) any |= !(s[i] < limit.at(i));
  if (!any) return 0;
  for (int64_t i = 0; i < count; ++i) bits |= static_cast<uint64_t>(!(s[i] < limit.at(i))) << i;
  return bits;
}

// A row of scores, of database rows first .. first + count, for one query.
template <class List>
void offer(List& list, const typename List::Score* s, int64_t first, int64_t count) {
  using T = typename List::Score;
  for (int64_t j = 0; j < count; j += kGroup) {
    uint64_t above = not_below(s + j, std::min(kGroup, count - j), OneLimit<T>{list.limit_for(first + j)});
    for (; above; above &= above - 1) {
      const int64_t at = j + std::countr_zero(above);
      list.take(s[at], first + at);
    }
  }
}

// A tile of a symmetric matrix, off its diagonal, for the lists of its rows and of its columns: each score is read once and
// compared with the lower of its two limits. `lists` are those of all rows.
template <class List>
void offer_both(List* lists, Block rows, Block cols, const typename List::Score* tile, int64_t stride) {
  using T = typename List::Score;
  std::vector<T> limits(cols.count);  // what the columns' lists asked for when they last took a score, or more
  for (int64_t j = 0; j < cols.count; ++j) limits[j] = lists[cols.first + j].limit_for(rows.first);
  for (int64_t i = 0; i < rows.count; ++i, tile += stride) {
    List& own = lists[rows.first + i];
    for (int64_t j = 0; j < cols.count; j += kGroup) {
      const T limit = own.limit_for(cols.first + j);
      uint64_t above = not_below(tile + j, std::min(kGroup, cols.count - j), LowerLimits<T>{limit, &limits[j]});
      for (; above; above &= above - 1) {
        const int64_t at = j + std::countr_zero(above);
        if (!(tile[at] < limit)) own.take(tile[at], cols.first + at);
        if (tile[at] < limits[at]) continue;
        List& other = lists[cols.first + at];
        other.take(tile[at], rows.first + i);
        limits[at] = other.limit_for(rows.first);
      }
    }
  }
}

}  // namespace kith::kernels::cpu
