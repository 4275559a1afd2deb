#include "bench/study/simt/study.h"
#include "kernels/l2_normalize.h"
#include "kernels/ntxent.h"
#include "kernels/scan_loss.h"
#include "kernels/selflabel_loss.h"
#include "kernels/softmax_xent.h"

namespace kith::study {
namespace {

using namespace kernels;
using test::normal, test::normal_rows, test::OnDevice, test::poison, test::Seed, test::unit_rows;

Products products(const Sizes& s) { return s["bf16"] != 0 ? Products::bf16 : Products::f32; }

std::vector<float> filled(int64_t count, float value) { return std::vector<float>(static_cast<size_t>(count), value); }

std::vector<int32_t> labels(int64_t count, int64_t classes) {
  std::vector<int32_t> v(static_cast<size_t>(count));
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<int32_t>(static_cast<int64_t>(i) % classes);
  return v;
}

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

Cost run_scan_loss_forward(const Sizes& s, Queue q) {
  const int64_t heads = s["heads"], rows = s["rows"], classes = s["classes"];
  const OnDevice<float> anchors(normal(heads * rows * classes, Seed{1})),
      neighbours(normal(heads * rows * classes, Seed{2})), loss(poison<float>(heads)),
      consistency(poison<float>(heads)), entropy(poison<float>(heads)), pbar(poison<float>(heads * classes));
  scan_loss_forward({.anchors = anchors.data(),
                     .neighbours = neighbours.data(),
                     .heads = heads,
                     .rows = rows,
                     .classes = classes,
                     .lambda = 5.f,
                     .loss = loss.span(),
                     .consistency = consistency.span(),
                     .entropy = entropy.span(),
                     .pbar = {pbar.data(), heads, classes}},
                    q);
  return cost(scan_loss_forward_cost, heads, rows, classes);
}

Cost run_scan_loss_backward(const Sizes& s, Queue q) {
  const int64_t heads = s["heads"], rows = s["rows"], classes = s["classes"];
  const int64_t count = heads * rows * classes;
  const OnDevice<float> anchors(normal(count, Seed{1})), neighbours(normal(count, Seed{2})),
      pbar(filled(heads * classes, 1.f / static_cast<float>(classes))), dloss(filled(heads, 1.f)),
      danchors(poison<float>(count)), dneighbours(poison<float>(count));
  scan_loss_backward({.anchors = anchors.data(),
                      .neighbours = neighbours.data(),
                      .heads = heads,
                      .rows = rows,
                      .classes = classes,
                      .lambda = 5.f,
                      .pbar = {pbar.data(), heads, classes},
                      .dloss = dloss.span(),
                      .danchors = danchors.data(),
                      .dneighbours = dneighbours.data()},
                     q);
  return cost(scan_loss_backward_cost, heads, rows, classes);
}

Cost run_selflabel_loss_forward(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], classes = s["classes"];
  const OnDevice<float> weak(normal_rows(rows, classes, Seed{1}, 4.f)), strong(normal_rows(rows, classes, Seed{2})),
      weight(poison<float>(rows)), loss(poison<float>(1));
  const OnDevice<int32_t> target(poison<int32_t>(rows)), kept(poison<int32_t>(1));
  selflabel_loss_forward({.weak = weak.matrix(),
                          .strong = strong.matrix(),
                          .threshold = 0.5f,
                          .thresholds = {},
                          .target = target.span(),
                          .weight = weight.span(),
                          .loss = loss.span(),
                          .kept = kept.span()},
                         q);
  return cost(selflabel_loss_forward_cost, rows, classes);
}

Cost run_selflabel_loss_backward(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], classes = s["classes"];
  const OnDevice<float> strong(normal_rows(rows, classes, Seed{2})), weight(filled(rows, 1.f)), dloss(filled(1, 1.f)),
      dstrong(poison<float>(rows * classes));
  const OnDevice<int32_t> target(labels(rows, classes));
  selflabel_loss_backward({.strong = strong.matrix(),
                           .target = target.span(),
                           .weight = weight.span(),
                           .dloss = dloss.span(),
                           .dstrong = {dstrong.data(), rows, classes}},
                          q);
  return cost(selflabel_loss_backward_cost, rows, classes);
}

