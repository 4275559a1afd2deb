#include "scan/train/statistics.h"

#include <algorithm>

#include "scan/run/ranks.h"
#include "scan/train/inference.h"
#include "scan/train/sampler.h"

namespace kith {

std::optional<float> momentum_of(Statistics statistics, PassOf pass) {
  const bool moves = statistics == Statistics::moving || (statistics == Statistics::weak && pass == PassOf::plain);
  return moves ? std::nullopt : std::optional(0.f);
}

namespace {

void reestimate_here(const Session& s, ResNet& backbone) {
  constexpr int64_t kLargest = 256;
  const data::Images& images = s.data.train();
  const int64_t batches = (images.count + kLargest - 1) / kLargest;
  std::vector<int64_t> bounds;
  for (int64_t b = 0; b <= batches; ++b) bounds.push_back(images.count * b / batches);
  for_each_batch(Views(s.images.of(images), s.data), s.report,
                 epoch_order(images.count, seed_of(s.config.seed, "statistics/order"), 0), bounds, 0,
                 [&](const Tensor& batch, int64_t first) {
                   const auto here = static_cast<double>(batch.dim(0)), before = static_cast<double>(first);
                   Tape tape(s.ctx, Tape::Mode::inference);
                   backbone(tape, tape.constant(batch), true, static_cast<float>(here / (before + here)));
                 });
}

}  // namespace

// One batch after another: not to be shared out.
void reestimate(const Session& s, ResNet& backbone) {
  alone(s.ctx.collective(), [&] { reestimate_here(s, backbone); });
  StateView view;
  backbone.state(view, "");
  take_statistics_of_first(s.ctx.collective(), view);
}

bool same_parameters(const StateView& view, const SafeTensors& before) {
  const SafeTensors now = save_state(view);
  return std::all_of(view.parameters.begin(), view.parameters.end(), [&](const NamedParameter& p) {
    return now.arrays.at(p.name).bytes == before.arrays.at(p.name).bytes;
  });
}

}  // namespace kith
