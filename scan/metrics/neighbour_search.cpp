#include "scan/metrics/neighbour_search.h"

#include <algorithm>

#include "kernels/core/check.h"
#include "kernels/topk.h"
#include "nn/device/accelerator.h"
#include "nn/tensor/array.h"
#include "nn/tensor/profile.h"

namespace kith {
namespace {

// Longest lists of a search on a device; beyond, the CPU finds the same lists.
constexpr int64_t kDeviceK = 256, kDeviceDim = 4096;

Cost cost_of(const Matrix<const float>& queries, const Matrix<const float>& database, int64_t k) {
  return kernels::topk_cost(static_cast<double>(queries.rows), static_cast<double>(database.rows),
                            static_cast<double>(database.cols), static_cast<double>(k));
}

}  // namespace

bool searched_on_device(const Context& ctx, int64_t k, int64_t cols) {
  return !ctx.on_cpu() && k <= kDeviceK && cols <= kDeviceDim;
}

NeighbourSearch::NeighbourSearch(Context& ctx, Matrix<const float> database) : ctx_(ctx), host_(database) {
  if (ctx.on_cpu() || database.cols > kDeviceDim) return;
  const auto bytes = static_cast<int64_t>(sizeof(float)) * database.size();
  if (bytes < ctx.accelerator()->free_bytes() / 3)  // the search prepares operands of half that size, and has lists
    device_ = ctx.from({database.rows, database.cols}, database.span());
}

NeighbourSearch::Lists NeighbourSearch::on_host(Matrix<const float> queries, int64_t k, bool exclude_self,
                                                int64_t query_offset) const {
  const OpScope op(ctx_, "topk", cost_of(queries, host_, k));
  Lists out{.score = std::vector<float>(static_cast<size_t>(queries.rows * k)), .index = {}, .uncertified = 0};
  out.index.resize(out.score.size());
  const kernels::TopKStatus status = kernels::topk({.queries = queries,
                                                    .database = host_,
                                                    .k = k,
                                                    .exclude_self = exclude_self,
                                                    .query_offset = query_offset,
                                                    .scores = {out.score.data(), queries.rows, k},
                                                    .indices = {out.index.data(), queries.rows, k}},
                                                   Queue{});
  out.uncertified = status.uncertified;
  return out;
}

NeighbourSearch::Lists NeighbourSearch::operator()(Matrix<const float> queries, int64_t k, bool exclude_self,
                                                   int64_t query_offset) const {
  if (!searched_on_device(ctx_, k, host_.cols)) return on_host(queries, k, exclude_self, query_offset);
  Lists out;
  for (int64_t first = 0; first < queries.rows; first += kDeviceQueries) {
    const int64_t rows = std::min(kDeviceQueries, queries.rows - first);
    const Matrix<const float> part{queries.row(first).data(), rows, queries.cols};
    const Tensor q = ctx_.from({rows, queries.cols}, part.span()), scores = ctx_.empty({rows, k});
    const Array<int64_t> index(ctx_, rows * k);
    const Matrix<int64_t> indices{index.data(), rows, k};
    const OpScope op(ctx_, "topk", cost_of(part, host_, k));  // and the way back of its lists
    kernels::TopKStatus status;
    if (device_.empty())
      status = kernels::topk_streamed({.queries = q.matrix(),
                                       .database = host_,
                                       .k = k,
                                       .exclude_self = exclude_self,
                                       .query_offset = query_offset + first,
                                       .scores = scores.matrix(),
                                       .indices = indices},
                                      ctx_.queue());
    else
      status = kernels::topk({.queries = q.matrix(),
                              .database = device_.matrix(),
                              .k = k,
                              .exclude_self = exclude_self,
                              .query_offset = query_offset + first,
                              .scores = scores.matrix(),
                              .indices = indices},
                             ctx_.queue());
    out.uncertified += status.uncertified;
    const std::vector<float> s = scores.to_host();
    const std::vector<int64_t> i = index.to_host();
    out.score.insert(out.score.end(), s.begin(), s.end());
    out.index.insert(out.index.end(), i.begin(), i.end());
  }
  return out;
}

Neighbours nearest(Context& ctx, const Matrix<const float>& unit_rows, int64_t k, bool include_self) {
  check(unit_rows.rows >= 2, "nearest neighbours: at least two images are needed");
  check(k >= 1, "nearest neighbours: k must be at least 1");
  const int64_t columns = std::min(k, unit_rows.rows - 1) + (include_self ? 1 : 0);
  NeighbourSearch::Lists lists = NeighbourSearch(ctx, unit_rows)(unit_rows, columns, !include_self);
  return {.rows = unit_rows.rows,
          .k = columns,
          .index = std::move(lists.index),
          .score = std::move(lists.score),
          .uncertified = lists.uncertified};
}

}  // namespace kith