Cost run_softmax_xent_forward(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], classes = s["classes"];
  const OnDevice<float> logits(normal_rows(rows, classes, Seed{1})), loss(poison<float>(rows));
  const OnDevice<int32_t> label(labels(rows, classes));
  softmax_xent_forward({.logits = logits.matrix(), .labels = label.span(), .loss = loss.span()}, q);
  return cost(softmax_xent_forward_cost, rows, classes);
}

Cost run_softmax_xent_backward(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], classes = s["classes"];
  const OnDevice<float> logits(normal_rows(rows, classes, Seed{1})), dloss(filled(rows, 1.f)),
      dlogits(poison<float>(rows * classes));
  const OnDevice<int32_t> label(labels(rows, classes));
  softmax_xent_backward({.logits = logits.matrix(),
                         .labels = label.span(),
                         .dloss = dloss.span(),
                         .dlogits = {dlogits.data(), rows, classes}},
                        q);
  return cost(softmax_xent_backward_cost, rows, classes);
}

Cost run_softmax_rows(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], classes = s["classes"];
  const OnDevice<float> logits(normal_rows(rows, classes, Seed{1})), p(poison<float>(rows * classes));
  softmax_rows({.logits = logits.matrix(), .probabilities = {p.data(), rows, classes}}, q);
  return {.flops = 0, .bytes = 8.0 * static_cast<double>(rows * classes)};  // logits in, probabilities out
}

Cost run_l2_normalize_forward(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], dim = s["dim"];
  const OnDevice<float> x(normal_rows(rows, dim, Seed{1})), y(poison<float>(rows * dim)), norm(poison<float>(rows));
  l2_normalize_forward({.x = x.matrix(), .y = {y.data(), rows, dim}, .norm = norm.span()}, q);
  return cost(l2_normalize_forward_cost, rows, dim);
}

Cost run_l2_normalize_backward(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], dim = s["dim"];
  const OnDevice<float> y(unit_rows(rows, dim, Seed{1})), dy(normal_rows(rows, dim, Seed{2})), norm(filled(rows, 1.f)),
      dx(poison<float>(rows * dim));
  l2_normalize_backward({.y = y.matrix(), .dy = dy.matrix(), .norm = norm.span(), .dx = {dx.data(), rows, dim}}, q);
  return cost(l2_normalize_backward_cost, rows, dim);
}

}  // namespace

std::vector<Study> loss_studies() {
  const Sizes pairs{{"rows", 512}, {"dim", 128}, {"bf16", 1}}, heads{{"heads", 2}, {"rows", 512}, {"classes", 10}},
      queue{{"anchors", 128}, {"keys", 1024}, {"dim", 128}, {"bf16", 1}}, logits{{"rows", 512}, {"classes", 10}},
      vectors{{"rows", 512}, {"dim", 128}};
  return {{"ntxent_forward", pairs, run_ntxent_forward},
          {"ntxent_backward", pairs, run_ntxent_backward},
          {"contrastive_forward", queue, run_contrastive_forward},
          {"contrastive_danchors", queue, run_contrastive_danchors},
          {"contrastive_dkeys", queue, run_contrastive_dkeys},
          {"scan_loss_forward", heads, run_scan_loss_forward},
          {"scan_loss_backward", heads, run_scan_loss_backward},
          {"selflabel_loss_forward", logits, run_selflabel_loss_forward},
          {"selflabel_loss_backward", logits, run_selflabel_loss_backward},
          {"softmax_xent_forward", logits, run_softmax_xent_forward},
          {"softmax_xent_backward", logits, run_softmax_xent_backward},
          {"softmax_rows", logits, run_softmax_rows},
          {"l2_normalize_forward", vectors, run_l2_normalize_forward},
          {"l2_normalize_backward", vectors, run_l2_normalize_backward}};
}

}  // namespace kith::study
