#include "scan/preflight/preflight.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "data/formats/counted.h"
#include "kernels/augment_params.h"
#include "kernels/core/check.h"
#include "scan/preflight/memory_estimate.h"
#include "scan/preflight/preset_fit.h"
#include "scan/pretext/task.h"

namespace kith {
namespace {

constexpr int64_t kLongestList = 4096;  // of kernels::topk
constexpr int kWidestNtXent = 256;      // of kernels::ntxent on CUDA
constexpr double kTight = 0.8;          // of what is free

class Check {
 public:
  Check(const RunConfig& config, const data::Dataset& data, std::span<const std::string> stages, const Resources& free)
      : c_(config), data_(data), stages_(stages), free_(free), shape_(shape_of(data)) {}

  Preflight all() {
    images();
    if (!out_.faults.empty()) return std::move(out_);  // what follows counts on images
    if (runs("cluster") || runs("selflabel") || runs("refine") || runs("evaluate")) clusters();
    lists();
    if (runs("cluster") && c_.mine.k == 0) partners();
    const bool contrastive = c_.pretext.task == PretextKind::simclr || c_.pretext.task == PretextKind::moco;
    if (runs("pretext") && contrastive && free_.device == Device::cuda && imported("pretext").empty() &&
        c_.model.mined() > kWidestNtXent)
      fault(fmt::format(
          "model.projection: expected at most {} on a CUDA device, the limit of the contrastive loss there; "
          "found {}",
          kWidestNtXent, c_.model.mined()));
    if (runs("pretext") && imported("pretext").empty()) {
      const data::Images& seen = data_.train();
      const std::string text = pretext_task(c_.pretext.task)
                                   .fault_of(c_, {.images = shape_.pretext(),
                                                  .height = seen.height,
                                                  .width = seen.width,
                                                  .ranks = free_.ranks,
                                                  .whole_norm = free_.least_share == 1});
      if (!text.empty()) fault(text);
    }
    training("pretext", c_.pretext.train);
    training("cluster", c_.cluster.train);
    training("selflabel", c_.selflabel.train);
    training("refine", c_.refine.train);
    views("pretext.augment", c_.pretext.augment);
    views("cluster.augment", c_.cluster.augment);
    views("selflabel.augment", c_.selflabel.augment);
    views("refine.augment", c_.refine.augment);
    views("refine.weak", c_.refine.weak);
    if (runs("refine")) reliable();
    enabled("selflabel", c_.selflabel.enabled);
    enabled("refine", c_.refine.enabled);
    if (runs("pretext") && imported("pretext").empty()) warn_if(unfit_preset(c_, data_));
    if (out_.faults.empty()) room();
    return std::move(out_);
  }

 private:
  bool runs(std::string_view stage) const { return std::ranges::find(stages_, stage) != stages_.end(); }
  // Where the weights of a stage were taken from, if they were.
  std::string imported(std::string_view stage) const {
    return stage == "pretext" ? c_.pretext.weights : stage == "cluster" ? c_.cluster.weights : "";
  }
  void fault(std::string text) { out_.faults.push_back(std::move(text)); }
  void warn(std::string text) { out_.warnings.push_back(std::move(text)); }
  void warn_if(std::optional<std::string> text) {
    if (text) warn(std::move(*text));
  }

  void images() {
    split("train", data_.train(), c_.data.limit_train);
    if (data_.test().count > 0) split("test", data_.test(), c_.data.limit_test);
    if (c_.data.limit_unlabelled > 0 && data_.of(data::Role::unlabelled).count == 0)
      warn(fmt::format("data.limit_unlabelled: {} has no unlabelled images", data_.spec));
    if (const data::Images& more = data_.of(data::Role::unlabelled); more.count > 0 && !same_shape(more, data_.train()))
      fault(fmt::format(
          "the unlabelled images of {} are {} x {} x {}, the train images {} x {} x {}; expected one shape", data_.spec,
          more.height, more.width, more.channels, data_.train().height, data_.train().width, data_.train().channels));
  }

  static bool same_shape(const data::Images& a, const data::Images& b) {
    return a.height == b.height && a.width == b.width && a.channels == b.channels;
  }

  void split(const std::string& name, const data::Images& images, int64_t limit) {
    if (images.count < 2)
      fault(fmt::format("the {} split of {} has {}{}; expected at least 2, a neighbour is another image", name,
                        data_.spec, images.count == 1 ? "1 image" : "no images",
                        limit == 1 ? fmt::format(" by data.limit_{} = 1", name) : ""));
    if (images.count < 1) return;
    if (std::min(images.height, images.width) < 1 || std::max(images.height, images.width) > kernels::kMaxSide)
      fault(
          fmt::format("the images of the {} split are {} x {} pixels; expected sides of 1 to {}, --set data.size=N "
                      "resizes them",
                      name, images.height, images.width, kernels::kMaxSide));
    if (images.channels != 1 && images.channels != 3)
      fault(fmt::format("the images of the {} split have {} channels; expected 1 or 3", name, images.channels));
  }

