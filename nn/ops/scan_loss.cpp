// scan_loss  anchors, neighbours [heads, rows, classes] -> loss [heads]
#include "kernels/scan_loss.h"

#include <fmt/format.h>

#include "kernels/core/check.h"
#include "nn/ops/ops.h"

namespace kith {
namespace {

struct SavedLoss {
  Tensor anchors, neighbours, pbar;
  float lambda;
};

template <class F>
Cost cost_of(F cost, const Tensor& logits) {
  return cost(static_cast<double>(logits.dim(0)), static_cast<double>(logits.dim(1)),
              static_cast<double>(logits.dim(2)));
}

void backward(const SavedLoss& s, const Tensor& dloss, Grads& grads) {
  grads.op().charge(cost_of(kernels::scan_loss_backward_cost, s.anchors));
  kernels::ScanLossBackward<float> args{.anchors = s.anchors.data(),
                                        .neighbours = s.neighbours.data(),
                                        .heads = s.anchors.dim(0),
                                        .rows = s.anchors.dim(1),
                                        .classes = s.anchors.dim(2),
                                        .lambda = s.lambda,
                                        .pbar = s.pbar.matrix(),
                                        .dloss = dloss.span(),
                                        .danchors = nullptr,
                                        .dneighbours = nullptr};
  if (grads.wanted(0)) {
    args.danchors = grads.data(0);
    args.write_anchors = grads.write(0);
    if (grads.same(0, 1)) {  // both gradients go to one place: one after the other
      kernels::scan_loss_backward(args, grads.queue());
      args.danchors = nullptr;
    }
  }
  if (grads.wanted(1)) {
    args.dneighbours = grads.data(1);
    args.write_neighbours = grads.write(1);
  }
  kernels::scan_loss_backward(args, grads.queue());
}

}  // namespace

ScanLossOut scan_loss(Tape& tape, Var anchors, Var neighbours, float lambda) {
  Context& ctx = tape.context();
  const Shape& shape = anchors.value().shape();
  check(shape.size() == 3 && neighbours.value().shape() == shape,
        fmt::format("scan_loss: two tensors [heads, rows, classes] expected, found {} and {}", to_string(shape),
                    to_string(neighbours.value().shape())));
  const int64_t heads = shape[0], rows = shape[1], classes = shape[2];
  const OpScope op(ctx, "scan_loss", cost_of(kernels::scan_loss_forward_cost, anchors.value()));
  Tensor loss = ctx.empty({heads}), consistency = ctx.empty({heads}), entropy = ctx.empty({heads});
  Tensor pbar = ctx.empty({heads, classes});
  kernels::scan_loss_forward({.anchors = anchors.value().data(),
                              .neighbours = neighbours.value().data(),
                              .heads = heads,
                              .rows = rows,
                              .classes = classes,
                              .lambda = lambda,
                              .loss = loss.span(),
                              .consistency = consistency.span(),
                              .entropy = entropy.span(),
                              .pbar = pbar.matrix()},
                             ctx.queue());
  SavedLoss saved{.anchors = anchors.value(), .neighbours = neighbours.value(), .pbar = pbar, .lambda = lambda};
  Var out = tape.record("scan_loss", {anchors, neighbours}, loss,
                        [saved = std::move(saved)](const Tensor& d, Grads& grads) { backward(saved, d, grads); });
  return {.loss = out, .consistency = consistency, .entropy = entropy};
}

}  // namespace kith
