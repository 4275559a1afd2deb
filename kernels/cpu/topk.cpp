// Tiles of approximate scores by f32 products; candidates are gathered by them and rescored by the contract's sum. The
// product's rounding error is bounded, so a list is certain as long as few enough rows lie within the bound of its last
// place. Queries with more of them (ties, differences below the error) are searched again in tiles of the contract's scores.
//
// The second search costs 2 to 3 times the first: f64 vectors hold half as many numbers. Where a few sampled queries show that
// most would come to it, the first is left out.
#include "kernels/topk.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>
#include <numeric>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/cpu/block_pairs.h"
#include "kernels/cpu/topk_exact.h"
#include "kernels/cpu/topk_list.h"
#include "kernels/cpu/topk_operands.h"
#include "kernels/gemm.h"

namespace kith::kernels::cpu {
namespace {

using Queries = std::vector<int64_t>;  // rows of the problem's queries

// Scores of f32 products. All tiles are [rows.count][stride(cols.count)].
struct ApproximateTiles {
  Matrix<const float> queries, database;
  static int64_t stride(int64_t cols) { return cols; }
  static int64_t height(int64_t rows) { return rows; }
  void operator()(Block rows, Block cols, float* tile) const {
    const int64_t dim = queries.cols;
    gemm(Op::none, Op::transpose, rows.count, cols.count, dim, 1, queries.data + rows.first * dim, dim,
         database.data + cols.first * dim, dim, 0, tile, cols.count);
  }
};

// The contract's scores of chosen queries.
struct ExactTiles {
  const TopK<float>& a;
  const Queries& queries;
  static int64_t stride(int64_t cols) { return padded(cols, kDatabasePanel); }
  static int64_t height(int64_t rows) { return padded(rows, kQueryPanel); }
  void operator()(Block rows, Block cols, double* tile) const {
    const int64_t dim = a.queries.cols;
    const auto q = std::make_unique_for_overwrite<double[]>(static_cast<size_t>(height(rows.count) * dim)),
               x = std::make_unique_for_overwrite<double[]>(static_cast<size_t>(stride(cols.count) * dim));
    pack_exact(
        rows.count, dim, kQueryPanel, [&](int64_t i) { return a.queries.row(queries[rows.first + i]).data(); },
        q.get());
    pack_exact(
        cols.count, dim, kDatabasePanel, [&](int64_t j) { return a.database.row(cols.first + j).data(); }, x.get());
    exact_tile(q.get(), rows.count, x.get(), cols.count, dim, tile);
  }
};

struct TileSize {
  int64_t queries, database;
};

// Blocks of queries, each against the whole database. make(i) opens the list of query i, finish(i, list) ends it.
template <class Tiles, class Make, class Finish>
void search_database(const Tiles& tiles, int64_t queries, int64_t database_rows, TileSize size, const Make& make,
                     const Finish& finish) {
  using List = decltype(make(int64_t{0}));
  parallel_for(queries, size.queries, [&](int64_t begin, int64_t end) {
    std::vector<List> lists;
    for (int64_t i = begin; i < end; ++i) lists.push_back(make(i));
    const int64_t widest = tiles.stride(std::min(size.database, database_rows));
    std::vector<typename List::Score> tile(tiles.height(end - begin) * widest);
    for (int64_t first = 0; first < database_rows; first += size.database) {
      const int64_t count = std::min(size.database, database_rows - first);
      tiles({begin, end - begin}, {first, count}, tile.data());
      for (int64_t i = begin; i < end; ++i)
        offer(lists[i - begin], tile.data() + (i - begin) * tiles.stride(count), first, count);
    }
    for (int64_t i = begin; i < end; ++i) finish(i, lists[i - begin]);
  });
}

// A tile's scores as those of its columns' queries.
template <class List>
void offer_columns(List* lists, Block rows, Block cols, const typename List::Score* tile, int64_t stride) {
  using T = typename List::Score;
  std::vector<T> limits(cols.count);  // they rise while the tile is read: a list looks again
  for (int64_t j = 0; j < cols.count; ++j) limits[j] = lists[cols.first + j].limit_for(rows.first);
  for (int64_t i = 0; i < rows.count; ++i, tile += stride) {
    for (int64_t j = 0; j < cols.count; j += kGroup) {
      uint64_t above = not_below(tile + j, std::min(kGroup, cols.count - j), Limits<T>{&limits[j]});
      for (; above; above &= above - 1) {
        const int64_t at = j + std::countr_zero(above);
        lists[cols.first + at].take(tile[at], rows.first + i);
      }
    }
  }
}

// The database searched for its own rows: a tile's rows are scores of block I's queries, its columns of block J's, which
// halves the products. All lists are open until the end.
template <class Tiles, class Make, class Finish>
void search_itself(const Tiles& tiles, int64_t count, int64_t size, const Make& make, const Finish& finish) {
  using List = decltype(make(int64_t{0}));
  std::vector<List> lists;
  for (int64_t i = 0; i < count; ++i) lists.push_back(make(i));
  for_block_pairs(count, size, [&](Block rows, Block cols) {
    const int64_t stride = tiles.stride(cols.count);
    const auto tile =
        std::make_unique_for_overwrite<typename List::Score[]>(static_cast<size_t>(tiles.height(rows.count) * stride));
    tiles(rows, cols, tile.get());
    for (int64_t i = 0; i < rows.count; ++i)
      offer(lists[rows.first + i], tile.get() + i * stride, cols.first, cols.count);
    if (rows.first != cols.first) offer_columns(lists.data(), rows, cols, tile.get(), stride);
  });
  parallel_for(count, 256, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) finish(i, lists[i]);
  });
}

