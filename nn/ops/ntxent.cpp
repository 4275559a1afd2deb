// ntxent       z [rows, dim] -> loss [rows];  ntxent_mean -> []
// contrastive  anchors [M, dim], keys [N, dim] -> loss [M]
#include "kernels/ntxent.h"

#include "nn/ops/ops.h"
#include "nn/ops/ranks.h"

namespace kith {
namespace {

// Products are of bf16 where the run's activations are: rows are unit rows.
DType products_of(const Context& ctx) { return ctx.precision(); }
Products kernel_products(DType d) { return d == DType::bf16 ? Products::bf16 : Products::f32; }

struct SavedViews {
  Array<int32_t> positive;
  int64_t self_offset = 0;
  float tau = 1;
  DType products = DType::f32;
  Tensor anchors = {}, keys = {}, lse = {};
};

struct Costs {
  double anchors, keys, dim;

  explicit Costs(const SavedViews& s)
      : anchors(static_cast<double>(s.anchors.dim(0))),
        keys(static_cast<double>(s.keys.dim(0))),
        dim(static_cast<double>(s.keys.dim(-1))) {}
};

void backward(const SavedViews& s, const Tensor& dloss, Grads& grads) {
  kernels::NtXentBackward<float> args{.anchors = s.anchors.matrix(),
                                      .keys = s.keys.matrix(),
                                      .positive = s.positive.span(),
                                      .self_offset = s.self_offset,
                                      .lse = s.lse.span(),
                                      .dloss = dloss.span(),
                                      .tau = s.tau,
                                      .products = kernel_products(s.products)};
  const Costs c(s);
  const bool same = grads.same(0, 1);
  if (same && is_square(args)) {
    grads.op().charge(kernels::ntxent_backward_cost(c.anchors, c.dim), s.products);
  } else {
    if (grads.wanted(0)) grads.op().charge(kernels::contrastive_danchors_cost(c.anchors, c.keys, c.dim), s.products);
    if (grads.wanted(1)) grads.op().charge(kernels::contrastive_dkeys_cost(c.anchors, c.keys, c.dim), s.products);
  }
  if (grads.wanted(0)) args.danchors = grads.matrix(0), args.write_danchors = grads.write(0);
  if (grads.wanted(1)) args.dkeys = grads.matrix(1);
  if (grads.wanted(1) && !same) args.write_dkeys = grads.write(1);
  kernels::ntxent_backward(args, grads.queue());
}

Var recorded(Tape& tape, const char* name, const Var& anchors, const Var& keys, SavedViews s) {
  Context& ctx = tape.context();
  s.anchors = anchors.value(), s.keys = keys.value(), s.products = products_of(ctx);
  s.lse = ctx.empty({s.anchors.dim(0)});
  Tensor loss = ctx.empty({s.anchors.dim(0)});
  const kernels::NtXentForward<float> args{.anchors = s.anchors.matrix(),
                                           .keys = s.keys.matrix(),
                                           .positive = s.positive.span(),
                                           .self_offset = s.self_offset,
                                           .tau = s.tau,
                                           .lse = s.lse.span(),
                                           .loss = loss.span(),
                                           .products = kernel_products(s.products)};
  const Costs c(s);
  const OpScope op(ctx, name,
                   is_square(args) ? kernels::ntxent_forward_cost(c.anchors, c.dim)
                                   : kernels::contrastive_forward_cost(c.anchors, c.keys, c.dim),
                   s.products);
  kernels::ntxent_forward(args, ctx.queue());
  return tape.record(name, {anchors, keys}, loss,
                     [s = std::move(s)](const Tensor& dloss, Grads& grads) { backward(s, dloss, grads); });
}

}  // namespace

Var ntxent(Tape& tape, Var z, float tau) {
  return recorded(tape, "ntxent", z, z, {.positive = {}, .self_offset = 0, .tau = tau});
}

Var contrastive(Tape& tape, Var anchors, Var keys, const Array<int32_t>& positive, int64_t self_offset, float tau) {
  return recorded(tape, "contrastive", anchors, keys, {.positive = positive, .self_offset = self_offset, .tau = tau});
}

Var ntxent_mean_of(Tape& tape, Var loss, NtXentForm form) {
  if (form == NtXentForm::symmetric) return mean(tape, loss);
  const int64_t rows = loss.value().dim(0);
  std::vector<float> weights;
  for (int64_t i = 0; i < rows; ++i) weights.push_back(ntxent_weight(form, i, rows));
  Var first = tape.constant(tape.context().constant({1, rows}, std::move(weights)));
  return reshape(tape, linear(tape, reshape(tape, loss, {1, rows}), first, {}), {});
}

Var ntxent_mean(Tape& tape, Var z, float tau, NtXentForm form) {
  return ntxent_mean_of(tape, ntxent(tape, z, tau), form);
}

}  // namespace kith
