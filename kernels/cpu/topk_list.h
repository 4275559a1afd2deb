// The list of one query while database rows stream by, tile by tile: ApproximateList of f32 scores with an error bound,
// ExactList of the contract's scores.
#pragma once
#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cpu/topk_exact.h"
#include "kernels/topk.h"

namespace kith::kernels::cpu {

struct Candidate {
  double score;
  int64_t index;

  // The order of the list.
  friend bool operator<(const Candidate& a, const Candidate& b) {
    return a.score > b.score || (a.score == b.score && a.index < b.index);
  }
};

// Candidates that a list holds at a time.
constexpr size_t list_capacity(int64_t k) { return static_cast<size_t>(2 * k + 32); }

constexpr int64_t kGroup = 64;

// The limits that a row of scores is compared with: one query's, or those of consecutive queries.
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
#endif
};
template <class T>
struct Limits {
  const T* values;
  T at(int64_t i) const { return values[i]; }
#ifdef __AVX512F__
  auto load(int64_t i) const {
    if constexpr (std::is_same_v<T, float>)
      return _mm512_loadu_ps(values + i);
    else
      return _mm512_loadu_pd(values + i);
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

// Where a list's result goes, and the rows that its scores are of.
struct ListTarget {
  const TopK<float>* a;
  int64_t query;
  int64_t self() const { return a->exclude_self ? query + a->query_offset : -1; }
  double score(int64_t row) const {
    return exact_score(a->queries.data + query * a->queries.cols, a->database.data + row * a->database.cols,
                       a->database.cols);
  }
  void write(const std::vector<Candidate>& list) const {
    for (int64_t n = 0; n < a->k; ++n) {
      const double score = list[n].score + 0.;  // 0, not -0; likewise where f32 cannot hold a negative score
      a->scores.row(query)[n] = static_cast<float>(score) + 0.f;
      if (a->exact.data != nullptr) a->exact.row(query)[n] = score;
      a->indices.row(query)[n] = list[n].index;
    }
  }
};

// Candidates by approximate score. `slack` bounds |approximate - (exact score - offset)| against any database row.
class ApproximateList {
 public:
  using Score = float;
  ApproximateList(ListTarget target, double offset, float slack)
      : target_(target), offset_(offset), slack_(slack), capacity_(list_capacity(target.a->k)) {
    if (std::isinf(slack_)) limit_ = kInf;  // hopeless: nothing is kept
    kept_.reserve(capacity_);
  }

  // What an approximate score must reach to matter, whatever the row.
  float limit_for(int64_t) const { return limit_; }

  void take(float score, int64_t index) {
    if (!(score >= limit_) || index == target_.self() || std::isinf(slack_)) return;
    kept_.push_back({score, index});
    if (kept_.size() < capacity_) return;
    prune();
    if (kept_.size() > capacity_ - 16) cut();
  }

  // Writes the result if it is certain: no row that was dropped could be in it.
  bool finish() {
    if (std::isinf(slack_)) return false;
    prune();
    for (Candidate& c : kept_) c.score = target_.score(c.index);
    std::sort(kept_.begin(), kept_.end());
    // A sum of doubles is rounded by less than the slack's factor allows for.
    if (!(kept_[target_.a->k - 1].score > offset_ + (double{cut_} + double{slack_}))) return false;
    target_.write(kept_);
    return true;
  }

 private:
  static constexpr float kInf = std::numeric_limits<float>::infinity();

  // K rows have an exact score of at least T - slack, T the K-th largest approximate one: what lies below T - 2 slack
  // cannot be among the K best.
  void prune() {
    const auto kth = kept_.begin() + (target_.a->k - 1);
    std::nth_element(kept_.begin(), kth, kept_.end());
    // The next smaller number: the subtraction was rounded.
    const float floor = std::nextafter(static_cast<float>(kth->score) - 2 * slack_, -kInf);
    limit_ = std::max(limit_, floor);
    std::erase_if(kept_, [floor](const Candidate& c) { return c.score < floor; });
  }

  // For when approximate scores cannot tell enough rows apart: keeps the best by them, and notes what the rest scored.
  void cut() {
    const auto first_dropped = kept_.begin() + (target_.a->k + 8);
    std::nth_element(kept_.begin(), first_dropped, kept_.end());
    cut_ = std::max(cut_, static_cast<float>(first_dropped->score));
    limit_ = std::max(limit_, std::nextafter(cut_, kInf));
    kept_.erase(first_dropped, kept_.end());
  }

  ListTarget target_;
  double offset_;
  float slack_, limit_ = -kInf;
  float cut_ = -kInf;  // above every approximate score that was dropped although it could matter
  size_t capacity_;
  std::vector<Candidate> kept_;  // at most capacity_
};

// Candidates by the contract's score, in its order.
class ExactList {
 public:
  using Score = double;
  explicit ExactList(ListTarget target) : target_(target), capacity_(list_capacity(target.a->k)) {
    kept_.reserve(capacity_);
  }

  // The least score that enters the list for a row whose index is at least `first`. If the last entry has a smaller index, it
  // wins a tie, and the score must be greater. So equal rows by the thousand are passed over, not collected.
  double limit_for(int64_t first) const {
    return last_.index < first ? std::nextafter(last_.score, std::numeric_limits<double>::infinity()) : last_.score;
  }

  void take(double score, int64_t index) {
    const Candidate c{score, index};
    if (!(c < last_) || index == target_.self()) return;
    kept_.push_back(c);
    if (kept_.size() == capacity_) prune();
  }

  void finish() {
    std::partial_sort(kept_.begin(), kept_.begin() + target_.a->k, kept_.end());
    target_.write(kept_);
  }

 private:
  void prune() {
    const auto kth = kept_.begin() + (target_.a->k - 1);
    std::nth_element(kept_.begin(), kth, kept_.end());
    last_ = *kth;
    kept_.erase(kth + 1, kept_.end());
  }

  ListTarget target_;
  size_t capacity_;
  Candidate last_{-std::numeric_limits<double>::infinity(), std::numeric_limits<int64_t>::max()};
  std::vector<Candidate> kept_;  // at most capacity_
};

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

}  // namespace kith::kernels::cpu
