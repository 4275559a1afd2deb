// Tiles of approximate scores, one product each; candidates are gathered by them, and whatever could still be in a query's
// list at the end is rescored by a fixed-order dot in double (the score of the contract). The product's rounding error is
// bounded, so nothing that belongs in the list is dropped, and the list does not depend on how the product sums.
#include "kernels/topk.h"

#include <fmt/format.h>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/cpu/block_pairs.h"
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/parallel.h"

namespace kith::kernels::cpu {
namespace {

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
  return static_cast<float>(sum + rest) + 0.f;  // a negative sum that f32 cannot hold becomes 0, not -0
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

constexpr int64_t kGroup = 64;

// The limits that a row of scores is compared with: one query's, or those of consecutive queries.
struct OneLimit {
  float value;
  float at(int64_t) const { return value; }
#ifdef __AVX512F__
  __m512 load(int64_t) const { return _mm512_set1_ps(value); }
#endif
};
struct Limits {
  const float* values;
  float at(int64_t i) const { return values[i]; }
#ifdef __AVX512F__
  __m512 load(int64_t i) const { return _mm512_loadu_ps(values + i); }
#endif
};

// Bit i is set where s[i] is not below its limit. Nearly always none is, so this comparison is all that most scores see:
// written out where the compiler's own vector code is several times slower. An overflowed product may be NaN although the
// exact score is not: NaN is not below.
template <class Limit>
uint64_t not_below(const float* s, int64_t count, Limit limit) {
  uint64_t bits = 0;
#ifdef __AVX512F__
  if (count == kGroup) {
    for (int64_t i = 0; i < kGroup; i += 16) {
      bits |= static_cast<uint64_t>(_mm512_cmp_ps_mask(_mm512_loadu_ps(s + i), limit.load(i), _CMP_NLT_UQ)) << i;
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

// The list of one query while database rows stream by, in any order.
class Selection {
 public:
  // `slack` bounds |approximate - exact score| of this query against any database row. `limit` is kept by the caller, for
  // comparisons of many queries at once: an approximate score below it cannot be in the list.
  Selection(const TopK<float>& a, int64_t query, float slack, float* limit)
      : a_(&a),
        query_(a.queries.data + query * a.queries.cols),
        limit_(limit),
        slack_(slack),
        self_(a.exclude_self ? query + a.query_offset : -1),
        capacity_(capacity(a.k)) {
    *limit_ = -kInf;
    kept_.reserve(capacity_);
  }

  static size_t capacity(int64_t k) { return static_cast<size_t>(2 * k + 32); }

  // The approximate scores of database rows first .. first + count.
  void offer(const float* s, int64_t first, int64_t count) {
    for (int64_t j = 0; j < count; j += kGroup) {
      uint64_t above = not_below(s + j, std::min(kGroup, count - j), OneLimit{*limit_});
      for (; above; above &= above - 1) {
        const int64_t at = j + std::countr_zero(above);
        take(s[at], first + at);
      }
    }
  }

  // The approximate score of one database row.
  void take(float score, int64_t index) {
    if (score < *limit_ || index == self_) return;
    kept_.push_back({score, index});
    if (kept_.size() < capacity_) return;
    prune();
    if (kept_.size() > capacity_ - 16) settle();
  }

  void finish(std::span<float> scores, std::span<int64_t> indices) {
    prune();
    rescore();
    for (int64_t i = 0; i < a_->k; ++i) scores[i] = kept_[i].score, indices[i] = kept_[i].index;
  }

 private:
  // K rows have an exact score of at least T - slack, T the K-th largest approximate one: what lies below T - 2 slack
  // cannot be among the K best.
  void prune() {
    if (std::isinf(slack_)) return;
    const auto kth = kept_.begin() + (a_->k - 1);
    std::nth_element(kept_.begin(), kth, kept_.end());
    *limit_ = std::max(*limit_, below(kth->score - 2 * slack_));
    std::erase_if(kept_, [this](const Candidate<float>& c) { return c.score < *limit_; });
  }

  // For when approximate scores cannot tell enough rows apart (many equal rows): keeps the K best by exact score. Another
  // row then enters only with a score of at least the last one's.
  void settle() {
    rescore();
    *limit_ = std::max(*limit_, below(kept_.back().score - slack_));
    // Scores are exact now; as approximate ones they are within the slack all the same.
  }

  void rescore() {
    const int64_t dim = a_->database.cols;
    for (Candidate<float>& c : kept_) c.score = exact_score(query_, a_->database.data + c.index * dim, dim);
    std::sort(kept_.begin(), kept_.end());
    kept_.resize(static_cast<size_t>(a_->k));
  }

  // The next smaller number: the subtraction that made x was rounded.
  static float below(float x) { return std::nextafter(x, -kInf); }

  const TopK<float>* a_;
  const float* query_;
  float* limit_;
  float slack_;
  int64_t self_;
  size_t capacity_;
  std::vector<Candidate<float>> kept_;  // approximate scores; at most capacity_
};

// In any order of summation |product - dot| <= dim u |q| |d| (Higham, Accuracy and Stability, 3.1), u = 2^-24; the
// exact score's own rounding and this expression's take a few more u; underflow loses at most a subnormal per term.
float score_slack(double query_norm, double database_norm, int64_t dim) {
  const double product = query_norm * database_norm, terms = static_cast<double>(dim);
  constexpr double kSafe = 1e37;  // below it no partial sum of a product can overflow
  if (product > kSafe) return kInf;
  return static_cast<float>(1.01 * (terms + 4) * 0x1p-24 * product + terms * 0x1p-126);
}

// What every query shares: the bound on the product's error, and the output.
struct Search {
  const TopK<float>& a;
  std::vector<double> query_norms;
  double largest;  // norm of a database row
  std::vector<float> limits;

  explicit Search(const TopK<float>& args)
      : a(args), query_norms(row_norms(a.queries, "query")), limits(static_cast<size_t>(a.queries.rows)) {
    const std::vector<double> norms = row_norms(a.database, "database");
    largest = *std::max_element(norms.begin(), norms.end());
  }

  Selection select(int64_t query) {
    return {a, query, score_slack(query_norms[query], largest, a.queries.cols), &limits[query]};
  }
  void product(Block rows, Block cols, float* tile) const {
    const int64_t dim = a.queries.cols;
    gemm(Op::none, Op::transpose, rows.count, cols.count, dim, 1, a.queries.data + rows.first * dim, dim,
         a.database.data + cols.first * dim, dim, 0, tile, cols.count);
  }
};

// Blocks of queries, each against the whole database. A tile of scores is half a second-level cache; few queries are cut
// finer, so that there is work for every thread.
void search_database(Search& search) {
  const TopK<float>& a = search.a;
  const int64_t query_rows = a.queries.rows >= 4096 ? 512 : 128, database_rows = (1 << 17) / query_rows;
  parallel_for(a.queries.rows, query_rows, [&](int64_t begin, int64_t end) {
    std::vector<Selection> selections;
    for (int64_t i = begin; i < end; ++i) selections.push_back(search.select(i));
    std::vector<float> tile((end - begin) * std::min(database_rows, a.database.rows));
    for (int64_t first = 0; first < a.database.rows; first += database_rows) {
      const int64_t count = std::min(database_rows, a.database.rows - first);
      search.product({begin, end - begin}, {first, count}, tile.data());
      for (int64_t i = 0; i < end - begin; ++i) selections[i].offer(tile.data() + i * count, first, count);
    }
    for (int64_t i = begin; i < end; ++i) selections[i - begin].finish(a.scores.row(i), a.indices.row(i));
  });
}

// The database searched for its own rows: a tile's rows are scores of block I's queries, its columns of block J's, which
// halves the products. All lists are open until the end.
void search_itself(Search& search) {
  const TopK<float>& a = search.a;
  const int64_t rows = a.queries.rows, size = rows >= 4096 ? 384 : 128;
  std::vector<Selection> selections;
  for (int64_t i = 0; i < rows; ++i) selections.push_back(search.select(i));
  for_block_pairs(rows, size, [&](Block rows_block, Block cols_block) {
    const auto tile = std::make_unique_for_overwrite<float[]>(static_cast<size_t>(rows_block.count * cols_block.count));
    search.product(rows_block, cols_block, tile.get());
    for (int64_t i = 0; i < rows_block.count; ++i) {
      const float* s = tile.get() + i * cols_block.count;
      const int64_t query = rows_block.first + i;
      selections[query].offer(s, cols_block.first, cols_block.count);
      if (rows_block.first == cols_block.first) continue;
      for (int64_t j = 0; j < cols_block.count; j += kGroup) {
        const int64_t at = cols_block.first + j;
        uint64_t above = not_below(s + j, std::min(kGroup, cols_block.count - j), Limits{&search.limits[at]});
        for (; above; above &= above - 1) {
          const int bit = std::countr_zero(above);
          selections[at + bit].take(s[j + bit], query);
        }
      }
    }
  });
  parallel_for(rows, 256, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) selections[i].finish(a.scores.row(i), a.indices.row(i));
  });
}

}  // namespace

template <>
void topk(const TopK<float>& a) {
  constexpr double kListBytes = 1 << 28;  // what open lists may take
  const double bytes = static_cast<double>(a.queries.rows) * static_cast<double>(Selection::capacity(a.k)) * 16;
  const bool itself = a.queries.data == a.database.data && a.queries.rows == a.database.rows;
  Search search(a);
  itself&& bytes <= kListBytes ? search_itself(search) : search_database(search);
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
