// The list of one query while database rows stream by, tile by tile, by approximate scores with an error bound.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "kernels/cpu/topk_list.h"

namespace kith::kernels::cpu {

// `slack` bounds |approximate - (exact score - offset)| against any database row; where it is infinite nothing is certain. Where
// approximate scores cannot tell enough candidates apart, up to `rescores` of them get exact ones on the way.
class ApproximateList {
 public:
  using Score = float;
  ApproximateList(ListTarget target, double offset, float slack, int64_t rescores)
      : slack_(slack),
        full_(list_capacity(target.a->k)),
        scores_(std::make_unique_for_overwrite<float[]>(full_ + kVector)),
        rows_(std::make_unique_for_overwrite<int64_t[]>(full_)),
        self_(target.self()),
        target_(target),
        offset_(offset),
        rescores_(rescores) {
    if (std::isinf(slack_)) limit_ = kInf;
  }

  // What an approximate score must reach to matter, whatever the row.
  float limit_for(int64_t) const { return limit_; }

  void take(float score, int64_t row) {
    if (!(score >= limit_) || row == self_) return;
    scores_[size_] = score, rows_[size_] = row;
    if (++size_ == full_) settle();
  }

  // Writes the result if it is certain: no row that was dropped could be in it.
  bool finish() {
    if (std::isinf(slack_)) return false;
    prune();
    score_kept();
    std::sort(best_.begin(), best_.end());
    // A sum of doubles is rounded by less than the slack's factor allows for.
    if (!(best_[k() - 1].score > offset_ + (double{cut_} + double{slack_}))) return false;
    target_.write(best_);
    return true;
  }

 private:
  static constexpr float kInf = std::numeric_limits<float>::infinity();
  static constexpr size_t kVector = 16;  // scores are looked at by so many

  size_t k() const { return static_cast<size_t>(target_.a->k); }

  // Makes room. The next time is soon where little was kept: the earlier the limit rises, the fewer rows come.
  [[gnu::noinline]] void settle() {
    const size_t capacity = list_capacity(target_.a->k);
    prune();
    if (size_ > capacity - 16) {
      if (rescores_ >= static_cast<int64_t>(size_))
        rescore();
      else
        cut();
    }
    full_ = std::min(capacity, size_ + 16 + k() / 4);
  }

  // A score that at least k candidates reach; few more do unless scores are nearly equal.
  float reached_by_k() {
    const size_t padded = (size_ + kVector - 1) / kVector * kVector;
    std::fill(scores_.get() + size_, scores_.get() + padded, -kInf);
    const float* s = scores_.get();
    float low = s[0], high = s[0];
#pragma omp simd reduction(min : low) reduction(max : high)
    for (size_t n = 0; n < size_; ++n) {
      low = std::min(low, s[n]);
      high = std::max(high, s[n]);
    }
    for (int step = 0; step < 16; ++step) {
      const float middle = low + (high - low) / 2;
      int32_t reached = 0;
#pragma omp simd reduction(+ : reached)
      for (size_t n = 0; n < padded; ++n) reached += s[n] >= middle ? 1 : 0;
      (static_cast<size_t>(reached) >= k() ? low : high) = middle;
      if (static_cast<size_t>(reached) - k() <= 2) break;
    }
    return low;
  }

  // K rows have an exact score of at least T - slack, if K approximate ones reach T: what lies below T - 2 slack cannot be
  // among the K best.
  void prune() {
    if (!best_.empty()) return;  // the limit is better than this one already
    // The next smaller number: the subtraction was rounded.
    const float floor = std::nextafter(reached_by_k() - 2 * slack_, -kInf);
    limit_ = std::max(limit_, floor);
    size_t kept = 0;
    for (size_t n = 0; n < size_; ++n) {
      scores_[kept] = scores_[n], rows_[kept] = rows_[n];
      kept += scores_[n] >= floor ? 1 : 0;
    }
    size_ = kept;
  }

  // Moves what was kept to the candidates of exact score.
  void score_kept() {
    best_.reserve(best_.size() + size_);
    for (size_t n = 0; n < size_; ++n) {
      if (n + 1 < size_) target_.prefetch(rows_[n + 1]);
      best_.push_back({target_.score(rows_[n]), rows_[n]});
    }
    size_ = 0;
  }

  // Keeps the K best by exact score. With T the K-th of them, what lies below T - slack is not among the K best.
  void rescore() {
    rescores_ -= static_cast<int64_t>(size_);
    score_kept();
    const auto kth = best_.begin() + (target_.a->k - 1);
    std::nth_element(best_.begin(), kth, best_.end());
    best_.erase(kth + 1, best_.end());
    const double floor = best_.back().score - offset_ - double{slack_};
    limit_ = std::max(limit_, std::nextafter(static_cast<float>(floor), -kInf));
  }

  // For when none of this tells enough rows apart: keeps the best by approximate score, and notes what the rest scored.
  void cut() {
    std::vector<Candidate> all;
    for (size_t n = 0; n < size_; ++n) all.push_back({scores_[n], rows_[n]});
    const size_t keep = k() + 8;
    std::nth_element(all.begin(), all.begin() + static_cast<int64_t>(keep), all.end());
    cut_ = std::max(cut_, static_cast<float>(all[keep].score));
    limit_ = std::max(limit_, std::nextafter(cut_, kInf));
    for (size_ = 0; size_ < keep; ++size_)
      scores_[size_] = static_cast<float>(all[size_].score), rows_[size_] = all[size_].index;
  }

  // In the order of their use by a score that is taken.
  float limit_ = -kInf;
  float slack_;
  size_t size_ = 0, full_;  // candidates, and how many of them call for a look at all
  std::unique_ptr<float[]> scores_;
  std::unique_ptr<int64_t[]> rows_;
  int64_t self_;
  ListTarget target_;
  double offset_;
  int64_t rescores_;             // that may still be made before the end
  float cut_ = -kInf;            // above every approximate score that was dropped although it could matter
  std::vector<Candidate> best_;  // candidates of exact score; empty until there were rescores
};

}  // namespace kith::kernels::cpu
