#include "nn/model/initialise.h"

#include <cmath>
#include <numbers>
#include <string>

#include "kernels/core/hash.h"
#include "kernels/core/philox.h"

namespace kith {
namespace {

Random stream_of(uint64_t seed, std::string_view name) { return Random(derive_seed(seed, fnv1a(name)), 0, 0, 0); }

void fill_normal(const Tensor& t, double deviation, Random random) {
  std::vector<float> values(static_cast<size_t>(t.size()));
  for (float& v : values) {  // Box-Muller; the first uniform is never 0
    const double u = (random.bits() + 0.5) * 0x1p-32, angle = random.bits() * 0x1p-32;
    v = static_cast<float>(deviation * std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * angle));
  }
  t.copy_from(values);
}

void fill_uniform(const Tensor& t, float bound, Random random) {
  std::vector<float> values(static_cast<size_t>(t.size()));
  for (float& v : values) v = random.uniform(-bound, bound);
  t.copy_from(values);
}

}  // namespace

Conv2d make_conv(Context& ctx, int64_t in, int64_t out, ConvSpec spec, uint64_t seed, std::string_view name) {
  Conv2d conv{.weight = {.value = ctx.empty({out, spec.kernel, spec.kernel, in}), .grad = {}}, .spec = spec};
  fill_normal(conv.weight.value, std::sqrt(2.0 / static_cast<double>(out * spec.kernel * spec.kernel)),
              stream_of(seed, std::string(name) + ".weight"));
  if (ctx.precision() == DType::bf16) conv.weight.bf16_copy = ctx.empty(conv.weight.value.shape(), DType::bf16);
  sync_bf16_copy(conv.weight);
  return conv;
}

BatchNorm make_batch_norm(Context& ctx, int64_t channels) {
  return {.weight = {.value = ctx.full({channels}, 1.f), .grad = {}},
          .bias = {.value = ctx.zeros({channels}), .grad = {}},
          .state = {.running_mean = ctx.zeros({channels}), .running_var = ctx.full({channels}, 1.f)}};
}

Linear make_linear(Context& ctx, int64_t in, int64_t out, uint64_t seed, std::string_view name) {
  Linear linear{.weight = {.value = ctx.empty({out, in}), .grad = {}}, .bias = {.value = ctx.empty({out}), .grad = {}}};
  const float bound = 1.f / std::sqrt(static_cast<float>(in));
  fill_uniform(linear.weight.value, bound, stream_of(seed, std::string(name) + ".weight"));
  fill_uniform(linear.bias.value, bound, stream_of(seed, std::string(name) + ".bias"));
  return linear;
}

Linear make_normal_linear(Context& ctx, int64_t in, int64_t out, double deviation, uint64_t seed,
                          std::string_view name) {
  Linear linear{.weight = {.value = ctx.empty({out, in}), .grad = {}}, .bias = {.value = ctx.zeros({out}), .grad = {}}};
  fill_normal(linear.weight.value, deviation, stream_of(seed, std::string(name) + ".weight"));
  return linear;
}

}  // namespace kith
