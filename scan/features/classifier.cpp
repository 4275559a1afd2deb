#include "scan/features/classifier.h"

#include <fmt/format.h>

#include "data/formats/counted.h"
#include "kernels/core/check.h"
#include "kernels/elementwise.h"
#include "nn/ops/ops.h"
#include "nn/state/state.h"

namespace kith {
namespace {

Tensor read_array(Context& ctx, const SafeTensors& model, const std::string& name, size_t rank) {
  const auto at = model.arrays.find(name);
  if (at == model.arrays.end() || at->second.dtype != "F32" || at->second.shape.size() != rank)
    throw Error(fmt::format("{}: expected tensor {} of F32 with {}", model.file, name, data::counted(rank, "extent")));
  return ctx.from(at->second.shape, {at->second.as<float>(), static_cast<size_t>(at->second.count())});
}

}  // namespace

RowClassifier::RowClassifier(Context& ctx, const SafeTensors& model) : ctx_(ctx) {
  for (size_t s = 0; s == 0 || model.arrays.contains(fmt::format("space.{}.weight", s)); ++s) {
    const Layer layer{.weight = read_array(ctx, model, fmt::format("space.{}.weight", s), 2),
                      .bias = read_array(ctx, model, fmt::format("space.{}.bias", s), 1)};
    const Layer& first = spaces_.empty() ? layer : spaces_.front();
    if (layer.weight.dim(0) != layer.bias.dim(0) || layer.weight.dim(0) != first.weight.dim(0))
      throw Error(fmt::format("{}: weights and biases of space {} do not fit together", model.file, s));
    dims_.push_back(layer.weight.dim(1));
    spaces_.push_back(layer);
  }
  clusters_ = static_cast<int>(spaces_.front().weight.dim(0));
  if (!model.arrays.contains("hidden.weight")) return;
  for (const std::string name : {"hidden", "neck"})
    body_.push_back(
        {.weight = read_array(ctx, model, name + ".weight", 2), .bias = read_array(ctx, model, name + ".bias", 1)});
  const int64_t hidden = body_[0].weight.dim(0), neck = body_[1].weight.dim(0);
  if (dims_.size() != 1 || body_[0].bias.dim(0) != hidden || body_[1].weight.dim(1) != hidden ||
      body_[1].bias.dim(0) != neck || dims_[0] != neck)
    throw Error(fmt::format("{}: hidden, neck and space 0 do not fit together", model.file));
  dims_[0] = body_[0].weight.dim(1);
}

Var RowClassifier::layer(Tape& tape, Var x, const Layer& of) {
  return linear(tape, x, tape.constant(of.weight), tape.constant(of.bias));
}

Var RowClassifier::behind_body(Tape& tape, const Tensor& rows) const {
  const Var x = tape.constant(rows);
  return body_.empty() ? x : l2_normalize(tape, layer(tape, gelu(tape, layer(tape, x, body_[0])), body_[1]));
}

Tensor RowClassifier::probabilities(std::span<const Tensor> spaces) const {
  check(spaces.size() == spaces_.size(), "classifier: one block of rows per space expected");
  Tape tape(ctx_, Tape::Mode::inference);
  Tensor mean;
  for (size_t s = 0; s < spaces.size(); ++s) {
    const Var logits = layer(tape, behind_body(tape, spaces[s]), spaces_[s]);
    const Var p = softmax(tape, logits);
    if (spaces.size() == 1) return p.value();
    if (mean.empty()) mean = ctx_.empty(p.value().shape());
    kernels::scale({.x = p.value().span(),
                    .factor = 1.f / static_cast<float>(spaces.size()),
                    .y = mean.span(),
                    .write = s == 0 ? Write::overwrite : Write::add},
                   ctx_.queue());
  }
  return mean;
}

}  // namespace kith