// One search of one problem: which rows are certain, and the ways to search.
class Search {
 public:
  explicit Search(const TopK<float>& a) : a_(a), operands_(a), all_(static_cast<size_t>(a.queries.rows)) {
    std::iota(all_.begin(), all_.end(), int64_t{0});
    constexpr double kListBytes = 1 << 28;  // what open lists may take
    const double bytes = static_cast<double>(a.queries.rows) * static_cast<double>(list_capacity(a.k)) * 16;
    itself_ = a.queries.data == a.database.data && a.queries.rows == a.database.rows && bytes <= kListBytes;
  }

  TopKStatus run() {
    const Queries uncertified = hopeless() ? all_ : search_approximately();
    if (!uncertified.empty()) search_exactly(uncertified);
    return {.uncertified = static_cast<int64_t>(uncertified.size())};
  }

 private:
  ApproximateList approximate_list(int64_t query) const {
    return {{&a_, query}, operands_.offset, operands_.slack(query)};
  }

  // Whether most of a sample of queries, spread evenly, cannot be certified. The sample is too small to cost much where there
  // are enough queries.
  bool hopeless() const {
    constexpr int64_t kSample = 32, kEnough = 4096;
    const int64_t rows = a_.queries.rows;
    if (rows < kEnough) return false;
    const auto query = [&](int64_t n) { return n * rows / kSample; };
    std::vector<float> sample;
    for (int64_t n = 0; n < kSample; ++n) {
      const auto row = operands_.queries.row(query(n));
      sample.insert(sample.end(), row.begin(), row.end());
    }
    std::vector<char> certain(kSample);
    search_database(
        ApproximateTiles{{sample.data(), kSample, operands_.queries.cols}, operands_.database}, kSample,
        a_.database.rows, {kSample / 4, 4096}, [&](int64_t n) { return approximate_list(query(n)); },
        [&](int64_t n, ApproximateList& list) { certain[n] = list.finish(); });
    return 2 * std::count(certain.begin(), certain.end(), 1) < kSample;
  }

  // Writes the lists that are certain and returns the other queries. A tile of scores is half a second-level cache; few
  // queries are cut finer, so that there is work for every thread.
  Queries search_approximately() const {
    const int64_t rows = a_.queries.rows;
    std::vector<char> certain(all_.size());
    const ApproximateTiles tiles{operands_.queries, operands_.database};
    const auto make = [&](int64_t q) { return approximate_list(q); };
    const auto finish = [&](int64_t q, ApproximateList& list) { certain[q] = list.finish(); };
    if (itself_)
      search_itself(tiles, rows, rows >= 4096 ? 384 : 128, make, finish);
    else
      search_database(tiles, rows, a_.database.rows, rows >= 4096 ? TileSize{512, 256} : TileSize{128, 1024}, make,
                      finish);
    Queries uncertified;
    for (const int64_t q : all_)
      if (!certain[q]) uncertified.push_back(q);
    return uncertified;
  }

  void search_exactly(const Queries& queries) const {
    const int64_t count = static_cast<int64_t>(queries.size()), rows = a_.queries.rows;
    // The pairs of all rows, each once, are fewer than those of half the rows with all.
    const bool all = itself_ && 2 * count > rows;
    const Queries& searched = all ? all_ : queries;
    const ExactTiles tiles{a_, searched};
    const auto make = [&](int64_t n) { return ExactList({&a_, searched[n]}); };
    const auto finish = [](int64_t, ExactList& list) { list.finish(); };
    if (all)
      search_itself(tiles, rows, rows >= 4096 ? 256 : 128, make, finish);
    else
      search_database(tiles, count, a_.database.rows, {count >= 1024 ? 128 : 32, 256}, make, finish);
  }

  const TopK<float>& a_;
  const TopKOperands operands_;
  Queries all_;
  bool itself_ = false;
};

}  // namespace

template <>
TopKStatus topk(const TopK<float>& a) {
  return Search(a).run();
}

template <>
TopKStatus topk(const TopK<double>& a) {
  for (int64_t i = 0; i < a.queries.rows; ++i) {
    std::vector<Candidate> all;
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
  return {};
}

}  // namespace kith::kernels::cpu
