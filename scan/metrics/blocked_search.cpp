#include "scan/metrics/blocked_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/core/parallel.h"
#include "kernels/topk.h"
#include "nn/device/ranks/collective.h"
#include "nn/tensor/array.h"
#include "nn/tensor/profile.h"

namespace kith {
namespace {

using Lists = NeighbourSearch::Lists;

struct Rows {
  int64_t first = 0, count = 0;
  bool operator==(const Rows&) const = default;
  bool meets(const Rows& b) const { return first < b.first + b.count && b.first < first + count; }
};

std::vector<Rows> cut(int64_t rows, int64_t parts) {
  std::vector<Rows> out;
  for (int64_t p = 0; p < parts; ++p)
    out.push_back({.first = rows * p / parts, .count = rows * (p + 1) / parts - rows * p / parts});
  return out;
}

// On the CPU one block only where that is as quick as ever, and small: the kernel holds the lists of all of a block's rows open.
int64_t default_block_rows(const Context& ctx, const BlockedSearch& a) {
  constexpr int64_t kBlock = int64_t{64} << 20, kWhole = int64_t{256} << 20, kDeviceWhole = int64_t{4} << 30;
  const int64_t row = a.cols * static_cast<int64_t>(sizeof(float));
  if (!ctx.on_cpu()) return a.rows <= kDeviceWhole / row ? a.rows : std::min(kBlock / row, kDeviceQueries);
  const int64_t open = (int64_t{256} << 20) / ((2 * a.k + 32) * 16);  // kernels/topk.h
  return a.rows <= std::min(kWhole / row, open) ? a.rows : std::min(kBlock / row, open);
}

class BlockSearch {
 public:
  BlockSearch(Context& ctx, const BlockedSearch& a) : ctx_(ctx), ranks_(ctx.collective()), a_(a) {
    const int64_t most = std::max<int64_t>(a.block_rows > 0 ? a.block_rows : default_block_rows(ctx, a), 1);
    each_ = ceil_div(a.rows, most * ranks_.size());
    parts_ = cut(a.rows, each_ * ranks_.size());
    // A list of a block is as long as that of the whole: each has k rows beside the query's own.
    const int64_t fit = std::max<int64_t>(a.rows / (a.k + 1), 1);
    blocks_ = fit >= static_cast<int64_t>(parts_.size()) ? parts_ : cut(a.rows, fit);
  }

  Lists run() {
    out_.index.resize(static_cast<size_t>(a_.rows * a_.k));
    if (a_.scores) out_.score.resize(out_.index.size());
    if (parts_.size() == 1) return search_whole();
    make_room();
    for (int64_t n = 0; n < each_; ++n) search_part(n);
    share_lists();
    return std::move(out_);
  }

 private:
  const BlockedSearch::Read& read_queries() const { return a_.queries ? a_.queries : a_.database; }

  // On the device the whole database stays, or is streamed.
  Lists search_whole() {
    std::vector<float> rows(static_cast<size_t>(a_.rows * a_.cols)), apart;
    const Matrix<float> database{rows.data(), a_.rows, a_.cols};
    a_.database(0, database);
    Matrix<const float> queries = database;
    if (a_.queries) {
      apart.resize(rows.size());
      queries = {apart.data(), a_.rows, a_.cols};
      a_.queries(0, {apart.data(), a_.rows, a_.cols});
    }
    Lists lists = NeighbourSearch(ctx_, database)(queries, a_.k, a_.exclude_self);
    if (!a_.scores) lists.score = {};
    return lists;
  }

  void make_room() {
    int64_t longest = 0, block = 0;
    for (const Rows& r : parts_) longest = std::max(longest, r.count);
    for (const Rows& r : blocks_) block = std::max({block, r.count, longest});
    const auto entries = static_cast<size_t>(longest * a_.k);
    best_.resize(entries), best_index_.resize(entries), found_.resize(entries), found_index_.resize(entries);
    rounded_.resize(entries);
    queries_.resize(static_cast<size_t>(longest * a_.cols)), block_.resize(static_cast<size_t>(block * a_.cols));
  }

  // On every rank where they can read; else on all from the first.
  void fetch(const BlockedSearch::Read& read, const Rows& rows, std::vector<float>& to) {
    if (!a_.by_first || ranks_.rank() == 0) read(rows.first, {to.data(), rows.count, a_.cols});
    if (!a_.by_first) return;
    const std::span<float> sent(to.data(), static_cast<size_t>(rows.count * a_.cols));
    ranks_.broadcast(std::as_writable_bytes(sent), 0, Queue{});
  }

  const Rows& part_of(int rank, int64_t n) const { return parts_[static_cast<size_t>(rank * each_ + n)]; }

  void search_part(int64_t n) {
    const Rows own = part_of(ranks_.rank(), n);
    if (!a_.by_first) fetch(read_queries(), own, queries_);
    for (int r = 0; a_.by_first && r < ranks_.size(); ++r)
      fetch(read_queries(), part_of(r, n), r == ranks_.rank() ? queries_ : block_);
    for (size_t b = 0; b < blocks_.size(); ++b) {
      const bool itself = !a_.queries && blocks_[b] == own;
      if (a_.by_first || !itself) fetch(a_.database, blocks_[b], block_);
      search_block(own, blocks_[b], itself ? queries_ : block_);
      if (b == 0)
        best_.swap(found_), best_index_.swap(found_index_);
      else
        merge(own.count);
    }
    const auto at = own.first * a_.k, entries = own.count * a_.k;
    std::copy_n(best_index_.begin(), entries, out_.index.begin() + at);
    for (int64_t i = 0; a_.scores && i < entries; ++i) out_.score[at + i] = static_cast<float>(best_[i]) + 0.f;
  }

