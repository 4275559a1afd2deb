// SimCLR (Chen et al. 2020, arXiv:2002.05709): two augmented views of every image, NT-Xent on the normalised projection.
#include "scan/pretext/task.h"
#include "scan/train/sampler.h"
#include "scan/train/views.h"

namespace kith {
namespace {

class SimClr : public PretextTask {
 public:
  SimClr(Context& ctx, const RunConfig& config, const data::Dataset& data)
      : config_(config.pretext),
        backbone_(ctx, backbone_config(config.model, data), seed_of(config.seed, "pretext/backbone")),
        head_(ctx, backbone_.config().features(), config.model.projection, seed_of(config.seed, "pretext/head")),
        views_(ctx, data, data.train, config.pretext.augment, seed_of(config.seed, "pretext/augment")) {}

  StateView state() override {
    StateView view;
    backbone_.state(view, "backbone.");
    head_.state(view, "contrastive_head.");
    return view;
  }

  ResNet& backbone() override { return backbone_; }

  Var loss(Tape& tape, const Step& step) override {
    const Var images = tape.constant(views_(step.batch, 0, 2, 0, step.live));
    return ntxent_mean(tape, head_(tape, backbone_(tape, images, true)), config_.tau, config_.form);
  }

  Var features(Tape& tape, Var images) override { return head_(tape, backbone_(tape, images, false)); }

 private:
  const PretextConfig& config_;
  ResNet backbone_;
  ProjectionHead head_;
  Views views_;
};

}  // namespace

std::unique_ptr<PretextTask> make_simclr(Context& ctx, const RunConfig& config, const data::Dataset& data) {
  return std::make_unique<SimClr>(ctx, config, data);
}

}  // namespace kith
