// batch_norm  x [..., C] (+ residual) -> same shape; statistics over all leading extents
#include "kernels/batch_norm.h"

#include <fmt/format.h>

#include "kernels/core/check.h"
#include "nn/ops/ops.h"

namespace kith {
namespace {

struct Saved {
  Tensor x, y, gamma, beta, mean, invstd;  // y only where a residual hides its sign
  BatchNormOptions options;
};

void backward(const Saved& s, const Tensor& dy, Grads& grads) {
  check(s.options.train, "batch_norm: no backward in eval mode; use an inference tape or train mode");
  kernels::BatchNormBackward<float> args{.x = s.x.matrix(),
                                         .y = s.y.empty() ? Matrix<float>{} : s.y.matrix(),
                                         .dy = dy.matrix(),
                                         .gamma = s.gamma.span(),
                                         .mean = s.mean.span(),
                                         .invstd = s.invstd.span(),
                                         .relu = s.options.relu,
                                         .dgamma = {},
                                         .dbeta = {},
                                         .dx = {},
                                         .beta = s.beta.span()};
  // One write mode serves both vectors: they are one module's parameters and always arrive together.
  if (grads.wanted(1)) args.dgamma = grads.tensor(1).span(), args.write_params = grads.write(1);
  if (grads.wanted(2)) {
    args.dbeta = grads.tensor(2).span();
    const Write write = grads.write(2);
    check(!grads.wanted(1) || write == args.write_params,
          "batch_norm: gamma and beta at different points of accumulation");
    args.write_params = write;
  }
  if (grads.wanted(0)) {
    grads.adopt(0, dy);
    args.dx = grads.matrix(0);
    args.write_x = grads.write(0);
  }
  if (grads.wanted(3)) {
    args.dresidual = grads.data(3);
    args.write_residual = grads.write(3);
  }
  kernels::batch_norm_backward(args, grads.queue());
}

}  // namespace

Var batch_norm(Tape& tape, Var x, Var gamma, Var beta, BatchNormState& state, BatchNormOptions options,
               std::optional<Var> residual) {
  Context& ctx = tape.context();
  const Matrix<float> xm = x.value().matrix();
  if (residual)
    check(residual->value().shape() == x.value().shape() && residual->value().raw() != x.value().raw(),
          fmt::format("batch_norm: residual {} must be another tensor of the shape of x, {}",
                      to_string(residual->value().shape()), to_string(x.value().shape())));
  Tensor y = ctx.empty(x.value().shape()), mean, invstd;
  if (options.train) {
    mean = ctx.empty({xm.cols});
    invstd = ctx.empty({xm.cols});
  }
  kernels::batch_norm_forward({.x = xm,
                               .gamma = gamma.value().span(),
                               .beta = beta.value().span(),
                               .residual = residual ? residual->value().data() : nullptr,
                               .relu = options.relu,
                               .train = options.train,
                               .eps = state.eps,
                               .momentum = state.momentum,
                               .running_mean = state.running_mean.span(),
                               .running_var = state.running_var.span(),
                               .mean = mean.span(),
                               .invstd = invstd.span(),
                               .y = y.matrix()},
                              ctx.queue());

  Saved saved{.x = x.value(),
              .y = {},
              .gamma = gamma.value(),
              .beta = beta.value(),
              .mean = mean,
              .invstd = invstd,
              .options = options};
  if (options.relu && residual) saved.y = y;
  return tape.record("batch_norm", {x, gamma, beta, residual.value_or(Var())}, y,
                     [saved = std::move(saved)](const Tensor& dy, Grads& grads) { backward(saved, dy, grads); });
}

}  // namespace kith
