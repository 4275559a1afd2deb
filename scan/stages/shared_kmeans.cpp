#include "scan/stages/shared_kmeans.h"

#include <span>
#include <vector>

#include "kernels/kmeans.h"
#include "nn/device/ranks/collective.h"
#include "nn/tensor/array.h"
#include "nn/tensor/profile.h"
#include "scan/run/ranks.h"

namespace kith {
namespace {

std::vector<int64_t> bounds_of_rows(Context& ctx, int64_t rows, int64_t cols, int64_t clusters) {
  const int ranks = ctx.collective().size();
  if (ctx.on_cpu()) return kernels::cpu::kmeans_shares(rows, clusters, cols, ranks);
  std::vector<int64_t> bounds(static_cast<size_t>(ranks) + 1, rows);
  bounds[0] = 0;
  return bounds;
}

}  // namespace

RowsOfRank kmeans_rows(Context& ctx, int64_t rows, int64_t cols, int64_t clusters) {
  const std::vector<int64_t> bounds = bounds_of_rows(ctx, rows, cols, clusters);
  const auto rank = static_cast<size_t>(ctx.collective().rank());
  return {.first = bounds[rank], .count = bounds[rank + 1] - bounds[rank]};
}

double shared_kmeans(Context& ctx, const SharedKMeans& a) {
  const OpScope op(ctx, "kmeans");  // no cost: how many iterations it takes, nobody knows
  Collective& ranks = ctx.collective();
  const Array<int32_t> labels(ctx, a.own.rows);
  kernels::KMeans<float> call{
      .x = a.own, .restarts = a.restarts, .seed = a.seed, .centroids = a.centroids, .labels = labels.span()};
  if (a.between) call.between = [&] { alone(ranks, a.between); };
  double inertia = 0;
  if (ranks.size() == 1) {
    inertia = kernels::kmeans(call, ctx.queue()).inertia;
  } else if (ctx.on_cpu()) {
    const kernels::KMeansShares shares{
        .rank = ranks.rank(),
        .bounds = bounds_of_rows(ctx, a.rows, a.own.cols, a.centroids.rows),
        .gather = [&](std::span<std::byte> all, std::span<const int64_t> at) { ranks.all_gather(all, at, Queue{}); }};
    call.shares = &shares;
    inertia = kernels::kmeans(call, ctx.queue()).inertia;
  } else {
    alone(ranks, [&] { inertia = kernels::kmeans(call, ctx.queue()).inertia; });
    ranks.broadcast(std::as_writable_bytes(a.centroids.span()), 0, ctx.queue());
    ranks.broadcast(std::as_writable_bytes(std::span(&inertia, 1)), 0, Queue{});
  }
  return inertia / static_cast<double>(a.rows);
}

}  // namespace kith
