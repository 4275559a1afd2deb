#include "kernels/selflabel_loss.h"

#include "bench/study/simt/study.h"

namespace kith::study {
namespace {

using namespace kernels;
using test::normal_rows, test::poison, test::Seed;

Cost run_selflabel_loss_forward(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], classes = s["classes"];
  const OnDevice<float> weak(normal_rows(rows, classes, Seed{1}, 4.f)), strong(normal_rows(rows, classes, Seed{2})),
      weight(poison<float>(rows)), loss(poison<float>(1));
  const OnDevice<int32_t> target(poison<int32_t>(rows)), kept(poison<int32_t>(1));
  selflabel_loss_forward({.weak = weak.matrix(),
                          .strong = strong.matrix(),
                          .threshold = 0.5f,
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

const Sizes kLogits{{"rows", 512}, {"classes", 10}};
const Entries kSelflabelLossEntries{{{"selflabel_loss_forward", kLogits, run_selflabel_loss_forward},
                                     {"selflabel_loss_backward", kLogits, run_selflabel_loss_backward}}};

}  // namespace
}  // namespace kith::study
