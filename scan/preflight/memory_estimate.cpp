#include "scan/preflight/memory_estimate.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/formats/counted.h"
#include "scan/preflight/layers.h"
#include "scan/pretext/task.h"

namespace kith {
namespace {

constexpr double kFloat = 4, kInt = 4, kList = 12;

class Counter {
 public:
  Counter(const RunConfig& config, const DataShape& data, Device device, DType precision)
      : c_(config),
        d_(data),
        on_cpu_(device == Device::cpu),
        activation_(static_cast<double>(size_of(precision))),
        columns_(config.model.features()),
        train_(static_cast<double>(data.train)),
        scored_(static_cast<double>(data.test > 0 ? data.test : data.train)),
        pixels_(static_cast<double>(data.height) * data.width * data.channels),
        clusters_(config.cluster.classes > 0 ? config.cluster.classes : data.classes) {
    for (const ConvLayer& layer : backbone_layers(config.model, data.height, data.width, data.channels)) {
      backbone_ += layer.weights() + 4 * layer.out;  // scale, shift, running mean and variance
      largest_ = std::max(largest_, layer.outputs());
    }
  }

  Footprint pretext() const {
    const PretextTaskInfo& task = pretext_task(c_.pretext.task);
    const double head = task.head_weights(c_), beside = task.beside_of(c_, backbone_ + head);
    const double rows = kFloat * task.columns_of(c_) * (train_ + scored_);
    Footprint f{.stage = "pretext", .device = {}, .host = {}, .disk = {}};
    const int passes = c_.pretext.train.epochs > 0 ? task.passes : 0;
    add_training(f, c_.pretext.train, c_.pretext.augment, passes, backbone_ + head);
    f.host.push_back({"features", rows, fewer_images()});
    f.device.push_back({"features", rows, fewer_images()});
    if (beside > 0)
      f.device.push_back(
          {"the network that follows, and its queue", kFloat * beside, "a narrower model, --set model.width=N"});
    f.disk += rows + kFloat * (backbone_ + head + beside);
    return join(std::move(f));
  }

  Footprint features() const {
    const double rows = kFloat * pretext_task(c_.pretext.task).columns_of(c_) * (train_ + scored_);
    const MemoryPart part{"features", rows, fewer_images()};
    return join({.stage = "features", .device = {part}, .host = {part}, .disk = rows});
  }

  Footprint mine() const {
    const double rows = kFloat * pretext_task(c_.pretext.task).columns_of(c_) * std::max(train_, scored_);
    const double lists = std::min<double>(static_cast<double>(c_.mine.k), train_ - 1) * train_;
    // The file is mapped: what the search has of it at a time, at least (scan/metrics/blocked_search.h).
    constexpr double kBlocks = 2. * (1 << 26);
    Footprint f{.stage = "mine", .device = {}, .host = {}, .disk = {}};
    f.host = {{"features", std::min(rows, kBlocks), fewer_images()},
              {"lists of " + data::counted(c_.mine.k, "neighbour"), kList * lists, "fewer, --set mine.k=N"}};
    f.disk = 8 * (lists + scored_ * static_cast<double>(c_.mine.k_test));
    return join(std::move(f));
  }

  Footprint cluster() const {
    const ClusterConfig& k = c_.cluster;
    const double heads = k.heads * (columns_ + 1) * clusters_;
    const double logits = kFloat * k.heads * clusters_ * scored_;
    Footprint f{.stage = "cluster", .device = {}, .host = {}, .disk = {}};
    f.device.push_back({"logits of " + data::counted(k.heads, "head"), 2 * logits, "fewer, --set cluster.heads=N"});
    if (k.frozen) {
      const double rows = kFloat * columns_ * (k.views * train_ + scored_);
      const MemoryPart part{"features of " + data::counted(k.views, "view"), rows, "fewer, --set cluster.views=N"};
      f.host.push_back(part);
      f.device.push_back(part);
      f.device.push_back(weights(k.train, heads));
      f.disk += copies(k.train) * kFloat * heads;
    } else {
      add_training(f, k.train, k.augment, k.update_backbone ? 2 : 0, heads + (k.update_backbone ? backbone_ : 0));
    }
    f.disk += 2 * kFloat * backbone_ + kFloat * heads;  // the best state so far, and the result
    return join(std::move(f));
  }

  Footprint selflabel() const {
    Footprint f{.stage = "selflabel", .device = {}, .host = {}, .disk = {}};
    const double all = backbone_ + (columns_ + 1) * clusters_;
    add_training(f, c_.selflabel.train, c_.selflabel.augment, 1, all);
    if (c_.selflabel.ema > 0) f.device.push_back({"the moving average", kFloat * all, "none, --set selflabel.ema=0"});
    if (c_.selflabel.share > 0) f.device.push_back({"targets", kInt * train_, "none, --set selflabel.share=0"});
    f.disk += kFloat * all * (c_.selflabel.ema > 0 ? 2 : 1);
    return join(std::move(f));
  }

