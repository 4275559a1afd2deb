// The list of one query while database rows stream by, tile by tile, by the contract's scores; ApproximateList
// (topk_approximate_list.h) is its like for f32 scores with an error bound.
#pragma once
#include <algorithm>
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

// Where a list's result goes, and the rows that its scores are of.
struct ListTarget {
  const TopK<float>* a;
  int64_t query;
  int64_t self() const { return a->exclude_self ? query + a->query_offset : -1; }
  double score(int64_t row) const {
    return exact_score(a->queries.data + query * a->queries.cols, a->database.data + row * a->database.cols,
                       a->database.cols);
  }
  void prefetch(int64_t row) const {
    const float* x = a->database.data + row * a->database.cols;
    for (int64_t d = 0; d < std::min<int64_t>(a->database.cols, 256); d += 16) __builtin_prefetch(x + d);
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

}  // namespace kith::kernels::cpu
