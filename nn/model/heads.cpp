#include "nn/model/heads.h"

#include "nn/model/initialise.h"

namespace kith {

ProjectionHead::ProjectionHead(Context& ctx, int features, int dim, uint64_t seed)
    : first_(make_linear(ctx, features, features, seed, "contrastive_head.0")),
      second_(make_linear(ctx, features, dim, seed, "contrastive_head.2")) {}

Var ProjectionHead::operator()(Tape& tape, Var features) {
  return l2_normalize(tape, second_(tape, relu(tape, first_(tape, features))));
}

void ProjectionHead::state(StateView& view, const std::string& prefix) {
  first_.list(view, prefix + "0.");
  second_.list(view, prefix + "2.");
}

MlpHead::MlpHead(Context& ctx, int in, int hidden, int out, uint64_t seed, const std::string& name)
    : first_(make_linear(ctx, in, hidden, seed, name + ".0")),
      norm_(make_batch_norm(ctx, hidden)),
      second_(make_linear(ctx, hidden, out, seed, name + ".3")) {}

Var MlpHead::operator()(Tape& tape, Var features, bool train) {
  return second_(tape, norm_(tape, first_(tape, features), {.train = train, .relu = true, .momentum = {}}));
}

void MlpHead::state(StateView& view, const std::string& prefix) {
  first_.list(view, prefix + "0.");
  norm_.list(view, prefix + "1.");
  second_.list(view, prefix + "3.");
}

ClusterHeads::ClusterHeads(Context& ctx, int features, int classes, int heads, uint64_t seed) : classes_(classes) {
  const Tensor weights = ctx.empty({int64_t{heads} * classes, features}),
               biases = ctx.empty({int64_t{heads} * classes});
  for (int64_t h = 0; h < heads; ++h) {
    const Linear drawn = make_linear(ctx, features, classes, seed, "cluster_head." + std::to_string(h));
    const auto share = [&](const Tensor& all, const Tensor& value) {
      const Tensor part = all.part(h * classes, classes);
      part.copy_from(value);
      return Parameter{.value = part, .grad = {}};
    };
    heads_.push_back({.weight = share(weights, drawn.weight.value), .bias = share(biases, drawn.bias.value)});
  }
}

Var ClusterHeads::operator()(Tape& tape, Var features) {
  std::vector<Var> weights, biases;
  for (Linear& head : heads_) {
    weights.push_back(tape.parameter(head.weight));
    biases.push_back(tape.parameter(head.bias));
  }
  return linear_heads(tape, features, weights, biases);
}

Var ClusterHeads::one(Tape& tape, Var features, int head) {
  return heads_.at(static_cast<size_t>(head))(tape, features);
}

void ClusterHeads::state(StateView& view, const std::string& prefix) {
  for (size_t h = 0; h < heads_.size(); ++h) heads_[h].list(view, prefix + std::to_string(h) + ".");
}

}  // namespace kith
