// SimCLR (Chen et al. 2020, arXiv:2002.05709): two augmented views of every image, NT-Xent on the normalised projection.
#include "nn/ops/ranks.h"
#include "scan/input/views.h"
#include "scan/pretext/projected.h"

namespace kith {
namespace {

class SimClr : public PretextTask {
 public:
  SimClr(const RunConfig& config, const data::Dataset& data, const ImageSource& images)
      : config_(config.pretext),
        network_(images.context(), config, data),
        views_(images, data, config.pretext.augment, seed_of(config.seed, "pretext/augment")) {}

  StateView state() override { return network_.state(); }
  ResNet& backbone() override { return network_.backbone; }

  Var loss(Tape& tape, const Step& step) override {
    const Var images = tape.constant(views_(step.batch, step.live, {.count = 2}));
    return ntxent_mean(tape, network_(tape, images, true), config_.tau, config_.form, step.bounds_of_views(2));
  }

  Var features(Tape& tape, Var images) override { return network_(tape, images, false); }

 private:
  const PretextConfig& config_;
  Projected network_;
  Views views_;
};

}  // namespace

std::unique_ptr<PretextTask> make_simclr(const RunConfig& config, const data::Dataset& data,
                                         const ImageSource& images) {
  return std::make_unique<SimClr>(config, data, images);
}

}  // namespace kith