  Footprint refine() const {
    const RefineConfig& r = c_.refine;
    Footprint f{.stage = "refine", .device = {}, .host = {}, .disk = {}};
    const double all = backbone_ + (columns_ + 1) * clusters_;
    add_training(f, r.train, r.augment, 1, all);
    const MemoryPart lists{"lists of " + data::counted(r.neighbours, "neighbour"),
                           kList * static_cast<double>(std::min<int64_t>(r.neighbours, d_.train)) * train_,
                           "fewer, --set refine.neighbours=N"};
    f.host.push_back(lists);
    f.device.push_back({"features", kFloat * columns_ * train_, fewer_images()});
    if (r.ema > 0) f.device.push_back({"the moving average", kFloat * all, "none, --set refine.ema=0"});
    f.disk += kFloat * all * (r.ema > 0 ? 2 : 1);
    return join(std::move(f));
  }

  // On a device k-means on pixels is left out where it does not fit.
  Footprint evaluate(bool labelled) const {
    Footprint f{
        .stage = "evaluate", .device = {}, .host = {}, .disk = kFloat * (clusters_ + 1) * scored_ + kFloat * train_};
    const double rows = kFloat * columns_ * train_;
    if (labelled && on_cpu_)
      f.host.push_back({"pixels for k-means", kFloat * pixels_ * 2 * train_, fewer_images()});
    else
      f.device.push_back({"features", rows, fewer_images()});
    return join(std::move(f));
  }

 private:
  static double moments(const TrainConfig& t) {
    return t.optimizer.kind == OptimizerKind::adam || t.optimizer.kind == OptimizerKind::adamw ? 2 : 1;
  }
  static double copies(const TrainConfig& t) { return 1 + moments(t); }  // of weights in a checkpoint
  static std::string fewer_images() { return "fewer images, --set data.limit_train=N"; }

  MemoryPart weights(const TrainConfig& t, double count) const {
    const double half = activation_ < kFloat ? activation_ : 0;
    return {"weights", count * (kFloat * (2 + moments(t)) + half), "a narrower model, --set model.width=N"};
  }

  // Activations of one augmented view that are kept until backward.
  double kept(const AugmentConfig& augment) const {
    const DataShape views = views_of(d_, augment);
    double sum = static_cast<double>(views.height) * views.width * views.channels;
    for (const ConvLayer& layer : backbone_layers(c_.model, views.height, views.width, views.channels))
      sum += (layer.shortcut || (c_.recompute && !layer.kept) ? 1 : 2) * layer.outputs();
    return sum;
  }

  // `views` of each image in the batch pass the network for training, side by side in memory; 0: none are kept.
  void add_training(Footprint& f, const TrainConfig& t, const AugmentConfig& augment, int views, double count) const {
    const auto batch = static_cast<double>(std::min(t.batch, f.stage == "pretext" ? d_.pretext() : d_.train));
    f.device.push_back(weights(t, count));
    f.device.push_back({fmt::format("a training step of {} x {} images", std::max(views, 1), batch),
                        activation_ * batch * (views > 0 ? views * kept(augment) : 2 * largest_),
                        fmt::format("{}a smaller --set {}.batch=N, or a narrower --set model.width=N",
                                    views > 0 && !c_.recompute ? "--recompute, " : "", f.stage)});
    f.disk += copies(t) * kFloat * count;
  }

  Footprint join(Footprint f) const {
    if (!on_cpu_) return f;
    f.host.insert(f.host.end(), f.device.begin(), f.device.end());
    f.device.clear();
    return f;
  }

  const RunConfig& c_;
  const DataShape& d_;
  bool on_cpu_;
  double activation_, columns_, train_, scored_, pixels_, clusters_;
  double backbone_ = 0;  // numbers in its weight file
  double largest_ = 0;   // activation of one image
};

std::string size_with(int digits, double bytes) {
  return bytes < (1 << 30) ? fmt::format("{:.{}f} MiB", bytes / (1 << 20), digits)
                           : fmt::format("{:.{}f} GiB", bytes / (1 << 30), digits);
}

}  // namespace

std::vector<Footprint> footprints(const RunConfig& config, const DataShape& data, Device device, DType precision) {
  const Counter count(config, data, device, precision);
  std::vector<Footprint> stages = {count.pretext(), count.mine(), count.cluster()};
  if (config.selflabel.enabled) stages.push_back(count.selflabel());
  if (config.refine.enabled) stages.push_back(count.refine());
  stages.push_back(count.evaluate(data.labelled));
  return stages;
}

Footprint footprint_of_features(const RunConfig& config, const DataShape& data, Device device, DType precision) {
  return Counter(config, data, device, precision).features();
}

double total_bytes(const std::vector<MemoryPart>& parts) {
  double sum = 0;
  for (const MemoryPart& part : parts) sum += part.bytes;
  return sum;
}

std::string size_text(double bytes) { return size_with(1, bytes); }

std::pair<std::string, std::string> sizes_apart(double bytes, double other) {
  constexpr int kMostDigits = 3;  // then bytes are easier to read
  for (int digits = 1; digits <= kMostDigits; ++digits) {
    const std::pair told(size_with(digits, bytes), size_with(digits, other));
    if (told.first != told.second || bytes == other) return told;
  }
  return {fmt::format("{:.0f} bytes", bytes), fmt::format("{:.0f} bytes", other)};
}

}  // namespace kith