  void clusters() {
    const bool own = c_.cluster.classes > 0;
    const int64_t count = own ? c_.cluster.classes : data_.classes();
    if (count < 2)
      return fault(
          fmt::format("cluster.classes: {} has {}, so the number of clusters to look for must be given: --set "
                      "cluster.classes=N, at least 2",
                      data_.spec, count == 1 ? "1 class" : "no classes"));
    if (count > shape_.train)
      return fault(
          fmt::format("cluster.classes: {} clusters for {} train images; expected at most one for each image (SCAN "
                      "and k-means need as many)",
                      count, shape_.train));
    if (!runs("evaluate")) return;
    // Ten columns of images drawn about 64 pixels wide: scan/stages/evaluate.cpp. The encoder counts bytes in an int.
    const double scale = std::max(1, 64 / shape_.width),
                 rows = static_cast<double>(count) * (shape_.height * scale + 2);
    const double bytes = rows * (1 + 10 * (shape_.width * scale + 2) * shape_.channels);
    if (bytes > INT32_MAX)
      fault(fmt::format(
          "cluster.classes: the picture of the prototypes of {} clusters would need {}, above the limit of the "
          "PNG writer; expected at most {}",
          count, size_text(bytes), static_cast<int64_t>(static_cast<double>(count) * INT32_MAX / bytes)));
  }

  void lists() {
    if (runs("mine")) {
      list("mine.k", c_.mine.k, shape_.train - 1, "train");
      list("mine.k_test", c_.mine.k_test, data_.scored().count - 1, "scored");
    }
    const bool asked = (runs("evaluate") || runs("pretext") || runs("features")) && data_.test().count > 0;
    const int64_t k = std::min(c_.evaluate.knn_k, shape_.train);
    if (asked && shape_.labelled && k > kLongestList)
      return fault(fmt::format("evaluate.knn_k: expected at most {}; found {}", kLongestList, c_.evaluate.knn_k));
    // The default is of larger sets, and nobody has asked for it.
    if (asked && shape_.labelled && c_.evaluate.knn_k > shape_.train && c_.evaluate.knn_k != RunConfig{}.evaluate.knn_k)
      warn(fmt::format("evaluate.knn_k: {} neighbours asked for, there are {} train images", c_.evaluate.knn_k,
                       shape_.train));
  }

  // With mine.k = 0 an image's partner is another view of it, and there must be one.
  void partners() {
    std::vector<std::string> missing;
    if (c_.cluster.augment.policy == kernels::AugmentPolicy::none)
      missing.emplace_back("cluster.augment.policy simclr or strong, found none");
    if (c_.cluster.frozen && c_.cluster.views < 2)
      missing.push_back(fmt::format("cluster.views of at least 2, found {}", c_.cluster.views));
    if (!missing.empty())
      fault(fmt::format("mine.k: 0 pairs each image with another view of itself; expected {}",
                        fmt::join(missing, ", and ")));
  }

  void list(const char* field, int64_t k, int64_t others, const char* split) {
    const int64_t own = c_.mine.include_self ? 1 : 0;
    if (std::min(k, others) + own > kLongestList)
      return fault(fmt::format("{}: expected at most {}{}; found {}", field, kLongestList - own,
                               own > 0 ? " beside the image itself" : "", k));
    if (k > others)
      warn(fmt::format("{}: {} asked for, each {} image has {}", field, data::counted(k, "neighbour"), split,
                       data::counted(others, "other")));
  }

  void training(const std::string& stage, const TrainConfig& t) {
    if (!runs(stage) || !imported(stage).empty()) return;
    if (t.epochs == 0) return warn(fmt::format("{}.epochs: 0, nothing is trained in this stage", stage));
    const auto epochs = static_cast<double>(t.epochs);
    const int64_t images = stage == "pretext" ? shape_.pretext() : shape_.train;
    if (t.batch > images) warn(fmt::format("{}.batch: {} is cut to the {} train images", stage, t.batch, images));
    for (const StageEstimate& work : estimate(c_, shape_))
      if (work.stage == stage) warn_if(few_steps(c_, stage, t, images, work.steps));
    if (const int64_t batch = std::min(t.batch, images); batch / free_.ranks < free_.least_share)
      fault(fmt::format("{}.batch: {} images leave one of {} ranks with fewer than {}; expected at least {}", stage,
                        batch, free_.ranks, free_.least_share, free_.least_share * free_.ranks));
    if (t.schedule.warmup_epochs > epochs)
      warn(fmt::format("{}.schedule.warmup_epochs: {} of {}, the learning rate never gets to {}", stage,
                       t.schedule.warmup_epochs, data::counted(t.epochs, "epoch"), t.schedule.lr));
    if (t.schedule.kind == ScheduleKind::step)
      for (const double milestone : t.schedule.milestones)
        if (milestone >= epochs)
          warn(fmt::format("{}.schedule.milestones: {} is never reached in {}", stage, milestone,
                           data::counted(t.epochs, "epoch")));
  }

