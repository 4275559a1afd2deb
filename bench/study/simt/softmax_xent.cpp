#include "kernels/softmax_xent.h"

#include "bench/study/simt/study.h"

namespace kith::study {
namespace {

using namespace kernels;
using test::normal_rows, test::poison, test::Seed;

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

const Sizes kLabelledLogits{{"rows", 512}, {"classes", 10}};
const Entries kSoftmaxXentEntries{{{"softmax_xent_forward", kLabelledLogits, run_softmax_xent_forward},
                                   {"softmax_xent_backward", kLabelledLogits, run_softmax_xent_backward},
                                   {"softmax_rows", kLabelledLogits, run_softmax_rows}}};

}  // namespace
}  // namespace kith::study
