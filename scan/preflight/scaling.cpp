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

// Layers that normalise, and their channels.
struct Norms {
  double channels = 0;
  int layers = 0;
};
Norms operator+(Norms a, Norms b) { return {a.channels + b.channels, a.layers + b.layers}; }

// What steps tell, by what they train.
class Traffic {
 public:
  Traffic(const RunConfig& config, const DataShape& data, Collective::BatchNorm by) : by_(by) {
    for (const ConvLayer& layer : backbone_layers(config.model, data.height, data.width, data.channels)) {
      weights_ += layer.weights() + 2 * layer.out;
      norms_ = norms_ + Norms{layer.out, 1};
    }
  }
  Norms backbone() const { return norms_; }

  // Its gradient, and whether to stop: what every step tells.
  StepTraffic step(const std::string& stage, double flops, double trained) const {
    return {.stage = stage, .flops = flops, .reduced = kNumber * trained, .each = kNumber, .calls = 2 + 1};
  }
  double weights() const { return weights_; }

  // Running means and variances of the trained network.
  static void add_statistics(StepTraffic& t, Norms trained) { t.each += 2 * kNumber * trained.channels, t.calls += 1; }
  // `passes` forward in train mode, or, another time, as many backward: of each layer two numbers a channel, and how many rows.
  void add_passes(StepTraffic& t, Norms norms, int passes) const {
    if (by_ == Collective::BatchNorm::own) return;
    t.each += passes * kDouble * (2 * norms.channels + norms.layers);
    t.calls += passes * norms.layers;
  }
  // `times` arrays of rows of all that come out of the network.
  static void add_rows(StepTraffic& t, int times, double numbers) {
    t.gathered += times * kNumber * numbers, t.calls += times;
  }

 private:
  Collective::BatchNorm by_;
  double weights_ = 0;
  Norms norms_;
};

StepTraffic pretext_traffic(const Traffic& traffic, const RunConfig& c, double flops, double batch) {
  const PretextTaskInfo& task = pretext_task(c.pretext.task);
  StepTraffic t = traffic.step("pretext", flops, traffic.weights() + task.head_weights(c));
  const double dim = c.model.mined();
  if (c.pretext.task == PretextKind::byol) {
    // Each view by itself, through the trained network and through the one that follows it, whose head has one norm less.
    const Norms head{static_cast<double>(c.pretext.byol.hidden), 1};
    Traffic::add_statistics(t, traffic.backbone() + head + head);
    traffic.add_passes(t, traffic.backbone() + head + head, 2 * 2);
    traffic.add_passes(t, traffic.backbone() + head, 2);
    Traffic::add_rows(t, 4, batch * c.model.projection);
    return t;
  }
  Traffic::add_statistics(t, traffic.backbone());
  traffic.add_passes(t, traffic.backbone(), 2);
  if (c.pretext.task == PretextKind::simclr) {
    Traffic::add_rows(t, 1, 2 * batch * dim);
    Traffic::add_rows(t, 1, 2 * batch);
    t.reduced += kNumber * 2 * batch * dim, t.calls += 2;  // what anchors give to the keys of others
  } else if (c.pretext.task == PretextKind::moco) {
    traffic.add_passes(t, traffic.backbone(), 1);  // the keys
    Traffic::add_rows(t, 1, batch * dim);
    t.each += kNumber, t.calls += 1;  // a rank's share of the loss
  } else {
    Traffic::add_rows(t, 1, task.passes * batch * task.passes);  // RotNet: as many classes as turns
  }
  return t;
}

StepTraffic cluster_traffic(const Traffic& traffic, const RunConfig& c, double flops, double logits) {
  const ClusterConfig& k = c.cluster;
  const double head = k.heads * (c.model.features() + 1.) * logits;
  const bool backbone = !k.frozen && k.update_backbone;
  StepTraffic t = traffic.step("cluster", flops, head + (backbone ? traffic.weights() : 0));
  if (backbone) {
    Traffic::add_statistics(t, traffic.backbone());
    traffic.add_passes(t, traffic.backbone(), 2 * 2);
  }
  return t;
}

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
  for (const StageEstimate& work : estimate(config, data)) {
    if (work.steps == 0) continue;
    const double flops = work.flops / static_cast<double>(work.steps);
    const auto batch = [](const TrainConfig& t, int64_t images) {
      return static_cast<double>(std::min(t.batch, images));
    };
    if (work.stage == "pretext")
      out.push_back(pretext_traffic(traffic, config, flops, batch(config.pretext.train, data.pretext())));
    if (work.stage == "cluster") {
      StepTraffic t = cluster_traffic(traffic, config, flops, classes);
      Traffic::add_rows(t, 2, batch(config.cluster.train, data.train) * config.cluster.heads * classes);
      out.push_back(t);
    }
    if (work.stage == "selflabel") {
      StepTraffic t = traffic.step("selflabel", flops, traffic.weights() + (config.model.features() + 1.) * classes);
      Traffic::add_statistics(t, traffic.backbone());
      traffic.add_passes(t, traffic.backbone(), 2 + 1);
      Traffic::add_rows(t, config.selflabel.share > 0 ? 1 : 2, batch(config.selflabel.train, data.train) * classes);
      out.push_back(t);
    }
    if (work.stage == "refine") {
      const double images = batch(config.refine.train, data.train);
      StepTraffic t = traffic.step("refine", flops, traffic.weights() + (config.model.features() + 1.) * classes);
      Traffic::add_statistics(t, traffic.backbone());
      traffic.add_passes(t, traffic.backbone(), 3 + 2);
      Traffic::add_rows(t, 2, images * classes);
      Traffic::add_rows(t, 1, std::min(static_cast<double>(config.refine.labelled), images) * classes);
      out.push_back(t);
    }
  }
  return out;
}

StepTime step_time(const StepTraffic& t, const RankRates& r) {
  const double ranks = r.ranks, bytes = (2 * t.reduced + t.gathered) / ranks + t.each;
  if (r.ranks == 1) return {.compute = t.flops / r.flops};
  return {.compute = t.flops / (ranks * r.flops), .talk = t.calls * r.call_seconds + bytes * (ranks - 1) / r.bytes};
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
