#include "kernels/ntxent.h"

#include "bench/study/simt/study.h"

namespace kith::study {
namespace {

using namespace kernels;
using test::poison, test::Seed, test::unit_rows;

Products products(const Sizes& s) { return s["bf16"] != 0 ? Products::bf16 : Products::f32; }

Cost run_ntxent_forward(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], dim = s["dim"];
  const OnDevice<float> z(unit_rows(rows, dim, Seed{1})), lse(poison<float>(rows)), loss(poison<float>(rows));
  ntxent_forward({.anchors = z.matrix(),
                  .keys = z.matrix(),
                  .tau = 0.1f,
                  .lse = lse.span(),
                  .loss = loss.span(),
                  .products = products(s)},
                 q);
  return cost(ntxent_forward_cost, rows, dim);
}

Cost run_ntxent_backward(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], dim = s["dim"];
  const OnDevice<float> z(unit_rows(rows, dim, Seed{1})), lse(filled(rows, 12.f)), dloss(filled(rows, 1.f)),
      dz(poison<float>(rows * dim));
  ntxent_backward({.anchors = z.matrix(),
                   .keys = z.matrix(),
                   .lse = lse.span(),
                   .dloss = dloss.span(),
                   .tau = 0.1f,
                   .danchors = {dz.data(), rows, dim},
                   .dkeys = {dz.data(), rows, dim},
                   .products = products(s)},
                  q);
  return cost(ntxent_backward_cost, rows, dim);
}

// Anchors of which each has a key of its own as positive, among many.
struct Contrast {
  int64_t anchors, keys, dim;
  OnDevice<float> a, k, lse, dloss;
  OnDevice<int32_t> positive;
  Products products_of;

  explicit Contrast(const Sizes& s)
      : anchors(s["anchors"]),
        keys(s["keys"]),
        dim(s["dim"]),
        a(unit_rows(anchors, dim, Seed{1})),
        k(unit_rows(keys, dim, Seed{2})),
        lse(filled(anchors, 12.f)),
        dloss(filled(anchors, 1.f)),
        positive(labels(anchors, keys)),
        products_of(products(s)) {}
  void backward(Matrix<float> danchors, Matrix<float> dkeys, Queue q) const {
    ntxent_backward({.anchors = a.matrix(),
                     .keys = k.matrix(),
                     .positive = positive.span(),
                     .self_offset = kNoSelf,
                     .lse = lse.span(),
                     .dloss = dloss.span(),
                     .tau = 0.1f,
                     .danchors = danchors,
                     .dkeys = dkeys,
                     .products = products_of},
                    q);
  }
};

Cost run_contrastive_forward(const Sizes& s, Queue q) {
  const Contrast c(s);
  const OnDevice<float> loss(poison<float>(c.anchors));
  ntxent_forward({.anchors = c.a.matrix(),
                  .keys = c.k.matrix(),
                  .positive = c.positive.span(),
                  .self_offset = kNoSelf,
                  .tau = 0.1f,
                  .lse = c.lse.span(),
                  .loss = loss.span(),
                  .products = c.products_of},
                 q);
  return cost(contrastive_forward_cost, c.anchors, c.keys, c.dim);
}

Cost run_contrastive_danchors(const Sizes& s, Queue q) {
  const Contrast c(s);
  const OnDevice<float> danchors(poison<float>(c.anchors * c.dim));
  c.backward({danchors.data(), c.anchors, c.dim}, {}, q);
  return cost(contrastive_danchors_cost, c.anchors, c.keys, c.dim);
}

Cost run_contrastive_dkeys(const Sizes& s, Queue q) {
  const Contrast c(s);
  const OnDevice<float> dkeys(poison<float>(c.keys * c.dim));
  c.backward({}, {dkeys.data(), c.keys, c.dim}, q);
  return cost(contrastive_dkeys_cost, c.anchors, c.keys, c.dim);
}

const Sizes kPairs{{"rows", 512}, {"dim", 128}, {"bf16", 1}};
const Sizes kQueue{{"anchors", 128}, {"keys", 1024}, {"dim", 128}, {"bf16", 1}};
const Entries kNtxentEntries{{{"ntxent_forward", kPairs, run_ntxent_forward},
                              {"ntxent_backward", kPairs, run_ntxent_backward, true},
                              {"contrastive_forward", kQueue, run_contrastive_forward},
                              {"contrastive_danchors", kQueue, run_contrastive_danchors, true},
                              {"contrastive_dkeys", kQueue, run_contrastive_dkeys, true}}};

}  // namespace
}  // namespace kith::study
