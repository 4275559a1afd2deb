// batch_norm  x [..., C] (+ residual) -> same shape and dtype; statistics over all leading extents, and, where ranks normalise
// the whole batch (nn/device/ranks/collective.h), over the rows of all ranks
#include "kernels/batch_norm.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <span>
#include <vector>

#include "kernels/core/check.h"
#include "nn/device/ranks/collective.h"
#include "nn/ops/ops.h"
#include "nn/tensor/array.h"

namespace kith {
namespace {

struct Saved {
  Tensor x, gamma, beta, mean, invstd;
  Kept y;  // only where a residual hides its sign and no mask tells it
  Array<uint32_t> mask;
  BatchNormOptions options;
  bool whole = false;  // statistics are of all ranks' rows
};

kernels::BatchNormSign sign_of(const Saved& s) {
  if (!s.options.relu) return kernels::BatchNormSign::none;
  if (!s.y.empty()) return kernels::BatchNormSign::from_y;
  return s.mask.empty() ? kernels::BatchNormSign::from_x : kernels::BatchNormSign::from_mask;
}

template <class A>
Matrix<A> matrix_of(const Tensor& t) {
  if (t.empty()) return {};
  return {static_cast<A*>(t.raw()), t.size() / t.dim(-1), t.dim(-1)};
}

// Eval mode reads x once, not twice: its statistics are given.
Cost forward_cost(const Tensor& x, bool residual, bool train, kernels::BatchNormSign sign) {
  const auto channels = static_cast<double>(x.dim(-1)), size = static_cast<double>(x.size());
  Cost cost = kernels::batch_norm_forward_cost(size / channels, channels, residual,
                                               static_cast<double>(size_of(x.dtype())), sign);
  if (!train) cost.bytes -= static_cast<double>(x.bytes());
  return cost;
}

// Of every rank its rows and `own` numbers, all in the order of the ranks: use(rows before, rows, numbers). Returns the rows of
// all.
template <class Use>
int64_t exchange(Collective& ranks, int64_t rows, std::span<const double> own, const Use& use) {
  const size_t each = own.size() + 1;
  std::vector<double> all(each * static_cast<size_t>(ranks.size()));
  const std::span<double> here = std::span(all).subspan(each * static_cast<size_t>(ranks.rank()), each);
  here[0] = static_cast<double>(rows);  // exact below 2^53
  std::ranges::copy(own, here.begin() + 1);
  ranks.all_gather(std::as_writable_bytes(std::span(all)), Queue{});
  int64_t before = 0;
  for (size_t r = 0; r < static_cast<size_t>(ranks.size()); ++r) {
    const std::span<const double> part = std::span<const double>(all).subspan(r * each, each);
    const auto count = static_cast<int64_t>(part[0]);
    use(before, count, part.subspan(1));
    before += count;
  }
  return before;
}

kernels::BatchNormWhole whole_of(Collective& ranks) {
  return {.moments =
              [&ranks](int64_t rows, std::span<double> mean, std::span<double> squares) {
                std::vector<double> own(mean.begin(), mean.end());
                own.insert(own.end(), squares.begin(), squares.end());
                std::ranges::fill(mean, 0), std::ranges::fill(squares, 0);
                const int64_t all = exchange(ranks, rows, own, [&](int64_t before, int64_t here, auto of) {
                  kernels::batch_norm_merge(before, mean, squares, here, of.first(mean.size()), of.last(mean.size()));
                });
                check(all >= 2,
                      fmt::format("batch_norm: train mode needs at least 2 rows, found {} on all ranks", all));
                return all;
              },
          .sums =
              [&ranks](int64_t rows, std::span<double> sums) {
                const std::vector<double> own(sums.begin(), sums.end());
                std::ranges::fill(sums, 0);
                return exchange(ranks, rows, own, [&](int64_t, int64_t, auto of) {
                  for (size_t i = 0; i < sums.size(); ++i) sums[i] += of[i];
                });
              }};
}

bool normalises_whole(Context& ctx, BatchNormOptions options) {
  Collective& ranks = ctx.collective();
  return options.train && ranks.size() > 1 && ranks.batch_norm == Collective::BatchNorm::whole;
}

template <class A>
void backward(const Saved& s, const Tensor& dy, Grads& grads) {
  check(s.options.train, "batch_norm: no backward in eval mode; use an inference tape or train mode");
  const auto channels = static_cast<double>(dy.dim(-1)), rows = static_cast<double>(dy.size()) / channels;
  const Tensor y = s.y.value();
  grads.op().charge(kernels::batch_norm_backward_cost(rows, channels, grads.wanted(3), sign_of(s), sizeof(A)));
  kernels::BatchNormBackward<float, A> args{.x = matrix_of<A>(s.x),
                                            .y = matrix_of<A>(y),
                                            .dy = matrix_of<A>(dy),
                                            .gamma = s.gamma.span(),
                                            .mean = s.mean.span(),
                                            .invstd = s.invstd.span(),
                                            .relu = s.options.relu,
                                            .dgamma = {},
                                            .dbeta = {},
                                            .dx = {},
                                            .beta = s.beta.span(),
                                            .mask = s.mask.span()};
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
    args.dx = matrix_of<A>(grads.tensor(0));
    args.write_x = grads.write(0);
  }
  if (grads.wanted(3)) {
    args.dresidual = static_cast<A*>(grads.tensor(3).raw());
    args.write_residual = grads.write(3);
  }
  const kernels::BatchNormWhole whole = whole_of(grads.context().collective());
  if (s.whole) args.whole = &whole;
  kernels::batch_norm_backward(args, grads.queue());
}

// y, and what train mode saves.
template <class A>
kernels::BatchNormForward<float, A> forward_of(const Saved& s, const Tensor& residual, float eps, const Tensor& y) {
  return {.x = matrix_of<A>(s.x),
          .gamma = s.gamma.span(),
          .beta = s.beta.span(),
          .residual = residual.empty() ? nullptr : static_cast<const A*>(residual.raw()),
          .relu = s.options.relu,
          .train = s.options.train,
          .eps = eps,
          .mean = s.mean.span(),
          .invstd = s.invstd.span(),
          .y = matrix_of<A>(y)};
}

template <class A>
std::shared_ptr<Recipe> recipe_of(Context& ctx, const Saved& saved, const std::optional<Var>& residual, float eps) {
  return std::make_shared<Recipe>([&ctx, saved, kept = residual ? Kept(*residual) : Kept(), eps] {
    const Tensor r = kept.value();
    const auto channels = static_cast<double>(saved.x.dim(-1)), rows = static_cast<double>(saved.x.size()) / channels;
    const OpScope op(ctx, "batch_norm again", kernels::batch_norm_apply_cost(rows, channels, !r.empty(), sizeof(A)));
    Tensor y = ctx.empty(saved.x.shape(), saved.x.dtype());
    kernels::BatchNormForward<float, A> args = forward_of<A>(saved, r, eps, y);
    args.again = true;
    kernels::batch_norm_forward(args, ctx.queue());
    return y;
  });
}

template <class A>
Var apply(Tape& tape, const Var& x, const Var& gamma, const Var& beta, BatchNormState& state, BatchNormOptions options,
          const std::optional<Var>& residual) {
  Context& ctx = tape.context();
  const Tensor& xv = x.value();
  const int64_t channels = xv.dim(-1);
  Saved saved{.x = xv,
              .gamma = gamma.value(),
              .beta = beta.value(),
              .mean = {},
              .invstd = {},
              .y = {},
              .mask = {},
              .options = options,
              .whole = normalises_whole(ctx, options)};
  const kernels::BatchNormWhole whole = whole_of(ctx.collective());
  if (options.train) saved.mean = ctx.empty({channels}), saved.invstd = ctx.empty({channels});
  // Where a residual hides the sign of y, a device keeps a bit of each element; the CPU reads y again, which is as fast.
  const bool hidden = options.relu && residual && options.train && tape.recording();
  if (hidden && !ctx.on_cpu())
    saved.mask = Array<uint32_t>(ctx, kernels::batch_norm_mask_words(xv.size() / channels, channels));
  const float momentum = options.momentum.value_or(state.momentum);
  const bool running = !options.train || momentum != 0;
  const OpScope op(ctx, "batch_norm", forward_cost(xv, residual.has_value(), options.train, sign_of(saved)));
  Tensor y = ctx.empty(xv.shape(), xv.dtype());
  kernels::BatchNormForward<float, A> args =
      forward_of<A>(saved, residual ? residual->value() : Tensor(), state.eps, y);
  args.momentum = momentum;
  if (running) args.running_mean = state.running_mean.span(), args.running_var = state.running_var.span();
  args.mask = saved.mask.span();
  if (saved.whole) args.whole = &whole;
  kernels::batch_norm_forward(args, ctx.queue());
  std::shared_ptr<Recipe> recipe;
  if (options.recompute && options.train && tape.recording()) recipe = recipe_of<A>(ctx, saved, residual, state.eps);
  if (hidden && ctx.on_cpu()) saved.y = recipe ? Kept(recipe) : Kept(y);
  return tape.record(
      "batch_norm", {x, gamma, beta, residual.value_or(Var())}, y,
      [saved = std::move(saved)](const Tensor& dy, Grads& grads) { backward<A>(saved, dy, grads); }, std::move(recipe));
}

}  // namespace

Var batch_norm(Tape& tape, Var x, Var gamma, Var beta, BatchNormState& state, BatchNormOptions options,
               std::optional<Var> residual) {
  if (options.momentum)
    check(*options.momentum >= 0 && *options.momentum <= 1,
          fmt::format("batch_norm: momentum in 0 .. 1 expected, found {}", *options.momentum));
  if (residual)
    check(residual->value().shape() == x.value().shape() && residual->value().dtype() == x.value().dtype() &&
              residual->value().raw() != x.value().raw(),
          fmt::format("batch_norm: residual {} must be another tensor of the shape and dtype of x, {}",
                      to_string(residual->value().shape()), to_string(x.value().shape())));
  return x.value().dtype() == DType::f32 ? apply<float>(tape, x, gamma, beta, state, options, residual)
                                         : apply<bf16>(tape, x, gamma, beta, state, options, residual);
}

}  // namespace kith
