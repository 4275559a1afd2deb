// Tiles of approximate scores by one product each; whatever could still enter a query's list is rescored by a
// fixed-order dot in double (the score of the contract) and merged. The product's rounding error is bounded, so nothing
// that belongs in the list is ever dropped, and the list does not depend on how the product sums.
#include "kernels/topk.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/parallel.h"

namespace kith::kernels::cpu {
namespace {

constexpr int64_t kQueryRows = 128, kDatabaseRows = 1024;  // a tile of scores is 512 KiB: half a second-level cache
constexpr float kInf = std::numeric_limits<float>::infinity();

template <class T>
struct Candidate {
  T score;
  int64_t index;

  // The order of the list.
  friend bool operator<(const Candidate& a, const Candidate& b) {
    return a.score > b.score || (a.score == b.score && a.index < b.index);
  }
};

// Lanes fix the order of summation; 8 doubles fill a vector register.
float exact_score(const float* a, const float* b, int64_t dim) {
  constexpr int64_t kLanes = 8;
  double lane[kLanes] = {};
  int64_t d = 0;
  for (; d + kLanes <= dim; d += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) lane[l] += double{a[d + l]} * double{b[d + l]};
  double rest = 0;
  for (; d < dim; ++d) rest += double{a[d]} * double{b[d]};
  const double sum = ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
  return static_cast<float>(sum + rest);
}

// The largest norm; an Error where a value is not finite.
std::vector<double> row_norms(Matrix<const float> m, const char* what) {
  std::vector<double> norms(m.rows);
  parallel_for(m.rows, 1024, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      double sum = 0;
      const float* x = m.data + i * m.cols;
#pragma omp simd reduction(+ : sum)
      for (int64_t d = 0; d < m.cols; ++d) sum += double{x[d]} * double{x[d]};
      if (!std::isfinite(sum)) throw Error(fmt::format("topk: {} row {} holds a value that is not finite", what, i));
      norms[i] = std::sqrt(sum);
    }
  });
  return norms;
}

// The list of one query while the database streams by in ascending order of index.
class Selection {
 public:
  // `slack` bounds |approximate - exact score| of this query against any database row.
  Selection(const TopK<float>& a, int64_t query, float slack)
      : a_(&a),
        query_(a.queries.data + query * a.queries.cols),
        slack_(slack),
        self_(a.exclude_self ? query + a.query_offset : -1) {
    best_.reserve(a.k + capacity());
    pending_.reserve(capacity());
  }

  // Approximate scores of database rows first .. first + count.
  void offer(const float* s, int64_t first, int64_t count) {
    constexpr int64_t kGroup = 64;
    for (int64_t j = 0; j < count; j += kGroup) {
      const int64_t end = std::min(count, j + kGroup);
      int any = 0;
#pragma omp simd reduction(| : any)
      for (int64_t i = j; i < end; ++i) any |= !(s[i] < limit_);
      if (any) take(s, first, j, end);
    }
  }

  void finish(std::span<float> scores, std::span<int64_t> indices) {
    merge();
    for (int64_t i = 0; i < a_->k; ++i) scores[i] = best_[i].score, indices[i] = best_[i].index;
  }

 private:
  size_t capacity() const { return static_cast<size_t>(std::max<int64_t>(a_->k, 32)); }

  void take(const float* s, int64_t first, int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j) {
      // An overflowed product may be NaN although the exact score is not: it stays in.
      if (s[j] < limit_ || first + j == self_) continue;
      pending_.push_back(first + j);
      if (pending_.size() == capacity()) merge();
    }
  }

  void merge() {
    const size_t k = static_cast<size_t>(a_->k);
    for (const int64_t index : pending_) {
      best_.push_back({exact_score(query_, a_->database.data + index * a_->database.cols, a_->database.cols), index});
    }
    pending_.clear();
    std::sort(best_.begin(), best_.end());
    if (best_.size() < k) return;
    best_.resize(k);
    // A later row enters only with a larger score than the last of the list: on a tie the smaller index stays.
    limit_ = std::nextafter(best_.back().score - slack_, -kInf);
  }

  const TopK<float>* a_;
  const float* query_;
  float slack_, limit_ = -kInf;
  int64_t self_;
  std::vector<Candidate<float>> best_;
  std::vector<int64_t> pending_;
};

// In any order of summation |product - dot| <= dim u |q| |d| (Higham, Accuracy and Stability, 3.1), u = 2^-24; the
// exact score's own rounding and this expression's take a few more u; underflow loses at most a subnormal per term.
float score_slack(double query_norm, double database_norm, int64_t dim) {
  const double product = query_norm * database_norm, terms = static_cast<double>(dim);
  constexpr double kSafe = 1e37;  // below it no partial sum of a product can overflow
  if (product > kSafe) return kInf;
  return static_cast<float>(1.01 * (terms + 4) * 0x1p-24 * product + terms * 0x1p-126);
}

}  // namespace

template <>
void topk(const TopK<float>& a) {
  const int64_t dim = a.queries.cols;
  const std::vector<double> query_norms = row_norms(a.queries, "query"), norms = row_norms(a.database, "database");
  const double largest = *std::max_element(norms.begin(), norms.end());
  parallel_for(a.queries.rows, kQueryRows, [&](int64_t begin, int64_t end) {
    std::vector<Selection> selections;
    for (int64_t i = begin; i < end; ++i) selections.emplace_back(a, i, score_slack(query_norms[i], largest, dim));
    std::vector<float> tile((end - begin) * std::min(kDatabaseRows, a.database.rows));
    for (int64_t first = 0; first < a.database.rows; first += kDatabaseRows) {
      const int64_t count = std::min(kDatabaseRows, a.database.rows - first);
      gemm(Op::none, Op::transpose, end - begin, count, dim, 1, a.queries.data + begin * dim, dim,
           a.database.data + first * dim, dim, 0, tile.data(), count);
      for (int64_t i = begin; i < end; ++i)
        selections[i - begin].offer(tile.data() + (i - begin) * count, first, count);
    }
    for (int64_t i = begin; i < end; ++i) selections[i - begin].finish(a.scores.row(i), a.indices.row(i));
  });
}

template <>
void topk(const TopK<double>& a) {
  for (int64_t i = 0; i < a.queries.rows; ++i) {
    std::vector<Candidate<double>> all;
    for (int64_t j = 0; j < a.database.rows; ++j) {
      if (a.exclude_self && j == i + a.query_offset) continue;
      double score = 0;
      for (int64_t d = 0; d < a.queries.cols; ++d) score += a.queries.row(i)[d] * a.database.row(j)[d];
      if (std::isnan(score)) throw Error(fmt::format("topk: the score of query {} and row {} is NaN", i, j));
      all.push_back({score, j});
    }
    std::partial_sort(all.begin(), all.begin() + a.k, all.end());
    for (int64_t n = 0; n < a.k; ++n) a.scores.row(i)[n] = all[n].score, a.indices.row(i)[n] = all[n].index;
  }
}

}  // namespace kith::kernels::cpu