  void enabled(const std::string& stage, bool is) {
    if (runs(stage) && !is) fault(fmt::format("{0}.enabled is false in this run; --set {0}.enabled=true", stage));
  }

  void reliable() {
    if (c_.refine.neighbours > kLongestList)
      fault(fmt::format("refine.neighbours: expected at most {}; found {}", kLongestList, c_.refine.neighbours));
    else if (c_.refine.neighbours > shape_.train)
      warn(fmt::format("refine.neighbours: {} asked for, there are {} train images", c_.refine.neighbours,
                       shape_.train));
    const int64_t batch = std::min(c_.refine.train.batch, shape_.train),
                  labelled = std::min<int64_t>(c_.refine.labelled, batch);
    if (c_.refine.labelled > batch)
      warn(fmt::format("refine.labelled: {} is cut to the batch of {}", c_.refine.labelled, batch));
    if (free_.ranks > 1 && labelled / free_.ranks < free_.least_share)
      fault(fmt::format("refine.labelled: {} images leave one of {} ranks with fewer than {}; expected at least {}",
                        labelled, free_.ranks, free_.least_share, free_.least_share * free_.ranks));
  }

  void views(const std::string& section, const AugmentConfig& a) {
    if (!runs(section.substr(0, section.find('.')))) return;
    if (a.policy != kernels::AugmentPolicy::simclr && a.size > std::min(shape_.height, shape_.width))
      return fault(
          fmt::format("{}.size: squares of {} pixels cannot be cut from images of {} x {}; expected at "
                      "most their sides, or policy = \"simclr\", which resizes",
                      section, a.size, shape_.height, shape_.width));
    const DataShape views = views_of(shape_, a);
    if (a.policy == kernels::AugmentPolicy::strong && a.strong.cutout > std::min(views.height, views.width))
      warn(fmt::format("{}.strong.cutout: squares of up to {} pixels cover views of {} x {}", section, a.strong.cutout,
                       views.height, views.width));
  }

  void room() {
    double disk = 0;
    std::vector<Footprint> all = footprints(c_, shape_, free_.device, free_.precision);
    all.push_back(footprint_of_features(c_, shape_, free_.device, free_.precision));
    for (const Footprint& f : all) {
      if (!runs(f.stage)) continue;
      memory(f.stage, f.host, free_.host_bytes, "memory");
      memory(f.stage, f.device, free_.device_bytes, "device memory");
      disk += f.disk;
    }
    if (!free_.disk_bytes) return;
    const auto free = static_cast<double>(*free_.disk_bytes);
    const auto [needed, left] = sizes_apart(disk, free);
    const std::string text =
        fmt::format("disk: the files of a run directory take about {}, {} are free where --out is", needed, left);
    if (disk > free)
      fault(text);
    else if (disk > kTight * free)
      warn(text);
  }

  void memory(const std::string& stage, const std::vector<MemoryPart>& parts, std::optional<int64_t> bytes,
              const char* kind) {
    if (!bytes || parts.empty()) return;
    const double needed = total_bytes(parts), free = static_cast<double>(*bytes);
    if (needed <= kTight * free) return;
    const MemoryPart& most = *std::ranges::max_element(parts, {}, &MemoryPart::bytes);
    const auto [wanted, left] = sizes_apart(needed, free);
    const std::string text = fmt::format("{}: needs at least {} of {}, mostly for {} ({}); {} are free; take {}", stage,
                                         wanted, kind, most.what, size_text(most.bytes), left, most.advice);
    if (needed > free)
      fault(text);
    else
      warn(text);
  }

  const RunConfig& c_;
  const data::Dataset& data_;
  std::span<const std::string> stages_;
  const Resources& free_;
  DataShape shape_;
  Preflight out_;
};

}  // namespace

Preflight preflight(const RunConfig& config, const data::Dataset& data, std::span<const std::string> stages,
                    const Resources& free) {
  return Check(config, data, stages, free).all();
}

void expect_none(const std::vector<std::string>& faults) {
  if (faults.size() == 1) throw Error(faults[0]);
  if (faults.size() > 1) throw Error::of_list("this cannot run", faults);
}

}  // namespace kith
