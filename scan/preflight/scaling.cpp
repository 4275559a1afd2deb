#include "scan/preflight/scaling.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <span>

#include "scan/preflight/layers.h"
#include "scan/pretext/task.h"

namespace kith {
namespace {

constexpr double kNumber = 4, kDouble = 8;

// What every training step tells whatever it trains: the gradient, the statistics of batch norm, whether to stop.
class Traffic {
 public:
  Traffic(const RunConfig& config, const DataShape& data, Collective::BatchNorm norm) : norm_(norm) {
    for (const ConvLayer& layer : backbone_layers(config.model, data.height, data.width, data.channels)) {
      weights_ += layer.weights() + 2 * layer.out;
      channels_ += layer.out;
      ++norms_;
    }
  }

  // A step with `passes` forward passes in train mode.
  StepTraffic step(const std::string& stage, double flops, double head, double passes) const {
    StepTraffic t{.stage = stage, .flops = flops};
    t.reduced = kNumber * (weights_ + head);
    t.calls = 2 + 1;                              // and the wish to stop
    if (norm_ == Collective::BatchNorm::whole) {  // means, squares, and backward two sums: of every rank
      t.gathered += passes * 2 * 2 * kDouble * channels_;
      t.calls += static_cast<int>(passes) * 2 * norms_;
    } else {
      t.gathered += 2 * kNumber * channels_;
      t.calls += 1;
    }
    return t;
  }

 private:
  Collective::BatchNorm norm_;
  double weights_ = 0, channels_ = 0;
  int norms_ = 0;
};

using Clock = std::chrono::steady_clock;

// The quickest of some: what else runs only adds to it.
template <class F>
double seconds_of(Collective& ranks, int times, const F& f) {
  double best = 1e30;
  for (int n = 0; n < times; ++n) {
    ranks.barrier();
    const Clock::time_point begin = Clock::now();
    f();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return best;
}

}  // namespace

std::vector<StepTraffic> step_traffic(const RunConfig& config, const DataShape& data, Collective::BatchNorm norm) {
  std::vector<StepTraffic> out;
  const Traffic traffic(config, data, norm);
  const double classes = config.cluster.classes > 0 ? config.cluster.classes : data.classes;
  const double features = config.model.features();
  for (const StageEstimate& work : estimate(config, data)) {
    if (work.steps == 0) continue;
    const double flops = work.flops / static_cast<double>(work.steps);
    if (work.stage == "pretext") {
      const PretextTaskInfo& task = pretext_task(config.pretext.task);
      StepTraffic t = traffic.step("pretext", flops, task.head_weights(config), task.passes);
      const double rows = task.passes * static_cast<double>(std::min(config.pretext.train.batch, data.pretext()));
      const bool contrastive = config.pretext.task == PretextKind::simclr;
      const double keys = contrastive ? kNumber * rows * config.model.mined() : 0;
      t.reduced += keys;  // what anchors give to the keys of others
      t.gathered += keys + kNumber * rows;
      t.calls += contrastive ? 2 + 2 : 1;
      out.push_back(t);
    }
    if (work.stage == "cluster" || work.stage == "selflabel") {
      const bool cluster = work.stage == "cluster";
      const double heads = cluster ? config.cluster.heads : 1, passes = cluster ? 2 : 1;
      const TrainConfig& train = cluster ? config.cluster.train : config.selflabel.train;
      StepTraffic t = traffic.step(work.stage, flops, heads * (features + 1) * classes, passes);
      t.gathered += passes * kNumber * static_cast<double>(std::min(train.batch, data.train)) * heads * classes;
      t.calls += 2;
      out.push_back(t);
    }
  }
  return out;
}

StepTime step_time(const StepTraffic& t, const RankRates& r) {
  const double ranks = r.ranks, share = (ranks - 1) / ranks;
  if (r.ranks == 1) return {.compute = t.flops / r.flops};
  return {.compute = t.flops / (ranks * r.flops),
          .talk = t.calls * r.call_seconds + (2 * t.reduced + t.gathered) * share / r.bytes};
}

StepTime mining_time(const RunConfig& config, const DataShape& data, const RankRates& r) {
  const double columns = pretext_task(config.pretext.task).columns_of(config), ranks = r.ranks;
  const double pairs = r.device == Device::cpu ? 1 - 1 / (2 * ranks) : 1;
  double flops = 0, bytes = 0;
  for (const int64_t count : {data.train, data.test > 0 ? data.test : data.train}) {
    const auto n = static_cast<double>(count);
    flops += 2 * n * n * columns * pairs;
    bytes += kNumber * n * columns * 2;  // as queries and as the database
  }
  return {.compute = flops / (ranks * r.flops), .talk = r.ranks == 1 ? 0 : bytes / r.bytes};
}

RankRates measure_link(Collective& ranks) {
  constexpr int64_t kNumbers = int64_t{4} << 20;
  RankRates out{.ranks = ranks.size()};
  if (out.ranks == 1) return out;
  std::vector<float> numbers(static_cast<size_t>(kNumbers));
  const std::span<float> all(numbers);
  ranks.all_reduce(all, Queue{});  // memory and buffers are there
  const double small =
      seconds_of(ranks, 50, [&] { ranks.all_reduce(all.first(static_cast<size_t>(out.ranks)), Queue{}); });
  const double large = seconds_of(ranks, 5, [&] { ranks.all_reduce(all, Queue{}); });
  const double sent = 2 * kNumber * kNumbers * (out.ranks - 1) / out.ranks;
  out.call_seconds = small / 2;
  out.bytes = sent / std::max(large - small, 1e-9);
  out.source = fmt::format("{}, measured now", ranks.engine());
  return out;
}

std::vector<RankRates> gpu_rates(DType precision, bool tf32) {
  // NVLink of an H200: 900 GB/s, both directions (NVIDIA H200 datasheet). InfiniBand NDR: 400 Gbit/s a port, one to each GPU
  // (NVIDIA ConnectX-7 datasheet). That seven eighths of a direction carry data, and the seconds of a call, are assumptions.
  constexpr double kNvlink = 900e9 / 2, kInfiniBand = 400e9 / 8, kPayload = 7. / 8, kHop = 10e-6;
  constexpr int kOfMachine = 8;
  std::vector<RankRates> out;
  for (int ranks = 1; ranks <= 64; ranks *= 2) {
    const bool inside = ranks <= kOfMachine;
    out.push_back({.ranks = ranks,
                   .device = Device::cuda,
                   .flops = cuda_rate(precision, tf32).flops,
                   .call_seconds = kHop * std::bit_width(static_cast<unsigned>(ranks - 1)),
                   .bytes = kPayload * (inside ? kNvlink : kInfiniBand),
                   .source = ranks == 1 ? ""
                             : inside   ? "NVLink"
                                        : "InfiniBand NDR"});
  }
  return out;
}

}  // namespace kith
