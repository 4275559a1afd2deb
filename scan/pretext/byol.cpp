// BYOL (Grill et al. 2020, arXiv:2006.07733): from one view of an image the trained network predicts what a moving average of it
// says of another view, in both directions; there are no negatives. Each view passes by itself: batch norm must not see both.
#include <cmath>
#include <numbers>

#include "nn/model/heads.h"
#include "nn/ops/ranks.h"
#include "scan/input/views.h"
#include "scan/pretext/follower.h"
#include "scan/pretext/task.h"
#include "scan/train/sampler.h"

namespace kith {
namespace {

struct Network {
  ResNet backbone;
  MlpHead projector;

  Network(Context& ctx, const RunConfig& c, const data::Dataset& data)
      : backbone(ctx, backbone_config(c.model, data), seed_of(c.seed, "pretext/backbone")),
        projector(ctx, backbone.config().features(), c.pretext.byol.hidden, c.model.projection,
                  seed_of(c.seed, "pretext/head"), "projector") {}
  Var operator()(Tape& tape, Var images, bool train) { return projector(tape, backbone(tape, images, train), train); }
  StateView state() {
    StateView view;
    backbone.state(view, "backbone.");
    projector.state(view, "projector.");
    return view;
  }
};

class Byol : public PretextTask {
 public:
  Byol(const RunConfig& c, const data::Dataset& data, const ImageSource& images)
      : ctx_(images.context()),
        online_(ctx_, c, data),
        target_(ctx_, c, data),
        predictor_(ctx_, c.model.projection, c.pretext.byol.hidden, c.model.projection,
                   seed_of(c.seed, "pretext/predictor"), "predictor"),
        follower_(ctx_, online_.state(), target_.state()),
        views_(images, data, c.pretext.augment, seed_of(c.seed, "pretext/augment")) {}

  StateView state() override {
    StateView view = online_.state();
    predictor_.state(view, "predictor.");
    return view;
  }
  ResNet& backbone() override { return online_.backbone; }

  Var loss(Tape& tape, const Step& step) override {
    const Tensor views[] = {views_(step.batch, step.live, {.count = 1, .first = 0}),
                            views_(step.batch, step.live, {.count = 1, .first = 1})};
    const Var one = direction(tape, step, views[0], views[1]), other = direction(tape, step, views[1], views[0]);
    return add(tape, one, other);
  }

  void follow() override { follower_.copy(); }
  void after_step(const Step& step, const int32_t*) override { follower_.update(step.live); }

  Var features(Tape& tape, Var images) override { return l2_normalize(tape, online_(tape, images, false)); }

  void save(SafeTensors& to) const override { follower_.save(to); }
  void load(const SafeTensors& from) override { follower_.load(from); }

 private:
  Var direction(Tape& tape, const Step& step, const Tensor& from, const Tensor& to) {
    Tape apart(ctx_, Tape::Mode::inference);
    const Tensor target = whole_batch(apart, target_(apart, apart.constant(to), true), step.bounds).value();
    const Var prediction = predictor_(tape, online_(tape, tape.constant(from), true), true);
    return mean(tape, cosine_loss(tape, whole_batch(tape, prediction, step.bounds), target));
  }

  Context& ctx_;
  Network online_, target_;
  MlpHead predictor_;
  Follower follower_;
  Views views_;
};

}  // namespace

float byol_decay(float momentum, double progress) {
  return static_cast<float>(1 - (1 - double{momentum}) * (std::cos(std::numbers::pi * progress) + 1) / 2);
}

std::unique_ptr<PretextTask> make_byol(const RunConfig& config, const data::Dataset& data, const ImageSource& images) {
  return std::make_unique<Byol>(config, data, images);
}

}  // namespace kith