  // The lists of these rows among one block's: found_, found_index_.
  void search_block(const Rows& own, const Rows& block, const std::vector<float>& rows) {
    if (own.count == 0) return;
    const bool on_device = searched_on_device(ctx_, a_.k, a_.cols);
    const Matrix<const float> host{rows.data(), block.count, a_.cols};
    const Tensor there = on_device ? ctx_.from({block.count, a_.cols}, host.span()) : Tensor();
    const int64_t step = on_device ? kDeviceQueries : own.count;
    for (int64_t first = 0; first < own.count; first += step) {
      const int64_t count = std::min(step, own.count - first), at = first * a_.k;
      const OpScope op(ctx_, "topk",
                       kernels::topk_cost(static_cast<double>(count), static_cast<double>(block.count),
                                          static_cast<double>(a_.cols), static_cast<double>(a_.k)));
      kernels::TopK<float> search{.queries = {queries_.data() + first * a_.cols, count, a_.cols},
                                  .database = host,
                                  .k = a_.k,
                                  .exclude_self = a_.exclude_self && own.meets(block),
                                  .query_offset = own.first + first - block.first,
                                  .scores = {rounded_.data() + at, count, a_.k},
                                  .indices = {found_index_.data() + at, count, a_.k},
                                  .exact = {found_.data() + at, count, a_.k}};
      out_.uncertified += on_device ? search_there(search, there) : kernels::topk(search, Queue{}).uncertified;
    }
    for (int64_t i = 0; i < own.count * a_.k; ++i) found_index_[i] += block.first;
  }

  // `search` has its arrays in host memory, `database` is on the device.
  int64_t search_there(const kernels::TopK<float>& search, const Tensor& database) {
    const int64_t count = search.queries.rows;
    const Tensor q = ctx_.from({count, a_.cols}, search.queries.span()), scores = ctx_.empty({count, a_.k});
    const Array<int64_t> index(ctx_, count * a_.k);
    const Array<double> exact(ctx_, count * a_.k);
    kernels::TopK<float> there = search;
    there.queries = q.matrix(), there.database = database.matrix(), there.scores = scores.matrix();
    there.indices = {index.data(), count, a_.k}, there.exact = {exact.data(), count, a_.k};
    const int64_t uncertified = kernels::topk(there, ctx_.queue()).uncertified;
    std::ranges::copy(index.to_host(), search.indices.data);
    std::ranges::copy(exact.to_host(), search.exact.data);
    return uncertified;
  }

  // best_ with found_, by pieces whose copies are small.
  void merge(int64_t rows) {
    constexpr int64_t kPiece = 1024;
    parallel_for(rows, kPiece, [&](int64_t begin, int64_t end) {
      const int64_t n = end - begin, at = begin * a_.k, entries = n * a_.k;
      std::vector<double> scores(static_cast<size_t>(2 * entries));
      std::vector<int64_t> index(scores.size());
      std::copy_n(found_.begin() + at, entries, std::copy_n(best_.begin() + at, entries, scores.begin()));
      std::copy_n(found_index_.begin() + at, entries, std::copy_n(best_index_.begin() + at, entries, index.begin()));
      kernels::topk_merge({.part_scores = {scores.data(), 2 * n, a_.k},
                           .part_indices = {index.data(), 2 * n, a_.k},
                           .scores = {rounded_.data() + at, n, a_.k},
                           .indices = {best_index_.data() + at, n, a_.k},
                           .exact = {best_.data() + at, n, a_.k}},
                          Queue{});
    });
  }

  void share_lists() {
    const auto gather = [&](auto& all) {
      std::vector<int64_t> bounds;
      for (int r = 0; r < ranks_.size(); ++r)
        bounds.push_back(part_of(r, 0).first * a_.k * static_cast<int64_t>(sizeof(all[0])));
      bounds.push_back(static_cast<int64_t>(all.size() * sizeof(all[0])));
      ranks_.all_gather(std::as_writable_bytes(std::span(all)), bounds, Queue{});
    };
    gather(out_.index);
    if (a_.scores) gather(out_.score);
    std::vector<int64_t> counts(static_cast<size_t>(ranks_.size()));
    counts[static_cast<size_t>(ranks_.rank())] = out_.uncertified;
    ranks_.all_gather(std::as_writable_bytes(std::span(counts)), Queue{});
    out_.uncertified = std::accumulate(counts.begin(), counts.end(), int64_t{0});
  }

  Context& ctx_;
  Collective& ranks_;
  const BlockedSearch& a_;
  int64_t each_ = 1;                  // parts of a rank
  std::vector<Rows> parts_, blocks_;  // of the queries, in the order of the ranks; of the database
  Lists out_;
  std::vector<double> best_, found_;  // [rows of a part, k], before rounding
  std::vector<int64_t> best_index_, found_index_;
  std::vector<float> rounded_, queries_, block_;
};

}  // namespace

Lists nearest_in_blocks(Context& ctx, const BlockedSearch& a) {
  constexpr int64_t kLongest = 4096;  // kernels/topk.h
  const int64_t largest = std::min(kLongest, a.rows - (a.exclude_self ? 1 : 0));
  check(a.k >= 1 && a.k <= largest && a.cols >= 1,
        fmt::format("nearest neighbours: k is {}, expected 1..{} for {} rows", a.k, largest, a.rows));
  return BlockSearch(ctx, a).run();
}

}  // namespace kith
