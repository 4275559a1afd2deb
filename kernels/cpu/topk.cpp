// Tiles of approximate scores, by bf16 products or f32's; candidates are gathered by them and rescored by the contract's sum. The
// product's error is bounded, so a list is certain as long as few enough rows lie within the bound of its last place. Queries
// with more of them are searched again: after bf16's by those of rows that stand as two bf16, then by f32's, after those (ties,
// differences below the error) in tiles of the contract's scores.
//
// The last search costs 2 to 3 times one by f32 products: f64 vectors hold half as many numbers. Where a few sampled queries
// show that most would come to the next search, one is left out.
#include "kernels/topk.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/cpu/block_pairs.h"
#include "kernels/cpu/topk_candidates.h"
#include "kernels/cpu/topk_offer.h"
#include "kernels/cpu/topk_tiles.h"

namespace kith::kernels::cpu {
namespace {

// Blocks of queries, each against the whole database. make(i) opens the list of query i, finish(i, list) ends it.
template <class Tiles, class Make, class Finish>
void search_database(const Tiles& tiles, int64_t queries, int64_t database_rows, TileSize size, const Make& make,
                     const Finish& finish) {
  using List = decltype(make(int64_t{0}));
  parallel_for(queries, size.queries, [&](int64_t begin, int64_t end) {
    std::vector<List> lists;
    for (int64_t i = begin; i < end; ++i) lists.push_back(make(i));
    const int64_t widest = tiles.stride(std::min(size.database, database_rows));
    const auto tile = aligned_array<typename List::Score>(tiles.height(end - begin) * widest);
    for (int64_t first = 0; first < database_rows; first += size.database) {
      const int64_t count = std::min(size.database, database_rows - first);
      tiles({begin, end - begin}, {first, count}, tile.get());
      for (int64_t i = begin; i < end; ++i)
        offer(lists[i - begin], tile.get() + (i - begin) * tiles.stride(count), first, count);
    }
    for (int64_t i = begin; i < end; ++i) finish(i, lists[i - begin]);
  });
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
    const auto tile = aligned_array<typename List::Score>(tiles.height(rows.count) * stride);
    tiles(rows, cols, tile.get());
    if (rows.first != cols.first) return offer_both(lists.data(), rows, cols, tile.get(), stride);
    for (int64_t i = 0; i < rows.count; ++i)
      offer(lists[rows.first + i], tile.get() + i * stride, cols.first, cols.count);
  });
  parallel_for(count, 256, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) finish(i, lists[i]);
  });
}

// One search of one problem: which rows are certain, and the ways to search.
class Search {
 public:
  Search(const TopK<float>& a, Candidates by)
      : a_(a), by_(by), operands_(a), all_(static_cast<size_t>(a.queries.rows)) {
    std::iota(all_.begin(), all_.end(), int64_t{0});
    constexpr double kListBytes = 1 << 28;  // what open lists may take
    const double bytes = static_cast<double>(a.queries.rows) * static_cast<double>(list_capacity(a.k)) * 16;
    itself_ = a.queries.data == a.database.data && a.queries.rows == a.database.rows && bytes <= kListBytes;
  }

  TopKStatus run() {
    Queries rest = all_;
    for (const Rounding rounding : {Rounding::one, Rounding::two})
      if (by_bf16(rest, rounding)) rest = search_by(Bf16Candidates(a_, operands_, rounding, itself_), rest);
    if (!rest.empty()) rest = search_by(F32Candidates(a_, operands_), rest);
    if (!rest.empty()) search_exactly(rest);
    return {.uncertified = static_cast<int64_t>(rest.size())};
  }

 private:
  // A few queries are searched by f32 products in less time than the database is rounded, and many in little more.
  bool by_bf16(const Queries& queries, Rounding rounding) const {
    const size_t enough = rounding == Rounding::one ? 256 : 4096;
    if (by_ == Candidates::bf16) return !queries.empty();
    return by_ == Candidates::fastest && fast_bf16() && queries.size() >= enough;
  }

  // Whether a sample of queries, spread evenly, shows enough certain lists. It costs little where there are enough queries.
  template <class Chooser>
  bool promising(const Chooser& chooser) const {
    constexpr int64_t kSample = 32;
    const int64_t rows = a_.queries.rows;
    if (rows < Chooser::kSampled) return true;
    Queries sample(kSample);
    for (int64_t n = 0; n < kSample; ++n) sample[n] = n * rows / kSample;
    const Queries uncertain =
        search_rows(chooser, chooser.tiles(sample), {kSample / 4, chooser.tile(rows).database}, sample);
    return kSample - static_cast<int64_t>(uncertain.size()) >= Chooser::kLeast;
  }

  // Writes the lists that are certain and returns the other ones of `queries`.
  template <class Chooser>
  Queries search_by(const Chooser& chooser, const Queries& queries) const {
    const int64_t count = static_cast<int64_t>(queries.size()), rows = a_.queries.rows;
    if (count == rows && !promising(chooser)) return queries;
    // The pairs of all rows, each once, are fewer than those of half the rows with all.
    if (itself_ && 2 * count > rows) {
      std::vector<char> certain(static_cast<size_t>(rows));
      search_itself(
          chooser.tiles(), rows, Chooser::block(rows), [&](int64_t q) { return chooser.list(q); },
          [&](int64_t q, ApproximateList& list) { certain[q] = list.finish(); });
      return without(queries, [&](int64_t n) { return certain[queries[n]]; });
    }
    return search_rows(chooser, count == rows ? chooser.tiles() : chooser.tiles(queries), chooser.tile(count), queries);
  }

  template <class Chooser>
  Queries search_rows(const Chooser& chooser, const typename Chooser::Tiles& tiles, TileSize size,
                      const Queries& queries) const {
    std::vector<char> certain(queries.size());
    search_database(
        tiles, static_cast<int64_t>(queries.size()), a_.database.rows, size,
        [&](int64_t n) { return chooser.list(queries[n]); },
        [&](int64_t n, ApproximateList& list) { certain[n] = list.finish(); });
    return without(queries, [&](int64_t n) { return certain[n]; });
  }

  template <class F>
  static Queries without(const Queries& queries, const F& drop) {
    Queries rest;
    for (size_t n = 0; n < queries.size(); ++n)
      if (!drop(static_cast<int64_t>(n))) rest.push_back(queries[n]);
    return rest;
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
  const Candidates by_;
  const TopKOperands operands_;
  Queries all_;
  bool itself_ = false;
};

}  // namespace

TopKStatus topk(const TopK<float>& a, Candidates by) { return Search(a, by).run(); }

template <>
TopKStatus topk(const TopK<float>& a) {
  return topk(a, Candidates::fastest);
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
