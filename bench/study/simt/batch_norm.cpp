#include "kernels/batch_norm.h"

#include "bench/study/simt/study.h"

namespace kith::study {
namespace {

using namespace kernels;
using test::normal, test::poison, test::Seed;

// Drawn numbers, each at least half from zero: what ReLU keeps of their normalisation does not hang on a rounding.
template <class A>
std::vector<A> activations(int64_t count, uint64_t seed) {
  std::vector<A> v;
  for (const float x : normal(count, Seed{seed})) {
    const float away = x < 0 ? x - 0.5f : x + 0.5f;
    if constexpr (std::is_same_v<A, float>)
      v.push_back(away);
    else
      v.push_back(narrow(away));
  }
  return v;
}

// Activations of type A; with a mask, backward reads it in place of y.
template <class A>
Cost run_batch_norm_forward(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], channels = s["channels"];
  const bool residual = s["residual"] != 0, masked = s["mask"] != 0;
  const std::vector<A> drawn = activations<A>(rows * channels, 1);
  const OnDevice<A> x(drawn), r(drawn), y(poison<A>(rows * channels));
  const OnDevice<float> gamma(filled(channels, 1.f)), beta(filled(channels, 0.f)), running_mean(filled(channels, 0.f)),
      running_var(filled(channels, 1.f)), mean(poison<float>(channels)), invstd(poison<float>(channels));
  const OnDevice<uint32_t> mask(poison<uint32_t>(masked ? batch_norm_mask_words(rows, channels) : 0));
  batch_norm_forward(BatchNormForward<float, A>{.x = {x.data(), rows, channels},
                                                .gamma = gamma.span(),
                                                .beta = beta.span(),
                                                .residual = residual ? r.data() : nullptr,
                                                .relu = true,
                                                .running_mean = running_mean.span(),
                                                .running_var = running_var.span(),
                                                .mean = mean.span(),
                                                .invstd = invstd.span(),
                                                .y = {y.data(), rows, channels},
                                                .mask = mask.span()},
                     q);
  return batch_norm_forward_cost(static_cast<double>(rows), static_cast<double>(channels), residual, sizeof(A),
                                 masked ? BatchNormSign::from_mask : BatchNormSign::from_y);
}

// The signs of y are read from the mask, found again from x, or read from y.
template <class A>
Cost run_batch_norm_backward(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], channels = s["channels"];
  const bool residual = s["residual"] != 0, masked = s["mask"] != 0;
  const std::vector<A> drawn = activations<A>(rows * channels, 1);
  const OnDevice<A> x(drawn), y(drawn), dy(activations<A>(rows * channels, 2)), dx(poison<A>(rows * channels)),
      dresidual(poison<A>(rows * channels));
  const BatchNormSign sign = masked             ? BatchNormSign::from_mask
                             : s["from_x"] != 0 ? BatchNormSign::from_x
                                                : BatchNormSign::from_y;
  const OnDevice<float> gamma(filled(channels, 1.f)), beta(filled(channels, 0.f)), mean(filled(channels, 0.f)),
      invstd(filled(channels, 1.f)), dgamma(poison<float>(channels)), dbeta(poison<float>(channels));
  const OnDevice<uint32_t> mask(std::vector<uint32_t>(masked ? batch_norm_mask_words(rows, channels) : 0));
  BatchNormBackward<float, A> call{.x = {x.data(), rows, channels},
                                   .dy = {dy.data(), rows, channels},
                                   .gamma = gamma.span(),
                                   .mean = mean.span(),
                                   .invstd = invstd.span(),
                                   .relu = true,
                                   .dgamma = dgamma.span(),
                                   .dbeta = dbeta.span(),
                                   .dx = {dx.data(), rows, channels},
                                   .dresidual = residual ? dresidual.data() : nullptr,
                                   .mask = mask.span()};
  if (sign == BatchNormSign::from_x) call.beta = beta.span();
  if (sign == BatchNormSign::from_y) call.y = {y.data(), rows, channels};
  batch_norm_backward(call, q);
  return batch_norm_backward_cost(static_cast<double>(rows), static_cast<double>(channels), residual, sign, sizeof(A));
}

const Sizes kImages{{"rows", 1024}, {"channels", 64}, {"residual", 0}, {"mask", 0}, {"bf16", 0}};
const Sizes kGradients{{"rows", 1024}, {"channels", 64}, {"residual", 0}, {"mask", 0}, {"from_x", 0}, {"bf16", 0}};
const Entries kBatchNormEntries{
    {{"batch_norm_forward", kImages,
      [](const Sizes& s, Queue q) {
        return s["bf16"] != 0 ? run_batch_norm_forward<bf16>(s, q) : run_batch_norm_forward<float>(s, q);
      }},
     {"batch_norm_backward", kGradients, [](const Sizes& s, Queue q) {
        return s["bf16"] != 0 ? run_batch_norm_backward<bf16>(s, q) : run_batch_norm_backward<float>(s, q);
      }}}};

}  // namespace
}  // namespace kith::study
