// ntxent_mean of several ranks  z [rows of this rank, dim] -> the mean over the rows of all, []
#include <fmt/format.h>

#include <algorithm>

#include "kernels/core/check.h"
#include "kernels/elementwise.h"
#include "kernels/ntxent.h"
#include "nn/device/ranks/collective.h"
#include "nn/ops/ranks.h"

namespace kith {
namespace {

struct SavedShare {
  Tensor own, all, lse;  // [rows of this rank, dim], [rows of all, dim], [rows of this rank]
  int64_t first = 0;     // of this rank's rows
  float tau = 1;
  Products products = Products::f32;
  DType product_type = DType::f32;
};

// What this rank's anchors give to all keys reaches the ranks that hold them as a sum over the ranks. With it, and what its own
// anchors receive, each has the gradient of the loss of all with respect to its own rows.
void backward(const SavedShare& s, const Tensor& dloss, Grads& grads) {
  Context& ctx = grads.context();
  const int64_t rows = s.own.dim(0), whole = s.all.dim(0), dim = s.all.dim(1);
  grads.op().charge(kernels::contrastive_danchors_cost(static_cast<double>(rows), static_cast<double>(whole),
                                                       static_cast<double>(dim)),
                    s.product_type);
  grads.op().charge(
      kernels::contrastive_dkeys_cost(static_cast<double>(rows), static_cast<double>(whole), static_cast<double>(dim)),
      s.product_type);
  const Tensor dkeys = ctx.empty(s.all.shape());
  kernels::ntxent_backward({.anchors = s.own.matrix(),
                            .keys = s.all.matrix(),
                            .self_offset = s.first,
                            .lse = s.lse.span(),
                            .dloss = dloss.span(),
                            .tau = s.tau,
                            .danchors = grads.matrix(0),
                            .dkeys = dkeys.matrix(),
                            .write_danchors = grads.write(0),
                            .products = s.products},
                           grads.queue());
  ctx.collective().all_reduce(dkeys.span(), grads.queue());
  kernels::scale({.x = dkeys.part(s.first, rows).span(), .y = grads.tensor(0).span(), .write = Write::add},
                 grads.queue());
}

}  // namespace

Var ntxent_mean(Tape& tape, Var z, float tau, NtXentForm form, std::span<const int64_t> bounds) {
  Context& ctx = tape.context();
  Collective& ranks = ctx.collective();
  if (ranks.size() == 1) return ntxent_mean(tape, z, tau, form);
  check(std::ranges::all_of(bounds, [](int64_t b) { return b % 2 == 0; }),
        "ntxent_mean: both views of an image are rows of one rank");
  Tape apart(ctx, Tape::Mode::inference);
  const bool halves = ctx.precision() == DType::bf16;
  SavedShare s{.own = z.value(),
               .all = whole_batch(apart, apart.constant(z.value()), bounds).value(),
               .lse = ctx.empty({z.value().dim(0)}),
               .first = bounds[static_cast<size_t>(ranks.rank())],
               .tau = tau,
               .products = halves ? Products::bf16 : Products::f32,
               .product_type = ctx.precision()};
  const Tensor loss = ctx.empty({z.value().dim(0)});
  {
    const OpScope op(
        ctx, "ntxent",
        kernels::contrastive_forward_cost(static_cast<double>(loss.size()), static_cast<double>(bounds.back()),
                                          static_cast<double>(z.value().dim(1))),
        s.product_type);
    kernels::ntxent_forward({.anchors = s.own.matrix(),
                             .keys = s.all.matrix(),
                             .self_offset = s.first,
                             .tau = tau,
                             .lse = s.lse.span(),
                             .loss = loss.span(),
                             .products = s.products},
                            ctx.queue());
  }
  const Var own = tape.record("ntxent", {z}, loss,
                              [s = std::move(s)](const Tensor& dloss, Grads& grads) { backward(s, dloss, grads); });
  return ntxent_mean_of(tape, whole_batch(tape, own, bounds), form);
}

}  // namespace kith
