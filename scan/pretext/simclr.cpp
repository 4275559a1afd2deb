// SimCLR (Chen et al. 2020, arXiv:2002.05709): two augmented views of every image, NT-Xent on the normalised projection, or, where
// model.projection is 0, on the normalised features of the backbone.
#include <optional>

#include "nn/model/heads.h"
#include "scan/input/views.h"
#include "scan/pretext/task.h"
#include "scan/train/sampler.h"

namespace kith {
namespace {

class SimClr : public PretextTask {
 public:
  SimClr(const RunConfig& config, const data::Dataset& data, const ImageSource& images)
      : config_(config.pretext),
        backbone_(images.context(), backbone_config(config.model, data), seed_of(config.seed, "pretext/backbone")),
        views_(images, data, config.pretext.augment, seed_of(config.seed, "pretext/augment")) {
    if (config.model.projection > 0)
      head_.emplace(images.context(), backbone_.config().features(), config.model.projection,
                    seed_of(config.seed, "pretext/head"));
  }

  StateView state() override {
    StateView view;
    backbone_.state(view, "backbone.");
    if (head_) head_->state(view, "contrastive_head.");
    return view;
  }

  ResNet& backbone() override { return backbone_; }

  Var loss(Tape& tape, const Step& step) override {
    const Var images = tape.constant(views_(step.batch, step.live, {.count = 2}));
    return ntxent_mean(tape, unit(tape, backbone_(tape, images, true)), config_.tau, config_.form);
  }

  Var features(Tape& tape, Var images) override { return unit(tape, backbone_(tape, images, false)); }

 private:
  Var unit(Tape& tape, Var features) { return head_ ? (*head_)(tape, features) : l2_normalize(tape, features); }

  const PretextConfig& config_;
  ResNet backbone_;
  std::optional<ProjectionHead> head_;
  Views views_;
};

}  // namespace

std::unique_ptr<PretextTask> make_simclr(const RunConfig& config, const data::Dataset& data,
                                         const ImageSource& images) {
  return std::make_unique<SimClr>(config, data, images);
}

}  // namespace kith
