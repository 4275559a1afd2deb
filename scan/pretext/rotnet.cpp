// RotNet (Gidaris et al. 2018, arXiv:1803.07728): every image in four rotations, of which the network tells which it sees. In the
// SCAN paper the ablation that shows why a pretext task must bring an image and its augmentations together: this one does not.
//
// Row 4 b + r of a batch is image b, turned r times by 90 degrees counter-clockwise. What is mined are the backbone's features.
#include <fmt/format.h>

#include <algorithm>

#include "kernels/core/check.h"
#include "nn/device/ranks/collective.h"
#include "nn/model/initialise.h"
#include "nn/ops/ranks.h"
#include "scan/input/views.h"
#include "scan/pretext/task.h"
#include "scan/train/sampler.h"

namespace kith {
namespace {

constexpr int64_t kTurns = 4;

// Where each pixel of the turned images stands in the images [count, side, side].
std::vector<int64_t> pixels_of_turns(int64_t count, int64_t side) {
  std::vector<int64_t> from;
  from.reserve(static_cast<size_t>(count * kTurns * side * side));
  for (int64_t b = 0; b < count; ++b)
    for (int64_t turn = 0; turn < kTurns; ++turn)
      for (int64_t y = 0; y < side; ++y)
        for (int64_t x = 0; x < side; ++x) {
          const int64_t far_y = side - 1 - y, far_x = side - 1 - x;
          const int64_t row[] = {y, x, far_y, far_x}, column[] = {x, far_y, far_x, y};
          from.push_back((b * side + row[turn]) * side + column[turn]);
        }
  return from;
}

class RotNet : public PretextTask {
 public:
  RotNet(const RunConfig& c, const data::Dataset& data, const ImageSource& images)
      : ctx_(images.context()),
        batch_(std::min(c.pretext.train.batch, images.images().count)),
        backbone_(ctx_, backbone_config(c.model, data), seed_of(c.seed, "pretext/backbone")),
        head_(
            make_linear(ctx_, backbone_.config().features(), kTurns, seed_of(c.seed, "pretext/head"), "rotation_head")),
        views_(images, data, c.pretext.augment, seed_of(c.seed, "pretext/augment")) {
    const int height = c.pretext.augment.side(images.images().height),
              width = c.pretext.augment.side(images.images().width);
    check(height == width, fmt::format("rotnet: square images expected, found {} x {}", height, width));
    const std::vector<int64_t> shares = share_bounds(batch_, ctx_.collective().size());
    const auto rank = static_cast<size_t>(ctx_.collective().rank());
    from_ = Array<int64_t>(ctx_, pixels_of_turns(shares[rank + 1] - shares[rank], height));
    std::vector<int32_t> turns;
    for (int64_t i = 0; i < batch_ * kTurns; ++i) turns.push_back(static_cast<int32_t>(i % kTurns));
    turns_ = Array<int32_t>(ctx_, turns);
  }

  StateView state() override {
    StateView view;
    backbone_.state(view, "backbone.");
    head_.list(view, "rotation_head.");
    return view;
  }
  ResNet& backbone() override { return backbone_; }

  Var loss(Tape& tape, const Step& step) override {
    const Tensor images = views_(step.batch, step.live);
    const Shape& s = images.shape();
    const Tensor turned = gather_rows(ctx_, images.reshape({s[0] * s[1] * s[2], s[3]}), from_.span());
    const Var features = backbone_(tape, tape.constant(turned.reshape({s[0] * kTurns, s[1], s[2], s[3]})), true);
    return mean(tape,
                softmax_xent(tape, whole_batch(tape, head_(tape, features), step.bounds_of_views(kTurns)), turns_));
  }

  Var features(Tape& tape, Var images) override { return l2_normalize(tape, backbone_(tape, images, false)); }

 private:
  Context& ctx_;
  int64_t batch_;
  ResNet backbone_;
  Linear head_;
  Views views_;
  Array<int64_t> from_;   // of every turned pixel of this rank
  Array<int32_t> turns_;  // of every turned image of all ranks
};

}  // namespace

std::unique_ptr<PretextTask> make_rotnet(const RunConfig& config, const data::Dataset& data,
                                         const ImageSource& images) {
  return std::make_unique<RotNet>(config, data, images);
}

}  // namespace kith
